"""Templates are linted by what they deploy, and each finding stands where a person would mend it."""

import json
import re
from pathlib import Path

import pytest

from monitoring.discovery.stacks import CODE, TEMPLATES
from monitoring.errors import InputError
from monitoring.lint import run
from monitoring.lint.templates.kinds import NAMES

LAMBDA = "arn:aws:states:::lambda:invoke"
CONTEXT = {"_datadog.$": "$$"}


def codes_in(path, *select):
    result = run.lint(run.find([Path(path)])[0], run.selected(select))
    return [(finding.rule, finding.line) for finding in result.findings]


def messages(path, *select):
    return [finding.message for finding in run.lint(run.find([Path(path)])[0], run.selected(select)).findings]


def machine(folder, state, **more):
    """Write a definition of one state, every other rule content, and return its path."""
    body = {"StartAt": "A", "TimeoutSeconds": 60, **more, "States": {"A": {**state, "End": True}}}
    path = folder / "m.asl.json"
    path.write_text(json.dumps(body, indent=2))
    return path


def task(resource, arguments=None, **more):
    given = {} if arguments is None else {"Parameters": arguments}
    return {"Type": "Task", "Resource": resource, **given, **more}


def invoke(payload):
    return task(LAMBDA, {"FunctionName": "f", **payload})


START = "arn:aws:states:::states:startExecution.sync:2"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
PASSED = {
    "whole": invoke({"Payload": {"a": 1, **CONTEXT}}),
    "fields": invoke({"Payload": {"_datadog": {"Execution.$": "$$.Execution"}}}),
    "own field": invoke({"Payload": {"_monitoring": {"Execution.$": "$$.Execution.Id"}}}),
    "payload itself": invoke({"Payload.$": "$$"}),
    "merged": invoke({"Payload.$": "States.JsonMerge($$, $, false)"}),
    "token": task(LAMBDA + ".waitForTaskToken", {"FunctionName": "f", "Payload": CONTEXT}),
    "sdk": task("arn:aws:states:::aws-sdk:lambda:invoke", {"FunctionName": "f", "Payload": CONTEXT}),
    "arn": task(ARN, CONTEXT),
    "execution": task(START, {"StateMachineArn": "m", "Input": CONTEXT}),
    "another service": task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "q", "MessageBody": "m"}),
    "activity": task("arn:aws:states:us-east-1:123456789012:activity:a"),
    "jsonata": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": "f", "Payload": {"_datadog": "{% $states.context %}"}},
    },
    "jsonata merged": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": "f", "Payload": "{% $merge([$states.input, $states.context]) %}"},
    },
    "jsonata expression for all": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": "{% $call %}",
    },
}
NOT_PASSED = {
    "object": (invoke({"Payload": {"a.$": "$.a"}}), True),
    "empty object": (invoke({"Payload": {}}), True),
    "no payload": (invoke({}), True),
    "input": (invoke({"Payload.$": "$"}), False),
    "text": (invoke({"Payload": "x"}), False),
    "token": (
        task(LAMBDA + ".waitForTaskToken", {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}),
        True,
    ),
    "arn": (task(ARN, {"a": 1}), True),
    "arn without parameters": (task(ARN), False),
    "placeholder": (task("${Take}"), False),
    "execution": (task(START, {"StateMachineArn": "m", "Input": {"a": 1}}), True),
    "execution without input": (task(START, {"StateMachineArn": "m"}), True),
    "jsonata": (
        {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": LAMBDA,
            "Arguments": {"FunctionName": "f", "Payload": {"a": "{% $states.input.a %}"}},
        },
        True,
    ),
    "jsonata input": (
        {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": LAMBDA,
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"},
        },
        False,
    ),
}


@pytest.mark.parametrize("state", PASSED.values(), ids=PASSED)
def test_a_task_that_passes_its_context_is_right(state, tmp_path):
    assert codes_in(machine(tmp_path, state), "task-context") == []


