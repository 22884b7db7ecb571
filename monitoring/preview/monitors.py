"""The monitors of the project for widgets, by key and by id."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from monitoring.monitor.search import Record, compile_search
from monitoring.monitor.states import State, worst
from monitoring.preview.data import definitions
from monitoring.preview.errors import UndrawableError
from monitoring.query import QueryError, parse_monitor
from monitoring.query import format as format_query
from monitoring.query.monitor_nodes import MetricMonitor
from monitoring.slo.definition import OURS, REFERENCE


@dataclass(frozen=True, slots=True)
class MonitorSummary:
    """The data of a metric monitor for widgets."""

    name: str
    query: str
    aggregator: str
    operator: str
    thresholds: tuple[tuple[str, float], ...]

    def formats(self) -> list[dict[str, Any]]:
        """Return conditional formats for its thresholds: red at critical, yellow at warning, else green."""
        palettes = {"critical": "white_on_red", "warning": "white_on_yellow"}
        rules = [
            {"comparator": self.operator, "value": value, "palette": palettes[name]}
            for name, value in self.thresholds
            if name in palettes
        ]
        return [*rules, {"comparator": "!=", "value": float("nan"), "palette": "white_on_green"}]


@dataclass(frozen=True, slots=True)
class Monitors:
    """Monitor bodies by the names that a dashboard may use.

    `groups` returns group -> state of a monitor; {} if it is unknown. With `sampled`, a search without a
    result returns generated monitors.
    """

    bodies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: Callable[[str], Mapping[str, str]] = lambda key: {}
    sampled: bool = False

    def find(self, mention: str) -> MonitorSummary:
        """Return the monitor of an `alert_id`: an id, or `${monitor:KEY}`.

        Raises:
            UndrawableError: the monitor is unknown, or is not a metric monitor.
        """
        key = mention.removeprefix("${monitor:").removesuffix("}")
        body = self.bodies.get(key)
        if body is None:
            raise UndrawableError(f"Shows the monitor {key}, which is not among this project's files.")
        try:
            monitor = parse_monitor(str(body.get("query")))
        except QueryError as error:
            raise UndrawableError(f"The monitor {key} has a query that cannot be read: {error}") from None
        if not isinstance(monitor, MetricMonitor):
            raise UndrawableError(f"Shows the monitor {key}: its query is a {monitor.kind}, not a metric.")
        limits = (body.get("options") or {}).get("thresholds") or {}
        thresholds = {"critical": monitor.threshold, **limits}
        return MonitorSummary(
            str(body.get("name") or key),
            format_query(monitor.query),
            monitor.aggregation,
            monitor.operator,
            tuple((name, float(value)) for name, value in thresholds.items() if value is not None),
        )

    def embedded(self, dashboard: Mapping[str, Any]) -> list[MonitorSummary]:
        """Return the metric monitors that a dashboard's widgets show."""
        charts = []
        for definition in definitions(dashboard.get("widgets")):
            if "alert_id" in definition:
                with suppress(Exception):  # the widget itself shows what is wrong with it
                    charts.append(self.find(str(definition["alert_id"])))
        return charts

    def state(self, key: str) -> str:
        """Return the worst state of a monitor's groups; No Data if none is known."""
        known = {str(value): value for value in State}
        return str(worst([known[value] for value in self.groups(key).values() if value in known]))

    def summary(self, search: str) -> list["Summed"]:
        """Return the monitors of a search: words of the name, `tag:`, `type:`, `status:`, tags.

        Raises:
            InputError: the search cannot be parsed.
        """
        rows = [self._summed(key, body) for key, body in self.bodies.items()]
        test = compile_search(search.strip() or "*")
        fitting = [row for row in rows if test(row.record())]
        if fitting or not self.sampled:
            return fitting
        made_up = {
            f"sample-{at}": {"name": f"Sample monitor {at}", "type": "metric alert"} for at in range(1, 7)
        }
        return [self._summed(key, body) for key, body in made_up.items()]

    def _summed(self, key: str, body: Mapping[str, Any]) -> "Summed":
        priority = body.get("priority")
        return Summed(
            key,
            str(body.get("name") or key),
            self.state(key),
            tuple(self.groups(key).values()),
            tuple(map(str, body.get("tags") or ())),
            str(body.get("type") or ""),
            f"p{priority}" if priority else "",
        )


def numbered(bodies: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], dict[int, str]]:
    """Replace `${monitor:KEY}` in the queries of composites by numbers; also return number -> key."""
    keys = {key: int(key) if key.isdigit() else OURS + at for at, key in enumerate(sorted(bodies))}

    def number(match: re.Match[str]) -> str:
        return str(keys.get(match[1], match[0]))

    filled = {
        key: {**body, "query": REFERENCE.sub(number, str(body.get("query") or ""))}
        for key, body in bodies.items()
    }
    return filled, {at: key for key, at in keys.items()}


@dataclass(frozen=True, slots=True)
class Summed:
    """A monitor in a summary: its state, and the states of its groups."""

    key: str
    name: str
    state: str
    groups: tuple[str, ...]
    tags: tuple[str, ...]
    type: str
    priority: str

    def record(self) -> Record:
        """Return the fields of a monitor that a search can match."""
        attributes = {
            "tag": list(self.tags),
            "status": self.state,
            "group_status": [self.state, *self.groups],
            "type": [self.type, self.type.removesuffix(" alert")],
            "priority": [self.priority, self.priority.removeprefix("p")],
            "muted": False,
        }
        return Record(0, f"{self.name} {self.key}", self.tags, attributes)
