"""Templates as teams have them: nested stacks, substitutions, plugins, synthesised apps, every kind of state."""

import json
from copy import deepcopy

import pytest
from by_default import discover
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.cli import main
from monitoring.discovery.tailored import files_for
from monitoring.discovery.templates import load
from monitoring.errors import InputError
from monitoring.resources.project import load_project, load_resources

PARENT = """
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Stage: {Type: String, Default: prod}
  Limit: {Type: Number, Default: 45}
  Image: {Type: String}
  Unknown: {Type: Number}
Mappings:
  Names: {prod: {Report: nightly-report}}
Globals:
  Function:
    Timeout: !Ref Limit
    MemorySize: 512
    Runtime: python3.13
    Handler: a.b
    CodeUri: .
    Environment: {Variables: {STAGE: !Ref Stage}}
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ['${Prefix}-orders', {Prefix: !Sub 'shop-${Stage}'}]
      DefinitionUri: statemachine/orders.asl.json
      DefinitionSubstitutions:
        PayArn: !GetAtt Pay.Arn
        Limit: 600
        Worker: !Ref Packing
  Clicks:
    Type: AWS::Serverless::StateMachine
    Properties:
      Type: EXPRESS
      Definition:
        StartAt: Store
        States:
          Store: {Type: Task, Resource: 'arn:aws:states:::dynamodb:putItem', End: true}
  Inline:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: !Sub |
        {"StartAt": "A", "TimeoutSeconds": ${Unknown},
         "States": {"A": {"Type": "Task", "Resource": "${Pay.Arn}", "End": true}}}
  Packing: {Type: AWS::StepFunctions::Activity, Properties: {Name: !Sub 'packing-${Stage}'}}
  Pay:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub 'pay-${Stage}', Timeout: 10}
  Report:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !FindInMap [Names, !Ref Stage, Report]}
  Logs:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Lines: {Type: CloudWatchLogs, Properties: {LogGroupName: x, FilterPattern: ''}}}
  Slow:
    Type: AWS::Serverless::Function
    Properties: {Timeout: !Ref Image}
  Imported:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !ImportValue other-stack-name}
  ANameThatCloudFormationHasToShortenBecauseItIsLong: {Type: AWS::Serverless::Function}
  'Fn::ForEach::Readers':
    - Queue
    - [Mail, Push]
    - '${Queue}Reader':
        Type: AWS::Serverless::Function
        Properties: {FunctionName: !Sub 'read-${Queue}-${Stage}'}
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./nested/stream.yaml
      Parameters: {Stage: !Ref Stage}
  Elsewhere:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: 'https://s3.amazonaws.com/bucket/template.yaml'}
  Away:
    Type: AWS::Serverless::Application
    Properties: {Location: {ApplicationId: arn, SemanticVersion: 1.0.0}}
"""
NESTED = """
Parameters: {Stage: {Type: String}, Self: {Type: String, Default: x}}
Resources:
  Reader:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: !Sub 'reader-${Stage}', Timeout: 30}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !GetAtt Reader.Arn, EventSourceArn: !GetAtt Table.StreamArn, StartingPosition: LATEST}
  Circle: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: stream.yaml}}
"""
ORDERS = """{
  "StartAt": "Each", "TimeoutSeconds": ${Limit},
  "States": {
    "Each": {
      "Type": "Map", "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pay", "States": {
          "Pay": {"Type": "Task", "Resource": "${PayArn}", "End": true,
                  "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}]}}},
      "Next": "Both"},
    "Both": {"Type": "Parallel", "Next": "Old", "Branches": [
      {"StartAt": "Pack", "States": {"Pack": {"Type": "Task", "Resource": "${Worker}", "End": true}}},
      {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": true}}}]},
    "Old": {"Type": "Map", "Iterator": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}},
            "End": true}
  }
}"""