@pytest.mark.parametrize(("state", "fixable"), NOT_PASSED.values(), ids=NOT_PASSED)
def test_a_task_that_does_not_pass_it_is_found_and_mended_where_that_is_safe(state, fixable, tmp_path):
    path = machine(tmp_path, state)
    assert codes_in(path, "task-context") == [("task-context", 5)]
    before = path.read_text()
    fixed = run.fix([path], run.selected(["task-context"]))
    assert bool(fixed) == fixable
    assert (path.read_text() != before) == fixable
    assert bool(codes_in(path, "task-context")) != fixable
    assert run.fix([path], run.selected(["task-context"])) == {}


def mapped(task_state, **more):
    inner = {"StartAt": "B", "States": {"B": {**task_state, "End": True}}}
    return {"Type": "Map", "ItemProcessor": {**inner, **more.pop("processor", {})}, **more}


DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}


def test_a_map_may_bring_the_context_into_its_items(tmp_path):
    state = mapped(invoke({"Payload.$": "$"}), ItemSelector={"item.$": "$$.Map.Item.Value", **CONTEXT})
    assert codes_in(machine(tmp_path, state), "task-context") == []


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"ItemBatcher": {"MaxItemsPerBatch": 10}}, "BatchInput"),
        ({"ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"a": 1}}}, "BatchInput"),
        ({"ItemSelector": {"item.$": "$$.Map.Item.Value"}}, "ItemSelector"),
    ],
)
def test_a_distributed_map_gives_its_child_executions_the_context(more, key, tmp_path):
    state = mapped(invoke({"Payload": CONTEXT}), processor=DISTRIBUTED, **more)
    path = machine(tmp_path, state)
    assert [key in message for message in messages(path, "task-context")] == [True]
    run.fix([path], run.selected(["task-context"]))
    assert codes_in(path, "task-context") == []


RETRY = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}


@pytest.mark.parametrize(
    ("retriers", "count"),
    [
        ([RETRY], 1),
        ([RETRY, {**RETRY, "JitterStrategy": "FULL"}, RETRY], 2),
        ([{**RETRY, "JitterStrategy": "NONE"}], 0),
        ([{**RETRY, "MaxAttempts": 0}], 0),
        ([], 0),
        ("text", 0),
        ([None, 5], 0),
    ],
)
def test_every_retrier_without_jitter_is_found_and_mended(retriers, count, tmp_path):
    path = machine(tmp_path, {**task(ARN, CONTEXT), "Retry": retriers})
    assert len(codes_in(path, "retry-jitter")) == count
    run.fix([path], run.selected(["retry-jitter"]))
    assert codes_in(path, "retry-jitter") == []


@pytest.mark.parametrize(
    ("state", "more", "count"),
    [
        (task(ARN), {}, 0),
        (task(ARN), {"TimeoutSeconds": None}, 0),
        ({**task(ARN), "TimeoutSeconds": 5}, None, 0),
        ({**task(ARN), "TimeoutSecondsPath": "$.t"}, None, 0),
        ({**task(ARN), "HeartbeatSeconds": 5}, None, 0),
        (task(ARN), None, 1),
        ({"Type": "Pass"}, None, 0),
    ],
)
def test_a_task_or_its_machine_has_a_time_out(state, more, count, tmp_path):
    path = machine(tmp_path, state, **(more or {}))
    if more is None:
        body = json.loads(path.read_text())
        del body["TimeoutSeconds"]
        path.write_text(json.dumps(body))
    assert len(codes_in(path, "task-timeout")) == count


def test_a_catch_of_the_parallel_around_a_task_counts(tmp_path):
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "A"}]
    branch = {"StartAt": "B", "States": {"B": {**task(ARN), "End": True}}}
    around = {"Type": "Parallel", "Branches": [branch, branch]}
    (message,) = messages(machine(tmp_path, around), "task-catch")
    assert message.startswith("2 tasks have no Catch (B, B): ")
    assert codes_in(machine(tmp_path, {**around, "Catch": catch}), "task-catch") == []


TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"


