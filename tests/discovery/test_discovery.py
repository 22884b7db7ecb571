"""What is found in a team's own templates."""

import json

import pytest
from by_default import discover, discover_with_variables

from monitoring.errors import InputError

SAM = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 10, MemorySize: 256, Runtime: python3.13, Handler: a.b, CodeUri: .}
Parameters:
  Stage: {Type: String, Default: prod}
Resources:
  Ingest:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub 'ingest-${Stage}'
      Timeout: 60
      Events:
        Clicks: {Type: Kinesis, Properties: {Stream: !GetAtt Stream.Arn, StartingPosition: LATEST}}
  Report:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-report'
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Queue.Arn}
      Events:
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Unnamed: {Type: AWS::Serverless::Function}
  Pipe:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: pipe
      Type: EXPRESS
      Definition:
        StartAt: A
        TimeoutSeconds: 300
        States:
          A:
            Type: Parallel
            Branches:
              - StartAt: B
                States: {B: {Type: Task, Resource: !GetAtt Ingest.Arn, End: true}}
            End: true
"""


@pytest.fixture
def sam(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(SAM)
    return discover(path)


def test_a_sam_template_gives_functions_with_their_own_limits(sam):
    found = {one.name: (one.timeout, one.memory, one.streams) for one in sam.functions}
    assert found == {
        "ingest-prod": (60, 256, ("kinesis",)),
        "*-report": (10, 256, ()),
        "*-Unnamed-*": (10, 256, ()),
    }


def test_an_environment_is_a_variable_in_the_lower_cased_scope_and_what_nobody_knows_a_wildcard(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(SAM)
    assert {one.scope for one in discover_with_variables(path).functions} == {
        "functionname:ingest-${var:stage|prod}",
        "functionname:${var:stack|*}-report",
        "functionname:${var:stack|*}-unnamed-*",
    }
    (tmp_path / "samconfig.toml").write_text('[default.deploy.parameters]\nstack_name = "shop"\n')
    assert "functionname:${var:stack|shop}-report" in {
        one.scope for one in discover_with_variables(path).functions
    }


SERVICES = {
    "an option with its default": ("${opt:stage, 'dev'}", "shop-${var:stage|dev}-pay"),
    "an option without one": ("${opt:stage}", "shop-${var:stage|dev}-pay"),
    "the framework's own name": ("${sls:stage}", "shop-${var:stage|dev}-pay"),
    "through the configuration": ("${self:custom.stage}", "shop-${var:stage|test}-pay"),
    "a fixed one": ("prod", "shop-${var:stage|prod}-pay"),  # `--stage` stands before it
}


@pytest.mark.parametrize(("stage", "name"), SERVICES.values(), ids=SERVICES)
def test_the_stage_of_a_service_is_a_variable(tmp_path, stage, name):
    path = tmp_path / "serverless.yml"
    path.write_text(
        f"service: shop\ncustom: {{stage: \"${{opt:stage, 'test'}}\"}}\n"
        f'provider: {{name: aws, stage: "{stage}", runtime: python3.13}}\nfunctions: {{pay: {{handler: a.b}}}}\n'
    )
    assert [one.name for one in discover_with_variables(path).functions] == [name]


def test_a_terraform_folder_is_read_with_its_stage_as_a_variable(tmp_path):
    (tmp_path / "main.tf").write_text(
        'variable "stage" { default = "dev" }\n'
        'resource "aws_lambda_function" "pay" {\n  function_name = "pay-${var.stage}"\n  role = "r"\n'
        '  handler = "a.b"\n  runtime = "python3.13"\n  timeout = 40\n  filename = "a.zip"\n}\n'
    )
    (function,) = discover_with_variables(tmp_path).functions
    assert (function.name, function.timeout) == ("pay-${var:stage|dev}", 40)


def test_asynchronous_functions_and_dead_letters_are_seen(sam):
    report = next(one for one in sam.functions if one.name == "*-report")
    assert report.asynchronous
    assert report.dead_letters


def test_a_state_machine_knows_its_states_time_out_and_type(sam):
    (machine,) = sam.state_machines
    assert (machine.name, machine.express, machine.timeout, machine.states) == ("pipe", True, 300, ("A", "B"))
    assert machine.scope == "statemachinearn:*:statemachine:pipe"


def test_a_serverless_service_prefixes_names_and_knows_the_plugin(tmp_path):
    path = tmp_path / "serverless.yml"
    path.write_text(
        "service: shop\nprovider: {name: aws, stage: '${opt:stage}', timeout: 20}\n"
        "functions:\n  pay: {handler: a.b, events: [{stream: arn}, {http: GET /}]}\n"
        "  mail: {handler: a.c, name: mailer, timeout: 5, memorySize: 512}\n"
        "stepFunctions:\n  stateMachines:\n    order:\n      name: order-flow\n      definition:\n"
        "        StartAt: A\n        States:\n"
        "          A: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true}\n"
    )
    found = discover(path)
    assert [(one.name, one.timeout, one.memory, one.streams) for one in found.functions] == [
        ("shop-dev-pay", 20, 1024, ("kinesis",)),
        ("mailer", 5, 512, ()),
    ]
    assert [(one.name, one.family) for one in found.state_machines] == [("order-flow", "service_integration")]


def test_a_definition_in_amazon_states_language_names_its_functions(tmp_path):
    path = tmp_path / "orders.asl.json"
    state = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:pay:live", "End": True}
    path.write_text(json.dumps({"StartAt": "Pay", "States": {"Pay": state}}))
    found = discover(path)
    assert [one.name for one in found.functions] == ["pay"]
    assert [(one.name, one.family) for one in found.state_machines] == [("orders", "lambda_function")]


def test_every_template_of_a_synthesised_app_is_read(tmp_path):
    for stack in ("A", "B"):
        resources = {
            f"Fn{stack}": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 30}},
            "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8aFD4BFC8A": {"Type": "AWS::Lambda::Function"},
        }
        (tmp_path / f"{stack}.template.json").write_text(json.dumps({"Resources": resources}))
    assert [one.name for one in discover(tmp_path).functions] == ["*-FnA-*", "*-FnB-*"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "a: [", "a.yaml:1:5: is not YAML"),
        ("a.json", '{"a": }', "a.json:1:7: is not JSON"),
        ("a.yaml", "a: " + "[" * 20_000, "a.yaml: is nested too deeply"),
        ("a.json", '{"a": ' + "[" * 200_000, "a.json: is nested too deeply"),
        ("a.yaml", "- 1", "its top level is not an object"),
        ("a.yaml", "a: 1", "is not a SAM or CloudFormation template"),
        ("a.yaml", "Resources: {}", "describes no function"),
        ("a.yaml", "Resources: 3", "is not a SAM or CloudFormation template"),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Lambda::Function, Properties: 3}}",
            "Properties that are not an object",
        ),
    ],
    ids=range(9),
)
def test_what_is_no_source_is_said_with_its_place(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        discover(path)
    assert said in str(refused.value)
