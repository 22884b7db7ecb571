"""The state machine of one group over time: from what each evaluation found to states, run by run.

A month of evaluations is 43,200 codes, but few changes: the machine steps where the code changes and where
a timer runs out (timeout_h, the dropping of a silent group), and nowhere else. That this equals stepping at
every evaluation is a property test.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.states import AS_ZERO, EMPTY, SILENT, SKIPPED, Policy, Rule, State, decide
from monitoring.values import dataclass

_MISSING = EMPTY | SILENT


@dataclass(frozen=True, slots=True)
class Segment:
    """From evaluation `index` on the group has `state` (None: it does not exist), because of `rule`."""

    index: int
    state: State | None
    rule: Rule


@dataclass(slots=True)
class _Memory:
    state: State | None
    evaluated: bool = False
    empty_since: int | None = None
    resolved: bool = False


def run(
    codes: NDArray[np.int16],
    times: NDArray[np.int64],
    policy: Policy,
    evaluated: bool = False,
) -> list[Segment]:
    """The segments of one group, in order; the first has index 0. `codes` and `times` are one an evaluation.

    A group of a multi alert does not exist until its first value; an ungrouped monitor starts in No Data.
    """
    start = None if policy.grouped else State.NO_DATA
    memory = _Memory(state=State.OK if evaluated else start, evaluated=evaluated)
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
            due = _due(memory, policy, int(times[at]))
            at = max(at + 1, int(np.searchsorted(times, due))) if due is not None else end
    return segments


def step(memory: _Memory, code: int, now: int, policy: Policy) -> tuple[State | None, Rule]:
    """One evaluation of one group at `now`; changes `memory`."""
    if code & SKIPPED:
        return memory.state, decide(memory.state, code, policy, memory.evaluated)[1]
    if not code & _MISSING:
        state, rule = decide(memory.state, code, policy, memory.evaluated)
        memory.state, memory.empty_since, memory.resolved = state, None, False
        memory.evaluated |= not code & AS_ZERO
        return state, rule
    if memory.empty_since is None:
        memory.empty_since = now
    memory.state, rule = _silence(memory, code, now - memory.empty_since, policy)
    return memory.state, rule


def _silence(memory: _Memory, code: int, length: int, policy: Policy) -> tuple[State | None, Rule]:
    """The state of a group without data for `length` seconds."""
    if memory.state is None:
        return None, Rule.DROPPED if memory.resolved else Rule.NEVER
    if _drops(policy) and length >= policy.retention:
        memory.evaluated, memory.resolved = False, True
        return None, Rule.DROPPED
    if memory.resolved:
        return State.OK, Rule.AUTO_RESOLVED
    if policy.timeout and length >= policy.timeout and memory.evaluated:
        state, rule = decide(memory.state, code, policy, memory.evaluated)
        if state is State.OK:
            return state, rule
        memory.resolved = True
        return State.OK, Rule.AUTO_RESOLVED
    return decide(memory.state, code, policy, memory.evaluated)


def _drops(policy: Policy) -> bool:
    """A silent group of a multi alert is forgotten, unless its silence is what the monitor reports."""
    return policy.grouped and not (policy.notify_no_data and not policy.on_missing_data)


def _due(memory: _Memory, policy: Policy, now: int) -> int | None:
    """When the same code will next change something: a timer since the first empty result; None for never."""
    if memory.empty_since is None or memory.state is None:
        return None
    waits = []
    if policy.timeout and not memory.resolved and memory.evaluated:
        waits.append(memory.empty_since + policy.timeout)
    if _drops(policy):
        waits.append(memory.empty_since + policy.retention)
    return min((due for due in waits if due > now), default=None)
