"""Find the switches on which a group's states depend, because Datadog's pages conflict there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.machine import Segment
from monitoring.monitor.states import AS_ZERO, EMPTY, WARNING, Rule, State
from monitoring.monitor.switches import Switches

Codes = NDArray[np.int16]

PAGES: Mapping[str, str] = {
    "default_zero_empty": "monitors/configuration of 2026-08-17: zero; "
    "dashboards/functions/interpolation: skip",
    "counts_without_options": "recorded answers add notify_no_data: false, the older options: keep; "
    "monitors/guide/on_missing_data: zero is the default of counts",
    "recovery_after_no_data": "monitors/notify/variables: a recovery from No Data is notified; "
    "the page on monitor dependencies of 2020-07-09: none is after Alert, No Data, OK",
    "between_warning_and_recovery": "monitors/guide/recovery-thresholds: alert; a user saw warn",
}
"""Switch -> the sources that conflict, with their dates if known."""


class Decision(NamedTuple):
    """A switch, and the evaluations that depend on it."""

    switch: str
    value: str
    at: NDArray[np.bool_]

    def __str__(self) -> str:
        return f"by the switch {self.switch}: {self.value}"


def decisions(
    codes: Codes, segments: Sequence[Segment], empty: str, warned: bool, switches: Switches
) -> tuple[Decision, ...]:
    """Return the decisions about one group.

    Args:
        codes: the code of each evaluation.
        segments: the group's states.
        empty: the switch that says what a window without data is; "" where none does.
        warned: the monitor has a warning threshold.
        switches: the choices.
    """
    flags = dict(_flags(codes, segments, empty, warned))
    return tuple(Decision(name, str(getattr(switches, name)), at) for name, at in flags.items() if at.any())


def _flags(
    codes: Codes, segments: Sequence[Segment], empty: str, warned: bool
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if empty:
        yield empty, (codes & (AS_ZERO | EMPTY)) != 0
    if warned:
        is_kept = np.zeros(len(codes), np.bool_)
        for segment, end in _with_ends(segments, len(codes)):
            if segment.rule is Rule.HELD_CRITICAL:
                is_kept[segment.index : end] = (codes[segment.index : end] & WARNING) == 0
        yield "between_warning_and_recovery", is_kept
    yield "recovery_after_no_data", _recoveries(segments, len(codes))


def _with_ends(segments: Sequence[Segment], count: int) -> Iterator[tuple[Segment, int]]:
    ends = [*(segment.index for segment in segments[1:]), count]
    return zip(segments, ends, strict=True)


def _recoveries(segments: Sequence[Segment], count: int) -> NDArray[np.bool_]:
    """Return where a group is OK again after Alert or Warn and then No Data."""
    at = np.zeros(count, np.bool_)
    bad = through = False
    for segment in segments:
        if segment.state is State.OK:
            at[segment.index] = through
            bad = through = False
        elif segment.state is State.NO_DATA:
            through = bad
        elif segment.state in (State.ALERT, State.WARN):
            bad, through = True, False
    return at
