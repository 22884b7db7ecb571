"""The state machine: one decision, and long histories run by run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.monitor.machine import run, step
from monitoring.monitor.no_data import Memory
from monitoring.monitor.states import (
    AS_ZERO,
    CRITICAL,
    EMPTY,
    HOLD_CRITICAL,
    HOLD_WARNING,
    NO_VALUE,
    PARTIAL,
    SILENT,
    WARNING,
    Policy,
    Rule,
    State,
)
from monitoring.monitor.switches import Switches

HOUR = 3600


def decide(state, code, policy, evaluated):
    return step(Memory(state, evaluated), code, 0, policy)


def states(codes, policy, every=60):
    times = np.arange(len(codes)) * every
    found = run(np.array(codes, dtype=np.int16), times, policy)
    return [(segment.index, segment.state) for segment in found]


@pytest.mark.parametrize(
    ("state", "code", "after", "rule"),
    [
        (State.OK, CRITICAL | WARNING, State.ALERT, Rule.CRITICAL),
        (State.OK, WARNING, State.WARN, Rule.WARNING),
        (State.ALERT, 0, State.OK, Rule.OK),
        (State.ALERT, WARNING, State.WARN, Rule.WARNING),
        (State.ALERT, HOLD_CRITICAL | WARNING, State.ALERT, Rule.HELD_CRITICAL),
        (State.ALERT, HOLD_CRITICAL, State.ALERT, Rule.HELD_CRITICAL),
        (State.OK, HOLD_CRITICAL | HOLD_WARNING, State.OK, Rule.OK),
        (State.WARN, HOLD_WARNING, State.WARN, Rule.HELD_WARNING),
        (State.ALERT, HOLD_WARNING, State.WARN, Rule.HELD_WARNING),
        (State.NO_DATA, 0, State.OK, Rule.OK),
        (State.ALERT, NO_VALUE, State.ALERT, Rule.SKIPPED_NULL),
        (State.WARN, PARTIAL, State.WARN, Rule.SKIPPED_PARTIAL),
        (State.ALERT, EMPTY, State.ALERT, Rule.KEPT),
    ],
)
def test_one_evaluation_decides_by_the_first_rule_that_applies(state, code, after, rule):
    assert decide(state, code, Policy(), evaluated=True) == (after, rule)


def test_leaving_alert_below_the_warning_is_a_switch():
    policy = Policy(switches=Switches(between_warning_and_recovery="warn"))
    assert decide(State.ALERT, HOLD_CRITICAL, policy, evaluated=True)[0] is State.OK
    assert decide(State.ALERT, HOLD_CRITICAL | WARNING, policy, evaluated=True)[0] is State.ALERT


def test_a_monitor_never_reports_missing_data_before_it_had_any():
    policy = Policy(notify_no_data=True)
    assert decide(State.NO_DATA, EMPTY | SILENT, policy, evaluated=False) == (State.NO_DATA, Rule.NEVER)


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (Policy(), [(0, State.ALERT), (1, State.ALERT)]),
        (Policy(notify_no_data=True), [(0, State.ALERT), (1, State.ALERT), (3, State.NO_DATA)]),
        (Policy(on_missing_data="show_no_data"), [(0, State.ALERT), (1, State.NO_DATA)]),
        (Policy(on_missing_data="show_and_notify_no_data"), [(0, State.ALERT), (1, State.NO_DATA)]),
        (Policy(on_missing_data="resolve"), [(0, State.ALERT), (1, State.OK)]),
        (Policy(on_missing_data="default"), [(0, State.ALERT), (1, State.ALERT)]),
    ],
)
def test_each_option_for_missing_data_has_its_effect(policy, after):
    assert states([CRITICAL, EMPTY, EMPTY, EMPTY | SILENT, EMPTY | SILENT], policy) == after


def test_timeout_resolves_only_without_data_and_a_breach_triggers_again():
    policy = Policy(timeout=HOUR)
    codes = [CRITICAL] * 100 + [EMPTY] * 100 + [CRITICAL]
    assert states(codes, policy) == [
        (0, State.ALERT),
        (100, State.ALERT),
        (160, State.OK),
        (200, State.ALERT),
    ]


def test_no_data_that_was_resolved_by_timeout_does_not_come_back_without_data():
    policy = Policy(timeout=HOUR, on_missing_data="show_no_data")
    assert states([0] + [EMPTY] * 200, policy) == [(0, State.OK), (1, State.NO_DATA), (61, State.OK)]


def test_a_silent_group_is_dropped_after_a_day_and_comes_back():
    policy = Policy(grouped=True)
    codes = [CRITICAL] + [EMPTY] * 30 + [0]
    assert states(codes, policy, HOUR) == [(0, State.ALERT), (1, State.ALERT), (25, None), (31, State.OK)]


def test_a_group_that_was_never_seen_does_not_exist_even_as_zero():
    assert states([AS_ZERO | CRITICAL, 0], Policy(grouped=True)) == [(0, None), (1, State.OK)]


CODES = [0, CRITICAL | WARNING, HOLD_CRITICAL, WARNING | HOLD_CRITICAL, HOLD_WARNING, EMPTY, EMPTY | SILENT]
CODES += [NO_VALUE, PARTIAL, AS_ZERO, AS_ZERO | CRITICAL]


@given(
    runs=st.lists(st.tuples(st.sampled_from(CODES), st.integers(1, 40)), max_size=20),
    grouped=st.booleans(),
    notify=st.booleans(),
    missing=st.sampled_from(["", "default", "show_no_data", "resolve"]),
    timeout=st.sampled_from([0, HOUR, 2 * HOUR]),
    every=st.sampled_from([60, 600, HOUR]),
)
def test_running_by_runs_equals_stepping_at_every_evaluation(runs, grouped, notify, missing, timeout, every):
    policy = Policy(grouped, notify and not missing, missing, timeout)
    codes = np.array([code for code, count in runs for _ in range(count)], dtype=np.int16)
    times = np.arange(len(codes)) * every
    memory = Memory(state=None if grouped else State.NO_DATA)
    slow = [step(memory, int(code), int(now), policy) for code, now in zip(codes, times, strict=True)]
    fast: list = []
    segments = run(codes, times, policy)
    for segment, after in zip(segments, [*segments[1:], None], strict=False):
        end = after.index if after else len(codes)
        fast += [(segment.state, segment.rule)] * (end - segment.index)
    assert fast == slow
