"""Traces across calls: joined from whatever carries them in, and put into what goes out."""

import base64
import json

import pytest
from lambda_events import CONTEXT_OBJECT

from monitoring import inject_attributes, inject_headers, inject_payload, monitored, span
from monitoring.capture import capture
from monitoring.context import current_trace, identity_of

CARRIED = {"x-datadog-trace-id": "1234", "x-datadog-parent-id": "5678", "x-datadog-sampling-priority": "1"}
W3C = {"traceparent": "00-0000000000000000000000000000000a-000000000000000b-01"}


def b64(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def sqs(attributes, body="x"):
    return {"eventSource": "aws:sqs", "messageAttributes": attributes, "body": body, "attributes": {}}


CARRIERS = {
    "http": {
        "requestContext": {"apiId": "a"},
        "headers": {"X-Datadog-Trace-Id": "1234", "X-Datadog-Parent-Id": "5678"},
    },
    "http, many values": {
        "requestContext": {"elb": {}},
        "multiValueHeaders": {k: [v] for k, v in CARRIED.items()},
    },
    "sqs text": {"Records": [sqs({"_datadog": {"stringValue": json.dumps(CARRIED), "dataType": "String"}})]},
    "sqs binary": {"Records": [sqs({"_datadog": {"binaryValue": b64(CARRIED), "dataType": "Binary"}})]},
    "sns": {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {"MessageAttributes": {"_datadog": {"Type": "Binary", "Value": b64(CARRIED)}}},
            }
        ]
    },
    "sns in sqs": {
        "Records": [
            sqs(
                {},
                json.dumps(
                    {"MessageAttributes": {"_datadog": {"Type": "String", "Value": json.dumps(CARRIED)}}}
                ),
            )
        ]
    },
    "eventbridge": {"detail-type": "x", "source": "y", "detail": {"_datadog": CARRIED}},
    "eventbridge in sqs": {
        "Records": [sqs({}, json.dumps({"detail-type": "x", "detail": {"_datadog": CARRIED}}))]
    },
    "kinesis": {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": b64({"_datadog": CARRIED})}}]},
    "a direct payload": {"photo": "a.jpg", "_datadog": CARRIED},
    "direct headers": {"headers": CARRIED},
}


@pytest.mark.parametrize("event", CARRIERS.values(), ids=CARRIERS.keys())
def test_a_trace_is_joined_from_whatever_carries_it(event):
    with capture() as emitted:
        monitored(lambda event, context: None)(event, None)
    root = emitted.trace()[0]
    assert (int(root["trace_id"], 16), int(root["parent_id"], 16)) == (1234, 5678)


def test_w3c_is_understood_in_headers_attributes_and_kafka():
    kafka = {
        "eventSource": "aws:kafka",
        "records": {"t-0": [{"headers": [{"traceparent": list(W3C["traceparent"].encode())}]}]},
    }
    attribute = {"Records": [sqs({"traceparent": {"stringValue": W3C["traceparent"], "dataType": "String"}})]}
    for event in ({"headers": W3C}, attribute, kafka):
        with capture() as emitted:
            monitored(lambda event, context: None)(event, None)
        root = emitted.trace()[0]
        assert (int(root["trace_id"], 16), int(root["parent_id"], 16)) == (10, 11)


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-0-0-01"},
        {"traceparent": "ff-0000000000000000000000000000000a-000000000000000b-01"},
        {"traceparent": "00-00000000000000000000000000000000-000000000000000b-01"},
        {"traceparent": "00-0000000000000000000000000000000g-000000000000000b-01"},
        {"x-datadog-trace-id": "abc"},
        {"x-datadog-trace-id": "0"},
        {"x-datadog-trace-id": None},
    ],
)
def test_broken_headers_begin_a_trace_of_its_own(headers):
    with capture() as emitted:
        monitored(lambda event, context: None)({"headers": headers}, None)
    root = emitted.trace()[0]
    assert root["parent_id"] == "0" * 16
    assert int(root["trace_id"], 16) > 2**60


def test_the_other_records_of_a_batch_are_linked():
    def record(trace, parent):
        headers = {"x-datadog-trace-id": str(trace), "x-datadog-parent-id": str(parent)}
        return sqs({"_datadog": {"stringValue": json.dumps(headers), "dataType": "String"}})

    with capture() as emitted:
        monitored(lambda event, context: None)(
            {"Records": [record(1, 11), record(2, 22), record(3, 33), sqs({})]}, None
        )
    root = emitted.trace()[0]
    assert (int(root["trace_id"], 16), int(root["parent_id"], 16)) == (1, 11)
    links = json.loads(root["meta"]["_dd.span_links"])
    assert [(int(link["trace_id"], 16), int(link["span_id"], 16)) for link in links] == [(2, 22), (3, 33)]


def test_what_goes_out_is_understood_by_what_comes_in():
    sent = {}

    @monitored
    def sender(event, context):
        with span("send"):
            sent["trace"], sent["span"] = current_trace()
            sent["headers"] = inject_headers({"accept": "x"})
            sent["sqs"] = inject_attributes({"a": 1})
            sent["sns"] = inject_attributes(binary=True)
            sent["payload"] = inject_payload({"photo": "a.jpg"})

    received = {"stringValue": "", "dataType": "String"}
    with capture():
        sender({}, None)
    assert sent["headers"]["accept"] == "x"
    assert sent["sns"]["_datadog"]["BinaryValue"].startswith(b"{")
    received["stringValue"] = sent["sqs"]["_datadog"]["StringValue"]
    w3c = {"traceparent": sent["headers"]["traceparent"]}
    for event in (
        {"headers": sent["headers"]},
        {"headers": w3c},
        {"Records": [sqs({"_datadog": received})]},
        sent["payload"],
    ):
        with capture() as emitted:
            monitored(lambda event, context: None)(event, None)
        root = emitted.trace()[0]
        high = root["meta"]["_dd.p.tid"]
        assert (high.zfill(16) + root["trace_id"], root["parent_id"]) == (sent["trace"], sent["span"])


def test_outside_a_call_nothing_is_put_into_carriers():
    assert inject_headers({"a": "b"}) == {"a": "b"}
    assert inject_attributes() == {}
    assert inject_payload({"a": 1}) == {"a": 1}
    assert current_trace() is None


def test_a_message_that_has_its_ten_attributes_keeps_them():
    full = {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(10)}
    with capture():
        assert monitored(lambda event, context: inject_attributes(full))({}, None) == full


def test_a_context_object_from_eventbridge_links_to_the_upstream_state():
    event = {"detail-type": "x", "source": "y", "detail": {"_datadog": CONTEXT_OBJECT}}
    with capture() as emitted:
        monitored(lambda event, context: None)(event, None)
    upstream = identity_of(CONTEXT_OBJECT)
    root = emitted.trace()[0]
    assert (root["trace_id"], root["parent_id"]) == (upstream.trace_id, upstream.parent_id)
    assert root["meta"]["trigger"] == "eventbridge"
