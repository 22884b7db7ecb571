"""Handlers as Mangum and Powertools make them, in both orders of nesting: results, triggers, traces, failures."""

import asyncio
import copy
import io
import json
import warnings

import lambda_events
import pytest

from monitoring import count, monitored, span
from monitoring.capture import LambdaContext, capture
from monitoring.context import describe, identity_of, trigger_of

TRACE, PARENT = 0x1234ABCD5678EF90, 0x0FEDCBA987654321
DATADOG = {"x-datadog-trace-id": str(TRACE), "x-datadog-parent-id": str(PARENT)}
W3C = {"traceparent": f"00-{0xABC:016x}{TRACE:016x}-{PARENT:016x}-01"}

# Mangum


HTTP = {
    "api-gateway v1": ("api-gateway", lambda_events._API_V1),
    "api-gateway v2": ("api-gateway", lambda_events._HTTP_V2),
    "alb": ("alb", lambda_events._ALB),
    "function url": ("function-url", lambda_events._FUNCTION_URL),
}


def http(shape, path, headers):
    """The event of this shape for a path, with further headers."""
    event = copy.deepcopy(HTTP[shape][1])
    for name in ("path", "rawPath"):
        if name in event:
            event[name] = path
    if "http" in event["requestContext"]:
        event["requestContext"]["http"]["path"] = path
    event["headers"].update(headers)
    if "multiValueHeaders" in event:
        event["multiValueHeaders"].update({name: [value] for name, value in headers.items()})
    return event


def site():
    """An application with a page, a page in a worker thread, and one that breaks."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def show(request):
        count("slides.shown", tags=[f"slide:{request.path_params['number']}"])
        with span("dynamodb.get_item"):
            await asyncio.sleep(0)
        return PlainTextResponse(f"slide {request.path_params['number']}")

    def list_all(request):
        with span("in.a.thread"):
            return PlainTextResponse("all slides")

    async def fails(request):
        raise ValueError("no such slide")

    routes = [Route("/slides/{number:int}", show), Route("/slides", list_all), Route("/fails", fails)]
    return Starlette(routes=routes)


@pytest.fixture
def mangum():
    from mangum import Mangum

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Mangum(site(), lifespan="auto")
    asyncio.set_event_loop(None)
    loop.close()


def around(order, handler):
    """Mangum's adapter itself decorated, or a decorated function that calls it."""
    if order == "decorated":
        return monitored(handler)

    @monitored
    def calls(event, context):
        return handler(event, context)

    return calls


@pytest.mark.parametrize("order", ["decorated", "called"])
@pytest.mark.parametrize("headers", [DATADOG, W3C], ids=["datadog", "w3c"])
@pytest.mark.parametrize("shape", HTTP)
def test_an_application_behind_mangum_answers_and_has_its_trigger_and_its_callers_trace(
    shape, headers, order, mangum
):
    plain = mangum(http(shape, "/slides/7", headers), LambdaContext())
    with capture() as emitted:
        answer = around(order, mangum)(http(shape, "/slides/7", headers), LambdaContext())
    assert answer == plain
    assert (answer["statusCode"], answer["body"]) == (200, "slide 7")
    trigger = HTTP[shape][0]
    emitted.assert_count("stepscope.invocations", 1, tags={"trigger": trigger})
    emitted.assert_count("slides.shown", 1, tags={"slide": "7"})
    root, child = emitted.trace()
    assert (root["trace_id"], root["parent_id"]) == (f"{TRACE:016x}", f"{PARENT:016x}")
    assert (root["meta"]["trigger"], root["meta"]["http.status_code"]) == (trigger, "200")
    assert root["error"] == 0
    assert (child["name"], child["parent_id"]) == ("dynamodb.get_item", root["span_id"])


@pytest.mark.parametrize("shape", HTTP)
def test_a_page_that_breaks_is_an_answer_of_500_and_marks_the_span(shape, mangum):
    with capture() as emitted:
        answer = monitored(mangum)(http(shape, "/fails", {}), LambdaContext())
    assert answer["statusCode"] == 500
    root = emitted.trace()[0]
    assert (root["error"], root["meta"]["http.status_code"]) == (1, "500")


