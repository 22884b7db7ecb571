"""Report which metrics of Lambda and Step Functions are on dashboards, and which failures have a monitor."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitoring.errors import InputError
from monitoring.lint.engine import subject_of
from monitoring.lint.model import Subject
from monitoring.resources.catalogue import MetricFacts, rows
from monitoring.resources.files import read_document
from monitoring.terminal import plain
from monitoring.terminal import table as table_lines


@dataclass(frozen=True, slots=True)
class Covered:
    """One row of the table: a metric, and the keys of the dashboards and monitors that ask for it."""

    facts: MetricFacts
    dashboards: tuple[str, ...]
    monitors: tuple[str, ...]

    @property
    def name(self) -> str:
        """Datadog's name, or AWS's where Datadog has none."""
        return self.facts.name or f"({self.facts.cloudwatch_metric})"

    @property
    def gap(self) -> str:
        """Return what is missing, or ""."""
        if not self.dashboards and not self.facts.reason:
            return "on no dashboard"
        return "a failure without a monitor" if self.facts.failure and not self.monitors else ""


def of_files(files: Iterable[Path]) -> list[Covered]:
    """Return the table for these files; unreadable files are skipped."""
    shown: dict[str, dict[str, set[str]]] = {"dashboard": defaultdict(set), "monitor": defaultdict(set)}
    for file in files:
        subject = _subject(file)
        if subject is not None and subject.resource.kind in shown:
            for _, _, metric in subject.metrics:
                shown[subject.resource.kind][metric.name].add(subject.resource.key)
    return [
        Covered(
            facts, tuple(sorted(shown["dashboard"][facts.name])), tuple(sorted(shown["monitor"][facts.name]))
        )
        for facts in rows()
    ]


def _subject(file: Path) -> Subject | None:
    try:
        return subject_of(read_document(file))
    except InputError:
        return None


def gaps(table: Sequence[Covered]) -> list[Covered]:
    """Return the rows without a dashboard, a monitor or a reason."""
    return [row for row in table if row.gap]


_FAMILIES = (
    ("aws.states executions", ("aws.states.execution",)),
    ("aws.states lambda_function*", ("aws.states.lambda_function",)),
    ("aws.states service_integration*", ("aws.states.service_integration",)),
    ("aws.states activities", ("aws.states.activit",)),
    ("aws.states enhanced", ("aws.states.enhanced.",)),
    ("aws.states throttling", ("aws.states.",)),
    ("aws.lambda enhanced", ("aws.lambda.enhanced.",)),
    ("aws.lambda", ("aws.lambda.",)),
    ("without a Datadog name", ("",)),
)


def summary(table: Sequence[Covered]) -> str:
    """Return the table by family: metrics, on a dashboard, with a reason, failures, with a monitor."""
    counted: dict[str, list[int]] = {family: [0] * 5 for family, _ in _FAMILIES}
    for row in table:
        family = next(name for name, starts in _FAMILIES if row.facts.name.startswith(starts))
        flags = (
            True,
            bool(row.dashboards),
            not row.dashboards and bool(row.facts.reason),
            row.facts.failure,
            row.facts.failure and bool(row.monitors),
        )
        counted[family] = [before + flag for before, flag in zip(counted[family], flags, strict=True)]
    head = ("", "metrics", "shown", "reason", "failures", "monitored")
    body = [(family, *map(str, numbers)) for family, numbers in counted.items()]
    body.append(("all", *(str(sum(numbers[i] for numbers in counted.values())) for i in range(5))))
    lines = [plain(*line) for line in table_lines([head, *body], right=range(1, 6))]
    missing = len(gaps(table))
    lacking = f"{missing} are on no dashboard, or failures without a monitor: stepscope lint --coverage"
    closing = lacking if missing else "nothing is missing"
    return "\n".join(["", "Coverage of the metrics of Lambda and Step Functions", *lines, closing])


def full(table: Sequence[Covered]) -> str:
    """Return the whole table, a line for each metric, and then the summary."""
    rows = []
    for row in table:
        where = ", ".join(row.dashboards) or row.facts.reason or "-"
        watch = f"  monitors: {', '.join(row.monitors)}" if row.monitors else ""
        mark = f"  ** {row.gap}" if row.gap else ""
        rows.append((row.name, f"{where}{watch}{mark}"))
    return "\n".join([*(plain(*line) for line in table_lines(rows)), summary(table)])


def as_json(table: Sequence[Covered]) -> str:
    """Return `metrics`, the whole table as a list of metric, dashboards, monitors, failure, reason, gap."""
    rows = [
        {
            "metric": row.name,
            "dashboards": row.dashboards,
            "monitors": row.monitors,
            "failure": row.facts.failure,
            "reason": row.facts.reason,
            "gap": row.gap,
        }
        for row in table
    ]
    return json.dumps({"version": 1, "metrics": rows}, indent=2)
