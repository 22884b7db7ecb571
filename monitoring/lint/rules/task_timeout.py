"""task-timeout: a task that may wait for a year."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, State, TemplateProblem
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule("task-timeout", "warning", "A task without a time-out, in a machine without one.", TEMPLATE)

_LIMITS = ("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath")


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each task without a time-out or heartbeat in a Standard machine without a time-out of its own."""
    for machine in application.machines:
        if machine.is_express or "TimeoutSeconds" in machine.definition:
            continue
        for state in machine.tasks():
            if any(limit in state.body for limit in _LIMITS):
                continue
            message = (
                f"{state.name} has no time-out, and neither has the machine: {_wait(application, state)}. "
                "Add TimeoutSeconds to the task, or to the machine"
            )
            yield TemplateProblem(machine.spot.below(*state.pointer), message)


def _wait(application: Application, state: State) -> str:
    if state.resource.endswith(".waitForTaskToken"):
        return "a token that never comes back is waited for until the execution is a year old"
    if application.is_activity(state.resource):
        return "a worker that never answers is waited for until the execution is a year old"
    if ".sync" in state.resource:
        return "a job that hangs is waited for until the execution is a year old"
    return "how long it may take is left to what it calls"
