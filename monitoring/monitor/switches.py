"""Define choices for behaviour of monitors on which Datadog's documentation conflicts or says nothing."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from monitoring import query
from monitoring.errors import InputError
from monitoring.query.errors import nearest


@dataclass(frozen=True, slots=True)
class Switches(query.Switches):
    """Choices that no source decides; docs/monitor-semantics.md has the reason for each default.

    A monitor test sets one by name: `switches: {null_window: missing}`.
    """

    default_zero_empty: Literal["zero", "skip"] = "zero"
    """A window without a point under default_zero: evaluated as zero, as the page on the configuration of
    monitors has it since 2026-08-17, or without data, as the page on interpolation has it."""
    counts_without_options: Literal["keep", "zero"] = "keep"
    """A window without a point of a count, where neither on_missing_data nor notify_no_data is set: the state
    is kept, as the older options have it that the API adds to such a monitor, or 0 is evaluated, as
    on_missing_data: default has it."""
    recovery_after_no_data: Literal["notify", "silent"] = "notify"
    """A group that goes from Alert or Warn over No Data to OK: its recovery is notified, or not, as the page
    on monitor dependencies had it in 2020."""
    window_end: Literal["open", "closed"] = "open"
    """Whether a point stamped exactly at the end of the window belongs to it ("closed")."""
    no_data_timeframe: Literal["points", "empty"] = "points"
    """Whether no_data_timeframe looks at the points, or counts only while the (longer) window is empty."""
    null_window: Literal["skip", "missing"] = "skip"
    """A window of nothing but null buckets (x/0): skipped, as the guide says, or no data."""
    change_order: Literal["buckets", "window"] = "buckets"
    """change(): reduce the differences of the buckets, as its page has it, or subtract reduced values."""
    cluster_threshold: Literal["over", "reached"] = "over"
    """Whether `.pct_by_status()` alerts above its percentage, as the page says, or from it on."""
    new_group_delay: int = 60
    """Seconds that a group is new where the monitor says nothing of it."""


DEFAULTS = Switches()


def switches_of(names: dict[str, Any], where: str = "") -> Switches:
    """Parse switches from names and values of a test file.

    Raises:
        InputError: an unknown name, or a value that the switch does not take.
    """
    if not names:
        return DEFAULTS
    types = get_type_hints(Switches)
    known = [field.name for field in fields(Switches)]
    for name, value in names.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
            raise InputError(f"there is no switch {name!r}", where=where, hint=hint)
        if not _fits(value, types[name]):
            hint = f"it takes {_said(types[name])}"
            raise InputError(f"the switch {name} is {value!r}", where=where, hint=hint)
    return Switches(**names)


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _said(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(str(choice) for choice in get_args(kind))
    return {bool: "true or false", int: "a whole number"}.get(kind, "a whole number or nothing")
