"""`@monitored` around anything that Lambda calls: results, exceptions, signatures and counts."""

import asyncio
import functools
import inspect
import io
import json
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_reader import read_output

from monitoring import count, gauge, histogram, monitored, span, timer
from monitoring.capture import LambdaContext, capture

CONTEXT = LambdaContext()


def handler(event, context):
    return {"ok": event}


class Methods:
    def handle(self, event, context):
        return {"ok": event}

    @monitored
    def decorated(self, event, context):
        return {"ok": event}

    @monitored
    @staticmethod
    def static(event, context):
        return {"ok": event}

    @classmethod
    @monitored
    def of_class(cls, event, context):
        return {"ok": event}


class Callable:
    setting = 7

    def __call__(self, event, context):
        return {"ok": event}


async def async_handler(event, context):
    await asyncio.sleep(0)
    count("inside")
    return {"ok": event}


HANDLERS = {
    "a function": monitored(handler),
    "a decorator with arguments": monitored(tags=["a:b"])(handler),
    "a bound method": monitored(Methods().handle),
    "a decorated method": Methods().decorated,
    "a static method": Methods.static,
    "a class method": Methods.of_class,
    "a callable object": monitored(Callable()),
    "a partial": monitored(functools.partial(lambda extra, event, context: {"ok": event}, 1)),
    "wrapped twice": monitored(monitored(handler)),
    "wrapped three times, with a decorator between": monitored(
        functools.wraps(handler)(monitored(monitored(handler)))
    ),
}


@pytest.mark.parametrize("wrapped", HANDLERS.values(), ids=HANDLERS.keys())
def test_each_kind_of_handler_gives_its_result_and_counts_once(wrapped):
    with capture() as emitted:
        assert wrapped({"n": 1}, CONTEXT) == {"ok": {"n": 1}}
    emitted.assert_count("stepscope.invocations", 1)
    assert len(emitted.points("stepscope.duration")) == 1
    assert len(emitted.trace()) == 1


def test_a_mock_is_a_handler_too():
    from unittest.mock import MagicMock

    mock = MagicMock(return_value=42)
    with capture() as emitted:
        assert monitored(mock)({}, MagicMock()) == 42
    mock.assert_called_once()
    emitted.assert_count("stepscope.invocations", 1)


def test_keyword_arguments_are_passed_on():
    with capture() as emitted:
        assert monitored(handler)(event=1, context=CONTEXT) == {"ok": 1}
    emitted.assert_count("stepscope.invocations", 1)


@pytest.mark.parametrize("wrapped", [monitored(async_handler), monitored(tags="a:b")(async_handler)])
def test_an_async_handler_is_awaited_before_its_call_ends(wrapped):
    assert inspect.iscoroutinefunction(wrapped) or asyncio.iscoroutinefunction(wrapped)
    with capture() as emitted:
        assert asyncio.run(wrapped(1, CONTEXT)) == {"ok": 1}
    emitted.assert_count("inside", 1)
    emitted.assert_count("stepscope.invocations", 1)
    assert [point.metric for point in emitted.points()][-1] == "stepscope.duration"


def test_a_function_that_gives_a_coroutine_is_awaited_too():
    def plain(event, context):
        return async_handler(event, context)

    with capture() as emitted:
        assert asyncio.run(monitored(plain)(1, CONTEXT)) == {"ok": 1}
    assert [point.metric for point in emitted.points()] == [
        "stepscope.invocations",
        "inside",
        "stepscope.duration",
    ]


def test_calls_that_run_at_the_same_time_keep_their_tags_apart():
    async def one(name):
        @monitored(tags=[f"call:{name}"])
        async def inner(event, context):
            await asyncio.sleep(0.001)
            count("seen", tags=[f"by:{name}"])

        await inner({}, CONTEXT)

    async def both():
        await asyncio.gather(one("a"), one("b"))

    with capture() as emitted:
        asyncio.run(both())
    assert sorted(point.tags for point in emitted.points("seen")) == [("by:a", "call:a"), ("by:b", "call:b")]
    assert len({trace[0]["trace_id"] for trace in emitted.traces()}) == 2


class Wanted(BaseException):
    pass


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Wanted()]
)
def test_an_exception_goes_through_untouched_and_is_counted_by_type(error):
    error.__cause__ = cause = KeyError("cause")

    @monitored
    def fails(event, context):
        raise error

    with capture() as emitted, pytest.raises(type(error)) as caught:
        fails({}, CONTEXT)
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": type(error).__name__})
    root = emitted.trace()[0]
    assert (root["error"], root["meta"]["error.type"]) == (1, type(error).__name__)


def test_the_stack_of_an_error_begins_in_the_handler():
    def fails(event, context):
        raise ValueError("bad slide")

    with capture() as emitted, pytest.raises(ValueError, match="bad slide"):
        monitored(fails)({}, CONTEXT)
    meta = emitted.trace()[0]["meta"]
    assert meta["error.message"] == "bad slide"
    assert "in fails" in meta["error.stack"]
    assert "in monitored_handler" not in meta["error.stack"]


