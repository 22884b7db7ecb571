"""Which field of an event gives its source away, and what is read of its resource, its ARN and its time.

Source: the example events of https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html and of the services' own guides.
"""

import base64
import gzip
import json

import pytest

from monitoring.context import describe, trigger_of
from monitoring.instrumentation.step_functions import identity_of, plain
from monitoring.instrumentation.triggers import (
    _IOT_EVENTS,
    CARRYING,
    UNKNOWN,
    iso_seconds,
    read_trigger,
)

ARN = "arn:aws:x:us-east-1:123456789012"


def record(source, **more):
    return {"Records": [{"eventSource": source, **more}]}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        # Each field, alone, and with what has to be beside it.
        ({"detail-type": "x", "source": "y"}, "eventbridge"),
        ({"awslogs": {}}, "cloudwatch-logs"),
        ({"eventSource": "aws:kafka"}, "kafka"),
        ({"eventSource": "SelfManagedKafka"}, "kafka"),
        ({"deliveryStreamArn": "x"}, "firehose"),
        ({"triggerSource": "x", "userPoolId": "p"}, "cognito"),
        ({"triggerSource": "x"}, "unknown"),
        ({"identityPoolId": "x", "datasetName": "d"}, "cognito"),
        ({"identityPoolId": "x"}, "unknown"),
        ({"StackId": "x", "RequestType": "Create"}, "cloudformation"),
        ({"StackId": "x"}, "unknown"),
        ({"transformId": "x", "fragment": {}}, "cloudformation"),
        ({"transformId": "x"}, "unknown"),
        ({"invokingEvent": "{}"}, "config"),
        ({"bot": {"name": "x"}, "currentIntent": {}}, "lex"),
        ({"bot": {"name": "x"}, "sessionState": {}}, "lex"),
        ({"bot": {"name": "x"}, "invocationSource": "x"}, "lex"),
        ({"request": {"type": "x"}, "session": {}}, "alexa"),
        ({"request": {"type": "x"}, "context": {}}, "alexa"),
        ({"request": {"type": "x"}}, "unknown"),
        ({"request": {}, "session": {}}, "unknown"),
        ({"request": "type", "session": {}}, "unknown"),
        ({"directive": {"header": {"namespace": "Alexa.Discovery"}}}, "alexa"),
        ({"directive": {"header": {"namespace": "Other.Alexa"}}}, "unknown"),
        ({"header": {"namespace": "Alexa.ConnectedHome.Control"}}, "alexa"),
        ({"header": {"namespace": 5}}, "unknown"),
        ({"header": "Alexa"}, "unknown"),
        ({"directive": "Alexa"}, "unknown"),
        ({"methodArn": "x", "type": "TOKEN"}, "api-gateway"),
        ({"methodArn": "x"}, "unknown"),
        ({"routeArn": "x", "type": "REQUEST"}, "api-gateway"),
        ({"routeArn": "x"}, "unknown"),
        ({"getObjectContext": {}}, "s3"),
        ({"invocationSchemaVersion": "1.0", "tasks": []}, "s3"),
        ({"invocationSchemaVersion": "1.0"}, "unknown"),
        ({"Event": "s3:TestEvent"}, "s3"),
        ({"iot_topic": "x"}, "iot"),
        ({"clickType": "SINGLE", "serialNumber": "G"}, "iot"),
        ({"clickType": "SINGLE"}, "unknown"),
        ({"deviceEvent": {}, "deviceInfo": {}}, "iot"),
        ({"deviceEvent": {}}, "unknown"),
        ({"protocolData": {}, "protocols": []}, "iot"),
        ({"protocolData": {}}, "unknown"),
        ({"claimCertificateId": "x", "templateArn": "y"}, "iot"),
        ({"claimCertificateId": "x"}, "unknown"),
        *(({"eventType": kind}, "iot") for kind in _IOT_EVENTS),
        *(
            ({"eventType": kind, "clientId": "c"}, "iot")
            for kind in ("connected", "disconnected", "subscribed", "unsubscribed")
        ),
        ({"eventType": "subscribed"}, "unknown"),
        ({"eventType": "other", "clientId": "c"}, "unknown"),
        # HTTP's four shapes.
        ({"requestContext": {"elb": {}, "stage": "x"}}, "alb"),
        ({"requestContext": {"domainName": "a.lambda-url.eu-west-1.on.aws", "apiId": "a"}}, "function-url"),
        ({"requestContext": {"domainName": "a.lambda-url.eu-west-1.on.aws"}}, "function-url"),
        ({"requestContext": {"domainName": "a.execute-api.eu-west-1.amazonaws.com"}}, "unknown"),
        *(
            ({"requestContext": {field: "x"}}, "api-gateway")
            for field in ("apiId", "stage", "routeKey", "connectionId", "resourcePath")
        ),
        # Records: of the first one; CloudFront has no source.
        ({"Records": [{"cf": {}}]}, "cloudfront"),
        ([{"eventSource": "aws:sqs"}], "sqs"),
        ([{"cf": {}}], "cloudfront"),
        ({"Records": [{"EventSource": "aws:sns"}]}, "sns"),
        ({"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:sqs"}]}, "s3"),
        # What has no name by its first field may have one by another.
        ({"Records": [], "detail-type": "x", "source": "y"}, "eventbridge"),
        ({"requestContext": {}, "awslogs": {}}, "cloudwatch-logs"),
    ],
)
def test_a_source_is_known_by_its_fields(event, name):
    assert trigger_of(event) == name