@pytest.fixture
def sam(tmp_path):
    (tmp_path / "statemachine").mkdir()
    (tmp_path / "statemachine" / "orders.asl.json").write_text(ORDERS)
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested" / "stream.yaml").write_text(NESTED)
    (tmp_path / "template.yaml").write_text(PARENT)
    return tmp_path / "template.yaml"


def named(found):
    return {one.name: one for one in found}


def test_names_and_limits_come_from_parameters_mappings_and_globals(sam):
    functions = named(discover(sam).functions)
    assert {name: (one.timeout, one.memory) for name, one in functions.items()} == {
        "pay-prod": (10, 512),
        "nightly-report": (45, 512),
        "*-Logs-*": (45, 512),
        "*-Slow-*": (0, 512),  # a parameter without a default: only the deployment knows it
        "*-ANameThatCloudFormationH*": (45, 512),
        "read-Mail-prod": (45, 512),
        "read-Push-prod": (45, 512),
        "reader-prod": (30, 128),
    }
    assert functions["*-Logs-*"].asynchronous


def test_a_nested_stack_on_the_disk_is_read_with_its_parameters_and_no_circle_is_endless(sam):
    assert named(discover(sam).functions)["reader-prod"].streams == ("dynamodb",)


def test_what_only_the_deployment_names_is_said_and_not_watched_together_with_everything(
    sam, capsys, tmp_path
):
    assert discover(sam).unnamed == ("Imported",)
    with pytest.raises(SystemExit):
        main(["init", str(tmp_path / "made"), "--from", str(sam)])
    said = capsys.readouterr()
    assert "Named only when they are deployed, so nothing watches them: Imported" in said.err
    made = load_resources(load_project(tmp_path / "made"))
    queries = {one.key: str(one.body["query"]) for one in made if one.kind == "monitor" and "[" in one.key}
    assert queries
    assert not any("functionname:*}" in text for text in queries.values())
    assert "functions-near-timeout[pay]" in queries
    assert "functions-near-timeout[slow]" not in queries


def test_definitions_are_read_wherever_they_are_with_their_substitutions(sam):
    found = discover(sam)
    machines = named(found.state_machines)
    orders, clicks, inline = machines["shop-prod-orders"], machines["Clicks-*"], machines["Inline-*"]
    assert set(orders.states) == {"Each", "Pay", "Both", "Pack", "Wait", "Old", "One"}
    assert (orders.timeout, orders.express) == (600, False)
    assert (clicks.timeout, clicks.express) == (300, True)  # an Express execution is ended after five minutes
    assert (inline.timeout, inline.states) == (0, ("A",))
    assert (clicks.family, inline.family) == ("service_integration", "lambda_function")
    assert [one.scope for one in found.activities] == ["activityarn:*:activity:packing-prod"]


