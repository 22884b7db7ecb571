"""What a library does in each situation that points 1 and 2 of the promise name.

`python peer_scenarios.py LIBRARY` prints, as JSON, an outcome a scenario: `kept`, or what is broken. A scenario is
a function of the library that raises `Broken`; what else it raises is an outcome too.
"""

import asyncio
import functools
import inspect
import io
import json
import sys
import threading
import warnings
from contextlib import contextmanager, suppress

from peer_libraries import LIBRARIES, Library, Nasty, active_tracer, prepare

KEPT = "kept"
RESULT = {"slide": 7}
SCENARIOS = {}


class Broken(Exception):
    """The promise is not kept; the text says how."""


def scenario(situation):
    """The function is what happens in this situation, in the words of docs/peers.md."""

    def register(function):
        SCENARIOS[situation] = function
        return function

    return register


class Output:
    """What is printed, to both streams, from now on. The libraries may keep it: it is the same for all scenarios."""

    def __init__(self):
        self.kept = io.StringIO()

    def write(self, text):
        return self.kept.write(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def take(self):
        text = self.kept.getvalue()
        self.kept = io.StringIO()
        return text


OUT, ERR = Output(), Output()


def context(**attributes):
    from monitoring.capture import LambdaContext

    made = LambdaContext(function_name="identify")
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def handler(event, context):
    return RESULT


def call(wrapped, event=None, given=...):
    """The wrapped handler's result has to be the handler's own."""
    try:
        result = wrapped({} if event is None else event, context() if given is ... else given)
    except BaseException as error:
        raise Broken(f"raises {type(error).__name__} instead of returning") from error
    if result is not RESULT:
        raise Broken(
            "the result is lost" if result is None else f"the result becomes a {type(result).__name__}"
        )


def counted(library: Library, wanted=1, of="calls", text=None):
    """The library has told of so many calls, or errors or spans, since the scenario began."""
    counting = getattr(library, of)
    found = counting(OUT.take() if text is None else text) if counting else wanted
    if found != wanted:
        raise Broken(f"{found or 'no'} {of if found > 1 else of.rstrip('s')} counted, {wanted} made")


def quiet():
    """Nothing was said to the person who reads the log."""
    said = ERR.take()
    if "Traceback" in said:
        raise Broken("a traceback of its own in the log")
    if said:
        raise Broken("a warning of its own in the log")


def fine(library, wrapped, event=None, given=...):
    """The result stands, the call is counted and traced once, and nothing is complained of."""
    call(wrapped, event, given)
    text = OUT.take()
    counted(library, of="calls", text=text)
    counted(library, of="spans", text=text)
    quiet()


# 1: wraps anything that Lambda can call


@scenario("a function")
def a_function(library):
    fine(library, library.wrap(handler))


@scenario("a method, decorated in its class")
def a_method_decorated_in_its_class(library):
    class Slides:
        @library.wrap
        def handle(self, event, context):
            return RESULT

    fine(library, Slides().handle)


@scenario("a bound method")
def a_bound_method(library):
    class Slides:
        def handle(self, event, context):
            return RESULT

    fine(library, library.wrap(Slides().handle))


@scenario("a class method below the decorator")
def a_class_method_under_the_decorator(library):
    class Slides:
        @library.wrap
        @classmethod
        def handle(cls, event, context):
            return RESULT

    fine(library, Slides.handle)


@scenario("a class method above the decorator")
def a_class_method_over_the_decorator(library):
    class Slides:
        @classmethod
        @library.wrap
        def handle(cls, event, context):
            return RESULT

    fine(library, Slides.handle)


@scenario("a static method below the decorator")
def a_static_method(library):
    class Slides:
        @library.wrap
        @staticmethod
        def handle(event, context):
            return RESULT

    fine(library, Slides.handle)
    fine(library, Slides().handle)


class Identify:
    def __call__(self, event, context):
        return RESULT


@scenario("a callable object")
def a_callable_object(library):
    fine(library, library.wrap(Identify()))


@scenario("a functools.partial")
def a_partial(library):
    fine(library, library.wrap(functools.partial(lambda slides, event, context: RESULT, 7)))


async def later(event, context):
    await asyncio.sleep(0)
    return RESULT


def invoked(wrapped):
    """What the runtime client posts for one call: the body of the answer, or the error's type."""
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

    posted = []

    class Client:
        marshaller = LambdaMarshaller()

        def post_invocation_result(self, invoke_id, result, *more):
            posted.append(result)

        def post_invocation_error(self, invoke_id, error, *more):
            posted.append(json.loads(error)["errorType"])

    class Sink:
        def log_error(self, lines):
            pass

    bootstrap.handle_event_request(
        lambda_runtime_client=Client(),
        request_handler=wrapped,
        invoke_id="52fdfc07-2182-454f-963f-5f0f9a621d72",
        event_body="{}",
        content_type="application/json",
        client_context_json="",
        cognito_identity_json="",
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:identify",
        epoch_deadline_time_in_ms=2_000_000_000_000,
        tenant_id=None,
        log_sink=Sink(),
    )
    return posted[0]


@scenario("an async handler, invoked by Lambda's runtime client")
def an_async_handler_invoked_by_lambda(library):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = invoked(library.wrap(later))
    if answer != json.dumps(RESULT):
        raise Broken(f"Lambda answers {answer}")
    counted(library)


@scenario("an async handler that fails: its error is counted")
def an_async_handler_that_fails(library):
    async def fails(event, context):
        await asyncio.sleep(0)
        raise ValueError("no slide")

    try:
        asyncio.run(library.wrap(fails)({}, context()))
    except ValueError:
        counted(library, of="errors")
    else:
        raise Broken("the error is lost")


@scenario("an async handler, awaited: its call ends after it")
def the_end_of_an_async_handler(library):
    """What a library prints at the end of a call comes after the handler's last line."""

    async def prints(event, context):
        await asyncio.sleep(0)
        print("the handler is done")

    asyncio.run(library.wrap(prints)({}, context()))
    if not OUT.take().partition("the handler is done")[2].strip():
        raise Broken("the call ends before the handler has begun")


@scenario("an async handler that counts something itself")
def the_metrics_of_an_async_handler(library):
    async def counts(event, context):
        await asyncio.sleep(0)
        library.count("slides.identified")

    asyncio.run(library.wrap(counts)({}, context()))
    if "slides.identified" not in OUT.take():
        raise Broken("a metric of the handler is not printed when its call ends")


@scenario("below and above the Logger of Powertools")
def a_handler_under_powertools_logger(library):
    from aws_lambda_powertools import Logger

    logger = Logger(service="slides", stream=io.StringIO())
    fine(library, library.wrap(logger.inject_lambda_context(handler)))
    library.begin()
    fine(library, logger.inject_lambda_context(library.wrap(handler)))


@scenario("below and above the Tracer of Powertools")
def a_handler_under_powertools_tracer(library):
    tracer = active_tracer()
    fine(library, library.wrap(tracer.capture_lambda_handler(handler)))
    library.begin()
    fine(library, tracer.capture_lambda_handler(library.wrap(handler)))


async def page(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"slide 7"})