@pytest.mark.parametrize(
    ("event", "arn"),
    [
        (record("aws:s3", s3={"bucket": {"arn": "arn:aws:s3:::b"}}), "arn:aws:s3:::b"),
        (record("aws:dynamodb", eventSourceARN=f"{ARN}:table/t/stream/1"), f"{ARN}:table/t/stream/1"),
        (record("aws:kinesis", eventSourceARN=f"{ARN}:stream/s"), f"{ARN}:stream/s"),
        (record("aws:sns", Sns={"TopicArn": f"{ARN}:t"}), f"{ARN}:t"),
        (record("aws:sqs", eventSourceARN=f"{ARN}:q"), f"{ARN}:q"),
        (record("aws:codecommit", eventSourceARN=f"{ARN}:repo"), f"{ARN}:repo"),
        ({"StackId": f"{ARN}:stack/s/1", "RequestType": "Create"}, f"{ARN}:stack/s/1"),
        ({"deliveryStreamArn": f"{ARN}:deliverystream/d", "records": [{}]}, f"{ARN}:deliverystream/d"),
        ({"requestContext": {"elb": {"targetGroupArn": f"{ARN}:targetgroup/g/1"}}}, f"{ARN}:targetgroup/g/1"),
        ({"invokingEvent": "{}", "configRuleArn": f"{ARN}:rule", "configRuleName": "r"}, f"{ARN}:rule"),
        ({"detail-type": "x", "source": "y"}, ""),
        (record("aws:sqs", eventSourceARN=5), ""),
    ],
)
def test_the_arn_of_a_source(event, arn):
    assert describe(event).arn == arn


def logs(text):
    return {"awslogs": {"data": base64.b64encode(gzip.compress(text.encode())).decode()}}


