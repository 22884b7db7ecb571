"""Decide the state of a group without data: it keeps its state, is No Data, is resolved or is removed.

Its options are on_missing_data, notify_no_data with no_data_timeframe, timeout_h, group_retention_duration.
"""

from dataclasses import dataclass

from monitoring.monitor.states import SILENT, Policy, Rule, State


@dataclass(slots=True)
class Memory:
    """The past of a group: its state, whether it ever had a value, and since when it has none."""

    state: State | None
    evaluated: bool = False
    empty_since: int | None = None
    resolved: bool = False


def without_data(memory: Memory, code: int, now: int, policy: Policy) -> tuple[State | None, Rule]:
    """Return the state after an evaluation without data at `now`, and its reason; changes `memory`."""
    if memory.empty_since is None:
        memory.empty_since = now
    memory.state, rule = _after(memory, code, now - memory.empty_since, policy)
    return memory.state, rule


def _after(memory: Memory, code: int, length: int, policy: Policy) -> tuple[State | None, Rule]:
    """Return the state of a group that has had no data for `length` seconds."""
    if memory.state is None:
        return None, Rule.DROPPED if memory.resolved else Rule.NEVER
    if _drops(policy) and length >= policy.retention:
        memory.evaluated, memory.resolved = False, True
        return None, Rule.DROPPED
    if memory.resolved:
        return State.OK, Rule.AUTO_RESOLVED
    if policy.timeout and length >= policy.timeout and memory.evaluated:
        state, rule = _missing(memory, code, policy)
        if state is State.OK:
            return state, rule
        memory.resolved = True
        return State.OK, Rule.AUTO_RESOLVED
    return _missing(memory, code, policy)


def _missing(memory: Memory, code: int, policy: Policy) -> tuple[State | None, Rule]:
    state = memory.state
    if state is None or not memory.evaluated:
        resolve = policy.on_missing_data == "resolve" and state is not None
        return (State.OK, Rule.RESOLVED_MISSING) if resolve else (state, Rule.NEVER)
    if policy.on_missing_data == "resolve":
        return State.OK, Rule.RESOLVED_MISSING
    if policy.on_missing_data.startswith("show"):
        return State.NO_DATA, Rule.SHOWN_MISSING
    if policy.notify_no_data and code & SILENT:
        return State.NO_DATA, Rule.TIMEFRAME
    return state, Rule.KEPT


def _drops(policy: Policy) -> bool:
    """Return whether a group of a multi alert without data is removed, unless missing data is notified."""
    return policy.grouped and not (policy.notify_no_data and not policy.on_missing_data)


def next_change(memory: Memory, policy: Policy, now: int) -> int | None:
    """Return when a timer since the first empty result changes the state for the same code, or None."""
    if memory.empty_since is None or memory.state is None:
        return None
    waits = []
    if policy.timeout and not memory.resolved and memory.evaluated:
        waits.append(memory.empty_since + policy.timeout)
    if _drops(policy):
        waits.append(memory.empty_since + policy.retention)
    return min((due for due in waits if due > now), default=None)