def test_a_page_in_a_worker_thread_belongs_to_the_call(mangum):
    with capture() as emitted:
        monitored(mangum)(http("api-gateway v2", "/slides", {}), LambdaContext())
    root, child = emitted.trace()
    assert (child["name"], child["parent_id"]) == ("in.a.thread", root["span_id"])


def test_an_event_that_mangum_refuses_raises_what_mangum_raises(mangum):
    with capture() as emitted, pytest.raises(RuntimeError, match="unable to infer"):
        monitored(mangum)({"not": "http"}, LambdaContext())
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": "RuntimeError"})


# Powertools


class Memory:
    """Where idempotency keeps its records, made when it is asked for: Powertools is not loaded at collection."""

    def __new__(cls):
        from aws_lambda_powertools.utilities.idempotency.exceptions import (
            IdempotencyItemAlreadyExistsError,
            IdempotencyItemNotFoundError,
        )
        from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer

        class InMemory(BasePersistenceLayer):
            def __init__(self):
                super().__init__()
                self.records = {}

            def _get_record(self, idempotency_key):
                if idempotency_key not in self.records:
                    raise IdempotencyItemNotFoundError
                return self.records[idempotency_key]

            def _put_record(self, data_record):
                if data_record.idempotency_key in self.records:
                    raise IdempotencyItemAlreadyExistsError
                self.records[data_record.idempotency_key] = data_record

            def _update_record(self, data_record):
                self.records[data_record.idempotency_key] = data_record

            def _delete_record(self, data_record):
                self.records.pop(data_record.idempotency_key, None)

        return InMemory()


def logger():
    from aws_lambda_powertools import Logger

    made = Logger(service="slides", stream=io.StringIO())
    return made.inject_lambda_context(log_event=True, correlation_id_path="Records[0].messageId")