def test_a_generator_is_given_back_as_it_is():
    @monitored
    def numbers(event, context):
        yield from range(3)

    with capture() as emitted:
        made = numbers({}, CONTEXT)
        assert inspect.isgenerator(made)
        assert list(made) == [0, 1, 2]
    emitted.assert_count("stepscope.invocations", 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Hostile:
    """A context whose every attribute raises."""

    def __getattr__(self, name):
        raise RuntimeError(name)


class NoArn:
    aws_request_id = None


CONTEXTS = [None, NoArn(), Hostile(), object(), {"aws_request_id": 1}, 5]


@given(JSON, st.sampled_from(CONTEXTS))
def test_whatever_the_event_and_the_context_the_result_stands(event, context):
    result = object()
    with capture() as emitted:
        assert monitored(lambda e, c: result)(event, context) is result
    read_output(emitted.text)


class Nasty:
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__

    def __hash__(self):
        raise TypeError("no hash")


class NastyContext:
    function_name = Nasty()
    invoked_function_arn = Nasty()
    aws_request_id = Nasty()

    def get_remaining_time_in_millis(self):
        raise OSError("no clock")


NAMES_AND_TAGS = [
    None,
    5,
    b"x",
    "",
    "123",
    "a" * 999,
    "a|b\nc",
    Nasty(),
    [],
    {},
    {"a": Nasty()},
    [Nasty()],
    [[]],
    ["a|b"],
]


@pytest.mark.parametrize("odd", NAMES_AND_TAGS, ids=[str(number) for number in range(len(NAMES_AND_TAGS))])
def test_a_name_a_tag_or_a_value_of_any_type_leaves_the_handler_alone(odd, capsys):
    @monitored(tags=odd)
    def strange(event, context):
        count(odd, tags=odd)
        gauge("fine", odd)
        histogram("fine", 1, odd)
        with span(odd, odd, service=odd, type=odd, tags=odd if isinstance(odd, dict) else {"k": odd}) as made:
            made.set(odd, odd)
            made.link(odd, odd)
        with timer(odd, odd):
            pass
        return 42

    with capture() as emitted:
        assert strange({}, NastyContext()) == 42
    read_output(emitted.text)


def test_what_fails_in_telemetry_is_said_once_shortly_and_counted(capsys):
    with capture() as emitted:
        for _ in range(3):
            gauge("disk.free", float("nan"))
    emitted.assert_count(
        "stepscope.telemetry.failures", 3, tags={"where": "gauge", "error_type": "ValueError"}
    )
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "monitoring: gauge failed, the handler is not touched: ValueError: value nan is not finite"
    ]


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("I/O on closed file"), BrokenPipeError(), OSError(28, "full")])
def test_a_standard_output_that_cannot_be_written_leaves_the_handler_alone(error, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Broken(error))
    assert monitored(lambda event, context: count("a") or 42)({}, CONTEXT) == 42


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_closed_or_missing_standard_output_leaves_the_handler_alone(stream, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed if stream else None)
    assert monitored(lambda event, context: count("a") or 42)({}, CONTEXT) == 42


