"""Parse the API body of a monitor into a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.query.monitors import parse_monitor

parsed = lru_cache(maxsize=1024)(parse_monitor)
"""`parse_monitor` with a cache, because a monitor is evaluated many times; the results are immutable."""

MINUTE, HOUR, DAY = 60, 3600, 86400
DEFAULT_STATUSES = ("alert", "no data")


class Thresholds(NamedTuple):
    """`options.thresholds`; for service checks the numbers count consecutive results."""

    critical: float | None = None
    warning: float | None = None
    critical_recovery: float | None = None
    warning_recovery: float | None = None
    ok: float | None = None
    unknown: float | None = None


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """The options that affect states and notifications; durations are in seconds.

    Defaults are those of the API (Datadog's monitor options guide): None is "not given" where that matters.
    """

    notify_no_data: bool = False
    no_data_timeframe: int | None = None
    on_missing_data: str = ""
    timeout: int = 0
    group_retention: int = DAY
    new_group_delay: int | None = None
    new_host_delay: int | None = None
    require_full_window: bool = False
    evaluation_delay: int = 0
    renotify_interval: int = 0
    renotify_occurrences: int | None = None
    renotify_statuses: tuple[str, ...] = DEFAULT_STATUSES
    escalation_message: str = ""
    notify_by: tuple[str, ...] | None = None
    silenced: tuple[tuple[str, int | None], ...] = ()
    scheduling: Mapping[str, Any] = field(default_factory=dict)
    threshold_windows: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[Mapping[str, Any], ...] = ()
    threshold_queries: Mapping[str, str] = field(default_factory=dict)

    @property
    def scheduled(self) -> bool:
        """Return whether it has a custom schedule, where each evaluation is independent of earlier ones."""
        return bool(self.scheduling.get("custom_schedule"))


class Monitor(NamedTuple):
    """A monitor. `key` is its name in the project (`monitors/KEY.json`), `id` its id at Datadog."""

    key: str
    type: str
    query: str
    name: str = ""
    message: str = ""
    tags: tuple[str, ...] = ()
    priority: int | None = None
    id: int | None = None
    thresholds: Thresholds = Thresholds()
    options: MonitorOptions = MonitorOptions()

    @classmethod
    def from_body(cls, body: Mapping[str, Any], key: str = "") -> "Monitor":
        """Read an API body.

        Raises:
            InputError: no type, no query, or an option that holds something else than it should.
        """
        if not isinstance(body, Mapping):
            raise InputError("a monitor is a JSON object", where=key)
        for name in ("type", "query"):
            if not isinstance(body.get(name), str) or not body[name].strip():
                raise InputError(f"the monitor has no {name}", where=key, hint=f'add "{name}": "…"')
        options = _mapping(body.get("options"), "options", key)
        identity = body.get("id")
        return cls(
            key=key or str(body.get("name") or "monitor"),
            type=body["type"],
            query=body["query"].strip(),
            name=str(body.get("name") or ""),
            message=str(body.get("message") or "").strip(),
            tags=tuple(str(tag) for tag in body.get("tags") or ()),
            priority=int(body["priority"]) if body.get("priority") else None,
            id=identity if isinstance(identity, int) else None,
            thresholds=_thresholds(_mapping(options.get("thresholds"), "options.thresholds", key), key),
            options=_options(options, key),
        )


def _thresholds(options: Mapping[str, Any], key: str) -> Thresholds:
    names = Thresholds._fields
    return Thresholds(
        **{name: _number(options, name, key) for name in names if options.get(name) is not None}
    )


def _options(options: Mapping[str, Any], key: str) -> MonitorOptions:
    def seconds(name: str, unit: int) -> int | None:
        value = _number(options, name, key)
        return None if value is None else int(value * unit)

    notify_by = options.get("notify_by") or (["*"] if options.get("groupby_simple_monitor") else None)
    statuses = options.get("renotify_statuses") or DEFAULT_STATUSES
    occurrences = _number(options, "renotify_occurrences", key)
    return MonitorOptions(
        notify_no_data=bool(options.get("notify_no_data")),
        no_data_timeframe=seconds("no_data_timeframe", MINUTE),
        on_missing_data=_missing(options, key),
        timeout=seconds("timeout_h", HOUR) or 0,
        group_retention=_retention(options, key),
        new_group_delay=seconds("new_group_delay", 1),
        new_host_delay=seconds("new_host_delay", 1),
        require_full_window=bool(options.get("require_full_window")),
        evaluation_delay=seconds("evaluation_delay", 1) or 0,
        renotify_interval=seconds("renotify_interval", MINUTE) or 0,
        renotify_occurrences=None if not occurrences else int(occurrences),
        renotify_statuses=tuple(statuses),
        escalation_message=str(options.get("escalation_message") or "").strip(),
        notify_by=tuple(notify_by) if notify_by else None,
        silenced=_silenced(_mapping(options.get("silenced"), "options.silenced", key)),
        scheduling=_mapping(options.get("scheduling_options"), "options.scheduling_options", key),
        threshold_windows=_mapping(options.get("threshold_windows"), "options.threshold_windows", key),
        variables=tuple(options.get("variables") or ()),
        threshold_queries=_threshold_queries(_mapping(options.get("thresholds"), "options.thresholds", key)),
    )


def _threshold_queries(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the queries of dynamic thresholds by level: critical and critical_recovery."""
    levels = ("critical", "critical_recovery")
    return {level: str(options[f"{level}_query"]) for level in levels if options.get(f"{level}_query")}


_MISSING_DATA = ("default", "show_no_data", "show_and_notify_no_data", "resolve")


def _missing(options: Mapping[str, Any], key: str) -> str:
    value = options.get("on_missing_data") or ""
    if value and value not in _MISSING_DATA:
        hint = f"one of {', '.join(_MISSING_DATA)}"
        raise InputError(f"options.on_missing_data is {value!r}", where=key, hint=hint)
    if value and options.get("notify_no_data"):
        hint = "remove notify_no_data and no_data_timeframe, or on_missing_data"
        raise InputError("options.on_missing_data excludes notify_no_data", where=key, hint=hint)
    return str(value)


def _retention(options: Mapping[str, Any], key: str) -> int:
    """Parse `group_retention_duration` ("1h", "60m", "2d") to seconds; 24 hours if it is missing."""
    value = options.get("group_retention_duration")
    if not value:
        return DAY
    units = {"m": MINUTE, "h": HOUR, "d": DAY}
    text = str(value)
    if text[-1] not in units or not text[:-1].isdigit():
        raise InputError(
            f"options.group_retention_duration is {value!r}", where=key, hint='write "60m" or "2h"'
        )
    return int(text[:-1]) * units[text[-1]]


def _silenced(options: Mapping[str, Any]) -> tuple[tuple[str, int | None], ...]:
    return tuple((scope, None if until is None else int(until)) for scope, until in options.items())


def _mapping(value: Any, name: str, key: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is not an object", where=key)
    return value


def _number(options: Mapping[str, Any], name: str, key: str) -> float | None:
    value = options.get(name)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is {value!r}, which is not a number", where=key) from error