@pytest.mark.parametrize(
    ("event", "resource"),
    [
        (record("aws:s3", s3={"bucket": {"arn": "arn:aws:s3:::b"}}), "b"),
        (record("aws:s3", s3={"bucket": {"name": "n", "arn": "arn:aws:s3:::b"}}), "n"),
        ({"Event": "s3:TestEvent", "Bucket": "b"}, "b"),
        ({"invocationSchemaVersion": "1.0", "tasks": [{"s3BucketArn": "arn:aws:s3:::b"}]}, "b"),
        ({"invocationSchemaVersion": "1.0", "tasks": []}, ""),
        (record("aws:dynamodb", eventSourceARN=f"{ARN}:table/t/stream/1"), "t"),
        (record("aws:kinesis", eventSourceARN=f"{ARN}:stream/s"), "s"),
        (record("aws:kinesis", eventSourceARN="odd"), ""),
        (record("aws:sqs", eventSourceARN=f"{ARN}:q"), "q"),
        (record("aws:sqs"), ""),
        (record("aws:ses", ses={"receipt": {"recipients": ["a@b@example.com"]}}), "example.com"),
        (record("aws:ses", ses={"receipt": {"recipients": []}}), ""),
        ({"triggerSource": "x", "userPoolId": "p", "identityPoolId": "i"}, "p"),
        ({"identityPoolId": "i", "datasetName": "d"}, "i"),
        ({"StackId": f"{ARN}:stack/s/1", "RequestType": "Create"}, "s"),
        ({"transformId": "t", "fragment": {}}, "t"),
        ({"detail-type": "x", "source": "y", "resources": [f"{ARN}:rule/r"]}, "r"),
        ({"detail-type": "x", "source": "y", "resources": [f"{ARN}:instance/r"]}, "y"),
        ({"detail-type": "x", "source": "y", "resources": []}, "y"),
        ({"detail-type": "x", "source": "y", "resources": [5]}, "y"),
        ({"detail-type": "x", "source": "y", "resources": "text"}, "y"),
        ({"invokingEvent": "{}", "configRuleName": "r"}, "r"),
        ({"request": {"type": "x"}, "session": {"application": {"applicationId": "a"}}}, "a"),
        ({"bot": {"name": "b"}, "currentIntent": {}}, "b"),
        ({"methodArn": f"{ARN}:api1/prod/GET/x", "type": "TOKEN"}, "api1"),
        ({"routeArn": f"{ARN}:api2/prod/$connect", "type": "REQUEST"}, "api2"),
        ({"requestContext": {"apiId": "a", "stage": "s"}}, "a/s"),
        ({"requestContext": {"stage": "s"}}, "s"),
        ({"requestContext": {"apiId": "a", "stage": ""}}, "a"),
        ({"requestContext": {"routeKey": "x"}}, ""),
        ({"iot_topic": "t", "thingName": "n"}, "t"),
        ({"eventType": "THING_EVENT", "thingName": "n", "clientId": "c"}, "n"),
        ({"eventType": "connected", "clientId": "c", "serialNumber": "s"}, "c"),
        ({"clickType": "x", "serialNumber": "s"}, "s"),
        ({"eventType": "JOB"}, ""),
        ({"Records": [{"cf": {"config": {"distributionId": "E1"}}}]}, "E1"),
        ({"requestContext": {"elb": {"targetGroupArn": f"{ARN}:targetgroup/g/1"}}}, "g"),
        ({"requestContext": {"domainName": "x.lambda-url.y.on.aws", "apiId": "x", "stage": "s"}}, "x"),
        ({"eventSource": "aws:kafka", "records": {"t-0": [{"topic": "t"}]}}, "t"),
        ({"deliveryStreamArn": f"{ARN}:deliverystream/d"}, "d"),
        (logs('{"messageType":"DATA_MESSAGE","logGroup":"/aws/lambda/f","logStream":"s"}'), "/aws/lambda/f"),
        (logs('{"messageType":"DATA_MESSAGE","logGroup":"/é","logStream":"s"}'), "/é"),
        (logs(json.dumps({"logGroup": "/first", "x": "y"}, separators=(",", ":")) * 2), "/first"),
    ],
)
def test_the_resource_of_a_source(event, resource):
    assert describe(event).resource == resource


def queue(*times):
    records = [{"eventSource": "aws:sqs", "attributes": {"SentTimestamp": time}} for time in times]
    return {"Records": records}


