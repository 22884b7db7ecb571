"""Why a case failed, for people: what was expected, what came, the evidence, and a plot."""

import math
from collections.abc import Iterator

from monitoring.monitor.history import History, Verdict
from monitoring.testing.compare import Failure, state_name
from monitoring.testing.plot import Plot, draw
from monitoring.testing.runner import CaseResult
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
    return "\n".join(lines)


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