@pytest.fixture(autouse=True)
def x_ray(monkeypatch):
    """What the Tracer finds in a Lambda function; elsewhere it switches itself off, for the whole process."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)


def tracer():
    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import xray_recorder
    from aws_xray_sdk.core.lambda_launcher import LambdaContext as LambdaSegments

    class Discarding:
        def send_entity(self, entity):
            pass

    xray_recorder.configure(sampling=False, emitter=Discarding(), context=LambdaSegments())
    return Tracer(service="slides", disabled=False, auto_patch=False).capture_lambda_handler


def metrics():
    from aws_lambda_powertools import Metrics

    made = Metrics(namespace="slides", service="slides")

    def seen(handler):
        def counts(event, context):
            made.add_metric(name="seen", unit="Count", value=1)
            return handler(event, context)

        return made.log_metrics(counts)

    return seen


def source():
    from aws_lambda_powertools.utilities.data_classes import SQSEvent, event_source

    return event_source(data_class=SQSEvent)


def middleware():
    from aws_lambda_powertools.middleware_factory import lambda_handler_decorator

    @lambda_handler_decorator
    def adds(handler, event, context):
        return handler(event, context)

    return adds


def idempotent():
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
    from aws_lambda_powertools.utilities.idempotency import idempotent as decorator

    config = IdempotencyConfig(event_key_jmespath="Records[0].messageId")
    return lambda handler: decorator(handler, persistence_store=Memory(), config=config)


POWERTOOLS = {
    "logger": logger,
    "tracer": tracer,
    "metrics": metrics,
    "event_source": source,
    "middleware": middleware,
    "idempotent": idempotent,
}
QUEUE = {"Records": [lambda_events._SQS_RECORD]}


def traced_queue():
    """The message of a queue with the context of who sent it."""
    event = copy.deepcopy(QUEUE)
    event["Records"][0]["messageAttributes"] = {
        "_datadog": {"dataType": "String", "stringValue": json.dumps(DATADOG)}
    }
    return event


def nested(order, decorator, handler):
    return monitored(decorator(handler)) if order == "outside" else decorator(monitored(handler))


@pytest.mark.parametrize("order", ["outside", "inside"])
@pytest.mark.parametrize("made", POWERTOOLS.values(), ids=POWERTOOLS)
def test_a_handler_of_powertools_keeps_its_result_its_trigger_and_its_trace(made, order):
    def handler(event, context):
        return {"slides": 7}

    with capture() as emitted:
        assert nested(order, made(), handler)(traced_queue(), LambdaContext()) == {"slides": 7}
    emitted.assert_count("stepscope.invocations", 1, tags={"trigger": "sqs"})
    root = emitted.trace()[0]
    assert (root["trace_id"], root["parent_id"]) == (f"{TRACE:016x}", f"{PARENT:016x}")
    assert root["meta"]["trigger.resource"] == "my-queue"
    emitted.assert_not_emitted("stepscope.telemetry.failures")


@pytest.mark.parametrize("order", ["outside", "inside"])
@pytest.mark.parametrize("made", POWERTOOLS.values(), ids=POWERTOOLS)
def test_a_handler_of_powertools_keeps_its_exception(made, order):
    error = ValueError("no slide")

    def handler(event, context):
        raise error

    with capture() as emitted, pytest.raises(ValueError, match="no slide") as caught:
        nested(order, made(), handler)(traced_queue(), LambdaContext())
    assert caught.value is error
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": "ValueError"})


def test_a_call_that_idempotency_answers_is_a_call_outside_and_none_inside():
    ran = []

    def handler(event, context):
        ran.append(1)
        return {"slides": 7}

    for order, calls in (("outside", 2), ("inside", 1)):
        ran.clear()
        wrapped = nested(order, idempotent(), handler)
        with capture() as emitted:
            assert [wrapped(QUEUE, LambdaContext()) for _ in range(2)] == [{"slides": 7}] * 2
        assert len(ran) == 1
        emitted.assert_count("stepscope.invocations", calls)


def data_classes():
    from aws_lambda_powertools.utilities import data_classes as found

    return [
        (found.SQSEvent, QUEUE),
        (found.SNSEvent, {"Records": [lambda_events._SNS_RECORD]}),
        (found.KinesisStreamEvent, {"Records": [lambda_events._KINESIS_RECORD]}),
        (found.DynamoDBStreamEvent, {"Records": [lambda_events._DYNAMODB_RECORD]}),
        (found.APIGatewayProxyEvent, lambda_events._API_V1),
        (found.APIGatewayProxyEventV2, lambda_events._HTTP_V2),
        (found.ALBEvent, lambda_events._ALB),
        (found.LambdaFunctionUrlEvent, lambda_events._FUNCTION_URL),
    ]


def test_an_event_in_a_data_class_of_powertools_is_what_it_is_without():
    for made, event in data_classes():
        plain, dressed = describe(event), describe(made(event))
        assert trigger_of(made(event)) == trigger_of(event) != "unknown"
        for field in plain.__slots__:
            assert getattr(dressed, field) == getattr(plain, field)


def test_a_context_object_in_a_data_class_is_found():
    from aws_lambda_powertools.utilities.data_classes import SQSEvent

    assert (
        identity_of(SQSEvent(lambda_events.CONTEXT_OBJECT)).state
        == identity_of(lambda_events.CONTEXT_OBJECT).state
    )


# Batches


def batch(bodies):
    records = [
        {**lambda_events._SQS_RECORD, "messageId": f"id-{n}", "body": body} for n, body in enumerate(bodies)
    ]
    return {"Records": records}


def record_handler(record):
    with span("record", record.body):
        count("records.seen")
        if record.body == "bad":
            raise ValueError("bad record")


async def async_record_handler(record):
    await asyncio.sleep(0)
    record_handler(record)


def processor(**options):
    from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, BatchProcessor, EventType

    made = AsyncBatchProcessor if options.pop("awaiting", False) else BatchProcessor
    return made(event_type=EventType.SQS, **options)


def by_function(event, context):
    from aws_lambda_powertools.utilities.batch import process_partial_response

    return process_partial_response(event, record_handler, processor(), context)


def by_async_function(event, context):
    from aws_lambda_powertools.utilities.batch import async_process_partial_response

    return async_process_partial_response(event, async_record_handler, processor(awaiting=True), context)


def by_decorator(wrap):
    from aws_lambda_powertools.utilities.batch import batch_processor

    used = processor()

    def response(event, context):
        return used.response()

    decorate = batch_processor(record_handler=record_handler, processor=used)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wrap(decorate, response)


BATCHES = {
    "process_partial_response": lambda: monitored(by_function),
    "async_process_partial_response": lambda: monitored(by_async_function),
    "above batch_processor": lambda: by_decorator(lambda decorate, response: monitored(decorate(response))),
    "below batch_processor": lambda: by_decorator(lambda decorate, response: decorate(monitored(response))),
}


@pytest.mark.parametrize("made", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize(("bodies", "failed"), [(["a", "bad", "b", "bad"], 2), (["a", "b"], 0)])
def test_the_failures_of_a_batch_are_counted(made, bodies, failed):
    with capture() as emitted:
        answer = made()(batch(bodies), LambdaContext())
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [
        f"id-{number}" for number, body in enumerate(bodies) if body == "bad"
    ]
    emitted.assert_count("stepscope.batch.failures", failed, tags={"trigger": "sqs"})
    emitted.assert_count("stepscope.invocations", 1)
    emitted.assert_count("records.seen", len(bodies))


def test_the_records_of_a_batch_are_spans_of_the_call():
    with capture() as emitted:
        monitored(by_function)(batch(["a", "bad"]), LambdaContext())
    root, *records = emitted.trace()
    assert {(made["resource"], made["error"], made["parent_id"]) for made in records} == {
        ("a", 0, root["span_id"]),
        ("bad", 1, root["span_id"]),
    }


def test_a_batch_of_which_nothing_could_be_processed_raises_what_powertools_raises():
    from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

    with capture() as emitted, pytest.raises(BatchProcessingError):
        monitored(by_function)(batch(["bad", "bad"]), LambdaContext())
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": "BatchProcessingError"})


# Event handlers


def resolver():
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError

    app = APIGatewayRestResolver()

    @app.get("/slides/<number>")
    def show(number):
        count("slides.shown")
        if number == "0":
            raise NotFoundError("no slide 0")
        with span("dynamodb.get_item"):
            return {"slide": number}

    @app.get("/fails")
    def fails():
        raise ValueError("no such slide")

    return app


@pytest.mark.parametrize("order", ["decorated", "called"])
def test_a_resolver_of_powertools_answers_and_is_traced(order):
    app = resolver()
    handler = monitored(app) if order == "decorated" else monitored(app.resolve)
    with capture() as emitted:
        answer = handler(http("api-gateway v1", "/slides/7", DATADOG), LambdaContext())
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"slide": "7"})
    emitted.assert_count("slides.shown", 1)
    root, child = emitted.trace()
    assert (root["trace_id"], root["meta"]["http.status_code"]) == (f"{TRACE:016x}", "200")
    assert (child["name"], child["parent_id"]) == ("dynamodb.get_item", root["span_id"])


def test_a_resolvers_own_error_is_an_answer_and_any_other_is_raised():
    handler = monitored(resolver())
    with capture() as emitted:
        assert handler(http("api-gateway v1", "/slides/0", {}), LambdaContext())["statusCode"] == 404
    root = emitted.trace()[0]
    assert (root["error"], root["meta"]["http.status_code"]) == (0, "404")
    emitted.assert_not_emitted("stepscope.errors")
    with capture() as emitted, pytest.raises(ValueError, match="no such slide"):
        handler(http("api-gateway v1", "/fails", {}), LambdaContext())
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": "ValueError"})


def test_a_route_that_is_monitored_too_counts_as_part_of_the_call():
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

    app = APIGatewayRestResolver()

    @app.get("/slides/<number>")
    @monitored
    def show(number):
        return {"slide": number}

    with capture() as emitted:
        answer = monitored(app)(http("api-gateway v1", "/slides/7", {}), LambdaContext())
    assert json.loads(answer["body"]) == {"slide": "7"}
    emitted.assert_count("stepscope.invocations", 1)
