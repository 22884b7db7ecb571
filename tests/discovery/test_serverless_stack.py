"""What a service of the Serverless Framework deploys, under the logical ids that the framework makes."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.discovery.serverless_names import machine_name
from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError

HEAD = "service: shop\nprovider: {name: aws, runtime: python3.13, stage: \"${opt:stage, 'dev'}\"}\n"
SERVICE = """
service: shop
custom:
  logs: {dev: 7, prod: 90}
provider:
  name: aws
  runtime: python3.13
  stage: ${opt:stage, "dev"}
  environment: {TABLE: !Ref Orders, STAGE: "${sls:stage}", LEVEL: 1}
  logRetentionInDays: ${self:custom.logs.${sls:stage}}
  iam:
    role:
      statements:
        - {Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Orders.Arn}
package: {patterns: ["!node_modules/**"]}
layers:
  common: {path: layer}
functions:
  pay:
    handler: src/pay.handler
    memorySize: 256
    timeout: 20
    reservedConcurrency: 3
    layers: [!Ref CommonLambdaLayer]
    environment: {LEVEL: 2}
    events:
      - http: POST /orders
      - httpApi: {method: GET, path: "/orders/{id}"}
      - schedule: rate(5 minutes)
      - schedule: {rate: ["cron(0 1 * * ? *)", "cron(0 2 * * ? *)"], enabled: false, input: {a: 1}}
      - sqs: {arn: !GetAtt Queue.Arn, batchSize: 5, functionResponseType: ReportBatchItemFailures}
      - stream: {type: dynamodb, arn: !GetAtt Orders.StreamArn, startingPosition: LATEST}
      - s3: {bucket: "photos-${sls:stage}", event: "s3:ObjectCreated:Put", rules: [{suffix: .jpg}]}
      - s3: {bucket: elsewhere, existing: true}
      - sns: paid
      - eventBridge: {pattern: {source: [shop]}}
      - cloudwatchEvent: {event: {source: [aws.s3]}}
      - cloudwatchLog: /my/group
      - websocket: $connect
  pay-refund_all:
    handler: src/refund.handler
    role: OwnRole
  own:
    handler: src/own.handler
    iamRoleStatements: [{Effect: Allow, Action: "s3:*", Resource: "*"}]
stepFunctions:
  stateMachines:
    order:
      name: order-${sls:stage}
      type: EXPRESS
      loggingConfig: {level: ALL, includeExecutionData: true, destinations: [!GetAtt OrderLog.Arn]}
      tracingConfig: {enabled: true}
      events:
        - http: {method: post, path: start}
        - schedule: rate(1 day)
        - eventBridge: {event: {source: [shop]}}
      definition:
        StartAt: Pay
        States:
          Pay: {Type: Task, Resource: !GetAtt pay.Arn, Next: Tell}
          Tell: {Type: Task, Resource: "arn:aws:states:::sns:publish", End: true}
    short: {id: Short-One, definition: "${file(short.yml)}"}
  activities: [packing]
resources:
  - Resources:
      Orders: {Type: AWS::DynamoDB::Table, Properties: {TableName: orders}}
      Queue: {Type: AWS::SQS::Queue}
      Photos: {Type: AWS::S3::Bucket, Properties: {BucketName: "photos-${sls:stage}"}}
      OwnRole: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
      OrderLog: {Type: AWS::Logs::LogGroup}
  - Outputs: {Name: {Value: !Ref Orders}}
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (tmp_path / "serverless.yml").write_text(SERVICE)
    (tmp_path / "short.yml").write_text("StartAt: A\nStates: {A: {Type: Pass, End: true}}\n")
    return tmp_path


def properties(stack: Stack, logical_id: str) -> Any:
    return stack.resources[logical_id].properties


