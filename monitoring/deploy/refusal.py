"""Refusals: a plan that would delete much of what there is needs somebody's word for it."""

from collections import Counter

from monitoring.deploy.differ import Plan
from monitoring.errors import InputError

LIMIT = 0.3
"""The share of one kind's resources that a plan may delete unasked; one single deletion always may."""


def refuse_mass_deletes(plan: Plan, command: str, allowed: int = 0) -> None:
    """Nothing, where the deletions are within the limit or were allowed by their number.

    Raises:
        InputError: says how many, of how many, and the flag that allows it.
    """
    deletes = len(plan.delete)
    if deletes <= allowed:
        return
    doomed = Counter(step.kind for step in plan.delete)
    there = doomed + Counter(step.kind for step in (*plan.update, *plan.unchanged))
    over = [kind for kind, count in doomed.items() if count > 1 and count > LIMIT * there[kind]]
    if over:
        counts = ", ".join(f"{doomed[kind]} of {there[kind]} {kind}s" for kind in over)
        raise InputError(
            f"{counts} would be deleted (limit {LIMIT:.0%})",
            hint=f"If intended: {command} --allow-deletes {deletes}",
        )
