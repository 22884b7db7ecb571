"""Where Datadog's sources conflict or are silent: each such point of monitors by name, with its default."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Switches:
    """Decisions that no source settles; docs/monitor-semantics.md gives the reason for each default.

    A monitor test sets one by name: `switches: {leave_alert_below_warning: true}`.
    """

    leave_alert_below_warning: bool = False
    """With a warning and a critical_recovery below it: whether a value below the warning ends an Alert before
    critical_recovery is reached. The recovery guide says no; one user reports yes."""

    window_includes_end: bool = False
    """Whether a point stamped exactly at the window's end belongs to it."""

    silent_before_value: bool = True
    """Whether no_data_timeframe counts even while a longer window still holds older points."""

    null_is_missing: bool = False
    """Whether a window of nothing but null buckets (x/0) counts as no data; the guide says it is skipped."""

    change_per_bucket: bool = True
    """Whether change() reduces the differences (as its page has it) or subtracts two reduced values."""

    percentile_of_points: bool = False
    """Whether percentile(pNN) of a monitor is taken over the points instead of asking which share crosses."""

    default_new_group_delay: int = 60
    """Seconds a group is new where the monitor names neither new_group_delay nor, by host, new_host_delay."""

    interval: int = 0
    """Seconds of a bucket inside the window where the query has no rollup; 0 takes the ladder of queries."""


DEFAULTS = Switches()
