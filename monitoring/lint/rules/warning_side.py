"""warning-side: a warning threshold that is reached after the critical one, or with it."""

from collections.abc import Iterator

from monitoring.lint.alerting import ABOVE, BELOW
from monitoring.lint.model import Problem, Refusal, Rule, Subject

RULE = Rule(
    "warning-side",
    "error",
    "The warning threshold lies on the wrong side.",
    ("monitor",),
    (
        Refusal(
            "Warning threshold (…) must be less than the alert threshold (…) with > comparison.",
            "grosser/kennel, which checks for the API's answer beforehand",
        ),
    ),
)


def check(subject: Subject) -> Iterator[Problem]:
    """Find warnings that cannot come before the alert."""
    query = subject.monitor[0]
    operator = query.operator if query else None
    warning = subject.thresholds.get("warning")
    critical = subject.thresholds.get("critical", query.threshold if query else None)
    if warning is None or critical is None:
        return
    if (operator in ABOVE and warning >= critical) or (operator in BELOW and warning <= critical):
        side = "below" if operator in ABOVE else "above"
        text = f"warning is {warning:g} and critical {critical:g}, compared with {operator}"
        yield Problem(("options", "thresholds", "warning"), f"{text}: the warning must lie {side} it")