HTTP = {
    "version": "2.0",
    "rawPath": "/slides/7",
    "rawQueryString": "",
    "headers": {"host": "slides.example"},
    "requestContext": {"http": {"method": "GET", "path": "/slides/7", "sourceIp": "192.0.2.1"}},
    "isBase64Encoded": False,
}


@scenario("a Mangum application")
def a_mangum_handler(library):
    from mangum import Mangum

    asyncio.set_event_loop(asyncio.new_event_loop())
    wrapped = library.wrap(Mangum(page, lifespan="off"))
    answer = wrapped(HTTP, context())
    if answer["body"] != "slide 7":
        raise Broken("the page is lost")
    counted(library)


@scenario("the decorator with arguments")
def the_decorator_with_arguments(library):
    fine(library, library.configured()(handler))


@scenario("wrapped twice")
def wrapped_twice(library):
    fine(library, library.wrap(library.wrap(handler)))


@scenario("wrapped three times")
def wrapped_three_times(library):
    fine(library, library.wrap(library.wrap(library.wrap(handler))))


@scenario("wrapped twice, with a decorator between")
def wrapped_twice_with_a_decorator_between(library):
    inner = library.wrap(handler)
    fine(library, library.wrap(functools.wraps(handler)(functools.partial(inner))))


@scenario("the signature and the documentation at run time")
def the_signature_at_run_time(library):
    def documented(event: dict, context: object, /) -> str:
        """Says so."""

    wrapped = library.wrap(documented)
    if inspect.signature(wrapped) != inspect.signature(documented) or wrapped.__doc__ != "Says so.":
        raise Broken(f"it becomes {inspect.signature(wrapped)}")


