"""The monitors that a dashboard can show: those of the project, by key and by id."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from typing import Any

from monitoring.preview.asking import UndrawableError, definitions
from monitoring.query import QueryError, parse_monitor
from monitoring.query import format as format_query
from monitoring.query.monitor_nodes import MetricMonitor
from monitoring.values import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """What a widget needs of a metric monitor."""

    name: str
    query: str
    aggregator: str
    operator: str
    thresholds: tuple[tuple[str, float], ...]

    def formats(self) -> list[dict[str, Any]]:
        """Conditional formats by its thresholds: red at critical, yellow at warning, green else."""
        palettes = {"critical": "white_on_red", "warning": "white_on_yellow"}
        found = [
            {"comparator": self.operator, "value": value, "palette": palettes[name]}
            for name, value in self.thresholds
            if name in palettes
        ]
        return [*found, {"comparator": "!=", "value": float("nan"), "palette": "white_on_green"}]


@dataclass(frozen=True, slots=True)
class Monitors:
    """Monitor bodies under the names by which a dashboard may mention them, and their states where known."""

    bodies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)

    def find(self, mention: str) -> Shown:
        """The monitor of an `alert_id`: an id, or `${monitor:KEY}`.

        Raises:
            UndrawableError: it is not known here, or is no metric monitor.
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
        given = (body.get("options") or {}).get("thresholds") or {}
        thresholds = {"critical": monitor.threshold, **given}
        return Shown(
            str(body.get("name") or key),
            format_query(monitor.query),
            monitor.aggregation,
            monitor.operator,
            tuple((name, float(value)) for name, value in thresholds.items() if value is not None),
        )

    def embedded(self, dashboard: Mapping[str, Any]) -> list[Shown]:
        """The metric monitors that a dashboard's widgets show."""
        found = []
        for definition in definitions(dashboard.get("widgets")):
            if "alert_id" in definition:
                with suppress(UndrawableError):
                    found.append(self.find(str(definition["alert_id"])))
        return found

    def summary(self, search: str) -> list[tuple[str, str]]:
        """(name, state) of the monitors whose name or tags hold every word of the search."""
        words = [word.lower() for word in search.split() if word not in {"*", "AND"}]
        found = []
        for key, body in self.bodies.items():
            text = " ".join([key, str(body.get("name")), *map(str, body.get("tags") or [])]).lower()
            if all(word.removeprefix("tag:").strip('"()') in text for word in words):
                found.append((str(body.get("name") or key), self.states.get(key, "No Data")))
        return found
