"""Compute figures of the states of executions: entries, results, retries and durations."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import quantiles

from monitoring.log_events.timeline import Run

_SECOND = 1000


@dataclass(slots=True)
class StateFigure:
    """The figures of one state over one or many executions.

    Attributes:
        entered: the number of entries.
        failed: the number of entries that ended in an error, including caught ones.
        caught: the number of those that a Catch handled.
        retries: the number of attempts after the first.
        running: the number of entries that have not ended.
        durations: the duration of each finished entry, in milliseconds.
        errors: error name -> number of entries.
    """

    entered: int = 0
    failed: int = 0
    caught: int = 0
    retries: int = 0
    running: int = 0
    durations: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Return `failed`, `running`, `caught` or `succeeded`: the worst of its entries."""
        if self.failed > self.caught:
            return "failed"
        if self.running:
            return "running"
        return "caught" if self.failed else "succeeded"

    def text(self, executions: int) -> str:
        """Return the figures as short text; for several executions with shares and percentiles."""
        parts = []
        if executions > 1:
            parts.append(f"{self.entered}× ({100 * self.entered / executions:.0f}%)")
            if self.durations:
                middle, high = percentile(self.durations, 50), percentile(self.durations, 95)
                parts.append(f"p50 {seconds(middle)}, p95 {seconds(high)}")
            if self.failed:
                parts.append(f"{100 * self.failed / self.entered:.0f}% failed")
        else:
            if self.durations:
                parts.append(seconds(sum(self.durations)))
            if self.entered > 1:
                parts.append(f"{self.entered}×")
        if self.retries:
            parts.append(f"{self.retries} {'retry' if self.retries == 1 else 'retries'}")
        if self.running and executions == 1:
            parts.append("running")
        return ", ".join(parts)


@dataclass(slots=True)
class Figures:
    """The figures of states by name, and the number of times that one state followed another."""

    executions: int = 0
    states: dict[str, StateFigure] = field(default_factory=dict)
    followed: dict[tuple[str, str], int] = field(default_factory=dict)


def figures_of(roots: Iterable[Run]) -> Figures:
    """Return the figures of executions, given the root runs of their timelines."""
    figures = Figures()
    for root in roots:
        figures.executions += 1
        for siblings in _sequences(root):
            for state in siblings:
                _count(figures.states.setdefault(state.name, StateFigure()), state)
            for before, after in itertools.pairwise(siblings):
                pair = (before.name, after.name)
                figures.followed[pair] = figures.followed.get(pair, 0) + 1
    return figures


def _count(figure: StateFigure, state: Run) -> None:
    figure.entered += 1
    figure.retries += max((run.retry for run in state.children if run.kind == "attempt"), default=0)
    if state.status == "running":
        figure.running += 1
    elif state.status != "succeeded":
        figure.failed += 1
        figure.caught += state.caught
        if state.error:
            figure.errors[state.error] = figure.errors.get(state.error, 0) + 1
    if state.duration is not None:
        figure.durations.append(state.duration)


def _sequences(run: Run) -> Iterator[list[Run]]:
    """Yield the sequences of consecutive states: of the execution, and of each branch or iteration."""
    states = [child for child in run.children if child.kind == "state"]
    if run.type == "Parallel":  # the states of its branches overlap and do not follow one another
        yield from ([state] for state in states)
    elif states:
        yield sorted(states, key=lambda state: (state.start or state.end or 0, state.event))
    for child in run.children:
        yield from _sequences(child)


def percentile(values: list[int], percent: int) -> int:
    """Return a percentile, linearly interpolated and rounded."""
    if len(values) < 2:
        return values[0]
    return round(quantiles(values, n=100, method="inclusive")[percent - 1])


def seconds(milliseconds: int) -> str:
    """Return a duration as text: 40 ms, 1.2 s, 3 min."""
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < 120 * _SECOND:
        return f"{milliseconds / _SECOND:.1f} s"
    return f"{milliseconds / 60 / _SECOND:.0f} min"