def test_all_that_is_made_of_it_passes_lint_and_its_own_tests(sam, tmp_path, monkeypatch, capsys):
    root = tmp_path / "made"
    for argv in (
        ["init", str(root), "--from", str(sam), "--downtimes"],
        ["lint", "--strict"],
        ["test", "monitors"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(argv)
        assert not stopped.value.code, capsys.readouterr().out
        monkeypatch.chdir(root)
    slos = {one.key: one.body for one in load_resources(load_project(root)) if one.kind == "slo"}
    query = slos["executions-succeed[shop-orders]"]["query"]
    assert "statemachinearn:*:statemachine:shop-prod-orders" in query["denominator"]


SERVERLESS = """
service: shop
frameworkVersion: '4'
custom:
  stage: ${opt:stage, 'dev'}
  limits: {pay: 25}
  base: ${self:service}-${sls:stage}
provider: {name: aws, stage: '${self:custom.stage}', timeout: 15, memorySize: 256}
plugins: [serverless-step-functions]
functions:
  - ${file(functions.yml)}
  - ${file(missing.yml)}
  - pay:
      handler: a.pay
      timeout: ${self:custom.limits.pay}
      events: [{stream: {type: dynamodb, arn: arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/1}}, httpApi: '*']
stepFunctions:
  validate: true
  activities: ['packing-${self:custom.stage}', {name: labels}]
  stateMachines:
    order-flow:
      name: ${self:custom.base}-orders
      definition: ${file(orders.yml):machine}
    clicks: {type: EXPRESS, definition: {StartAt: A, States: {A: {Type: Pass, End: true}}}}
    other: {id: Other, definition: {StartAt: A, States: {A: {Type: Pass, End: true}}}}
resources:
  - Resources:
      Plain: {Type: AWS::Lambda::Function, Properties: {FunctionName: plain, Timeout: 7}}
  - ${file(resources.yml)}
"""


def test_a_service_is_read_with_its_files_variables_plugin_and_resources(tmp_path):
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    (tmp_path / "functions.yml").write_text(
        "mail: {handler: a.mail, name: '${self:custom.base}-mail', events: [schedule: rate(1 day)]}\n"
    )
    (tmp_path / "orders.yml").write_text(
        "machine:\n  StartAt: A\n  TimeoutSeconds: 900\n  States:\n"
        "    A: {Type: Task, Resource: {Fn::GetAtt: [pay, Arn]}, End: true}\n"
    )
    (tmp_path / "resources.yml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}\n")
    found = discover(tmp_path / "serverless.yml")
    assert {one.name: (one.timeout, one.memory) for one in found.functions} == {
        "shop-dev-mail": (15, 256),
        "shop-dev-pay": (25, 256),
        "plain": (7, 128),
    }
    functions = named(found.functions)
    assert functions["shop-dev-pay"].streams == ("dynamodb",)
    assert functions["shop-dev-mail"].asynchronous
    machines = {one.name: (one.timeout, one.express, one.family) for one in found.state_machines}
    assert machines == {
        "shop-dev-orders": (900, False, "lambda_function"),
        "ClicksStepFunctionsStateMachine-*": (300, True, "service_integration"),
        "Other-*": (0, False, "service_integration"),
    }
    assert [one.name for one in found.activities] == ["packing-dev", "labels"]


ASSET = "3f1c" * 16


def cdk_stack(name):
    arn = {"Fn::GetAtt": ["Ingest12AB34CD", "Arn"]}
    definition = [
        '{"StartAt":"A","TimeoutSeconds":120,"States":{"A":{"End":true,"Type":"Task","Resource":"',
        arn,
        '"}}}',
    ]
    return {
        "Resources": {
            "Ingest12AB34CD": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Timeout": 60, "MemorySize": 1024},
            },
            "Allowed": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {"FunctionName": arn, "Principal": "events.amazonaws.com"},
            },
            "Joined": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "DefinitionString": {"Fn::Join": ["", definition]},
                    "StateMachineName": f"{name}-joined",
                },
            },
            "FromFile": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "DefinitionS3Location": {"Bucket": {"Fn::Sub": "cdk-assets"}, "Key": f"{ASSET}.json"},
                    "StateMachineType": "EXPRESS",
                },
            },
            # What CDK adds of its own, with the names that it gives.
            "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8aFD4BFC8A": {"Type": "AWS::Lambda::Function"},
            "CustomS3AutoDeleteObjectsCustomResourceProviderHandler9D90184F": {
                "Type": "AWS::Lambda::Function"
            },
            "AWS679f53fac002430cb0da5b7982bd22872D164C4C": {"Type": "AWS::Lambda::Function"},
            "WaiterframeworkonEvent8C1A": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Handler": "framework.onEvent",
                    "Description": "AWS CDK resource provider framework - onEvent",
                },
            },
            "PaymentProvider77AA": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"FunctionName": f"{name}-payment-provider"},
            },
        }
    }


