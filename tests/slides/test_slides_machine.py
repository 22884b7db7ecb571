"""The state machine and the template of a real account: complete, consistent, and true to the handlers."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.slides import errors
from monitoring.demo.stage import functions_by_state, read_example, template_of_the_example
from monitoring.discovery.stack import Stack

MACHINE = json.loads((Path(errors.__file__).parent / "state_machine.asl.json").read_text())
AWS_ERRORS = {
    "States.ALL",
    "States.Timeout",
    "Sandbox.Timedout",
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "AccountLimitExceededException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
}


def machines(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine and every branch in it."""
    yield machine
    for state in machine["States"].values():
        for branch in state.get("Branches", ()):
            yield from machines(branch)


STATES = {name: state for machine in machines(MACHINE) for name, state in machine["States"].items()}
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def targets(state: dict[str, Any]) -> set[str]:
    rules = [*state.get("Choices", ()), *state.get("Catch", ()), {"Next": state.get("Default")}, state]
    return {rule["Next"] for rule in rules if rule.get("Next")}


def test_every_kind_of_state_works():
    kinds = {"Task", "Choice", "Wait", "Pass", "Parallel", "Succeed", "Fail"}
    assert {state["Type"] for state in STATES.values()} == kinds


@pytest.mark.parametrize("machine", list(machines(MACHINE)), ids=lambda machine: machine["StartAt"])
def test_every_state_can_be_reached_and_every_target_exists(machine: dict[str, Any]):
    reached, left = set(), {machine["StartAt"]}
    while left:
        reached |= left
        left = {target for name in left for target in targets(machine["States"][name])} - reached
    assert reached == set(machine["States"])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_retries_what_passes_and_ends_in_time(name: str):
    task = TASKS[name]
    assert task["TimeoutSeconds"] > 0
    assert any("Lambda.TooManyRequestsException" in retry["ErrorEquals"] for retry in task["Retry"])


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if "Next" in task])
def test_every_task_of_the_main_line_has_a_way_out_for_every_failure(name: str):
    caught = TASKS[name]["Catch"]
    assert caught[-1]["ErrorEquals"] == ["States.ALL"]
    assert any("States.Timeout" in rule["ErrorEquals"] for rule in caught)


def test_every_error_that_is_named_exists():
    rules = [rule for state in STATES.values() for rule in (*state.get("Retry", ()), *state.get("Catch", ()))]
    named = {error for rule in rules for error in rule["ErrorEquals"]} - AWS_ERRORS
    choices = {choice["StringEquals"] for choice in STATES["WhichFailure"]["Choices"]}
    assert choices < named
    assert all(issubclass(getattr(errors, name), Exception) for name in named)


@pytest.mark.parametrize("name", [name for name, state in STATES.items() if state["Type"] == "Fail"])
def test_every_failure_has_an_error_and_a_cause(name: str):
    state = STATES[name]
    assert state.get("Error") or state.get("ErrorPath")
    assert state["CausePath"]


@pytest.mark.parametrize("name", TASKS)
def test_every_function_is_given_the_execution_that_it_belongs_to(name: str):
    parameters = TASKS[name]["Parameters"]
    given = parameters.get("Payload", parameters)["_datadog"]
    assert given == {
        "Execution.$": "$$.Execution",
        "State.$": "$$.State",
        "StateMachine.$": "$$.StateMachine",
        "RootExecutionId.$": "$$.Execution.Id",
        "serverless-version": "v1",
    }


def test_both_ways_of_calling_a_function_are_used():
    ways = {task["Resource"].partition("$")[0] for task in TASKS.values()}
    assert ways == {"arn:aws:states:::lambda:invoke", ""}


def template() -> Stack:
    """The template as it is deployed, SAM's resources translated."""
    (stack,) = read_example(template_of_the_example(), "arn:aws:secretsmanager:us-east-1:1:secret:key")
    return stack


def functions_by_task(stack: Stack) -> dict[str, str]:
    """The logical id of the function that each task calls."""
    substitutions = stack.resources["Pipeline"].properties["DefinitionSubstitutions"]
    placeholders = {f"${{{key}}}": value["Fn::GetAtt"][0] for key, value in substitutions.items()}
    return {state: placeholders[target] for state, target in functions_by_state(MACHINE).items()}


def test_the_template_deploys_a_function_for_every_task_and_a_handler_for_every_function():
    stack = template()
    functions = stack.of_type("AWS::Lambda::Function")
    by_state = functions_by_task(stack)
    assert set(by_state) == set(TASKS)
    names = {function.logical_id for function in functions}
    assert {*by_state.values(), "ForwarderFunction", "StatesForwarderFunction"} == names
    for function in functions:
        module, _, name = function.properties["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_function_ends_before_its_state_gives_up_on_it():
    """Otherwise nobody would be told that the function was killed: only that the state timed out."""
    stack = template()
    for state, function in functions_by_task(stack).items():
        seconds = stack.resources[function].properties["Timeout"]
        assert seconds < STATES[state]["TimeoutSeconds"], state


def test_every_log_group_but_the_forwarders_own_goes_to_the_forwarder():
    stack = template()
    groups = {group.logical_id for group in stack.of_type("AWS::Logs::LogGroup")}
    to = {
        each.properties["LogGroupName"]["Ref"]: each.properties["DestinationArn"]["Fn::GetAtt"][0]
        for each in stack.of_type("AWS::Logs::SubscriptionFilter")
    }
    assert set(to) == groups - {"ForwarderLogs"}
    assert to.pop("PipelineLogs") == "StatesForwarderFunction"
    assert set(to.values()) == {"ForwarderFunction"}


@pytest.mark.parametrize(
    "module", ["compare", "pull", "document", "build", "built", "remember", "tell", "invalidate"]
)
def test_only_the_step_with_the_model_pays_for_numpy_and_pillow(module: str):
    code = f"import sys, handlers.slides.{module}; sys.exit('numpy' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
