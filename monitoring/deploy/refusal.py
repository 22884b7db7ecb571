"""Reject plans that would delete many resources, or notify twice of the same alert."""

from collections import Counter
from collections.abc import Sequence

from monitoring.deploy.differ import Plan
from monitoring.deploy.twins import Twin
from monitoring.errors import InputError

LIMIT = 0.3
"""The largest share of a kind's resources that a plan may delete without a flag; a single one always may."""


def refuse_mass_deletes(plan: Plan, command: str, allowed: int = 0) -> None:
    """Check that the deletions are within the limit or allowed by their number.

    Raises:
        InputError: they are not; it has the numbers and the flag that allows them.
    """
    deletions = [step for step in plan.delete if not step.copy]
    deletes = len(deletions)
    if deletes <= allowed:
        return
    doomed = Counter(step.kind for step in deletions)
    totals = doomed + Counter(step.kind for step in (*plan.update, *plan.unchanged))
    over = [kind for kind, count in doomed.items() if count > 1 and count > LIMIT * totals[kind]]
    if over:
        counts = ", ".join(f"{doomed[kind]} of {totals[kind]} {kind}s" for kind in over)
        raise InputError(
            f"{counts} would be deleted (limit {LIMIT:.0%})",
            hint=f"If intended: {command} --allow-deletes {deletes}",
        )


def refuse_twins(twins: Sequence[Twin]) -> None:
    """Check that no monitor is created that another environment of the project has with the same query.

    Raises:
        InputError: there are such monitors; it lists them and what to do.
    """
    if twins:
        raise InputError(
            "\n".join(map(str, twins)),
            hint=(
                "Give each environment a scope of its own, in stepscope.toml:\n"
                '  [defaults]\n  scope = "env:${var:env}"\n  forwarder_scope = "env:${var:env}"\n'
                "(a query without these variables needs {env:${var:env}} itself), or remove the other one:\n"
                f"  stepscope destroy --env {twins[0].env}"
            ),
        )
