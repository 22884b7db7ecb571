"""task-timeout: a task that may wait for a year."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateMachine, TemplateProblem, TemplateState
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule("task-timeout", "warning", "A task without a time-out, in a machine without one.", TEMPLATE)

_LIMITS = ("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath")


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find the tasks without a time-out or heartbeat in each Standard machine without a time-out of its own.

    One problem per machine, at the first of the tasks: a time-out of the machine covers all of them.
    """
    for machine in application.machines:
        if machine.is_express or "TimeoutSeconds" in machine.definition:
            continue
        unlimited = [state for state in machine.tasks() if not any(limit in state.body for limit in _LIMITS)]
        if unlimited:
            yield _problem(application, machine, unlimited)


def _problem(
    application: Application, machine: TemplateMachine, states: list[TemplateState]
) -> TemplateProblem:
    waits: dict[str, list[str]] = {}
    for state in states:
        waits.setdefault(_wait(application, state), []).append(state.name)
    if len(states) == 1:
        (wait,) = waits
        subject, target = f"{states[0].name} has", "the task"
    else:
        wait = "; ".join(f"{wait} ({', '.join(names)})" for wait, names in waits.items())
        subject, target = f"{len(states)} tasks have", "each task"
    message = (
        f"{subject} no time-out, and neither has the machine: {wait}. "
        f"Add TimeoutSeconds to {target}, or to the machine"
    )
    return TemplateProblem(machine.spot.below(*states[0].pointer), message)


def _wait(application: Application, state: TemplateState) -> str:
    if state.resource.endswith(".waitForTaskToken"):
        return "a token that never comes back is waited for until the execution is a year old"
    if application.is_activity(state.resource):
        return "a worker that never answers is waited for until the execution is a year old"
    if ".sync" in state.resource:
        return "a job that hangs is waited for until the execution is a year old"
    return "how long it may take is left to what it calls"
