"""Define choices for behaviour that Datadog's documentation does not specify."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from monitoring.errors import InputError


@dataclass(frozen=True, slots=True)
class Switches:
    """The choices, with defaults; docs/query.md describes each.

    The last group affects monitors only, not the evaluation of a query.
    """

    join: Literal["equal", "shared"] = "equal"
    """Arithmetic on two groupings: equal keys only (an ungrouped side is joined with all), or shared keys."""
    negative_deltas: Literal["keep", "drop"] = "keep"
    """How diff, derivative, rate and per_… treat a decreasing value."""
    monotonic_reset: Literal["drop", "zero"] = "drop"
    """How monotonic_diff treats a decreasing value."""
    rates: Literal["before", "after"] = "before"
    """Whether diff, derivative, rate, per_… and monotonic_diff come before or after space aggregation."""
    interpolate_counts: bool = False
    """Whether COUNT and RATE without as_count or as_rate are interpolated between sources, as gauges are."""
    align_groups: bool = False
    """Whether the lines of a grouped query are interpolated where another group has a point."""
    long_gaps: Literal["empty", "limit"] = "empty"
    """A gap between two points that is longer than the limit of interpolation (300 seconds): left empty, or
    interpolated up to the limit, as the page on interpolation can be read ("up to 5 minutes after")."""
    longest_fill: int | None = None
    """The longest limit of fill, in seconds; a page says 600, another uses 900."""
    count_rollup: Literal["avg", "sum"] = "avg"
    """Time aggregation of COUNT and RATE without a modifier or rollup; a page of 2019 says sum."""
    bare_fill: Literal["limit", "ignore"] = "limit"
    """The meaning of `.fill(60)`: linear for at most 60 seconds, or nothing. `.fill(0)` is always zero."""
    wildcards: Literal["anywhere", "ends"] = "anywhere"
    """Where * may stand in a tag's value; an older page excludes a * at both ends."""
    integral_of: Literal["delta", "value"] = "delta"
    """What integral() sums: seconds times the change of the value (as the page says), or the value."""
    last_bucket: Literal["whole", "until"] = "whole"
    """Whether the last bucket of a query includes points after the end of its window."""
    quantiles: Literal["exact", "sketch"] = "exact"
    """Percentiles of distributions: exact values, or the bins of a sketch (within 1/128 of them)."""
    default_points: int = 300
    """The largest number of buckets of a window with the default interval."""
    most_points: int = 1500
    """The largest number of buckets with a rollup or the caller's interval; smaller intervals are widened."""

    monitor_bucket: int | None = None
    """Seconds of a bucket in a monitor's window; None is the default interval of that window."""
    monitor_na: Literal["drop", "keep"] = "drop"
    """How a multi alert treats groups without one of its keys."""
    between_warning_and_recovery: Literal["alert", "warn"] = "alert"
    """The state of an alerting group with a value beyond warning, but not at critical_recovery."""
    equality_recovery: Literal["threshold", "ignore"] = "threshold"
    """Monitors with == and != and a recovery threshold: recover at it, or as soon as the condition ends."""
    percentile_monitor: Literal["sketch", "share"] = "sketch"
    """percentile(…) as time aggregation: of all values in the window, or of its points."""


DEFAULT = Switches()


def choices(name: str, text: str) -> Any:
    """Parse the value of a switch.

    Raises:
        InputError: the switch cannot have this value.
    """
    kind = get_type_hints(Switches)[name]
    words = get_args(kind)
    if kind is bool and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if (kind is int or int in words) and text.isdigit() and int(text):
        return int(text)
    if text in words:
        return text
    if type(None) in words and text.lower() == "none":
        return None
    allowed = (
        "true or false" if kind is bool else "a whole number" if int in (kind, *words) else " or ".join(words)
    )
    raise InputError(f"'{text}' is not a value of the switch {name}: write {allowed}", where="--switch")
