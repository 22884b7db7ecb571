"""Edges of what a call reports: its deadline, what is kept of tags, how much of a stack and of a trace is printed.

Sources: docs/functions.md (settings and limits), docs/metrics.md (time-outs), docs/log-lines.md (the line).
"""

import json
from types import SimpleNamespace

import pytest

from monitoring import count
from monitoring.capture import capture
from monitoring.instrumentation import metrics, timeouts
from monitoring.instrumentation.metrics import guarded
from monitoring.instrumentation.output import metric_name, shown, tag_list, tag_text, value_text
from monitoring.instrumentation.settings import MASKED, Settings, masking_key
from monitoring.instrumentation.trace_line import (
    MASK,
    MAX_LINE,
    MAX_VALUE,
    error_meta,
    masked,
    meta_text,
    secret,
    span_json,
    trace_lines,
)

# --- the deadline: docs/functions.md, MONITORING_DEADLINE_MARGIN_MS


class Running:
    """A call under the watchdog: milliseconds that its context says are left."""

    def __init__(self, left=1000.0, margin_ms=0):
        self.left, self.reports = left, 0
        self.settings = SimpleNamespace(margin_ms=margin_ms)
        self.context = SimpleNamespace(get_remaining_time_in_millis=lambda: self.left)

    def report_timeout(self):
        self.reports += 1


@pytest.mark.parametrize(
    ("given", "setting", "seconds"),
    [
        (1000, 0, 0.1),
        (2490, 0, 0.249),
        (2500, 0, 0.25),
        (2600, 0, 0.25),
        (900_000, 0, 0.25),
        (1000, 900, 0.9),
        (1000, 1, 0.001),
    ],
)
def test_the_margin_is_a_tenth_of_the_time_and_a_quarter_of_a_second_at_most(given, setting, seconds):
    assert timeouts._margin(Running(margin_ms=setting), given) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("left", "reports"), [(106.0, 0), (105.0, 1), (104.0, 1), (0.0, 1), (-5.0, 1), (900.0, 0)]
)
def test_a_call_is_reported_once_its_own_context_says_that_the_margin_has_begun(left, reports):
    """A call of 1 s has a margin of 100 ms; 5 ms of slack are not worth another waking."""
    dog, call = timeouts._Watchdog(), Running(left)
    dog.watched[call] = 1000.0
    dog.look()
    assert (call.reports, call in dog.watched) == (reports, not reports)
    assert (dog.wakes == float("inf")) is bool(reports)
    dog.look()
    assert call.reports == reports


def test_a_call_that_has_more_time_than_thought_is_looked_at_when_its_margin_begins():
    dog, call = timeouts._Watchdog(), Running(600.0)
    dog.watched[call] = 1000.0
    before = timeouts._CLOCK[0]()
    dog.look()
    assert before + 0.5 <= dog.wakes <= timeouts._CLOCK[0]() + 0.5


def test_of_several_calls_only_those_at_their_deadline_are_reported_and_a_broken_one_harms_none():
    dog = timeouts._Watchdog()
    late, early, broken = Running(50.0), Running(500.0), Running()
    broken.context = None
    for call in (broken, late, early):
        dog.watched[call] = 1000.0
    with capture():
        dog.look()
    assert (late.reports, early.reports, broken.reports) == (1, 0, 0)
    assert list(dog.watched) == [early]


@pytest.mark.parametrize(
    ("given", "watched"),
    [
        (1, True),
        (0.5, True),
        (0, False),
        (-1, False),
        (True, False),
        ("9", False),
        (None, False),
        (float("nan"), False),
        (34_559_999_999, True),
        (34_560_000_000, False),
    ],
)
def test_a_deadline_is_a_number_of_milliseconds_of_at_most_400_days(given, watched, monkeypatch):
    dog = timeouts._Watchdog()
    monkeypatch.setattr(dog, "ring", lambda call, given: None)
    monkeypatch.setattr(timeouts, "_watchdog", dog)
    call = Running(given)
    timeouts.watch(call, call.context)
    assert (call in dog.watched) is watched
    timeouts.unwatch(call)
    assert not dog.watched


