"""A user's template on the embedded AWS: every resource, trigger and stand-in."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.stack import Deployment

SHOP = Path(__file__).parent / "stacks" / "shop"


@pytest.fixture(scope="module")
def shop(aws: LocalAws) -> Deployment:
    return aws.deploy(SHOP, stack="shop")


@pytest.fixture(scope="module")
def heard(aws: LocalAws, shop: Deployment) -> Callable[[Callable[[Any], bool]], Any]:
    def wait_for(wanted: Callable[[Any], bool]) -> Any:
        s3 = aws.client("s3")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for entry in s3.list_objects_v2(Bucket="heard-dev").get("Contents", []):
                event = json.loads(s3.get_object(Bucket="heard-dev", Key=entry["Key"])["Body"].read())
                if wanted(event):
                    return event
            time.sleep(0.05)
        raise AssertionError("nothing of the kind was heard")

    return wait_for


def test_an_execution_runs_the_real_handlers(aws: LocalAws, shop: Deployment) -> None:
    ended = aws.wait(aws.start(shop.state_machine("Orders"), {"id": 7, "amount": 20}))
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"id": 7, "amount": 20, "stage": "dev", "paid": True}
    stored = aws.client("dynamodb").scan(TableName=shop.names["Table"])["Items"]
    assert stored == [{"id": {"S": "7"}}]


def test_names_are_the_template_s_own_or_made_as_cloudformation_makes_them(shop: Deployment) -> None:
    assert shop.functions["Pay"] == "shop-pay-dev"
    assert shop.functions["Take"].startswith("shop-Take-")
    assert shop.state_machine("Orders").rpartition(":")[2].startswith("Orders-")
    assert shop.names["Uploads"] == shop.names["Uploads"].lower()


def test_a_state_machine_logs_as_the_template_says(aws: LocalAws, shop: Deployment) -> None:
    aws.wait(aws.start(shop.state_machine("Orders"), {"id": 1, "amount": 1}))
    aws.drain()
    groups = {event.log_group for event in aws.log_events() if "ExecutionSucceeded" in event.message}
    assert "/aws/vendedlogs/states/shop" in groups


def test_a_rule_starts_the_state_machine_with_the_part_that_it_names(aws: LocalAws, shop: Deployment) -> None:
    detail = {"id": 99, "amount": 5}
    aws.client("events").put_events(
        Entries=[{"Source": "shop", "DetailType": "placed", "Detail": json.dumps(detail)}]
    )
    listed = aws.client("stepfunctions").list_executions(stateMachineArn=shop.state_machine("Orders"))
    inputs = [json.loads(aws.describe(each["executionArn"])["input"]) for each in listed["executions"]]
    assert detail in inputs


def test_queues_topics_and_buckets_invoke_their_function(
    aws: LocalAws, shop: Deployment, heard: Callable[[Callable[[Any], bool]], Any]
) -> None:
    aws.client("sqs").send_message(QueueUrl=shop.names["Queue"], MessageBody="queued")
    aws.client("sns").publish(TopicArn=shop.names["Topic"], Message="told")
    aws.client("s3").put_object(Bucket=shop.names["Uploads"], Key="a.txt", Body=b"x")
    records = lambda event: event.get("Records", [{}])[0]  # noqa: E731
    assert heard(lambda event: records(event).get("body") == "queued")
    assert heard(lambda event: records(event).get("Sns", {}).get("Message") == "told")
    assert heard(lambda event: records(event).get("s3", {}).get("object", {}).get("key") == "a.txt")


def test_a_schedule_invokes_its_function(
    aws: LocalAws, shop: Deployment, heard: Callable[[Callable[[Any], bool]], Any]
) -> None:
    aws.start_schedules()
    assert heard(lambda event: event.get("detail-type") == "Scheduled Event")["source"] == "aws.events"


def test_what_does_not_run_here_is_named(shop: Deployment) -> None:
    assert {stand_in.logical_id: stand_in.quiet for stand_in in shop.stand_ins if not stand_in.quiet} == {
        "Pool": False
    }
    assert shop.outputs["PoolArn"].startswith("arn:aws:cognito:")
    assert "AlarmArn" not in shop.outputs


def test_parameters_choose_names_and_conditions(aws: LocalAws) -> None:
    deployment = aws.deploy(SHOP / "template.yaml", stack="two", parameters={"Stage": "prod"})
    assert deployment.functions["Pay"] == "shop-pay-prod"
    assert "Alarm" in {stand_in.logical_id for stand_in in deployment.stand_ins}


def _template(folder: Path, resources: dict[str, Any]) -> Path:
    folder.joinpath("template.json").write_text(json.dumps({"Resources": resources}))
    return folder / "template.json"


def _machine(definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"StateMachineName": "m", "DefinitionString": json.dumps(definition)},
    }


NODE = {
    "Type": "AWS::Lambda::Function",
    "Properties": {"FunctionName": "js", "Runtime": "java21", "Handler": "index.handler", "Code": "src"},
}
CALL = {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:js", "End": True}
BEDROCK = {"Type": "Task", "Resource": "arn:aws:states:::bedrock:invokeModel", "Parameters": {}, "End": True}


def test_a_runtime_that_is_not_here_fails_and_says_so(aws: LocalAws, tmp_path: Path) -> None:
    path = _template(tmp_path, {"Js": NODE, "M1": _machine({"StartAt": "A", "States": {"A": CALL}})})
    deployment = aws.deploy(path, stack="node")
    (stand_in,) = deployment.stand_ins
    assert (stand_in.logical_id, "java21" in stand_in.what) == ("Js", True)
    ended = aws.wait(aws.start(deployment.state_machine("M1")))
    assert (ended["status"], ended["error"]) == ("FAILED", "NotRunHereError")
    assert "java21" in ended["cause"]


def test_an_answer_takes_the_place_of_what_does_not_run(aws: LocalAws, tmp_path: Path) -> None:
    states = {"A": {**CALL, "End": False, "Next": "B"}, "B": BEDROCK}
    del states["A"]["End"]
    machine = _machine({"StartAt": "A", "States": states})
    machine["Properties"]["StateMachineName"] = "answered"
    path = _template(
        tmp_path, {"Js": {**NODE, "Properties": {**NODE["Properties"], "FunctionName": "js"}}, "M2": machine}
    )
    deployment = aws.deploy(path, stack="answered", answers={"Js": {"a": 1}, "M2.B": {"b": 2}})
    assert {stand_in.logical_id for stand_in in deployment.stand_ins} == {"Js", "M2.B"}
    ended = aws.wait(aws.start(deployment.state_machine("M2")))
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"b": 2})


def test_an_answer_for_nobody_is_refused(aws: LocalAws, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Jss to answer for"):
        aws.deploy(_template(tmp_path, {"Js": NODE}), answers={"Jss": 1})


def test_code_that_is_not_there_costs_only_its_own_function(aws: LocalAws, tmp_path: Path) -> None:
    lost = {"Runtime": "python3.12", "Handler": "lost.handler", "Code": "nowhere"}
    path = _template(tmp_path, {"Lost": {"Type": "AWS::Lambda::Function", "Properties": lost}})
    (stand_in,) = aws.deploy(path, stack="lost").stand_ins
    assert "there is no lost.handler in" in stand_in.what


def test_inline_code_layers_and_archives_run(aws: LocalAws, tmp_path: Path) -> None:
    library = tmp_path / "layer" / "python"
    library.mkdir(parents=True)
    (library / "shared.py").write_text("ANSWER = 42\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context):\n    return 'zipped'\n")
    shutil.make_archive(str(tmp_path / "code"), "zip", tmp_path / "code")
    inline = {"ZipFile": "import shared\ndef handler(event, context):\n    return shared.ANSWER\n"}
    settings = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Code": inline,
        "Layers": [{"Ref": "Layer"}],
    }
    resources = {
        "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": "layer"}},
        "Inline": {"Type": "AWS::Lambda::Function", "Properties": settings},
        "Zipped": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Runtime": "python3.12", "Handler": "app.handler", "Code": "code.zip"},
        },
    }
    deployment = aws.deploy(_template(tmp_path, resources), stack="code")
    assert aws.invoke(deployment.functions["Inline"], {}) == 42
    assert aws.invoke(deployment.functions["Zipped"], {}) == "zipped"


def test_a_template_of_the_working_folder_has_layers_as_folder_and_as_archive(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("first", "second")):
        library = tmp_path / name / "python"
        library.mkdir(parents=True)
        (library / f"{name}.py").write_text(f"ANSWER = {number + 1}\n")
    shutil.make_archive(str(tmp_path / "second"), "zip", tmp_path / "second")
    code = "import first, second\ndef handler(event, context):\n    return [first.ANSWER, second.ANSWER]\n"
    layers = {
        name: {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": content}}
        for name, content in (("First", "first"), ("Second", "second.zip"))
    }
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Code": {"ZipFile": code},
            "Layers": [{"Ref": "First"}, {"Ref": "Second"}],
        },
    }
    monkeypatch.chdir(_template(tmp_path, {**layers, "Layered": function}).parent)
    deployment = aws.deploy("template.json", stack="layered")
    assert aws.invoke(deployment.functions["Layered"], {}) == [1, 2]


def test_a_nested_stack_gives_its_outputs(aws: LocalAws, tmp_path: Path) -> None:
    (tmp_path / "inner.json").write_text(
        json.dumps(
            {
                "Parameters": {"Name": {"Type": "String"}},
                "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}},
                "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}}},
            }
        )
    )
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": "inner.json", "Parameters": {"Name": "inner-queue"}},
    }
    parameter = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/q", "Type": "String", "Value": {"Fn::GetAtt": ["Inner", "Outputs.Arn"]}},
    }
    aws.deploy(_template(tmp_path, {"Parameter": parameter, "Inner": nested}), stack="nested")
    value = aws.client("ssm").get_parameter(Name="/q")["Parameter"]["Value"]
    assert value == "arn:aws:sqs:us-east-1:123456789012:inner-queue"


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"M": _machine({"StartAt": "A", "States": {}})}, "M"),
        ({"T": {"Type": "AWS::DynamoDB::Table", "Properties": {}}}, "T .*DynamoDB"),
        ({"S": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": {}}}, "S .*LogGroupName"),
    ],
)
def test_a_resource_that_cannot_be_created_is_named(
    aws: LocalAws, tmp_path: Path, resources: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        aws.deploy(_template(tmp_path, resources), stack="wrong")


def test_a_state_machine_that_is_not_there_is_refused_with_those_that_are(shop: Deployment) -> None:
    with pytest.raises(InputError, match="no state machine Order") as refused:
        shop.state_machine("Order")
    assert "Orders (Orders-" in str(refused.value.hint)


def test_an_event_bus_has_its_name_and_rules_on_it_reach_their_targets(aws: LocalAws, tmp_path: Path) -> None:
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "orders-bus"}}
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {"EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["shop"]}, "Targets": []},
    }
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Bus", "Arn"]}}}
    template = {"Resources": {"Bus": bus, "Rule": rule}, "Outputs": outputs}
    (tmp_path / "template.json").write_text(json.dumps(template))
    deployed = aws.deploy(tmp_path)
    assert deployed.names["Bus"] == "orders-bus"
    assert deployed.outputs["Arn"].endswith(":event-bus/orders-bus")
    assert "orders-bus" in [each["Name"] for each in aws.client("events").list_event_buses()["EventBuses"]]
    aws.delete(deployed)


def test_the_definition_of_a_synthesised_app_is_an_asset_beside_its_template(
    aws: LocalAws, tmp_path: Path
) -> None:
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Word}", "End": true}}}'
    (tmp_path / "asset.5eed.json").write_text(definition)
    machine = {
        "StateMachineName": "of-an-asset",
        "DefinitionS3Location": {"Bucket": {"Fn::Sub": "assets-${AWS::Region}"}, "Key": "5eed.json"},
        "DefinitionSubstitutions": {"Word": "done"},
    }
    template = {"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}}}
    (tmp_path / "App.template.json").write_text(json.dumps(template))
    (tmp_path / "manifest.json").write_text("{}")
    deployed = aws.deploy(tmp_path)
    assert aws.wait(aws.start(deployed.state_machine("M")))["output"] == '"done"'


def test_an_answer_takes_the_place_of_a_callback_too(aws: LocalAws, tmp_path: Path) -> None:
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 20,
        "End": True,
    }
    (tmp_path / "ask.asl.json").write_text(json.dumps({"StartAt": "Ask", "States": {"Ask": ask}}))
    deployed = aws.deploy(tmp_path, answers={"Ask.Ask": {"approved": True}})
    ended = aws.wait(aws.start(deployed.state_machine("Ask")))
    assert json.loads(ended["output"]) == {"approved": True}


def test_a_topic_has_the_attributes_of_cloudformation(aws: LocalAws, tmp_path: Path) -> None:
    attribute = {"Fn::GetAtt": ["Topic", "TopicArn"]}
    name = {"Fn::GetAtt": ["Topic", "TopicName"]}
    state = {"Type": "Pass", "Result": {"arn": "${Arn}", "name": "${Name}"}, "End": True}
    machine = _machine({"StartAt": "A", "States": {"A": state}})
    machine["Properties"] |= {
        "StateMachineName": "topical",
        "DefinitionSubstitutions": {"Arn": attribute, "Name": name},
    }
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders"}}
    deployment = aws.deploy(_template(tmp_path, {"Topic": topic, "M": machine}), stack="topic")
    ended = aws.wait(aws.start(deployment.state_machine("M")))
    arn = "arn:aws:sns:us-east-1:123456789012:orders"
    assert json.loads(ended["output"]) == {"arn": arn, "name": "orders"}