@pytest.mark.parametrize(
    ("event", "oldest", "newest", "records"),
    [
        (queue("1000", "3000"), 1.0, 3.0, 2),
        (queue("1000"), 1.0, 1.0, 1),
        (queue(2500), 2.5, 2.5, 1),
        (queue(None), None, None, 1),
        (queue(True), None, None, 1),
        (queue("0"), None, None, 1),
        (queue("-5"), None, None, 1),
        (queue("nan"), None, None, 1),
        (queue("inf"), None, None, 1),
        (queue("99999999999999"), 99999999999.999, 99999999999.999, 1),
        (queue("100000000000000"), None, None, 1),
        (record("aws:kinesis", kinesis={"approximateArrivalTimestamp": 7.5}), 7.5, 7.5, 1),
        (record("aws:dynamodb", dynamodb={"ApproximateCreationDateTime": 8}), 8, 8, 1),
        (record("aws:s3", eventTime="1970-01-01T00:00:09Z"), 9, 9, 1),
        (record("aws:sns", Sns={"Timestamp": "1970-01-01T00:00:09Z"}), 9, 9, 1),
        (record("aws:ses", ses={"mail": {"timestamp": "1970-01-01T00:00:09Z"}}), 9, 9, 1),
        (record("aws:codecommit", eventTime="1970-01-01T00:00:09.5+0000"), 9.5, 9.5, 1),
        ({"detail-type": "x", "source": "y", "time": "1970-01-01T00:00:09Z"}, 9, 9, 0),
        ({"request": {"type": "x", "timestamp": "1970-01-01T00:00:09Z"}, "session": {}}, 9, 9, 0),
        ({"invokingEvent": '{"notificationCreationTime": "1970-01-01T00:00:09Z"}'}, 9, 9, 0),
        ({"requestContext": {"apiId": "a", "requestTimeEpoch": 9500, "timeEpoch": 1}}, 9.5, 9.5, 0),
        ({"requestContext": {"apiId": "a", "timeEpoch": 9500}}, 9.5, 9.5, 0),
        ({"requestContext": {"apiId": "a"}}, None, None, 0),
        ({"methodArn": "x", "type": "TOKEN"}, None, None, 0),
        (
            {"requestContext": {"domainName": "x.lambda-url.y.on.aws", "timeEpoch": 9500}},
            9.5,
            9.5,
            0,
        ),
        (
            {
                "eventSource": "aws:kafka",
                "records": {"t-0": [{"timestamp": 1000}], "t-1": [{"timestamp": 4000}]},
            },
            1,
            4,
            2,
        ),
        (
            {
                "deliveryStreamArn": "x",
                "records": [
                    {"approximateArrivalTimestamp": 1000},
                    {"approximateArrivalTimestamp": 2000},
                    {"approximateArrivalTimestamp": 3000},
                ],
            },
            1,
            3,
            3,
        ),
        ({"eventSource": "aws:kafka"}, None, None, 0),
        ({"deliveryStreamArn": "x"}, None, None, 0),
        ({"awslogs": {"data": ""}}, None, None, 0),
        ({"triggerSource": "x", "userPoolId": "p"}, None, None, 0),
    ],
)
def test_the_times_of_the_first_and_the_last_record_and_their_number(event, oldest, newest, records):
    trigger = describe(event)
    assert (trigger.oldest, trigger.newest, trigger.records) == (oldest, newest, records)


def test_a_name_stands_though_a_field_cannot_be_read():
    trigger = describe(record("aws:sqs", eventSourceARN=f"{ARN}:q", attributes={"SentTimestamp": "soon"}))
    assert (trigger.name, trigger.resource, trigger.records) == ("sqs", "", 0)
    assert describe({"invokingEvent": "{"}).name == "config"


def test_only_an_object_with_headers_or_a_context_may_carry_a_trace():
    assert read_trigger({"headers": {}}) is CARRYING
    assert read_trigger({"_datadog": {}}) is CARRYING
    assert read_trigger({"Payload": {}}) is UNKNOWN
    assert read_trigger([{"headers": {}}]) is UNKNOWN
    assert read_trigger(None) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00z", 0),
        ("1970-01-02T01:02:03.25Z", 90123.25),
        ("1969-12-31T23:59:59Z", -1),
        ("1970-03-01T00:00:00Z", 59 * 86400),
        ("1972-02-29T00:00:00Z", 789 * 86400),
        ("1972-03-01T00:00:00Z", 790 * 86400),
        ("1999-12-31T00:00:00Z", 946598400),
        ("1900-03-01T00:00:00Z", -2203891200),
        ("1970-01-01T00:00:00+00:30", -1800),
        ("1970-01-01T00:00:00-02", 7200),
        ("1970-01-01T00:00:00+0130", -5400),
        ("1970-01-01T00:00:00.5-00:01", 60.5),
        ("1970-01-01T00:00:00+xx", None),
        ("1970-01-01Txx:00:00", None),
    ],
)
def test_a_time_is_read_with_its_offset(text, seconds):
    assert iso_seconds(text) == seconds


def test_something_else_than_a_text_is_no_time():
    assert iso_seconds(5) is None
    assert iso_seconds(None) is None


# --- the place in a state machine: docs/tracing.md


EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:demo:e1"


def context(execution=None, machine=None, state=None, **more):
    return {
        "Execution": {"Id": EXECUTION, **(execution or {})},
        "StateMachine": machine if machine is not None else {},
        "State": state if state is not None else {},
        **more,
    }


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (context(), ("e1", "demo", "")),
        (context({"Name": "n"}, {"Name": "m"}, {"Name": "s"}), ("n", "m", "s")),
        (context(machine={"Id": "arn:aws:states:us-east-1:1:stateMachine:other"}), ("e1", "other", "")),
        (context({"Id": "short"}), ("", "", "")),
        (context({"Id": None}), ("", "", "")),
        (context({"Id": f"{EXECUTION}:more"}), ("e1", "demo", "")),
    ],
)
def test_the_names_of_an_execution_its_state_machine_and_its_state(event, names):
    identity = identity_of(event)
    assert (identity.execution, identity.state_machine, identity.state) == names


