"""Compare executions: one with the last 50, one with another one, a period with the one before."""

from collections.abc import Sequence
from typing import NamedTuple

from monitoring.graph.figures import Figures, StateFigure, figures_of, percentile, seconds
from monitoring.graph.notes import Note, Notes, Tone
from monitoring.log_events.timeline import Run

LAST = 50
"""Successful executions that one is compared with."""
ENOUGH = 5
"""Executions, or entries of a state, with which a comparison is worth saying."""
_NOTABLE = 0.2
"""A difference of p50 or of a duration below this share is said without a colour."""


class Compared(NamedTuple):
    """A duration beside those of the executions before it; milliseconds."""

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
        """Return the comparison in words: `slow: 2.1 s, p50 1.0 s, p95 1.4 s of the last 50`."""
        usual = f"p50 {seconds(self.middle)}, p95 {seconds(self.high)} of the last {self.executions}"
        return f"{'slow: ' if self.slow else ''}{seconds(self.duration)}, {usual}"


def compared_with_last(root: Run, before: Sequence[Run]) -> tuple[Compared | None, dict[str, Compared]]:
    """Return how an execution and each of its states compare with the successful executions before it.

    Args:
        root: the execution.
        before: executions of the same state machine, of any time and status; the last 50 that succeeded and
            began before `root` count.

    Returns:
        The whole, None where fewer than 5 are known; and by state, likewise.
    """
    begun = [run for run in before if run is not root and (run.start or 0) < (root.start or 0)]
    good = [run for run in begun if run.latest.status.lower() == "succeeded"]
    last = sorted(good, key=lambda run: run.start or 0)[-LAST:]
    durations = [run.duration for run in last if run.duration is not None]
    whole = _compared(root.duration, durations)
    usual, own = figures_of(last), figures_of([root])
    states = {
        name: compared
        for name, figure in own.states.items()
        if figure.durations and name in usual.states
        if (compared := _compared(max(figure.durations), usual.states[name].durations)) is not None
    }
    return whole, states


def _compared(duration: int | None, others: list[int]) -> Compared | None:
    if duration is None or len(others) < ENOUGH:
        return None
    return Compared(duration, percentile(others, 50), percentile(others, 95), len(others))


def slow_notes(states: dict[str, Compared]) -> Notes:
    """Return the p50 and p95 of each state, marked where it was slow."""
    return {
        name: [Note(f"{'slow: ' if state.slow else ''}p50 {seconds(state.middle)}, p95 {seconds(state.high)}",
                    "warning" if state.slow else "")]
        for name, state in states.items()
    }  # fmt: skip


def difference_notes(before: Figures, after: Figures) -> Notes:
    """Return what differs in each state between two executions or periods: `p50 1.0 s → 2.0 s (+100%)`."""
    notes: dict[str, list[Note]] = {}
    for name in {**after.states, **before.states}:
        old, new = before.states.get(name), after.states.get(name)
        if old is None or new is None:
            notes[name] = [Note("not entered before" if old is None else "no longer entered", "warning")]
        else:
            notes[name] = _changes(old, new)
    return {name: own for name, own in notes.items() if own}


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