def test_a_thread_that_is_not_the_main_one_runs_handlers_too():
    results = []
    wrapped = monitored(lambda event, context: results.append(event) or event)
    with capture() as emitted:
        threads = [threading.Thread(target=wrapped, args=(n, CONTEXT)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [0, 1, 2, 3]
    emitted.assert_count("stepscope.invocations", 4)


def test_a_thread_that_a_handler_starts_belongs_to_the_call():
    @monitored(tags=["team:a"])
    def starts(event, context):
        def work():
            count("worked")
            with span("in.thread"):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    with capture() as emitted:
        starts({}, CONTEXT)
    emitted.assert_count("worked", 1, tags=["team:a"])
    root, child = emitted.trace()
    assert child["parent_id"] == root["span_id"]


def test_nothing_of_one_call_leaks_into_the_next_or_outside():
    with capture() as emitted:
        monitored(tags=["first:1"])(handler)({}, CONTEXT)
        count("between")
        monitored(tags=["second:2"])(lambda event, context: count("inside"))({}, CONTEXT)
    emitted.assert_count("between", 1)
    assert emitted.points("between")[0].tags == ()
    assert emitted.points("inside")[0].tags == ("second:2",)


def test_the_wrapper_keeps_the_name_the_documentation_the_attributes_and_the_signature():
    def documented(event: dict, context: object) -> str:
        """Says so."""
        return ""

    documented.extra = 1
    wrapped = monitored(documented)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.extra) == ("documented", "Says so.", 1)
    assert wrapped.__wrapped__ is documented
    assert inspect.signature(wrapped) == inspect.signature(documented)
    assert monitored(Callable()).__wrapped__.setting == 7


def test_powertools_around_and_inside_keeps_its_result_and_counts_once(monkeypatch):
    from aws_lambda_powertools import Logger

    logger = Logger(service="slides", stream=io.StringIO())

    @monitored
    @logger.inject_lambda_context
    def inside(event, context):
        return 1

    @logger.inject_lambda_context
    @monitored
    def outside(event, context):
        return 2

    with capture() as emitted:
        assert (inside({}, CONTEXT), outside({}, CONTEXT)) == (1, 2)
    emitted.assert_count("stepscope.invocations", 2)


def test_a_timer_prints_milliseconds_around_a_block_a_function_and_an_async_function():
    @timer("took", {"kind": "function"})
    def work():
        return 1

    @timer("took", ["kind:async"])
    async def later():
        return 2

    with capture() as emitted:
        with timer("took", tags=["kind:block"]) as timed:
            pass
        assert work() == 1
        assert asyncio.run(later()) == 2
        with pytest.raises(ZeroDivisionError), timer("took", ["kind:failed"]):
            raise ZeroDivisionError
    kinds = [point.tags for point in emitted.points("took")]
    assert kinds == [("kind:block",), ("kind:function",), ("kind:async",), ("kind:failed",)]
    assert timed.elapsed_ms >= 0


def test_each_line_is_one_write_and_ends_with_its_newline(monkeypatch):
    writes = []

    class Counting(io.StringIO):
        def write(self, text):
            writes.append(text)

    monkeypatch.setattr(sys, "stdout", Counting())
    monitored(lambda event, context: count("a", tags=["b:c"]))({"x": "y" * 600}, CONTEXT)
    assert len(writes) >= 5
    assert all(text.endswith("\n") and text.count("\n") == 1 for text in writes)


@pytest.mark.parametrize("form", ["monitoring", "datadog", "both", "", "nonsense"])
def test_the_format_is_a_setting(form, monkeypatch):
    monkeypatch.setenv("MONITORING_FORMAT", form)
    with capture() as emitted:
        monitored(lambda event, context: count("a.b", 2, tags=["c:d", "é:ü"]))({}, CONTEXT)
        count("plain")
    printed = [json.loads(line) for line in emitted.lines]
    if form in {"datadog", "both"}:
        assert [point["m"] for point in printed] == [
            "stepscope.invocations",
            "a.b",
            "stepscope.duration",
            "plain",
        ]
        assert set(printed[1]) == {"m", "v", "e", "t"}
        assert (printed[1]["v"], printed[1]["t"], printed[3]["t"]) == (2, ["c:d", "é:ü"], [])
    else:
        assert not printed
    assert bool(emitted.points("a.b")) == (form != "datadog")


def test_the_environments_tags_are_on_every_point(monkeypatch):
    for name, value in {
        "DD_ENV": "prod",
        "DD_SERVICE": "slides",
        "DD_VERSION": "1.2",
        "DD_TAGS": "team:a,x:y",
    }.items():
        monkeypatch.setenv(name, value)
    with capture() as emitted:
        monitored(lambda event, context: count("a"))({}, CONTEXT)
    for point in emitted.points():
        assert point.tags[-5:] == ("env:prod", "service:slides", "version:1.2", "team:a", "x:y")
    root = emitted.trace()[0]
    assert (root["service"], root["meta"]["env"], root["meta"]["version"]) == ("slides", "prod", "1.2")


def test_tag_sets_beyond_the_limit_are_folded_with_one_warning(monkeypatch, capsys):
    monkeypatch.setenv("MONITORING_TAG_LIMIT", "10")
    with capture() as emitted:
        for number in range(1000):
            count("clicks", tags=[f"user:{number}", "talk:baltimore"])
            count(f"metric{number % 3}", tags=["fine:1"])
    sets = {point.tags for point in emitted.points("clicks")}
    assert len(sets) == 11
    assert ("user:other", "talk:baltimore", "tag:other") in sets
    emitted.assert_count("clicks", 990, tags=["tag:other"])
    assert emitted.points("metric1")[0].tags == ("fine:1",)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_keys_that_explode_end_in_one_tag(monkeypatch):
    monkeypatch.setenv("MONITORING_TAG_LIMIT", "10")
    with capture() as emitted:
        for number in range(100):
            count("clicks", tags=[f"user{number}:1"])
    assert len({point.tags for point in emitted.points("clicks")}) <= 21
    assert emitted.points("clicks")[-1].tags == ("tag:other",)


@pytest.mark.parametrize("options", [{"on_broken": "explode", "verify": handler}, {"verify": 5}])
def test_wrong_arguments_of_the_decorator_are_said_where_it_is_written(options):
    with pytest.raises((ValueError, TypeError), match=r"write 'report', 'raise'|not a function of"):
        monitored(**options)(handler)


def test_typing_survives_the_decorator(tmp_path):
    from mypy import api

    source = tmp_path / "typed.py"
    source.write_text(
        "from monitoring import monitored\n"
        "@monitored\ndef a(event: dict[str, int], context: object) -> str: return ''\n"
        "@monitored(tags=['x:y'])\nasync def b(event: str, context: object) -> int: return 1\n"
        "reveal_type(a)\nreveal_type(b)\n"
    )
    shown = api.run([str(source), "--no-incremental", "--follow-imports=silent"])[0]
    assert "def (event: dict[str, int], context: object) -> str" in shown.replace("builtins.", "")
    assert "def (event: str, context: object) -> typing.Coroutine[Any, Any, int]" in shown.replace(
        "builtins.", ""
    )