def test_a_context_without_a_clock_is_not_watched():
    timeouts.watch(Running(), object())
    assert not timeouts._watchdog.watched


@pytest.mark.parametrize(("given", "rings"), [(500.0, True), (2000.0, False)])
def test_only_a_deadline_before_the_next_waking_rings(given, rings, monkeypatch):
    dog, rung = timeouts._Watchdog(), []
    monkeypatch.setattr(dog, "ring", lambda call, given: rung.append(given))
    monkeypatch.setattr(timeouts, "_watchdog", dog)
    now = timeouts._CLOCK[0]()
    dog.wakes, dog.serves = now + 60, now + 1
    monkeypatch.setattr(timeouts, "_CLOCK", (lambda: now,))
    timeouts.watch(Running(given), Running(given).context)
    assert bool(rung) is rings


@pytest.mark.parametrize(("remaining", "wakes"), [(1000, 5.9), (10_000, 14.75)])
def test_a_deadline_rings_for_the_time_at_which_its_margin_begins(remaining, wakes, monkeypatch):
    monkeypatch.setattr(timeouts, "_CLOCK", (lambda: 5.0,))
    dog = timeouts._Watchdog()
    monkeypatch.setattr(dog, "start", lambda: None)
    dog.ring(Running(), remaining)
    assert dog.wakes == pytest.approx(wakes)
    assert dog.bell.is_set()
    dog.bell.clear()
    dog.ring(Running(), remaining + 50_000)
    assert not dog.bell.is_set()


# --- tags: docs/functions.md, MONITORING_TAG_LIMIT


def test_what_is_kept_of_printed_tags_has_a_bound():
    """A program that tags with ids must not grow without end: 4096 tails are kept, then they are dropped."""
    with capture():
        metrics.forget()
        for number in range(metrics._MAX_TAILS + 10):
            count(f"a.m{number}", tags=["a:b"])
            assert len(metrics._tails) <= metrics._MAX_TAILS
        assert len(metrics._tails) == 10
        assert metrics._MAX_TAILS == 4096
        metrics.forget()
        count("a.b", tags=["x:1"])
        count("a.b", tags=["x:1"])
        assert len(metrics._tails) == 1


def test_past_the_limit_the_key_with_the_most_values_becomes_other():
    with capture():
        metrics.forget()
        sets = [(f"id:{number}", f"zone:{number % 2}") for number in range(6)]
        assert [guarded("m", each, 4) for each in sets[:4]] == sets[:4]
        assert guarded("m", sets[4], 4) == ("id:other", "zone:0", "tag:other")
        assert guarded("m", sets[5], 4) == ("id:other", "zone:1", "tag:other")
        assert guarded("m", sets[0], 4) == sets[0]
        assert guarded("m", ("id:9", "zone:7"), 4) == ("id:other", "zone:7", "tag:other")
        assert guarded("m", ("id:9", "zone:8"), 4) == ("id:other", "zone:8", "tag:other")
        assert guarded("m", ("id:9", "zone:9"), 4) == ("tag:other",)
        assert guarded("m", ("id:9", "zone:8"), 4) == ("id:other", "zone:8", "tag:other")
        assert guarded("other", sets[5], 4) == sets[5]
        assert guarded("m", (), 4) == ()
        assert guarded("m", ("id:99",), 0) == ("id:99",)
        metrics.forget()


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("Env:Prod", "env:prod"),
        ("1env:a", "env:a"),
        ("a b|c,d:é", "a_b_c_d:é"),
        (" a:b ", "a:b"),
        ("a" * 201, "a" * 200),
        ("a-b_c.d/e:f", "a-b_c.d/e:f"),
        ("123", ""),
        (7, ""),
    ],
)
def test_a_tag_is_what_datadog_makes_of_it(tag, text):
    """https://docs.datadoghq.com/getting_started/tagging/: begins with a letter, lower case, 200 characters."""
    assert tag_text(tag) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.b", "a.b"),
        ("1a", "a"),
        ("_a", "a"),
        ("a-b c", "a_b_c"),
        ("é.a", "a"),
        ("A.b", "A.b"),
        ("a" * 201, "a" * 200),
        (" a ", "a"),
    ],
)
def test_a_metric_name_is_what_datadog_makes_of_it(name, text):
    """https://docs.datadoghq.com/metrics/custom_metrics/: ASCII, begins with a letter, 200 characters."""
    assert metric_name(name) == text


