"""recovery-overlap: a recovery threshold at which the monitor would be in alert and recovered at once."""

from collections.abc import Iterator

from monitoring.lint.alerting import ABOVE, BELOW
from monitoring.lint.contrast import overlap
from monitoring.lint.model import Problem, Refusal, Rule, Subject

RULE = Rule(
    "recovery-overlap",
    "error",
    "Alert and recovery hold at the same value.",
    ("monitor",),
    (
        Refusal(
            "alert and alert recovery criteria are such that the monitor can be simultaneously in alert and "
            "alert recovery states",
            "DataDog/datadog-api-client-typescript#754",
        ),
    ),
)


def check(subject: Subject) -> Iterator[Problem]:
    """Find recovery thresholds on the wrong side of their threshold.

    It is proved: the evaluator finds a value at which both conditions hold.
    """
    query = subject.monitor[0]
    operator = query.operator if query else None
    thresholds = dict(subject.thresholds)
    if query is not None and query.threshold is not None:
        thresholds.setdefault("critical", query.threshold)
    for name in ("critical", "warning"):
        limit, recovery = thresholds.get(name), thresholds.get(f"{name}_recovery")
        if limit is None or recovery is None:
            continue
        beyond = (operator in ABOVE and recovery > limit) or (operator in BELOW and recovery < limit)
        case = overlap(str(operator), limit, recovery, name) if beyond else ""
        if case:
            side = "at or below" if operator in ABOVE else "at or above"
            text = f"{name}_recovery is {recovery:g}, beyond {name} {limit:g} (compared with {operator})"
            place = ("options", "thresholds", f"{name}_recovery")
            yield Problem(place, f"{text}: both would hold at once. Put it {side} {limit:g}", case=case)