@pytest.mark.parametrize(
    ("mapped", "index"),
    [
        ({"Item": {"Index": 3}}, 3),
        ({"Item": {"Index": 0}}, 0),
        ({"Index": 4}, 4),
        ({"Item": {"Index": "x"}}, None),
        ({"Item": "x", "Index": 5}, 5),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_the_index_of_a_map(mapped, index):
    assert identity_of(context(Map=mapped)).map_index == index


def test_retries_and_redrives_are_counted_and_give_the_state_a_span_of_its_own():
    """Datadog hashes them into the id of the state's span only where one of them is not 0."""
    entered = {"Name": "s", "EnteredTime": "t"}
    parents = {
        (retry, redrive): identity_of(
            context({"RedriveCount": redrive}, state={**entered, "RetryCount": retry})
        )
        for retry in (None, 0, 1)
        for redrive in (None, 0, 1)
    }
    assert [parents[pair].retry_count for pair in parents] == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert [parents[pair].redrive_count for pair in parents] == [0, 0, 1] * 3
    ids = {pair: identity.parent_id for pair, identity in parents.items()}
    assert len(set(ids.values())) == 4
    assert ids[None, None] == ids[0, 0] == ids[0, None]
    assert identity_of(context(state={"Name": "s"})).parent_id == "0" * 16


@pytest.mark.parametrize("place", [0, 9, 10])
def test_a_list_is_searched_in_its_first_ten_items(place):
    items = [{"photo": number} for number in range(place)] + [{"_datadog": context()}]
    for event in (items, {"Items": items}):
        assert (identity_of(event) is not None) is (place < 10)


@pytest.mark.parametrize(
    ("event", "inside"),
    [
        ({"Payload": context()}, True),
        ({"Payload": {"_datadog": context()}}, True),
        ({"BatchInput": {"_monitoring": {"Execution": EXECUTION}}}, True),
        ({"Payload": {"Payload": context()}}, False),
        ({"Payload": {"x": 1}, "BatchInput": context()}, True),
        ({"Payload": [context()]}, False),
        ({"Execution": {}, "StateMachine": {}, "State": {}}, True),
        ({"Execution": {}, "StateMachine": {}}, False),
        ({"Execution": {}, "StateMachine": [], "State": {}}, False),
        ({"_monitoring": "x"}, False),
        ({"_monitoring": {"StateMachine": "m"}}, False),
        ({"_monitoring": {"Execution": {}}}, False),
        ({"_monitoring": context()}, True),
        ({"Items": "x"}, False),
        ({"Items": [[context()]]}, False),
        ("text", False),
        (None, False),
    ],
)
def test_where_a_context_object_is_looked_for(event, inside):
    assert (identity_of(event) is not None) is inside


def test_our_own_field_has_a_key_for_each_fact():
    field = {
        "Execution": EXECUTION,
        "RedriveCount": 2,
        "StateMachine": "m",
        "State": "s",
        "EnteredTime": "t",
        "RetryCount": 3,
        "Index": 4,
    }
    whole = context(
        {"RedriveCount": 2},
        {"Name": "m"},
        {"Name": "s", "EnteredTime": "t", "RetryCount": 3},
        Map={"Index": 4},
    )
    flat, full = identity_of({"_monitoring": field}), identity_of(whole)
    for name in type(full).__slots__:
        assert getattr(flat, name) == getattr(full, name)
    assert identity_of({"_monitoring": {**field, "EnteredTime": None}}).parent_id == "0" * 16


class Raw:
    def __init__(self, raw):
        self.raw_event = raw


class Refusing:
    @property
    def raw_event(self):
        raise RuntimeError("no")


def test_the_classes_of_powertools_are_taken_off():
    inner = {"a": 1}
    assert plain(Raw(inner)) is inner
    odd = Raw("text")
    assert plain(odd) is odd
    refusing = Refusing()
    assert plain(refusing) is refusing
    listed = [1]
    assert plain(listed) is listed
