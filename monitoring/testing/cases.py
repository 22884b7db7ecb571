"""Define monitor tests as values: series, other inputs, and expectations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitoring.monitor.states import State
from monitoring.testing.notation import Slot
from monitoring.testing.problems import Place

DEFAULT_START = 1767225600
"""2026-01-01T00:00:00Z, where a case does not say when it starts."""


class SeriesSpec(NamedTuple):
    """One source: its values from `offset` seconds after the start on, one every `every` seconds."""

    metric: str
    tags: tuple[str, ...]
    slots: tuple[Slot, ...]
    every: int
    offset: int
    place: Place
    type: str = "gauge"
    interval: int | None = None
    host: str = ""


class CheckSpec(NamedTuple):
    """Results of a service check, one every `every` seconds; 0 OK, 1 Warning, 2 Critical, 3 Unknown."""

    check: str
    tags: tuple[str, ...]
    slots: tuple[Slot, ...]
    every: int
    offset: int
    place: Place


class EventSpec(NamedTuple):
    """An event, a log or another record that log-like monitors count, at `offsets` from the start."""

    offsets: tuple[int, ...]
    message: str
    tags: tuple[str, ...]
    attributes: Mapping[str, Any]
    place: Place


class Downtime(NamedTuple):
    """No notifications for groups of `scope` from `start` to `end` (seconds after the case's start)."""

    scope: str
    start: int
    end: int | None


class At(NamedTuple):
    """At each of `offsets` (seconds after the start) the group is as said; None is "not said"."""

    place: Place
    offsets: tuple[int, ...]
    group: str | None = None
    state: State | str | None = None
    value: float | str | None = None
    message: tuple[str, ...] = ()
    not_message: tuple[str, ...] = ()
    title: str | None = None
    handles: tuple[str, ...] | None = None
    notified: bool | None = None
    rule: str | None = None


class Throughout(NamedTuple):
    """From `start` to `end` (None: to the end) the group is `always`, or `never`, in `state`."""

    place: Place
    state: State
    never: bool
    group: str | None = None
    start: int = 0
    end: int | None = None


class Within(NamedTuple):
    """The group enters `state` at most `within` seconds after `of`, and was not in it at `of`."""

    place: Place
    state: State
    within: int
    of: int
    group: str | None = None


class Recovers(NamedTuple):
    """The group has been in trouble, is OK at `by`, and stays so to the end of the case."""

    place: Place
    by: int
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Notifies:
    """How many notifications go out, of one kind or of all."""

    place: Place
    count: int
    kind: str | None = None
    group: str | None = None


Expectation = At | Throughout | Within | Recovers | Notifies


@dataclass(frozen=True, slots=True)
class Case:
    """One test: a monitor, what was submitted, and what is expected of it."""

    name: str
    place: Place
    monitor: str | Mapping[str, Any]
    expectations: tuple[Expectation, ...]
    start: int = DEFAULT_START
    until: int | None = None
    series: tuple[SeriesSpec, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()
    members: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    downtimes: tuple[Downtime, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)
    stand_in: Mapping[str, str] = field(default_factory=dict)
    slos: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] | None = None
    known_groups: bool = False
    monitor_place: Place | None = None

    @property
    def file(self) -> str:
        """The file that the case stands in."""
        return self.place.file

    @property
    def length(self) -> int:
        """Seconds that the case covers: `until`, or up to its last point and its last expectation."""
        if self.until is not None:
            return self.until
        ends = [_end(spec) for spec in self.series] + [_end(spec) for spec in self.checks]
        ends += [max(event.offsets, default=0) + 60 for event in self.events]
        ends += [_last(expectation) for expectation in self.expectations]
        return max(ends, default=0)


def _end(spec: SeriesSpec | CheckSpec) -> int:
    return spec.offset + len(spec.slots) * spec.every


def _last(expectation: Expectation) -> int:
    match expectation:
        case At(offsets=offsets):
            return max(offsets, default=0)
        case Throughout(end=end):
            return end or 0
        case Within(within=within, of=of):
            return within + of
        case Recovers(by=by):
            return by
        case Notifies():
            return 0
