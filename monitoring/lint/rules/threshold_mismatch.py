"""threshold-mismatch: a critical threshold that is not the number in the query."""

from collections.abc import Iterator

from monitoring.lint.model import RECORDED, Problem, Refusal, Rule, Subject

RULE = Rule(
    "threshold-mismatch",
    "error",
    "options.thresholds.critical is not the number in the query, or is missing.",
    ("monitor",),
    (
        Refusal("Alert threshold (…) does not match that used in the query (…).", RECORDED),
        Refusal("Alert status is required.", "DataDog/datadog-operator#2106"),
    ),
)


def check(subject: Subject) -> Iterator[Problem]:
    """Compare the two thresholds that Datadog compares on storing; `--fix` takes the query's."""
    query = subject.monitor[0]
    wanted = query.threshold if query else None
    if wanted is None:
        return
    critical = subject.thresholds.get("critical")
    thresholds = subject.options.get("thresholds")
    if critical is None:
        if isinstance(thresholds, dict) and thresholds and "critical" not in thresholds:
            text = f"thresholds without critical. Add critical: {_number(wanted)}, the number in the query"
            yield Problem(("options", "thresholds"), text)
    elif critical != wanted:
        text = f"critical is {_number(critical)}, but the query compares with {_number(wanted)}"
        yield Problem(
            ("options", "thresholds", "critical"), f"{text}. Make them the same", fix=_json_number(wanted)
        )


def _number(value: float) -> str:
    return f"{value:g}"


def _json_number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value
