"""What a plan says without its configuration: modules, count, for_each, and what is not known before apply."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.discovery.terraform_plan import read_plan
from monitoring.discovery.terraform_properties import converted
from monitoring.discovery.terraform_types import KINDS
from monitoring.errors import InputError


def planned(address: str, values: dict[str, Any]) -> dict[str, Any]:
    kind = next(part for part in address.split(".") if part.startswith("aws_"))
    return {"address": address, "mode": "managed", "type": kind, "values": values}


def references(*names: str) -> dict[str, Any]:
    return {"references": list(names)}


def written(address: str, **expressions: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "expressions": expressions}


def step(key: str) -> dict[str, Any]:
    address = f'module.step["{key}"]'
    function = {
        "function_name": f"shop-{key}", "handler": f"{key}.handler", "runtime": "python3.13",
        "filename": "./build/code.zip", "environment": [{"variables": {"STAGE": "dev"}}],
    }  # fmt: skip
    return {"address": address, "resources": [planned(f"{address}.aws_lambda_function.this", function)]}


STEP = {
    "resources": [
        written(
            "aws_lambda_function.this",
            role=references("var.role_arn"),
            handler=references("var.name"),
            environment=[{"variables": references("var.table")}],
        )
    ],
    "outputs": {
        "arn": {"expression": references("aws_lambda_function.this.arn", "aws_lambda_function.this")}
    },
}
MACHINE = {
    "resources": [
        written(
            "aws_sfn_state_machine.this",
            role_arn=references("module.role.arn", "module.role"),
            definition=references("var.definition"),
            logging_configuration=[
                {
                    "level": {"constant_value": "ALL"},
                    "log_destination": references(
                        "aws_cloudwatch_log_group.this.arn", "aws_cloudwatch_log_group.this"
                    ),
                }
            ],
        ),
        written("aws_cloudwatch_log_group.this"),
    ],
    "module_calls": {
        "role": {
            "module": {
                "resources": [written("aws_iam_role.this")],
                "outputs": {
                    "arn": {"expression": references("aws_iam_role.this[0].arn", "aws_iam_role.this")}
                },
            }
        }
    },
}
PLAN: dict[str, Any] = {
    "format_version": "1.2",
    "terraform_version": "1.11.4",
    "variables": {"stage": {"value": "dev"}},
    "planned_values": {
        "root_module": {
            "resources": [
                planned("aws_iam_role.lambda", {"name": "lambda", "assume_role_policy": "{}"}),
                planned("aws_sqs_queue.q[0]", {"name": "q-0"}),
                planned("aws_sqs_queue.q[1]", {"name": "q-1"}),
                planned("aws_lambda_event_source_mapping.one", {"batch_size": 1}),
            ],
            "child_modules": [
                step("pay"),
                step("mail.daily"),
                {
                    "address": "module.machine",
                    "resources": [
                        planned(
                            "module.machine.aws_sfn_state_machine.this",
                            {"name": "order", "logging_configuration": [{"level": "ALL"}]},
                        ),
                        planned("module.machine.aws_cloudwatch_log_group.this", {"name": "/order"}),
                    ],
                    "child_modules": [
                        {
                            "address": "module.machine.module.role",
                            "resources": [
                                planned(
                                    "module.machine.module.role.aws_iam_role.this[0]",
                                    {"name": "machine", "assume_role_policy": "{}"},
                                )
                            ],
                        }
                    ],
                },
            ],
        }
    },
    "resource_changes": [
        {
            "address": "module.machine.aws_sfn_state_machine.this",
            "change": {"actions": ["create"], "after_unknown": {"definition": True, "arn": True}},
        }
    ],
    "prior_state": {
        "values": {
            "root_module": {
                "resources": [
                    {
                        "address": "data.archive_file.code",
                        "mode": "data",
                        "type": "archive_file",
                        "values": {"source_dir": "./src", "output_path": "./build/code.zip"},
                    }
                ]
            }
        }
    },
    "configuration": {
        "root_module": {
            "resources": [
                written("aws_iam_role.lambda"),
                written("aws_sqs_queue.q", name=references("count.index")),
                written(
                    "aws_lambda_event_source_mapping.one",
                    event_source_arn=references(
                        "aws_sqs_queue.q[1].arn", "aws_sqs_queue.q[1]", "aws_sqs_queue.q"
                    ),
                    function_name=references('module.step["pay"].arn', 'module.step["pay"]', "module.step"),
                ),
            ],
            "module_calls": {
                "step": {
                    "expressions": {
                        "role_arn": references("aws_iam_role.lambda.arn", "aws_iam_role.lambda"),
                        "name": references("each.key"),
                        "table": {"constant_value": "orders"},
                    },
                    "module": STEP,
                },
                "machine": {
                    "expressions": {"definition": references("module.step", "local.x")},
                    "module": MACHINE,
                },
            },
        }
    },
}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    return read_stacks(tmp_path / "plan.json")[0]


def properties(stack: Stack, logical_id: str) -> Any:
    return stack.resources[logical_id].properties


def test_every_instance_has_a_logical_id_of_its_address(stack: Stack) -> None:
    assert set(stack.resources) == {
        "LambdaIamRole",
        "QSqsQueue0",
        "QSqsQueue1",
        "OneLambdaEventSourceMapping",
        "ModuleStepPayThisLambdaFunction",
        "ModuleStepMailDailyThisLambdaFunction",
        "ModuleMachineThisSfnStateMachine",
        "ModuleMachineThisCloudwatchLogGroup",
        "ModuleMachineModuleRoleThisIamRole0",
    }


@pytest.mark.parametrize("name", ["ModuleStepPayThisLambdaFunction", "ModuleStepMailDailyThisLambdaFunction"])
def test_a_variable_of_a_module_is_what_its_call_gives(stack: Stack, name: str, tmp_path: Path) -> None:
    assert properties(stack, name)["Role"] == {"Fn::GetAtt": ["LambdaIamRole", "Arn"]}
    assert properties(stack, name)["Environment"] == {"Variables": {"STAGE": "dev"}}
    assert stack.code[name] == tmp_path / "src"


def test_an_output_of_a_module_is_what_its_expression_names(stack: Stack) -> None:
    mapping = properties(stack, "OneLambdaEventSourceMapping")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["QSqsQueue1", "Arn"]}
    assert mapping["FunctionName"] == {"Fn::GetAtt": ["ModuleStepPayThisLambdaFunction", "Arn"]}
    machine = properties(stack, "ModuleMachineThisSfnStateMachine")
    assert machine["RoleArn"] == {"Fn::GetAtt": ["ModuleMachineModuleRoleThisIamRole0", "Arn"]}


def test_a_block_is_completed_with_what_is_not_known_in_it(stack: Stack) -> None:
    logging = properties(stack, "ModuleMachineThisSfnStateMachine")["LoggingConfiguration"]
    group = {"Fn::GetAtt": ["ModuleMachineThisCloudwatchLogGroup", "Arn"]}
    assert (logging["Level"], logging["Destinations"]) == (
        "ALL",
        [{"CloudWatchLogsLogGroup": {"LogGroupArn": group}}],
    )


def test_what_nothing_tells_is_noted(stack: Stack) -> None:
    assert [note.partition(" is not known")[0] for note in stack.notes] == [
        "module.machine.aws_sfn_state_machine.this: definition"
    ]


def test_a_module_that_refers_to_itself_ends(tmp_path: Path) -> None:
    plan = json.loads(json.dumps(PLAN))
    calls = plan["configuration"]["root_module"]["module_calls"]
    calls["step"]["expressions"]["role_arn"] = references('module.step["pay"].role', "module.step")
    calls["step"]["module"]["outputs"]["role"] = {"expression": references("var.role_arn")}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (stack,) = read_stacks(tmp_path / "plan.json")
    assert "Role" not in properties(stack, "ModuleStepPayThisLambdaFunction")


@pytest.mark.parametrize("part", ["configuration", "prior_state", "variables", "resource_changes"])
@pytest.mark.parametrize("value", [None, [], "x", {"root_module": [1]}, {"values": 5}])
def test_a_plan_with_a_part_of_another_shape_is_read_without_it(
    tmp_path: Path, part: str, value: Any
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({**PLAN, part: value}))
    (stack,) = read_stacks(tmp_path / "plan.json")
    assert "LambdaIamRole" in stack.resources


def replaced(value: Any, odd: Any) -> Iterator[Any]:
    """Yield a document once for each of its places, with something odd there."""
    yield odd
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in replaced(item, odd))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in replaced(item, odd))


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [5, [{}]], {"x": {"y": [None]}}], ids=str)
def test_anything_anywhere_in_a_plan_is_read_or_refused_by_a_sentence(tmp_path: Path, odd: Any) -> None:
    for values in replaced(PLAN["planned_values"], odd):
        with contextlib.suppress(InputError):
            read_plan({**PLAN, "planned_values": values}, tmp_path / "plan.json", "plan")
    for configuration in replaced(PLAN["configuration"], odd):
        stack = read_plan({**PLAN, "configuration": configuration}, tmp_path / "plan.json", "plan")
        assert "LambdaIamRole" in stack.resources


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_attribute_of_any_shape_is_converted_or_left_out(kind: str) -> None:
    properties = KINDS[kind].properties
    for odd in (5, "x", "{", [], {}, [5], [{}], {"x": 5}, [[{}]], [{"x": [None]}], True, None):
        inside = dict.fromkeys(("variables", "attribute", "filter", "rule", "statement", "policy"), odd)
        for name in properties:
            assert isinstance(converted({name: odd}, properties), dict)
            assert isinstance(converted({name: [inside]}, properties), dict)


@pytest.mark.parametrize("odd", [5, "x", True, [5], [[{}]], [{"events": 5}], {"events": [None]}], ids=str)
@pytest.mark.parametrize("attribute", ["bucket", "lambda_function", "queue", "topic", "eventbridge"])
def test_a_notification_of_any_shape_is_left_out(tmp_path: Path, attribute: str, odd: Any) -> None:
    bucket = planned("aws_s3_bucket.photos", {"bucket": "photos"})
    notification = planned("aws_s3_bucket_notification.photos", {"bucket": "photos", attribute: odd})
    values = {"root_module": {"resources": [bucket, notification]}}
    stack = read_plan({"planned_values": values}, tmp_path / "plan.json", "plan")
    assert stack.resources["PhotosS3Bucket"].properties["BucketName"] == "photos"
