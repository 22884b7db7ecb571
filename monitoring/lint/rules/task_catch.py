"""task-catch: a task whose failure ends the execution."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateProblem
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule("task-catch", "warning", "A task whose errors nothing catches.", TEMPLATE)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find the tasks without a `Catch`, of their own or of a Parallel or Map around them.

    One problem per machine, at the first of the tasks.
    """
    for machine in application.machines:
        states = [state for state in machine.tasks() if not state.body.get("Catch") and not state.is_caught]
        if not states:
            continue
        subject = f"{states[0].name} has no Catch: its failure ends"
        if len(states) > 1:
            names = ", ".join(state.name for state in states)
            subject = f"{len(states)} tasks have no Catch ({names}): the failure of one ends"
        message = f'{subject} the execution, and nothing is cleaned up. Add a Catch for "States.ALL"'
        yield TemplateProblem(machine.spot.below(*states[0].pointer), message)
