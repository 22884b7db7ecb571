"""Explain why a case has failed: expected and actual states, the evidence, and a plot."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitoring.monitor.decisions import PAGES
from monitoring.monitor.history import History, Verdict
from monitoring.query import decided
from monitoring.testing.cases import Case
from monitoring.testing.compare import Failure, state_name
from monitoring.testing.plot import Plot, draw
from monitoring.testing.project import Folder
from monitoring.testing.runner import CaseResult, run_case
from monitoring.testing.times import show_duration

AROUND = 30
"""Evaluations shown on each side of the moment."""


def explain(result: CaseResult) -> str:
    """Return the report of a case that did not pass; "" for one that did."""
    lines: list[str] = []
    for problem in result.problems:
        lines += [
            f"ERROR {problem.place}  {title(result)}",
            *_indented(problem.message),
            *_hint(problem.hint),
        ]
    for failure in result.failures:
        lines += [f"FAILED {failure.place}  {title(result)}", *_failure(result, failure)]
    if result.failures:
        lines += [f"  holds with  switches: {{{name}: {value}}}" for name, value in otherwise(result.case)]
    return "\n".join(lines)


OTHERWISE: Mapping[str, Any] = {
    "default_zero_empty": "skip",
    "counts_without_options": "zero",
    "recovery_after_no_data": "silent",
    "between_warning_and_recovery": "warn",
    "window_end": "closed",
    "no_data_timeframe": "empty",
    "null_window": "missing",
    "change_order": "window",
    "cluster_threshold": "reached",
    "monitor_na": "keep",
    "equality_recovery": "ignore",
    "percentile_monitor": "share",
    **decided.OTHERWISE,
}
"""Switch -> the value that is not its default."""


def otherwise(case: Case) -> Iterator[tuple[str, str]]:
    """Yield the switches, with the value, by which alone a case that fails would hold."""
    folder = Folder(Path(case.file).parent)
    for name, value in OTHERWISE.items():
        if name not in case.switches:
            other = replace(case, switches={**case.switches, name: value})
            if run_case(other, folder).passed:
                yield name, str(value).lower()


def decided_by(results: Iterable[CaseResult]) -> Iterator[str]:
    """Yield a line for each switch that decided in some cases, with the sources that conflict."""
    values: dict[str, str] = {}
    for result in results:
        values |= result.history.decided if result.history is not None else {}
    for name, value in values.items():
        yield f"decided by the switch {name}: {value} ({PAGES[name]})"


def title(result: CaseResult) -> str:
    """Return the case's name, or its monitor's key."""
    case = result.case
    return case.name or (
        case.monitor if isinstance(case.monitor, str) else str(case.monitor.get("name") or "monitor")
    )


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _hint(hint: str) -> list[str]:
    return [f"  {line}" for line in hint.splitlines()]


def _failure(result: CaseResult, failure: Failure) -> Iterator[str]:
    yield f"  expected  {failure.expected}"
    yield f"  got       {failure.got}"
    if failure.verdict is None or result.history is None:
        return
    yield from _evidence(result.case.start, failure.verdict)
    yield ""
    yield from (f"  {line}".rstrip() for line in around(result.history, failure.verdict, result.case.start))
    yield ""


def _evidence(start: int, verdict: Verdict) -> Iterator[str]:
    first, last = (show_duration(edge - start) for edge in verdict.evidence.window)
    value = "no value" if verdict.value is None else f"{verdict.value:.12g}"
    yield f"  because   {verdict.evidence}: {value} in the window {first} to {last}"
    yield f"            state {state_name(verdict.state)} at {show_duration(verdict.time - start)}"


def around(history: History, verdict: Verdict, start: int) -> list[str]:
    """Return the plot of the group's values around a verdict."""
    index = history.index(verdict.time)
    first, last = max(0, index - AROUND), min(len(history.times), index + AROUND + 1)
    group = history.groups[verdict.group]
    limits = history.monitor.thresholds
    shown = [("critical", limits.critical), ("warning", limits.warning)]
    values = [None if math.isnan(value) else value for value in group.values[first:last].tolist()]
    plot = Plot(
        values,
        [group.segment(at).state for at in range(first, last)],
        (
            show_duration(int(history.times[first]) - start),
            show_duration(int(history.times[last - 1]) - start),
        ),
        index - first,
        tuple((name, limit) for name, limit in shown if limit is not None),
    )
    return draw(plot)
