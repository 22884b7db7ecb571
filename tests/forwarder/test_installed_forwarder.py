"""deploy/forwarder.yaml on the embedded AWS: subscribed, forwarding to the embedded Datadog, and gone without a trace."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_datadog import create_app
from monitoring.local_datadog.server import address, config, listen
from monitoring.store import Store

TEMPLATE = Path(__file__).parents[2] / "deploy" / "forwarder.yaml"
DEADLINE = 60

pytestmark = pytest.mark.checkout

HANDLER = """
import time
def handler(event, context):
    print(f"MONITORING|{int(time.time())}|{event.get('n', 1)}|count|shop.paid|#zone:a")
    print("paid", event.get("n", 1))
    return event
"""
SHOP = {
    "Resources": {
        "PayLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/shop-pay"}},
        "Pay": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "shop-pay",
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Code": {"ZipFile": HANDLER},
                "LoggingConfig": {"LogGroup": {"Ref": "PayLogs"}},
            },
        },
        "MachineLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/app/orders-machine"}},
        "Orders": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "StateMachineName": "orders",
                "DefinitionString": {
                    "Fn::Sub": json.dumps(
                        {
                            "StartAt": "Pay",
                            "States": {"Pay": {"Type": "Task", "Resource": "${Pay.Arn}", "End": True}},
                        }
                    )
                },
                "LoggingConfiguration": {
                    "Level": "ALL",
                    "IncludeExecutionData": True,
                    "Destinations": [
                        {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["MachineLogs", "Arn"]}}}
                    ],
                },
            },
        },
    }
}


class Outage:
    """The embedded Datadog, which answers 503 while `down` is set, and counts that."""

    def __init__(self, app):
        self.app, self.down, self.refused = app, False, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not self.down:
            await self.app(scope, receive, send)
            return
        self.refused += 1
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def datadog():
    with Store.open() as store:
        outage = Outage(create_app(store))
        listener = listen("127.0.0.1", 0)
        server = uvicorn.Server(config(outage))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield SimpleNamespace(store=store, outage=outage, url=address(listener))
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with LocalAws(tmp_path_factory.mktemp("aws"), speed=60) as running:
        running.client("secretsmanager").create_secret(Name="datadog", SecretString="k")
        yield running


def parameters(aws, datadog, **more):
    secret = aws.client("secretsmanager").describe_secret(SecretId="datadog")["ARN"]
    given = {
        "CodeBucket": "code",
        "DatadogUrl": datadog.url,
        "ApiKeySecretArn": secret,
        "EnhancedMetrics": "all",
        "LogGroupPrefixes": "/aws/lambda/shop-",
        "StateMachines": "orders*",
        "ExcludeLogGroups": "/aws/lambda/shop-secret*",
    }
    return given | more


def install(aws, datadog, stack="watch", **more):
    """Deploy the template; where a batch cannot be delivered it is spooled at once, not after a minute."""
    return aws.deploy(
        TEMPLATE,
        stack=stack,
        parameters=parameters(aws, datadog, **more),
        environment={"*": {"MONITORING_RETRY_SECONDS": "0.1"}},
    )


@pytest.fixture(scope="module")
def installed(aws, datadog, tmp_path_factory):
    """The application first, then the forwarder, as in an account that has something to watch."""
    template = tmp_path_factory.mktemp("shop") / "template.json"
    template.write_text(json.dumps(SHOP))
    aws.deploy(template, stack="shop")
    deployment = install(aws, datadog)
    url = deployment.outputs["SpoolQueue"]
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    return deployment


def filters(aws, group):
    found = aws.client("logs").describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    return {each["filterName"]: each["destinationArn"] for each in found}


def eventually(check, what):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(what)


def total(datadog, metric, *tags):
    return sum(float(each.values.sum()) for each in datadog.store.series(metric, tags=list(tags)))


def waiting(aws, deployment):
    found = aws.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["SpoolQueue"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def test_what_stands_in_is_alarms_and_permissions_alone(installed):
    assert {each.type for each in installed.stand_ins if not each.quiet} == set()


def test_log_groups_that_exist_are_subscribed_with_the_stack(aws, installed):
    forwarder = installed.outputs["ForwarderArn"]
    assert filters(aws, "/aws/lambda/shop-pay") == {"stepscope-watch": forwarder}
    assert filters(aws, "/app/orders-machine") == {"stepscope-watch": forwarder}
    assert filters(aws, installed.outputs["ForwarderLogGroup"]) == {}


def test_a_printed_line_arrives(aws, datadog, installed):
    before = total(datadog, "shop.paid")
    aws.invoke("shop-pay", {"n": 5})
    aws.drain()
    assert total(datadog, "shop.paid") == before + 5
    assert total(datadog, "shop.paid", "functionname:shop-pay") == before + 5


def test_a_state_machine_and_its_status_changes_are_told(aws, datadog, installed):
    ended = aws.wait(aws.start("orders", {"n": 1}))
    aws.drain()
    assert ended["status"] == "SUCCEEDED"
    assert total(datadog, "aws.states.enhanced.execution.succeeded") == 1
    assert total(datadog, "stepscope.execution.succeeded") == 1


def test_a_new_log_group_is_subscribed_by_its_event(aws, installed):
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/shop-refund")
    eventually(lambda: filters(aws, "/aws/lambda/shop-refund"), "the new log group is not subscribed")


@pytest.mark.parametrize("group", ["/aws/lambda/shop-secret-1", "/aws/lambda/other"])
def test_a_log_group_that_is_excluded_or_not_selected_is_left_alone(aws, installed, group):
    aws.client("logs").create_log_group(logGroupName=group)
    aws.drain()
    aws.invoke(installed.functions["Subscriber"], {"detail-type": "Scheduled Event", "detail": {}})
    assert filters(aws, group) == {}


def test_a_new_state_machines_log_group_is_subscribed_by_its_event(aws, installed):
    aws.create_log_group("/app/orders-late")
    arn = f"arn:aws:logs:{aws.region}:123456789012:log-group:/app/orders-late:*"
    aws.client("stepfunctions").create_state_machine(
        name="orders-late",
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::123456789012:role/r",
        loggingConfiguration={
            "level": "ALL",
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        },
    )
    eventually(lambda: filters(aws, "/app/orders-late"), "the state machine's log group is not subscribed")


def test_what_no_event_announced_is_subscribed_by_the_schedule(aws, installed):
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/shop-quiet")
    eventually(lambda: filters(aws, "/aws/lambda/shop-quiet"), "not subscribed")
    aws.drain()
    logs.delete_log_group(logGroupName="/aws/lambda/shop-quiet")
    aws.host.called, called = (lambda *_: None), aws.host.called  # CloudTrail is off
    try:
        logs.create_log_group(logGroupName="/aws/lambda/shop-silent")
    finally:
        aws.host.called = called
    assert filters(aws, "/aws/lambda/shop-silent") == {}
    aws.start_schedules()
    eventually(lambda: filters(aws, "/aws/lambda/shop-silent"), "the schedule did not subscribe it")


def test_an_outage_loses_nothing_and_is_counted(aws, datadog, installed):
    before, datadog.outage.down = total(datadog, "shop.paid"), True
    for number in range(1, 6):
        aws.invoke("shop-pay", {"n": number})
    aws.drain()
    assert waiting(aws, installed) > 0
    aws.invoke(installed.functions["Forwarder"], {"stepscope": "redrive"})
    assert total(datadog, "shop.paid") == before
    assert datadog.outage.refused > 0
    held = waiting(aws, installed)
    datadog.outage.down = False
    summary = aws.invoke(installed.functions["Forwarder"], {"stepscope": "redrive"})
    assert summary["redriven"] == held
    assert waiting(aws, installed) == 0
    assert total(datadog, "shop.paid") == before + 1 + 2 + 3 + 4 + 5
    texts = [entry["message"] for entry in datadog.store.logs()]
    assert all(any(f"paid {number}" in text for text in texts) for number in range(1, 6))
    assert aws.deliveries().undelivered == ()


def test_a_log_group_by_tag_and_another_function_for_state_machines_logs(aws, datadog):
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/team/payments", tags={"team": "payments"})
    logs.create_log_group(logGroupName="/team/search", tags={"team": "search"})
    logs.create_log_group(logGroupName="/aws/vendedlogs/states/tagged", tags={"team": "payments"})
    chosen = {
        "LogGroupPrefixes": "",
        "StateMachines": "",
        "LogGroupTags": "team:payments",
        "StatesConcurrency": "1",
    }
    deployment = install(aws, datadog, stack="tagged", **chosen)
    assert filters(aws, "/team/payments") == {"stepscope-tagged": deployment.outputs["ForwarderArn"]}
    assert filters(aws, "/team/search") == {}
    states = {"stepscope-tagged": deployment.outputs["StatesForwarderArn"]}
    assert filters(aws, "/aws/vendedlogs/states/tagged") == states
    logs.create_log_group(logGroupName="/team/new", tags={"team": "payments"})
    eventually(lambda: filters(aws, "/team/new"), "the tagged log group is not subscribed")
    aws.delete(deployment)
    assert filters(aws, "/team/payments") == {} == filters(aws, "/aws/vendedlogs/states/tagged")


def test_two_stacks_do_not_touch_one_another_and_deleting_takes_back_ones_own(aws, datadog, installed):
    second = install(aws, datadog, stack="second")
    group = "/aws/lambda/shop-pay"
    assert set(filters(aws, group)) == {"stepscope-watch", "stepscope-second"}
    aws.delete(second)
    assert set(filters(aws, group)) == {"stepscope-watch"}
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/shop-later")
    eventually(lambda: filters(aws, "/aws/lambda/shop-later"), "the first stack stopped subscribing")
    assert set(filters(aws, "/aws/lambda/shop-later")) == {"stepscope-watch"}
    assert second.functions["Forwarder"] not in {
        each["FunctionName"] for each in aws.client("lambda").list_functions()["Functions"]
    }


def test_a_log_group_without_room_for_another_filter_is_named_and_costs_no_other(aws, datadog, installed):
    for name in ("a", "b"):
        aws.client("logs").create_log_group(logGroupName=f"/full/{name}")
    for name in ("one", "two"):
        aws.client("logs").put_subscription_filter(
            logGroupName="/full/a",
            filterName=name,
            filterPattern="",
            destinationArn=installed.outputs["ForwarderArn"],
        )
    deployment = install(aws, datadog, stack="full", LogGroupPrefixes="/full/", StateMachines="")
    assert set(filters(aws, "/full/a")) == {"one", "two"}
    assert set(filters(aws, "/full/b")) == {"stepscope-full"}
    with pytest.raises(Exception, match="/full/a: the log group has two subscription filters already"):
        aws.invoke(deployment.functions["Subscriber"], {"detail-type": "Scheduled Event", "detail": {}})
    aws.delete(deployment)
    assert filters(aws, "/full/b") == {}


def test_the_spool_bucket_stays_when_the_stack_goes(aws, datadog):
    deployment = install(aws, datadog, stack="short")
    aws.delete(deployment)
    buckets = {each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]}
    assert deployment.outputs["SpoolBucketName"] in buckets
    with pytest.raises(InputError, match=r"there is no function|Function not found"):
        aws.invoke(deployment.functions["Forwarder"], {})
