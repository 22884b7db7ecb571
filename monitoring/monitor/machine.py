"""Compute the states of a group over time from the codes of its evaluations.

A month has 43,200 evaluations but few changes: the state machine is only evaluated where the code changes and
where a timer expires (timeout_h, the removal of a group without data). A property test checks that the result
equals that of evaluating it at every code.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.no_data import Memory, next_change, without_data
from monitoring.monitor.states import (
    AS_ZERO,
    CRITICAL,
    EMPTY,
    HOLD_CRITICAL,
    HOLD_WARNING,
    NEW_GROUP,
    PARTIAL,
    SILENT,
    SKIPPED,
    WARNING,
    Policy,
    Rule,
    State,
)
from monitoring.monitor.switches import Switches


@dataclass(frozen=True, slots=True)
class Segment:
    """The `state` of a group from evaluation `index` on (None: it does not exist), because of `rule`."""

    index: int
    state: State | None
    rule: Rule


def run(
    codes: NDArray[np.int16],
    times: NDArray[np.int64],
    policy: Policy,
    evaluated: bool = False,
) -> list[Segment]:
    """Return the segments of one group, in order, with one code and one time for each evaluation.

    A group of a multi alert does not exist until its first value; an ungrouped monitor starts in No Data.
    """
    start = None if policy.grouped else State.NO_DATA
    memory = Memory(state=State.OK if evaluated else start, evaluated=evaluated)
    segments: list[Segment] = []
    bounds = (
        [] if not len(codes) else [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    )
    for first, end in itertools.pairwise(bounds):
        code, at = int(codes[first]), first
        while at < end:
            state, rule = step(memory, code, int(times[at]), policy)
            if not segments or segments[-1].state is not state or segments[-1].rule is not rule:
                segments.append(Segment(at, state, rule))
            due = next_change(memory, policy, int(times[at]))
            at = max(at + 1, int(np.searchsorted(times, due))) if due is not None else end
    return segments


def step(memory: Memory, code: int, now: int, policy: Policy) -> tuple[State | None, Rule]:
    """Return the state after one evaluation of one group at `now`, and its reason; changes `memory`."""
    if code & SKIPPED:
        return memory.state, _skip_rule(code)
    if code & (EMPTY | SILENT):
        return without_data(memory, code, now, policy)
    if memory.state is None and code & AS_ZERO:
        state, rule = None, Rule.NEVER
    else:
        state, rule = _thresholds(None if policy.independent else memory.state, code, policy.switches)
    memory.state, memory.empty_since, memory.resolved = state, None, False
    memory.evaluated |= not code & AS_ZERO
    return state, rule


def _skip_rule(code: int) -> Rule:
    if code & NEW_GROUP:
        return Rule.SKIPPED_NEW
    return Rule.SKIPPED_PARTIAL if code & PARTIAL else Rule.SKIPPED_NULL


def _thresholds(state: State | None, code: int, switches: Switches) -> tuple[State, Rule]:
    """Return the state by critical, then by warning; a state is left only if its recovery value is met."""
    if code & CRITICAL:
        return State.ALERT, Rule.CRITICAL
    is_held = code & HOLD_CRITICAL and (code & WARNING or switches.between_warning_and_recovery == "alert")
    if state is State.ALERT and is_held:
        return State.ALERT, Rule.HELD_CRITICAL
    if code & WARNING:
        return State.WARN, Rule.WARNING
    if state in (State.ALERT, State.WARN) and code & HOLD_WARNING:
        return State.WARN, Rule.HELD_WARNING
    return State.OK, Rule.OK