# 2: never in the way


@scenario("the result of an authorizer")
def the_result_of_an_authorizer(library):
    answer = {"principalId": "user", "policyDocument": {"Version": "2012-10-17", "Statement": []}}
    event = {
        "type": "TOKEN",
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:a/b/GET/",
        "requestContext": {},
    }
    library.wrap(lambda event, context: answer)(event, context())
    if len(answer) != 2:
        raise Broken(f"the result gets a further key, {list(answer)[-1]}")


def raises(library, error, calls=1):
    """An exception is the handler's own, and is counted."""

    def fails(event, context):
        raise error

    try:
        library.wrap(fails)({}, context())
    except BaseException as caught:  # noqa: BLE001
        if caught is not error:
            raise Broken(f"{type(error).__name__} becomes {type(caught).__name__}") from None
    else:
        raise Broken(f"{type(error).__name__} is swallowed")
    counted(library, calls, "errors")


@scenario("an exception")
def an_exception(library):
    raises(library, ValueError("no slide"))


@scenario("SystemExit")
def a_system_exit(library):
    raises(library, SystemExit(3))


@scenario("KeyboardInterrupt")
def a_keyboard_interrupt(library):
    raises(library, KeyboardInterrupt())


@scenario("a BaseException of its own, Stop")
def a_base_exception_of_ones_own(library):
    class Stop(BaseException):
        pass

    raises(library, Stop())


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@scenario("an exception that cannot be printed")
def an_exception_that_cannot_be_printed(library):
    raises(library, Unreadable())


@scenario("an exception while standard output is closed")
def an_exception_while_standard_output_is_closed(library):
    error = ValueError("no slide")

    def fails(event, context):
        if library.count:
            library.count("slides.seen")
        raise error

    with closed_output():
        try:
            library.wrap(fails)({}, context())
        except BaseException as caught:  # noqa: BLE001
            if caught is not error:
                raise Broken("the handler's exception is replaced by that of the telemetry") from None


@scenario("a generator")
def a_generator(library):
    def pages(event, context):
        yield from range(3)

    made = library.wrap(pages)({}, context())
    if list(made) != [0, 1, 2]:
        raise Broken("its values are lost")
    counted(library)


@scenario("a generator, for an HTTP event")
def a_generator_as_the_answer_to_http(library):
    def pages(event, context):
        yield "slide 7"

    if list(library.wrap(pages)(HTTP, context())) != ["slide 7"]:
        raise Broken("its values are lost")
    quiet()


@scenario("None as the context")
def a_context_of_none(library):
    fine(library, library.wrap(handler), {}, None)


@scenario("a context without an ARN")
def a_context_without_an_arn(library):
    made = context()
    del made.invoked_function_arn
    fine(library, library.wrap(handler), {}, made)


@scenario("a context without any attribute")
def a_context_without_anything(library):
    fine(library, library.wrap(handler), {}, object())


@scenario("a list as the event")
def a_list_as_the_event(library):
    fine(library, library.wrap(handler), [1, 2])


@scenario("a text as the event")
def a_text_as_the_event(library):
    fine(library, library.wrap(handler), "slide 7")


@scenario("None as the event")
def none_as_the_event(library):
    made = library.wrap(handler)
    fine(library, lambda event, context: made(None, context))


STRANGE = [
    {"Records": None},
    {"Records": [None]},
    {"Records": [{"eventSource": 7}]},
    {"Records": [{"eventSource": "aws:sqs", "messageAttributes": 7}]},
    {"Records": [{"eventSource": "aws:s3", "s3": None}]},
    {"Records": {"0": 1}},
    {"requestContext": None},
    {"requestContext": {"stage": 7}, "headers": ["a"]},
    {"headers": "a"},
    {"source": 7, "detail": None, "detail-type": []},
    {"awslogs": {"data": "no base64"}},
    {"_datadog": 7},
    {"Execution": None, "StateMachine": None, "State": None},
    {"Payload": {"_datadog": []}},
]


@scenario("events that look like those of AWS and are malformed")
def a_strange_event(library):
    """Each looks like an event of AWS and is none."""
    wrapped = library.wrap(handler)
    for event in STRANGE:
        library.begin()
        fine(library, wrapped, event)