def test_functions_have_the_logical_ids_and_names_of_the_framework(service: Path) -> None:
    (stack,) = read_stacks(service)
    assert stack.name == "shop-dev"
    names = {r.logical_id: r.properties["FunctionName"] for r in stack.of_type("AWS::Lambda::Function")}
    assert names == {
        "PayLambdaFunction": "shop-dev-pay",
        "PayDashrefundUnderscoreallLambdaFunction": "shop-dev-pay-refund_all",
        "OwnLambdaFunction": "shop-dev-own",
    }
    assert properties(stack, "PayLogGroup") == {
        "LogGroupName": "/aws/lambda/shop-dev-pay",
        "RetentionInDays": 7,
    }
    assert {stack.code[name] for name in names} == {service}
    assert stack.code["CommonLambdaLayer"] == service / "layer"


def test_a_function_has_its_own_settings_before_the_providers_before_the_defaults(service: Path) -> None:
    (stack,) = read_stacks(service)
    pay, refund = properties(stack, "PayLambdaFunction"), properties(stack, "OwnLambdaFunction")
    assert (pay["MemorySize"], pay["Timeout"], pay["ReservedConcurrentExecutions"]) == (256, 20, 3)
    assert (refund["MemorySize"], refund["Timeout"], refund["Runtime"]) == (1024, 6, "python3.13")
    environment = pay["Environment"]["Variables"]
    assert environment == {"TABLE": {"Ref": "Orders"}, "STAGE": "dev", "LEVEL": "2"}


def test_roles_are_the_shared_one_a_named_one_or_one_of_their_own(service: Path) -> None:
    (stack,) = read_stacks(service)
    roles = {
        r.logical_id: r.properties["Role"]["Fn::GetAtt"][0] for r in stack.of_type("AWS::Lambda::Function")
    }
    assert roles == {
        "PayLambdaFunction": "IamRoleLambdaExecution",
        "PayDashrefundUnderscoreallLambdaFunction": "OwnRole",
        "OwnLambdaFunction": "OwnIamRoleLambdaExecution",
    }
    shared = json.dumps(properties(stack, "IamRoleLambdaExecution"))
    for action in ("dynamodb:PutItem", "sqs:ReceiveMessage", "dynamodb:GetRecords", "logs:PutLogEvents"):
        assert action in shared


def test_every_event_becomes_what_triggers_the_function(service: Path) -> None:
    (stack,) = read_stacks(service)
    kinds = [resource.type for resource in stack.resources.values()]
    assert kinds.count("AWS::Lambda::EventSourceMapping") == 2
    assert kinds.count("AWS::Events::Rule") == 5 + 2  # the function's and the state machine's
    assert kinds.count("AWS::SNS::Subscription") == 1
    assert kinds.count("AWS::Logs::SubscriptionFilter") == 1
    assert kinds.count("AWS::ApiGateway::RestApi") == kinds.count("AWS::ApiGatewayV2::Api") == 1
    assert {"/orders", "/start"} <= set(properties(stack, "ApiGatewayRestApi")["Body"]["paths"])
    assert "LambdaConfigurations" in properties(stack, "Photos")["NotificationConfiguration"]
    assert properties(stack, "S3BucketElsewhere")["BucketName"] == "elsewhere"
    assert any("websocket" in note for note in stack.notes)
    assert any("'elsewhere' exists already" in note for note in stack.notes)


def test_state_machines_have_the_plugins_logical_ids_and_may_call_their_tasks(service: Path) -> None:
    (stack,) = read_stacks(service)
    machines = {r.logical_id: r.properties for r in stack.of_type("AWS::StepFunctions::StateMachine")}
    assert set(machines) == {"OrderDashdev", "ShortDashOne"}
    order = machines["OrderDashdev"]
    assert (order["StateMachineName"], order["StateMachineType"]) == ("order-dev", "EXPRESS")
    assert order["LoggingConfiguration"]["IncludeExecutionData"] is True
    assert order["TracingConfiguration"] == {"Enabled": True}
    assert "PayLambdaFunction" in json.dumps(order)
    role = json.dumps(properties(stack, "OrderDashdevRole"))
    assert "lambda:InvokeFunction" in role
    assert "sns:Publish" in role
    assert properties(stack, "PackingStepFunctionsActivity") == {"Name": "packing"}
    assert stack.outputs == {"Name": {"Ref": "Orders"}}