@pytest.mark.parametrize("name", ["", "1", "...", "_", " "])
def test_a_metric_name_without_a_letter_is_refused(name):
    with pytest.raises(ValueError, match="no letter"):
        metric_name(name)


@pytest.mark.parametrize(
    ("tags", "listed"),
    [
        (None, []),
        ("a:b", ["a:b"]),
        (["a:b", "", "1"], ["a:b"]),
        ({"a": 1}, ["a:1"]),
        (("x:y",), ["x:y"]),
        (7.5, []),
    ],
)
def test_tags_may_be_a_list_a_mapping_or_a_text(tags, listed):
    assert tag_list(tags) == listed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740993"),
        (-(2**60), "-1152921504606846976"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000.0"),
        (-1.5e-05, "-0.000015"),
        (True, "1"),
        ("2.50", "2.5"),
    ],
)
def test_a_value_is_the_shortest_decimal_without_an_exponent(value, text):
    """docs/log-lines.md: the value."""
    assert value_text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "x", None, 10**400])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="value "):
        value_text(value)


@pytest.mark.parametrize(("length", "cut"), [(58, False), (59, True)])
def test_a_value_in_a_message_is_cut_to_60_characters(length, cut):
    text = shown("x" * length)
    assert len(text) == 60
    assert text.endswith("…") is cut


# --- errors and traces: docs/tracing.md


def failing(depth):
    if depth:
        failing(depth - 1)
    raise ValueError("x" * 6000)


def test_of_a_long_stack_the_end_is_kept_and_of_a_long_message_the_beginning():
    """The end of a stack says where it broke; the beginning is the runtime's."""
    try:
        failing(200)
    except ValueError as error:
        full = error_meta(error)
    assert (len(full["error.stack"]), len(full["error.message"])) == (MAX_VALUE, MAX_VALUE)
    assert full["error.stack"].endswith("x\n")
    try:
        raise ValueError("first" + "y" * 2 * MAX_VALUE + "last")
    except ValueError as error:
        meta = error_meta(error)
    assert meta["error.message"].startswith("first")
    assert meta["error.stack"].rstrip().endswith("last")
    assert meta["error.type"] == "ValueError"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        ({"a": "é", "token": 1}, '{"a": "é", "token": "[masked]"}'),
        (["a", {"password": "x"}], '["a", {"password": "[masked]"}]'),
        ("x" * MAX_VALUE, "x" * MAX_VALUE),
        ("x" * (MAX_VALUE + 1), "x" * (MAX_VALUE - 1) + "…"),
    ],
)
def test_a_value_of_a_span_is_text_of_at_most_5000_characters(value, text):
    assert meta_text("key", value) == text


def test_values_under_secret_keys_are_masked_at_any_depth_that_is_kept():
    assert meta_text("My-Access-Key", "x") == MASK
    assert secret("X-API-KEY", MASKED)
    assert not secret("author", MASKED)
    nested = {"a": {"b": [{"secret": "x", "c": "y"}]}}
    assert masked(nested, MASKED) == {"a": {"b": [{"secret": MASK, "c": "y"}]}}
    deep = inner = {}
    for _ in range(9):
        inner["a"] = {}
        inner = inner["a"]
    assert json.dumps(masked(deep, MASKED)).count("{") == 8


def test_a_span_too_large_for_a_line_keeps_the_head_of_its_values():
    span = {"name": "a", "metrics": {"m": 1}}
    small = json.loads(span_json(span, {"k": "v"}, '"fixed":"1"'))
    assert small == {"name": "a", "metrics": {"m": 1}, "meta": {"fixed": "1", "k": "v"}}
    large = {f"{'k' * 150}{number}": "v" * 5000 for number in range(120)}
    cut = json.loads(span_json(span, {"_dd.span_links": "[]", "first": "f" * 300, **large}, '"fixed":"1"'))
    assert cut["meta"]["first"] == "f" * 200
    assert cut["meta"]["fixed"] == "1"
    assert "metrics" not in cut
    assert "_dd.span_links" not in cut["meta"]
    assert max(map(len, cut["meta"])) == 100


