"""task-context: a task whose callee cannot join the trace of the execution."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.lint.model import Edit, Rule
from monitoring.lint.templates.application import (
    Application,
    TemplateMachine,
    TemplateProblem,
    TemplateState,
    has_context,
)
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule(
    "task-context", "warning", "A task that does not pass the context object to what it calls.", TEMPLATE
)

_INTEGRATION = re.compile(
    r"arn:[^:]*:states:[^:]*:[^:]*:(?:aws-sdk:)?(?P<call>lambda:invoke|states:startExecution|sfn:startExecution)"
    r"(?:\.[\w:.]+)?"
)
_PAYLOADS = {
    "lambda:invoke": "Payload",
    "states:startExecution": "Input",
    "sfn:startExecution": "Input",
}
"""Integration -> the argument that becomes the event or input of what it calls."""

JSONPATH = ("_datadog.$", "$$")
JSONATA = ("_datadog", "{% $states.context %}")


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each call of a function or state machine, and each batch, without the context object."""
    for machine in application.machines:
        writes = _writes_context(machine)
        for state in machine.states():
            if state.body.get("Type") == "Task":
                yield from _task(application, machine, state, writes=writes)
            elif state.body.get("Type") == "Map":
                yield from _batch(machine, state)


def _writes_context(machine: TemplateMachine) -> bool:
    """Return whether a Pass state puts the context object into what the states after it work on."""
    return any(state.body.get("Type") == "Pass" and has_context(state.body) for state in machine.states())


def _task(
    application: Application, machine: TemplateMachine, state: TemplateState, *, writes: bool
) -> Iterator[TemplateProblem]:
    match = _INTEGRATION.fullmatch(state.resource)
    if match is None and (":states:" in state.resource or application.is_activity(state.resource)):
        return
    if not state.resource:
        return
    arguments = state.arguments
    payload = arguments
    key = _PAYLOADS[match["call"]] if match else ""
    if key and isinstance(arguments, Mapping):
        payload = arguments.get(key, arguments.get(f"{key}.$"))
    elif key and arguments is not None:
        return  # a whole that an expression makes
    if has_context(payload) or (not isinstance(payload, Mapping) and (state.passes_context or writes)):
        return
    callee = "the execution" if key == "Input" else "the function"
    message = f"{state.name} does not pass the context object, so {callee} does not join the trace. "
    fix = _fix(machine, state, key, payload)
    yield TemplateProblem(machine.spot.below(*state.pointer), message + _advice(state, key, payload), fix)


def _advice(state: TemplateState, key: str, payload: Any) -> str:
    where = key or state.arguments_key
    name, value = JSONATA if state.is_jsonata else JSONPATH
    if payload is None and not key:
        return f'Give it {where}: what it needs, and "{name}": "{value}"'
    if isinstance(payload, Mapping) or payload is None:
        return f'Add "{name}": "{value}" to {where}'
    if state.is_jsonata:
        return f"Make {where} an object with {name}: {value}"
    return f'Write an object with "{name}": "{value}" instead of {payload}'


def _fix(machine: TemplateMachine, state: TemplateState, key: str, payload: Any) -> Edit | None:
    name, value = JSONATA if state.is_jsonata else JSONPATH
    spot = machine.spot.below(*state.pointer, state.arguments_key)
    if isinstance(payload, Mapping):
        return (spot.below(key) if key else spot).insertion(name, value)
    if payload is None and key:
        # JSONPath: without a payload the callee is given {}; JSONata likewise.
        return spot.insertion(key, {name: value}) if isinstance(state.arguments, Mapping) else None
    return None


def _batch(machine: TemplateMachine, state: TemplateState) -> Iterator[TemplateProblem]:
    """Find a Distributed Map whose child executions have traces of their own: no input brings the root's."""
    processor = state.body.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    if not isinstance(config, Mapping) or config.get("Mode") != "DISTRIBUTED":
        return
    batcher = state.body.get("ItemBatcher")
    key, part = "ItemSelector", state.body.get("ItemSelector")
    steps: tuple[str, ...] = ("ItemSelector",)
    if isinstance(batcher, Mapping):
        key, part, steps = "BatchInput", batcher.get("BatchInput"), ("ItemBatcher", "BatchInput")
    if has_context(part) or isinstance(part, str):
        return
    name, value = JSONATA if state.is_jsonata else JSONPATH
    spot = machine.spot.below(*state.pointer)
    fix = None
    if isinstance(part, Mapping):
        fix = spot.below(*steps).insertion(name, value)
    elif key == "BatchInput":
        fix = spot.below("ItemBatcher").insertion(key, {name: value})
    message = (
        f"{state.name} starts child executions that do not know this one, so their traces stand apart. "
        f'Add "{name}": "{value}" to {key}'
    )
    yield TemplateProblem(spot, message, fix)