@pytest.mark.parametrize(
    ("resources", "timeout", "catch"),
    [
        ([], "", ""),
        ([TOKEN], "A has no time-out, and neither has the machine: a token", "A has no Catch: its failure"),
        (
            [ARN, ARN],
            "2 tasks have no time-out, and neither has the machine: how",
            "2 tasks have no Catch (A, B): ",
        ),
        ([ARN, TOKEN, ARN], "3 tasks have no time-out, and", "3 tasks have no Catch (A, B, C): "),
        ([ARN] * 26, "26 tasks have no time-out, and", "26 tasks have no Catch (A, B, C, D, "),
    ],
)
def test_a_machine_has_one_finding_that_names_its_tasks(resources, timeout, catch, tmp_path):
    """Beside them a task that has both, which is not named."""
    ends = {"TimeoutSeconds": 5, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "End"}]}
    states = {"Right": {**task(ARN), **ends, "Next": "End"}, "End": {"Type": "Succeed"}}
    names = [chr(ord("A") + index) for index in range(len(resources))]
    states |= {name: {**task(resource), "End": True} for name, resource in zip(names, resources, strict=True)}
    path = tmp_path / "m.asl.json"
    path.write_text(json.dumps({"StartAt": "Right", "States": states}, indent=2))
    expected = [("task-timeout", timeout), ("task-catch", catch)] if resources else []
    for rule, start in expected:
        (message,) = messages(path, rule)
        assert message.startswith(start)
        assert all(re.search(rf"\b{name}\b", message) for name in names)
        assert "Right" not in message
    codes = [code for code, _ in codes_in(path, "task-timeout", "task-catch")]
    assert sorted(codes) == sorted(rule for rule, _ in expected)


def test_tasks_that_wait_for_different_things_are_named_by_what_they_wait_for(tmp_path):
    states = {
        name: {**task(resource), "End": True} for name, resource in (("X", ARN), ("Y", TOKEN), ("Z", ARN))
    }
    path = tmp_path / "m.asl.json"
    path.write_text(json.dumps({"StartAt": "X", "States": states}))
    (message,) = messages(path, "task-timeout")
    assert "how long it may take is left to what it calls (X, Z); a token" in message
    assert "is a year old (Y). Add TimeoutSeconds to each task, or to the machine" in message


SAM = "Transform: AWS::Serverless-2016-10-31\nResources:\n"
FUNCTION = "  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.12, Handler: app.handler, CodeUri: src, Timeout: %d, Events: {E: %s}}\n"


def template(folder, text):
    path = folder / "template.yaml"
    path.write_text(SAM + text)
    return path


@pytest.mark.parametrize(
    ("timeout", "event", "count"),
    [
        (29, "{Type: Api, Properties: {Path: /, Method: get}}", 0),
        (30, "{Type: Api, Properties: {Path: /, Method: get}}", 1),
        (30, "{Type: HttpApi}", 0),
        (31, "{Type: HttpApi}", 1),
        (900, "{Type: Schedule, Properties: {Schedule: rate(1 hour)}}", 0),
    ],
)
def test_a_function_behind_an_api_answers_before_the_api_gives_up(timeout, event, count, tmp_path):
    assert len(codes_in(template(tmp_path, FUNCTION % (timeout, event)), "timeout-order")) == count


@pytest.mark.parametrize(
    ("queue", "timeout", "count"),
    [
        ("{Type: AWS::SQS::Queue}", 30, 0),
        ("{Type: AWS::SQS::Queue, Properties: {QueueName: q}}", 31, 1),
        ("{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}", 60, 0),
        ("{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 59}}", 60, 1),
        ("{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: '59'}}", 60, 1),
        ("{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref AWS::Region}}", 60, 0),
    ],
)
def test_a_queue_hides_a_message_while_the_function_works_on_it(queue, timeout, count, tmp_path):
    path = template(
        tmp_path, f"  Q: {queue}\n" + FUNCTION % (timeout, "{Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}")
    )
    assert [rule for rule, _ in codes_in(path, "timeout-order")] == ["timeout-order"] * count
    run.fix([path], run.selected(["timeout-order"]))
    assert codes_in(path, "timeout-order") == []