def test_spans_are_divided_into_lines_below_cloudwatchs_limit():
    """An event of CloudWatch Logs has 256 KiB at most; lines are kept below 250,000 bytes."""
    half = '"' + "x" * (MAX_LINE // 2 - 10) + '"'
    lines = trace_lines([half, half, half])
    assert [len(json.loads(line)["traces"][0]) for line in lines] == [2, 1]
    assert all(len(line) < 262_144 for line in lines)
    assert [len(json.loads(line)["traces"][0]) for line in trace_lines(["1"] * 9)] == [9]
    exact = "1" * (MAX_LINE // 2)
    assert len(trace_lines([exact, exact])) == 2


# --- settings: docs/functions.md


def read(**values):
    return Settings(lambda name: values.get(name, ""))


@pytest.mark.parametrize(
    ("name", "text", "field", "expected", "problems"),
    [
        ("MONITORING_FORMAT", "", "format", "monitoring", 0),
        ("MONITORING_FORMAT", " Both ", "format", "both", 0),
        ("MONITORING_FORMAT", "datdog", "format", "monitoring", 1),
        ("MONITORING_TAG_LIMIT", "", "tag_limit", 500, 0),
        ("MONITORING_TAG_LIMIT", "0", "tag_limit", 0, 0),
        ("MONITORING_TAG_LIMIT", "-1", "tag_limit", 0, 1),
        ("MONITORING_TAG_LIMIT", "1.5", "tag_limit", 500, 1),
        ("MONITORING_DEADLINE_MARGIN_MS", "", "margin_ms", 0, 0),
        ("MONITORING_DEADLINE_MARGIN_MS", "900", "margin_ms", 900, 0),
        ("MONITORING_PAYLOAD_SIZES", "", "sizes_from", 512, 0),
        ("MONITORING_PAYLOAD_SIZES", "off", "sizes_from", None, 0),
        ("MONITORING_PAYLOAD_SIZES", "on", "sizes_from", 512, 0),
        ("MONITORING_PAYLOAD_SIZES", "0", "sizes_from", 0, 0),
        ("MONITORING_PAYLOAD_SIZES", "1", "sizes_from", 1, 0),
        ("MONITORING_PAYLOAD_SIZES", "all", "sizes_from", 512, 1),
        ("MONITORING_TRACE", "", "trace", True, 0),
        ("MONITORING_TRACE", "No", "trace", False, 0),
        ("MONITORING_TRACE", "nope", "trace", True, 1),
        ("DD_LOGS_INJECTION", "0", "log_ids", False, 0),
        ("MONITORING_MASK_KEYS", "My-Key, ,b", "masked", ("my_key", "b"), 0),
        ("MONITORING_MASK_KEYS", "", "masked", MASKED, 0),
        ("DD_TAGS", "a:b, c:d e:f", "tags", ("a:b", "c:d", "e:f"), 0),
        ("AWS_LAMBDA_RUNTIME_API", "x", "in_lambda", True, 0),
    ],
)
def test_a_setting_is_read_or_said_to_be_invalid(name, text, field, expected, problems):
    chosen = read(**{name: text})
    assert getattr(chosen, field) == expected
    assert len(chosen.problems) == problems
    assert all(f"{name}=" in problem and "Used instead: " in problem for problem in chosen.problems)
    assert chosen.plain is (chosen.format == "monitoring")


def test_unified_service_tags_come_first_in_their_order():
    chosen = read(DD_TAGS="x:y", DD_VERSION="3", DD_ENV="p", DD_SERVICE="s")
    assert chosen.tags == ("env:p", "service:s", "version:3", "x:y")
    assert masking_key(" Api-KEY ") == "api_key"
