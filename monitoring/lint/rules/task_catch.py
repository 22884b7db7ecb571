"""task-catch: a task whose failure ends the execution."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateProblem
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule("task-catch", "warning", "A task whose errors nothing catches.", TEMPLATE)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each task without a `Catch`, of its own or of a Parallel or Map around it."""
    for machine in application.machines:
        for state in machine.tasks():
            if state.body.get("Catch") or state.is_caught:
                continue
            message = (
                f"{state.name} has no Catch: its failure ends the execution, and nothing is cleaned up. "
                'Add a Catch for "States.ALL"'
            )
            yield TemplateProblem(machine.spot.below(*state.pointer), message)