CALLS = {
    "literal": ("c = boto3.client('dynamodb')", "c.put_item()", 1),
    "at once": ("", "boto3.client('dynamodb').put_item()", 1),
    "read": ("c = boto3.client('dynamodb')", "c.get_item()", 0),
    "two clients of one name": ("c = boto3.client('dynamodb')\nc = boto3.client('sqs')", "c.put_item()", 0),
    "a parameter": ("c = boto3.client('dynamodb')\ndef g(c): pass", "c.put_item()", 0),
    "other credentials": ("c = boto3.client('dynamodb', aws_access_key_id='x')", "c.put_item()", 0),
    "service unknown": ("c = boto3.client(name)", "c.put_item()", 0),
    "not a call": ("c = boto3.client('dynamodb')", "c.get_paginator('scan')", 0),
    "unreached": ("c = boto3.client('dynamodb')\ndef g():\n    c.put_item()", "pass", 0),
    "reached": ("c = boto3.client('dynamodb')\ndef g():\n    c.put_item()", "g()", 1),
    "another service": ("c = boto3.client('neptune')", "c.put_item()", 0),
}


@pytest.mark.parametrize(("before", "call", "count"), CALLS.values(), ids=CALLS)
def test_a_call_that_the_role_does_not_allow_is_found_where_it_is_certain(before, call, count, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(
        f"import boto3\n{before}\ndef handler(event, context):\n    {call}\n"
    )
    policies = "Policies: [{DynamoDBReadPolicy: {TableName: t}}]"
    text = (
        FUNCTION.replace("Timeout: %d", policies) % "{Type: Schedule, Properties: {Schedule: rate(1 hour)}}"
    )
    path = template(tmp_path, text)
    assert len(codes_in(path, "role-action")) == count
    path.write_text(path.read_text().replace(policies, "Policies: [AmazonDynamoDBFullAccess]"))
    assert codes_in(path, "role-action") == []
    path.write_text(
        path.read_text().replace("Policies: [AmazonDynamoDBFullAccess]", "Role: arn:aws:iam::1:role/r")
    )
    assert codes_in(path, "role-action") == []


ALLOWED = {
    "all but one service": ("{Effect: Allow, NotAction: 'iam:*', Resource: '*'}", 0),
    "all but this service": ("{Effect: Allow, NotAction: 'dynamodb:*', Resource: '*'}", 1),
    "a wildcard": ("{Effect: Allow, Action: 'dynamodb:P*Item', Resource: '*'}", 0),
    "a condition": (
        "{Effect: Allow, Action: 'dynamodb:*', Resource: '*', Condition: {Bool: {'a:b': true}}}",
        0,
    ),
    "an explicit deny": (
        "{Effect: Allow, Action: '*', Resource: '*'}, {Effect: Deny, Action: 'dynamodb:*', Resource: '*'}",
        1,
    ),
    "a deny of another table": (
        "{Effect: Allow, Action: '*', Resource: '*'}, {Effect: Deny, Action: 'dynamodb:*', Resource: 'arn:x'}",
        0,
    ),
    "an action that cannot be read": ("{Effect: Allow, Action: {a: b}, Resource: '*'}", 0),
}
ROLES = {
    "inline": "Policies: [{PolicyName: p, PolicyDocument: {Statement: [%s]}}]",
    "managed": "ManagedPolicyArns: [!Ref Own]",
    "attached": "Path: /",
    "bound": "PermissionsBoundary: !Ref Own\n      ManagedPolicyArns: [!Ref Every]",
}


@pytest.mark.parametrize(("statements", "count"), ALLOWED.values(), ids=ALLOWED)
@pytest.mark.parametrize("kind", ROLES)
def test_what_a_role_allows_is_read_wherever_its_policies_stand(kind, statements, count, tmp_path):
    role = ROLES[kind] % statements if kind == "inline" else ROLES[kind]
    roles = "Roles: [!Ref R], " if kind == "attached" else ""
    (tmp_path / "app.py").write_text(
        "import boto3\ndef handler(event, context):\n    boto3.client('dynamodb').put_item()\n"
    )
    path = tmp_path / "template.yaml"
    path.write_text(
        f"""Resources:
  Own:
    Type: AWS::IAM::ManagedPolicy
    Properties: {{{roles}PolicyDocument: {{Statement: [{statements}]}}}}
  Every:
    Type: AWS::IAM::ManagedPolicy
    Properties: {{PolicyDocument: {{Statement: [{{Effect: Allow, Action: '*', Resource: '*'}}]}}}}
  R:
    Type: AWS::IAM::Role
    Properties:
      {role}
  F:
    Type: AWS::Lambda::Function
    Properties: {{Runtime: python3.12, Handler: app.handler, Code: ., Role: !GetAtt R.Arn}}
"""
    )
    assert len(codes_in(path, "role-action")) == count


HANDLERS = {
    "plain": ("def handler(event, context):\n    pass\n", 1),
    "asynchronous": ("async def handler(event, context):\n    pass\n", 1),
    "decorated": (
        "from monitoring import monitored\n@monitored\ndef handler(event, context):\n    pass\n",
        0,
    ),
    "with options": (
        "import monitoring\n@monitoring.monitored(tags=['a:b'])\ndef handler(e, c):\n    pass\n",
        0,
    ),
    "wrapped": ("def handler(e, c):\n    pass\nhandler = monitored(handler)\n", 0),
    "not there": ("def other(e, c):\n    pass\n", 0),
    "not python": ("def handler(:\n", 0),
}


@pytest.mark.parametrize(("text", "count"), HANDLERS.values(), ids=HANDLERS)
def test_a_handler_is_decorated(text, count, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(text)
    path = template(tmp_path, FUNCTION % (3, "{Type: HttpApi}"))
    assert len(codes_in(path, "handler-decorator")) == count


SERVERLESS = """service: shop
provider: {name: aws, runtime: python3.12, logRetentionInDays: 14}
functions:
  take:
    handler: src.app.handler
    timeout: 40
    events: [{http: {path: /take, method: get}}]
stepFunctions:
  stateMachines:
    orders:
      loggingConfig:
        level: ERROR  # enough
        destinations: [!GetAtt OrderLogs.Arn]
      definition:
        StartAt: A
        TimeoutSeconds: 30
        States:
          A:
            Type: Task
            Resource: !GetAtt take.Arn
            Parameters:
              order.$: $.order
            End: true
resources:
  Resources:
    OrderLogs:
      Type: AWS::Logs::LogGroup
"""


def test_a_service_of_the_serverless_framework_is_linted_at_its_own_places(tmp_path):
    path = tmp_path / "serverless.yml"
    path.write_text(SERVERLESS)
    assert codes_in(tmp_path) == [
        ("log-subscription", 4),
        ("timeout-order", 4),
        ("machine-log", 10),
        ("machine-log", 10),
        ("task-catch", 18),
        ("task-context", 18),
        ("timeout-order", 18),
        ("log-retention", 26),
        ("log-subscription", 26),
    ]
    run.fix([path])
    fixed = path.read_text()
    assert [line for line in fixed.splitlines() if line not in SERVERLESS.splitlines()] == [
        "        level: ALL  # enough",
        "        includeExecutionData: true",
        '              "_datadog.$": "$$"',
    ]
    assert run.fix([path]) == {}


TERRAFORM = """
resource "aws_sfn_state_machine" "orders" {
  name       = "orders"
  role_arn   = "arn:aws:iam::123456789012:role/r"
  definition = jsonencode({ StartAt = "A", States = { A = { Type = "Task", Resource = "${aws_lambda_function.take.arn}", End = true } } })
}

resource "aws_lambda_function" "take" {
  function_name = "take"
  handler       = "app.handler"
  runtime       = "python3.12"
  role          = "arn:aws:iam::123456789012:role/r"
  filename      = "take.zip"
}
"""


def test_a_folder_of_terraform_is_linted_by_its_blocks(tmp_path):
    (tmp_path / "main.tf").write_text(TERRAFORM)
    rules = codes_in(tmp_path)
    assert ("machine-log", 2) in rules
    assert ("task-context", 2) in rules
    assert ("log-retention", 8) in rules
    assert run.fix([tmp_path]) == {}


UNREADABLE = {
    "not YAML": ("template.yaml", "Resources: [\n", "is not YAML"),
    "tabs": ("template.yaml", "Resources:\n\tA: 1\n", "is not YAML"),
    "a list": ("template.yaml", "- a\n", "not an object"),
    "empty": ("template.yaml", "", "not an object"),
    "something else": ("template.yaml", "a: b\n", "is not a"),
    "no type": ("template.yaml", "Resources:\n  A: {Properties: {}}\n", "no Type"),
    "SAM refuses": ("template.yaml", SAM + "  A: {Type: AWS::Serverless::Function}\n", "A"),
}


@pytest.mark.parametrize(("name", "text", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_one_error_and_costs_no_other_file(name, text, words, tmp_path):
    (tmp_path / name).write_text(text)
    other = machine(tmp_path, {**task(ARN, CONTEXT), "Retry": [RETRY]})
    result = run.lint([tmp_path / name, other], run.selected(["template-syntax", "retry-jitter"]))
    assert [finding.rule for finding in result.findings] == ["template-syntax", "retry-jitter"]
    assert words in result.findings[0].message
    assert run.fix([tmp_path / name]) == {}


def test_a_folder_without_anything_is_said_to_be_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="nor a template"):
        run.default_paths()
    template(tmp_path, "  Q: {Type: AWS::SQS::Queue}\n")
    assert run.default_paths() == [Path("template.yaml")]


def test_of_a_project_with_a_template_only_resources_are_linted_beside_it(tmp_path):
    template(tmp_path, "  Q: {Type: AWS::SQS::Queue}\n")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "a.json").write_text("{}")
    files, missing = run.find([tmp_path])
    assert [file.name for file in files] == ["template.yaml", "a.json"]
    assert missing == []


PLAIN = {
    "Resources": {
        "F": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["R", "Arn"]}, "Timeout": 60},
        },
        "R": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Policies": [{"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["s3:*"]}]}}]
            },
        },
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}},
        "E": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": "F"}, "EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}},
        },
        "G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/F"}},
        "S": {
            "Type": "AWS::Logs::SubscriptionFilter",
            "Properties": {"LogGroupName": {"Ref": "G"}, "DestinationArn": {"Fn::GetAtt": ["F", "Arn"]}},
        },
        "M": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "LoggingConfiguration": {
                    "Level": "ERROR",
                    "Destinations": [
                        {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["G", "Arn"]}}}
                    ],
                },
                "Definition": {
                    "StartAt": "A",
                    "States": {
                        "A": mapped(
                            invoke({"Payload": {"a": 1}}),
                            processor=DISTRIBUTED,
                            ItemBatcher={"BatchInput": {}},
                        ),
                        "B": {**task(ARN, {"a": 1}), "Retry": [RETRY], "TimeoutSeconds": 5},
                        "C": {
                            "Type": "Parallel",
                            "Branches": [{"StartAt": "D", "States": {"D": {"Type": "Pass"}}}],
                        },
                    },
                },
            },
        },
    }
}
JUNK = (
    None,
    5,
    "x",
    [],
    {},
    [None],
    [{}],
    {"a": 1},
    {"Ref": "Nope"},
    {"Fn::GetAtt": "A.B"},
    {"Fn::Sub": [1]},
    True,
)


def walk(value, pointer=()):
    yield pointer
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield from walk(inner, (*pointer, key))


@pytest.mark.parametrize("junk", JUNK, ids=map(str, JUNK))
def test_no_value_of_another_shape_is_a_crash(junk, tmp_path):
    path = tmp_path / "template.json"
    for pointer in list(walk(PLAIN))[2 + JUNK.index(junk) % 3 :: 3]:
        body = json.loads(json.dumps(PLAIN))
        at = body
        for step in pointer[:-1]:
            at = at[step]
        at[pointer[-1]] = junk
        path.write_text(json.dumps(body, indent=1))
        run.fix([path])
        assert run.fix([path]) == {}, pointer


def test_a_folder_is_looked_through_for_what_discovery_reads():
    assert [name for name in TEMPLATES if Path(name).suffix not in CODE] == list(NAMES)