@pytest.mark.parametrize(
    ("machine", "logical_id"),
    [
        ({}, "PaySlowlyStepFunctionsStateMachine"),
        ({"name": "pay-slowly_now"}, "PayDashslowlyUnderscorenow"),
        ({"name": "slow", "id": "first"}, "First"),
        ({"name": {"Ref": "Name"}}, "PaySlowlyStepFunctionsStateMachine"),
    ],
)
def test_the_logical_id_of_a_state_machine_is_the_plugins(machine: dict[str, Any], logical_id: str) -> None:
    assert machine_name("paySlowly", machine) == logical_id


def test_a_parameter_sets_the_option_of_the_same_name(service: Path) -> None:
    (stack,) = read_stacks(service, parameters={"stage": "prod"})
    assert stack.name == "shop-prod"
    assert properties(stack, "PayLogGroup")["RetentionInDays"] == 90
    with pytest.raises(InputError, match="no variable reads"):
        read_stacks(service, parameters={"stagee": "prod"})


def test_everything_that_the_service_refers_to_exists(service: Path) -> None:
    (stack,) = read_stacks(service)
    names = {name for r in stack.resources.values() for name in r.references()}
    assert {name for name in names if not name.startswith("AWS")} - set(stack.resources) <= {
        "definition_substitution_1",
        "definition_substitution_2",
    }
    assert len(stack.in_order()) == len(stack.resources)


