"""Switches of metric families: what is switched off is withheld and counted, and nothing is doubled."""

import json

import pytest
from roads import NOW, forwarder

from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings

REQUEST = "8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 60 MB\tStatus: timeout"
)
INIT_ERROR = "INIT_REPORT Init Duration: 12.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError"
ORDERS = f"MONITORING|{NOW}|1|count|shop.orders|#zone:a"
LIBRARY = json.dumps({"m": "aws.lambda.enhanced.invocations", "v": 1, "e": NOW, "t": ["zone:a"]})
EXTENSION = "EXTENSION\tName: datadog-agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
EXTENSION_JSON = json.dumps(
    {
        "time": "2026-11-23T10:00:00.000Z",
        "type": "platform.extension",
        "record": {"name": "datadog-agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
    }
)
STATE = json.dumps(
    {
        "id": "1",
        "type": "ExecutionStarted",
        "details": {"input": "{}", "inputDetails": {"truncated": False}, "roleArn": "r"},
        "previous_event_id": "0",
        "event_timestamp": str(NOW * 1000),
        "execution_arn": "arn:aws:states:eu-west-1:123456789012:execution:orders:one",
    }
)
STATUS = {
    "version": "0",
    "id": "1",
    "detail-type": "Step Functions Execution Status Change",
    "source": "aws.states",
    "account": "123456789012",
    "time": "2026-11-23T10:00:00Z",
    "region": "eu-west-1",
    "resources": [],
    "detail": {
        "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:orders:one",
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:orders",
        "name": "one",
        "status": "RUNNING",
        "startDate": NOW * 1000,
        "stopDate": None,
    },
}
FAMILIES = {
    "DD_ENHANCED_METRICS": "aws.lambda.enhanced.",
    "MONITORING_ENHANCED_INVOCATIONS": "aws.lambda.enhanced.invocations",
    "MONITORING_LAMBDA_METRICS": "stepscope.lambda.",
    "MONITORING_STATES_METRICS": "aws.states.enhanced.",
    "MONITORING_EXECUTION_METRICS": "stepscope.execution.",
}


def names(intake, subscription, **environ):
    """The names that arrive of one event of each family, and how many points were excluded."""
    excluded = 0
    job = forwarder(intake.url, **environ)
    for event in (subscription([INIT_ERROR, ORDERS, REPORT], now=NOW), STATUS, states_event(subscription)):
        points = job.handle(event, 60.0)["conservation"]["points"]
        assert points["read"] == points["accounted"]
        excluded += points.get("excluded", 0)
    return {name for name, *_ in intake.points()}, excluded


def states_event(subscription):
    return subscription(
        [STATE], group="/aws/vendedlogs/states/orders-Logs", stream="states/orders/1", now=NOW
    )


def test_every_family_is_sent_unless_it_is_switched_off(intake, subscription):
    sent, excluded = names(intake, subscription)
    assert all(any(name.startswith(prefix) for name in sent) for prefix in FAMILIES.values())
    assert excluded == 0


@pytest.mark.parametrize("switch", FAMILIES)
def test_a_family_that_is_switched_off_is_withheld_and_counted_and_no_other(intake, subscription, switch):
    everything, _ = names(intake, subscription)
    intake.received.clear()
    sent, excluded = names(intake, subscription, **{switch: "false"})
    assert sent == {name for name in everything if not name.startswith(FAMILIES[switch])}
    assert excluded >= 1
    assert "shop.orders" in sent


def test_without_invocations_the_other_enhanced_metrics_stay(intake, subscription):
    sent, excluded = names(intake, subscription, MONITORING_ENHANCED_INVOCATIONS="false")
    assert {"aws.lambda.enhanced.duration", "aws.lambda.enhanced.timeouts"} <= sent
    assert excluded == 1


def test_what_the_library_prints_beside_the_report_counts_once(intake, subscription):
    summary = forwarder(intake.url).handle(subscription([LIBRARY, REPORT], now=NOW), 60.0)
    assert intake.values("aws.lambda.enhanced.invocations") == [1.0]
    assert summary["conservation"]["points"]["excluded"] == 1


@pytest.mark.parametrize("line", [EXTENSION, EXTENSION_JSON])
def test_a_function_with_datadogs_extension_has_no_second_enhanced_metrics(intake, subscription, line):
    job = forwarder(intake.url)
    job.handle(subscription([line, ORDERS, REPORT], now=NOW), 60.0)
    job.handle(subscription([ORDERS, REPORT], now=NOW + 60, stream="2026/11/23/[$LATEST]other"), 60.0)
    assert {name for name, *_ in intake.points()} == {"shop.orders"}


@pytest.mark.parametrize(
    "line",
    [
        EXTENSION.replace("datadog-agent", "other-agent"),
        EXTENSION.replace("State: Ready", "State: LaunchError") + "\tError Type: Extension.LaunchError",
    ],
)
def test_another_extension_or_one_that_did_not_start_changes_nothing(intake, subscription, line):
    forwarder(intake.url).handle(subscription([line, REPORT], now=NOW), 60.0)
    assert intake.values("aws.lambda.enhanced.invocations") == [1.0]


def test_another_function_keeps_its_enhanced_metrics(intake, subscription):
    job = forwarder(intake.url)
    job.handle(subscription([EXTENSION, REPORT], now=NOW), 60.0)
    job.handle(subscription([REPORT], group="/aws/lambda/carts", now=NOW), 60.0)
    assert intake.values("aws.lambda.enhanced.invocations") == [1.0]


class Functions:
    """Answers lambda:GetFunction with these layers."""

    def __init__(self, *layers):
        self.layers = layers

    def get_function(self, FunctionName):
        layers = [{"Arn": layer} for layer in self.layers]
        return {"Configuration": {"Runtime": "python3.13", "Layers": layers}, "Tags": {}}


@pytest.mark.parametrize(
    ("layer", "extended"),
    [
        ("arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension:65", True),
        ("arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension-ARM:65", True),
        ("arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Python313:100", False),
    ],
)
def test_the_extension_is_known_from_a_functions_layers(intake, subscription, layer, extended):
    job = forwarder(intake.url, clients=lambda _: Functions(layer), DD_FETCH_LAMBDA_TAGS="true")
    job.handle(subscription([REPORT], now=NOW), 60.0)
    assert intake.values("aws.lambda.enhanced.invocations") == ([] if extended else [1.0])


def test_a_function_that_loses_the_extension_has_metrics_again():
    functions, clock = Functions("arn:aws:lambda:r:1:layer:Datadog-Extension:65"), [0.0]
    settings = ForwarderSettings.from_env({"DD_FETCH_LAMBDA_TAGS": "true", "MONITORING_TAGS_SECONDS": "60"})
    tags = ResourceTags(settings, lambda _: functions, lambda: clock[0])
    tags.of_function("arn")
    assert tags.has_extension("arn")
    functions.layers, clock[0] = (), 61.0
    tags.of_function("arn")
    assert not tags.has_extension("arn")
