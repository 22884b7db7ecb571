"""Define the states of a monitor's group, the bits of an evaluation's result, and the options for states."""

from enum import StrEnum
from typing import NamedTuple

from monitoring.monitor.switches import DEFAULTS, Switches


class State(StrEnum):
    """The states of a group or a monitor at Datadog."""

    OK = "OK"
    WARN = "Warn"
    ALERT = "Alert"
    NO_DATA = "No Data"
    UNKNOWN = "Unknown"


SEVERITY = {State.OK: 1, State.UNKNOWN: 1.5, State.NO_DATA: 2, State.WARN: 3, State.ALERT: 4}
"""Datadog's published order for composites; it also names the worst state of several groups."""


def worst(states: "list[State]") -> State:
    """Return the most severe of some states; No Data for none."""
    return max(states, key=SEVERITY.__getitem__, default=State.NO_DATA)


# --- what one evaluation found, as bits: a long history is an array of these

CRITICAL = 1
"""The value meets the critical threshold."""
HOLD_CRITICAL = 2
"""There is a critical_recovery, and the value does not meet it."""
WARNING = 4
"""The value meets the warning threshold."""
HOLD_WARNING = 8
"""There is a warning_recovery, and the value does not meet it."""
EMPTY = 16
"""The window has no points."""
SILENT = 32
"""Nothing was received for no_data_timeframe."""
AS_ZERO = 64
"""The window has no points, and the monitor counts: 0 was evaluated."""
NO_VALUE = 128
"""There are points, but every bucket is null (a division by zero, or operands without common buckets)."""
PARTIAL = 256
"""require_full_window, and the window is not full."""
NEW_GROUP = 512
"""The group is younger than new_group_delay."""

SKIPPED = NO_VALUE | PARTIAL | NEW_GROUP


class Rule(StrEnum):
    """The reason for a group's state at an evaluation."""

    CRITICAL = "critical threshold"
    HELD_CRITICAL = "held by critical_recovery"
    WARNING = "warning threshold"
    HELD_WARNING = "held by warning_recovery"
    OK = "no threshold met"
    KEPT = "no data: last known state"
    RESOLVED_MISSING = "no data: on_missing_data resolve"
    SHOWN_MISSING = "no data: on_missing_data"
    TIMEFRAME = "no data: no_data_timeframe"
    AUTO_RESOLVED = "no data: timeout_h"
    DROPPED = "no data: group dropped"
    NEVER = "no data yet"
    SKIPPED_NULL = "skipped: every bucket is null"
    SKIPPED_PARTIAL = "skipped: window not full"
    SKIPPED_NEW = "skipped: new group"
    CHECKS = "consecutive check results"
    MEMBERS = "states of the members"
    RECORDED = "recorded"


class Policy(NamedTuple):
    """The options that affect states; see `MonitorOptions` for their source. Durations are in seconds.

    `independent`: no evaluation depends on the state before it, so that recovery thresholds have no effect.
    """

    grouped: bool = False
    notify_no_data: bool = False
    on_missing_data: str = ""
    timeout: int = 0
    retention: int = 86400
    independent: bool = False
    switches: Switches = DEFAULTS
