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
from monitoring.demo.stage import _function_name, _functions_by_state
from monitoring.demo.template import read_template

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


def test_the_template_deploys_a_function_for_every_task_and_a_handler_for_every_function():
    template = read_template()
    wanted = template.properties("Pipeline")["DefinitionSubstitutions"]
    specs = {spec.name: spec for spec in template.functions()}
    by_state = _functions_by_state(MACHINE, {key: ref.name for key, ref in wanted.items()})
    assert set(by_state) == set(TASKS)
    assert {*by_state.values(), "ForwarderFunction", "StatesForwarderFunction"} == set(specs)
    for spec in specs.values():
        module, _, function = spec.handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function))


def test_a_function_ends_before_its_state_gives_up_on_it():
    """Otherwise nobody would be told that the function was killed: only that the state timed out."""
    template = read_template()
    wanted = template.properties("Pipeline")["DefinitionSubstitutions"]
    seconds = {spec.name: spec.timeout for spec in template.functions()}
    for state, function in _functions_by_state(
        MACHINE, {key: ref.name for key, ref in wanted.items()}
    ).items():
        assert seconds[function] < STATES[state]["TimeoutSeconds"], state


def test_every_log_group_but_the_forwarders_own_goes_to_the_forwarder():
    resources = read_template().resources
    groups = {name for name, body in resources.items() if body["Type"] == "AWS::Logs::LogGroup"}
    filters = [
        body["Properties"] for body in resources.values() if body["Type"] == "AWS::Logs::SubscriptionFilter"
    ]
    assert {each["LogGroupName"].name for each in filters} == groups - {"ForwarderLogs"}
    to = {each["LogGroupName"].name: each["DestinationArn"].name for each in filters}
    assert to.pop("PipelineLogs") == "StatesForwarderFunction"
    assert set(to.values()) == {"ForwarderFunction"}


def test_functions_are_called_alike_here_and_in_the_state_machine():
    names = {_function_name(spec) for spec in read_template().functions()}
    assert "slides-forwarder" in names
    assert "slides-identify" in names


@pytest.mark.parametrize(
    "module", ["compare", "pull", "document", "build", "built", "remember", "tell", "invalidate"]
)
def test_only_the_step_with_the_model_pays_for_numpy_and_pillow(module: str):
    code = f"import sys, handlers.slides.{module}; sys.exit('numpy' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