def test_a_synthesised_app_is_read_with_its_stages_assets_and_without_cdks_own_functions(tmp_path):
    for stage in ("Dev", "Prod"):
        folder = tmp_path / f"assembly-{stage}"
        folder.mkdir()
        (folder / f"{stage}Shop1A2B.template.json").write_text(json.dumps(cdk_stack(stage)))
        stack = {"templateFile": f"{stage}Shop1A2B.template.json", "stackName": f"{stage}-Shop"}
        tree = {"type": "cdk:tree", "properties": {"file": "tree.json"}}
        artifact = {"type": "aws:cloudformation:stack", "properties": stack}
        (folder / "manifest.json").write_text(
            json.dumps({"artifacts": {"Tree": tree, f"{stage}Shop": artifact}})
        )
    machine = {"StartAt": "A", "TimeoutSeconds": 90, "States": {"A": {"Type": "Pass", "End": True}}}
    (tmp_path / f"asset.{ASSET}.json").write_text(json.dumps(machine))
    found = discover(tmp_path)
    assert {one.name: (one.timeout, one.asynchronous) for one in found.functions} == {
        "Dev-Shop-Ingest12AB34CD-*": (60, True),
        "Dev-payment-provider": (3, False),
        "Prod-Shop-Ingest12AB34CD-*": (60, True),
        "Prod-payment-provider": (3, False),
    }
    assert {one.name: (one.timeout, one.express) for one in found.state_machines} == {
        "Dev-joined": (120, False),
        "Prod-joined": (120, False),
        "FromFile-*": (90, True),
    }


def test_one_name_in_two_templates_counts_once_with_the_shorter_time_out(tmp_path):
    for stage, timeout in (("a", 60), ("b", 20)):
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {"FunctionName": "pay", "Timeout": timeout},
        }
        (tmp_path / f"{stage}.template.json").write_text(json.dumps({"Resources": {"Pay": function}}))
    assert [(one.name, one.timeout) for one in discover(tmp_path).functions] == [("pay", 20)]


def test_a_definition_names_functions_by_arn_name_and_alias_and_nothing_that_it_works_out(tmp_path):
    def call(name):
        parameters = {"FunctionName": name}
        return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}

    states = {
        "ByArn": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:pay:live"},
        "ByName": call("mail"),
        "ByAlias": call("report:$LATEST"),
        "Substituted": call("${Fn}"),
        "Jsonata": {**call("x"), "Parameters": None, "Arguments": {"FunctionName": "{% $states.input.fn %}"}},
        "Worker": {"Type": "Task", "Resource": "arn:aws:states:eu-west-1:123456789012:activity:packing"},
    }
    path = tmp_path / "orders.asl.yaml"
    path.write_text(json.dumps({"StartAt": "ByArn", "QueryLanguage": "JSONata", "States": states}))
    found = discover(path)
    assert [(one.name, one.timeout) for one in found.functions] == [("pay", 0), ("mail", 0), ("report", 0)]
    assert [one.name for one in found.activities] == ["packing"]
    assert found.state_machines[0].family == "lambda_function"


JUNK = st.sampled_from(
    [None, 3, -1, True, "", "x", "${x}", "*", [], {}, [[]], {"Ref": "x"}, {"Fn::Sub": []}, {"a": None}]
)
SOURCES = {
    "template.yaml": PARENT,
    "nested.yaml": NESTED,
    "serverless.yml": SERVERLESS,
    "orders.asl.json": ORDERS.replace("${Limit}", "600"),
    "stack.json": json.dumps(cdk_stack("Dev")),
}


@given(st.data())
@settings(max_examples=150)
def test_whatever_stands_in_a_template_is_read_or_said_to_be_wrong(tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(SOURCES)))
    path = tmp_path_factory.getbasetemp() / name
    path.write_text(SOURCES[name])
    content = load(path)
    for _ in range(data.draw(st.integers(1, 3))):
        holder = content
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = data.draw(st.sampled_from(keys))
            if isinstance(holder[key], dict | list) and holder[key] and data.draw(st.integers(0, 5)):
                holder = holder[key]
                continue
            holder[key] = deepcopy(data.draw(JUNK))
            break
    path.write_text(json.dumps(content))
    try:
        found = discover(path)
    except InputError:
        return
    assert files_for(found)