def test_what_only_the_deployment_knows_is_stood_in_for_and_noted(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(
        HEAD + "functions:\n  a:\n    handler: a.b\n    environment:\n"
        "      {KEY: '${ssm:/shop/key}', ARN: '${cf:other.Arn}', ACCOUNT: '${aws:accountId}', NONE: '${file(no.yml):a}'}\n"
    )
    (stack,) = read_stacks(tmp_path)
    variables = properties(stack, "ALambdaFunction")["Environment"]["Variables"]
    assert variables == {"KEY": "local-shop-key", "ARN": "local-other-arn", "ACCOUNT": "123456789012"}
    assert len(stack.notes) == 3


def test_a_service_in_code_is_read_from_what_the_framework_compiled(tmp_path: Path) -> None:
    (tmp_path / "serverless.ts").write_text("export = {}")
    with pytest.raises(InputError, match="code that makes a configuration") as error:
        read_stacks(tmp_path)
    assert "osls package" in str(error.value.hint)
    (tmp_path / ".serverless").mkdir()
    (tmp_path / ".serverless" / "shop.zip").write_bytes(b"")
    code = {"S3Bucket": {"Ref": "ServerlessDeploymentBucket"}, "S3Key": "serverless/shop/dev/1/shop.zip"}
    template = {"Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"Code": code}}}}
    provider = {"stage": "dev", "compiledCloudFormationTemplate": template}
    state = {"service": {"service": "shop", "provider": provider}, "package": {}}
    (tmp_path / ".serverless" / "serverless-state.json").write_text(json.dumps(state))
    (stack,) = read_stacks(tmp_path)
    assert (stack.name, stack.code) == ("shop-dev", {"A": tmp_path / ".serverless" / "shop.zip"})


def test_two_targets_of_one_route_are_noted_and_the_first_is_kept(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(
        HEAD
        + "functions:\n  a: {handler: a.b, events: [http: GET /x]}\n  c: {handler: a.b, events: [http: get x]}\n"
    )
    (stack,) = read_stacks(tmp_path)
    assert any("GET /x has two targets" in note for note in stack.notes)


def test_a_service_of_another_provider_is_refused(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(
        "service: s\nprovider: {name: azure}\nfunctions: {a: {handler: a.b}}\n"
    )
    with pytest.raises(InputError, match="the provider is azure"):
        read_stacks(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "service: ''",
        "service: {name: 1}",
        HEAD + "functions: 1\nresources: [1, {Resources: 2}]\nstepFunctions: {stateMachines: [x]}",
        HEAD + "functions: {a: {}}",
        HEAD + "functions: {a: {handler: 1, events: 7, environment: [], layers: 3, vpc: 3}}",
        HEAD
        + "functions: {a: {handler: a.b, events: [http, s3, sqs: 1, http: 5, schedule: , sns: [], stream: x]}}",
        HEAD + "stepFunctions: {stateMachines: {a: {definition: 'x: ['}}}",
        HEAD + "stepFunctions: {stateMachines: {a: {}, b: {definition: {States: 1}}}, activities: 5}",
    ],
)
def test_a_malformed_service_is_read_or_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "serverless.yml").write_text(text)
    try:
        read_stacks(tmp_path)
    except InputError as error:
        assert str(error)


PSEUDO = """
functions:
  a:
    handler: a.b
    environment:
      ARN: "arn:aws:sqs:#{AWS::Region}:#{AWS::AccountId}:q"
      JOINED: !Sub "#{AWS::Region}-${AWS::StackName}"
      PLAIN: "# {AWS::Region} #{} # five"
"""


@pytest.mark.parametrize(
    "plugins", ["[serverless-pseudo-parameters]", "{modules: [serverless-pseudo-parameters, other]}"]
)
def test_the_plugin_for_pseudo_parameters_makes_substitutions_of_them(tmp_path: Path, plugins: str) -> None:
    (tmp_path / "serverless.yml").write_text(f"{HEAD}plugins: {plugins}\n{PSEUDO}")
    (stack,) = read_stacks(tmp_path)
    assert properties(stack, "ALambdaFunction")["Environment"]["Variables"] == {
        "ARN": {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q"},
        "JOINED": {"Fn::Sub": "${AWS::Region}-${AWS::StackName}"},
        "PLAIN": "# {AWS::Region} #{} # five",
    }


@pytest.mark.parametrize("plugins", ["[]", "[other]", "{modules: []}", "five"])
def test_without_the_plugin_they_are_text(tmp_path: Path, plugins: str) -> None:
    (tmp_path / "serverless.yml").write_text(f"{HEAD}plugins: {plugins}\n{PSEUDO}")
    (stack,) = read_stacks(tmp_path)
    variables = properties(stack, "ALambdaFunction")["Environment"]["Variables"]
    assert variables["ARN"] == "arn:aws:sqs:#{AWS::Region}:#{AWS::AccountId}:q"


@pytest.mark.parametrize("name", ["", "machine.asl.yml", "machine.yml"])
def test_states_may_be_named_yes_and_no(name: str, tmp_path: Path) -> None:
    definition = (
        "StartAt: Which\n"
        "States:\n"
        "  Which: {Type: Choice, Choices: [{Variable: $.a, BooleanEquals: true, Next: Yes}], Default: No}\n"
        "  Yes: {Type: Succeed}\n"
        "  No: {Type: Fail}\n"
    )
    inside = "".join(f"        {line}\n" for line in definition.splitlines())
    text = f"${{file({name})}}\n" if name else f"\n{inside}"
    (tmp_path / "serverless.yml").write_text(
        HEAD + f"stepFunctions:\n  stateMachines:\n    pay:\n      definition: {text}"
    )
    if name:
        (tmp_path / name).write_text(definition)
    (stack,) = read_stacks(tmp_path)
    machine = properties(stack, "PayStepFunctionsStateMachine")
    text = "\n".join(machine["DefinitionString"]["Fn::Join"][1])  # as SAM translates a definition
    states = json.loads(text)["States"]
    assert set(states) == {"Which", "Yes", "No"}
    assert states["Which"]["Default"] == "No"
    assert states["Which"]["Choices"][0] == {"Variable": "$.a", "BooleanEquals": True, "Next": "Yes"}