@scenario("a thread that is not the main one")
def a_thread_that_is_not_the_main_one(library):
    found = []

    def run():
        try:
            found.append(library.wrap(handler)({}, context()))
        except BaseException as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if found != [RESULT]:
        raise Broken(f"raises {type(found[0]).__name__} instead of returning")
    counted(library)
    quiet()


@scenario("two calls at once, in two threads")
def two_calls_at_once(library):
    """The one that begins first, and adds a metric, ends last: its metric belongs to it."""
    added, ended = threading.Event(), threading.Event()
    said = {}

    def slow(event, context):
        library.count("slides.slow")
        added.set()
        ended.wait(10)

    def run():
        library.wrap(slow)({}, context())

    thread = threading.Thread(target=run)
    thread.start()
    added.wait(10)
    OUT.take()
    library.wrap(handler)({}, context())
    said["other"] = OUT.take()
    ended.set()
    thread.join()
    if "slides.slow" in said["other"]:
        raise Broken("the metric of one call is printed as that of the other")


@contextmanager
def closed_output():
    before = sys.stdout
    sys.stdout = io.StringIO()
    sys.stdout.close()
    try:
        yield
    finally:
        sys.stdout = before


@scenario("a closed standard output")
def a_closed_standard_output(library):
    def counts(event, context):
        if library.count:
            library.count("slides.seen")
        return RESULT

    with closed_output():
        call(library.wrap(counts))


@scenario("the call after one whose standard output was closed")
def the_call_after(library):
    """Metrics of one call are never printed as those of the next."""

    def counts(event, context):
        library.count(event["name"])

    with closed_output(), suppress(ValueError):
        library.wrap(counts)({"name": "slides.first"}, context())
    library.wrap(counts)({"name": "slides.second"}, context())
    if "slides.first" in OUT.take():
        raise Broken("the metric of the first call is printed as that of the second")


def counting(library, *arguments):
    def counts(event, context):
        library.count(*arguments)
        return RESULT

    call(library.wrap(counts))


@scenario("a metric name of any type")
def a_name_of_any_type(library):
    for name in (None, 7, b"slides", "", "7", "a|b\nc", [], Nasty()):
        counting(library, name)


@scenario("a metric name of 500 characters")
def a_name_longer_than_datadog_takes(library):
    counting(library, "slides." + "x" * 500)


@scenario("a tag of any type")
def a_tag_of_any_type(library):
    for tags in library.odd_tags:
        counting(library, "slides.seen", tags)


@scenario("a failure of the telemetry itself is said once, shortly, and counted")
def a_failure_of_the_telemetry_is_said_shortly(library):
    """Three calls with a context that nobody can read."""

    class Hostile:
        def __getattr__(self, name):
            raise OSError("no such attribute")

    wrapped, calls = library.wrap(handler), range(3)
    for _ in calls:
        call(wrapped, {}, Hostile())
    said = ERR.take()
    printed = OUT.take()
    if said.count("\n") > 1 or len(said) > 400:
        raise Broken(f"said {said.count('Traceback')} times in {len(calls)} calls, with a traceback each")
    if not said:
        raise Broken("not said at all")
    if "telemetry.failures" not in printed:
        raise Broken("not counted")


# The Tracer counts nothing, reads no context, and around its own decorator it is wrapped twice.
NOT_OF_THE_TRACER = {
    a_handler_under_powertools_tracer,
    the_metrics_of_an_async_handler,
    two_calls_at_once,
    the_call_after,
    a_name_of_any_type,
    a_name_longer_than_datadog_takes,
    a_tag_of_any_type,
    a_failure_of_the_telemetry_is_said_shortly,
}


def main(name):
    prepare()
    real, sys.stdout, sys.stderr = sys.stdout, OUT, ERR
    warnings.simplefilter("always", UserWarning)  # as in a new process, each time
    library = LIBRARIES[name]()
    outcomes = {}
    for key, run in SCENARIOS.items():
        if library.count is None and run in NOT_OF_THE_TRACER:
            continue
        library.begin()
        OUT.take(), ERR.take()
        sys.stdout, sys.stderr = OUT, ERR
        try:
            run(library)
            outcomes[key] = KEPT
        except Broken as broken:
            outcomes[key] = str(broken)
        except BaseException as error:  # noqa: BLE001
            outcomes[key] = f"raises {type(error).__name__}"
    real.write(json.dumps(outcomes, indent=1) + "\n")
    real.flush()


if __name__ == "__main__":
    main(sys.argv[1])
