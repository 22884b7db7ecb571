"""Compare executions: one with the last 50, one with another, or a period with the period before."""

from collections.abc import Sequence
from typing import NamedTuple

from monitoring.graph.figures import Figures, StateFigure, figures_of, percentile, seconds
from monitoring.graph.notes import Note, Notes, Tone
from monitoring.log_events.timeline import Run

LAST = 50
"""The number of successful executions that an execution is compared with."""
ENOUGH = 5
"""The minimum number of executions, or of entries of a state, for a comparison."""
_NOTABLE = 0.2
"""A relative difference of p50 below this share gets no colour."""


class Compared(NamedTuple):
    """A duration, and p50 and p95 of the executions before; in milliseconds."""

    duration: int
    middle: int
    high: int
    executions: int

    @property
    def slow(self) -> bool:
        """Return whether it took longer than 95 % of the others."""
        return self.duration > self.high

    @property
    def text(self) -> str:
        """Return the comparison as text: `slow: 2.1 s, p50 1.0 s, p95 1.4 s of the last 50`."""
        usual = f"p50 {seconds(self.middle)}, p95 {seconds(self.high)} of the last {self.executions}"
        return f"{'slow: ' if self.slow else ''}{seconds(self.duration)}, {usual}"


def compared_with_last(root: Run, before: Sequence[Run]) -> tuple[Compared | None, dict[str, Compared]]:
    """Compare an execution and each of its states with the successful executions before it.

    Args:
        root: the execution.
        before: executions of the same state machine, with any time and status; the last 50 that succeeded
            and started before `root` are used.

    Returns:
        The comparison of the execution (None if there are fewer than 5 others), and those of its states by
        name (only states with at least 5 other entries).
    """
    earlier = [run for run in before if run is not root and (run.start or 0) < (root.start or 0)]
    succeeded = [run for run in earlier if run.latest.status.lower() == "succeeded"]
    last = sorted(succeeded, key=lambda run: run.start or 0)[-LAST:]
    durations = [run.duration for run in last if run.duration is not None]
    execution = _compared(root.duration, durations)
    usual, current = figures_of(last), figures_of([root])
    states = {
        name: compared
        for name, figure in current.states.items()
        if figure.durations and name in usual.states
        if (compared := _compared(max(figure.durations), usual.states[name].durations)) is not None
    }
    return execution, states


def _compared(duration: int | None, others: list[int]) -> Compared | None:
    if duration is None or len(others) < ENOUGH:
        return None
    return Compared(duration, percentile(others, 50), percentile(others, 95), len(others))


def slow_notes(states: dict[str, Compared]) -> Notes:
    """Return p50 and p95 of each state as notes; slow states are marked."""
    return {
        name: [Note(f"{'slow: ' if state.slow else ''}p50 {seconds(state.middle)}, p95 {seconds(state.high)}",
                    "warning" if state.slow else "")]
        for name, state in states.items()
    }  # fmt: skip


def difference_notes(before: Figures, after: Figures) -> Notes:
    """Return the differences of each state between two periods: `p50 1.0 s → 2.0 s (+100%)`."""
    notes: dict[str, list[Note]] = {}
    for name in {**after.states, **before.states}:
        old, new = before.states.get(name), after.states.get(name)
        if old is None or new is None:
            notes[name] = [Note("not entered before" if old is None else "no longer entered", "warning")]
        else:
            notes[name] = _changes(old, new)
    return {name: state_notes for name, state_notes in notes.items() if state_notes}


def _changes(old: StateFigure, new: StateFigure) -> list[Note]:
    notes = []
    if old.durations and new.durations:
        was, now = percentile(old.durations, 50), percentile(new.durations, 50)
        share = (now - was) / was if was else 0.0
        tone: Tone = "" if abs(share) < _NOTABLE else "bad" if share > 0 else "good"
        if was != now:
            notes.append(Note(f"p50 {seconds(was)} → {seconds(now)} ({share:+.0%})", tone))
    failed = [figure.failed / figure.entered if figure.entered else 0.0 for figure in (old, new)]
    if failed[0] != failed[1]:
        worse: Tone = "bad" if failed[1] > failed[0] else "good"
        notes.append(Note(f"failed {failed[0]:.0%} → {failed[1]:.0%}", worse))
    if old.entered != new.entered:
        notes.append(Note(f"entered {old.entered}× → {new.entered}×"))
    return notes
