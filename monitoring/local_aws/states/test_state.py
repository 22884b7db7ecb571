"""TestState: one state run by itself, with what its fields gave on the way."""

import json
from typing import Any

from monitoring.local_aws.clock import Clock
from monitoring.local_aws.states import text
from monitoring.local_aws.states.attempts import Retries, catcher_of
from monitoring.local_aws.states.errors import ApiError, FatalError, StateFailedError
from monitoring.local_aws.states.executions import Execution
from monitoring.local_aws.states.interpreter import run_state
from monitoring.local_aws.states.state_machines import checked_machine

_TESTABLE = {"Task", "Pass", "Wait", "Choice", "Succeed", "Fail"}
_LEVELS = ("INFO", "DEBUG", "TRACE")


async def run_test_state(service: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the response of TestState."""
    name, state = _state_of(parameters)
    if state.get("Type") not in _TESTABLE:
        raise ApiError(
            "InvalidDefinition",
            f"Invalid State Machine Definition: 'Testing a {state.get('Type')} state is not supported here'",
        )
    definition, targets = _machine_around(name, state, parameters)
    machine = checked_machine(definition)
    source = parameters.get("input") or "{}"
    execution = Execution(
        service,
        f"arn:aws:states:{service.region}:{service.account}:execution:TestState:{name}",
        machine,
        source,
        state_machine_arn=f"arn:aws:states:{service.region}:{service.account}:stateMachine:TestState",
        name=name,
        role=parameters.get("roleArn") or "",
        clock=Clock(service.host.speed, service.host.work_speed),
        publish=lambda _, __: None,
    )
    execution.frame.variables = json.loads(parameters.get("variables") or "{}")
    level = parameters.get("inspectionLevel") or "INFO"
    if level not in _LEVELS:
        raise ApiError("ValidationException", f"inspectionLevel is one of {', '.join(_LEVELS)}")
    answer = await _run(execution, machine.states[name], targets)
    run = execution.top
    if level != "INFO" and run is not None:
        answer["inspectionData"] = _inspection(run, level, answer)
    return answer


def _state_of(parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the state to test: the definition itself, or the state of it that stateName names."""
    try:
        definition = json.loads(parameters["definition"])
    except ValueError as failed:
        raise ApiError(
            "InvalidDefinition", f"Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {failed}'"
        ) from None
    state_name = parameters.get("stateName")
    if not state_name:
        return "TestState", definition
    state = definition.get("States", {}).get(state_name)
    if state is None:
        raise ApiError("ValidationException", f"State not found: '{state_name}'")
    language = definition.get("QueryLanguage")
    return state_name, {"QueryLanguage": language, **state} if language else state


def _machine_around(name: str, state: dict[str, Any], parameters: dict[str, Any]) -> tuple[str, set[str]]:
    """Return a machine in which the state and all that it goes on to exist."""
    rules = [*state.get("Choices", ()), *state.get("Catch", ())]
    targets = {
        target
        for target in (state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in rules))
        if target
    }
    others = {target: {"Type": "Succeed"} for target in targets if target != name}
    return text.dumps({"StartAt": name, "States": {name: state, **others}}), targets


async def _run(execution: Execution, state: Any, targets: set[str]) -> dict[str, Any]:
    fields = dict(state.fields)
    retriers, catchers = fields.pop("Retry", ()), fields.get("Catch", ())
    tested = type(state)(state.name, state.type, fields, state.jsonata, state.branches, state.processor)
    try:
        output, following = await run_state(execution, tested, execution.frame, execution.input)
    except (StateFailedError, FatalError) as failed:
        details = {"error": failed.error, "cause": failed.cause}
        status = "FAILED"
        if isinstance(failed, StateFailedError) and Retries(retriers).delay(failed) is not None:
            status = "RETRIABLE"
        return {"status": status, **{key: part for key, part in details.items() if part is not None}}
    run = execution.top
    answer: dict[str, Any] = {"status": "SUCCEEDED", "output": text.dumps(output)}
    if following:
        answer["nextState"] = following
    caught = run.caught if run is not None else None
    if caught is not None and catcher_of(catchers, caught) is not None:
        details = {"error": caught.error, "cause": caught.cause}
        answer |= {
            "status": "CAUGHT_ERROR",
            **{key: part for key, part in details.items() if part is not None},
        }
        if Retries(retriers).delay(caught) is not None:
            answer = {
                "status": "RETRIABLE",
                **{key: part for key, part in details.items() if part is not None},
            }
    return answer


def _inspection(run: Any, level: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return inspectionData: what each field gave, as JSON texts."""
    seen = {"input": run.raw, **run.seen}
    data: dict[str, Any] = {
        key: text.dumps(value) for key, value in seen.items() if key not in {"request", "response"}
    }
    if run.assigned:
        data["variables"] = text.dumps({**run.frame.variables, **run.assigned})
    if level == "TRACE":
        data |= {key: run.seen[key] for key in ("request", "response") if key in run.seen}
    return data
