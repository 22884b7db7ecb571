"""Share options, the printed plan, progress and the confirmation between the deploy commands."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitoring.cli.output import echo_document, live
from monitoring.cli.project_option import project_option
from monitoring.deploy.plan_report import summary
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.deploy.apply import AppliedPlan
    from monitoring.deploy.differ import Plan
    from monitoring.deploy.session import Session

F = TypeVar("F", bound=Callable[..., Any])

DIRECTORY = project_option()
ENVIRONMENT = click.option("--env", default="", help="The environment whose values are put in [DD_ENV]")
ADDRESS = click.option("--url", default="", help="The address of an embedded Datadog [DD_URL, else DD_SITE]")


def project_options(command: F) -> F:
    """Add the options that name the project, the environment, and the Datadog."""
    return DIRECTORY(ENVIRONMENT(ADDRESS(command)))


def environment(url: str) -> dict[str, str]:
    """Return the process's environment with `--url` as `DD_URL`."""
    return {**os.environ, **({"DD_URL": url} if url else {})}


def show(plan: "Plan") -> None:
    """Print the plan as a coloured diff."""
    from monitoring.deploy.plan_report import as_lines

    for colour, line in as_lines(plan):
        echo((line, colour))


def confirmed(question: str, plan: "Plan", command: str, *, yes: bool) -> bool:
    """Ask whether the plan is to be carried out.

    Raises:
        InputError: standard input is not a terminal, so that nobody can be asked.
    """
    if yes or not plan.steps:
        return True
    if not sys.stdin.isatty():
        message = f"{summary(plan)} Not confirmed: standard input is not a terminal, and nothing was done"
        raise InputError(message, hint=f"If intended: {command} --yes")
    return click.confirm(question)


def carry_out(session: "Session", plan: "Plan") -> "AppliedPlan":
    """Apply with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from monitoring.deploy.apply import apply_plan

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not live(sys.stderr)) as bar:
        task = bar.add_task("applying", total=len(plan.steps))
        return apply_plan(
            session.client,
            session.project,
            plan,
            session.desired,
            session.actual,
            lambda _: bar.advance(task),
        )


def tell(outcome: "AppliedPlan", *, as_json: bool) -> int:
    """Say what was done and what was not; the exit status."""
    if as_json:
        echo_document(
            {
                "done": [{"action": s.action, "kind": s.kind, "key": s.key} for s in outcome.done],
                "failed": [
                    {"action": s.action, "kind": s.kind, "key": s.key, "reason": reason}
                    for s, reason in outcome.failed
                ],
            }
        )
    else:
        for step, reason in outcome.failed:
            echo((f"{step.kind} {step.key} was not {PAST[step.action]}: {reason}", "red"), err=True)
        echo(f"{len(outcome.done)} done, {len(outcome.failed)} failed.")
    return 1 if outcome.failed else 0


PAST = {"create": "created", "update": "updated", "delete": "deleted", "unchanged": "changed"}
