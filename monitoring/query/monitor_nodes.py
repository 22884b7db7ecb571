"""Define the nodes of monitor queries, one class per family, with `kind`, `operator` and `threshold`."""

from dataclasses import dataclass
from typing import Literal

from monitoring.query.nodes import Expression, Placed

Operator = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Window(Placed):
    """`last_5m`, `next_1w`, `current_1d`: `seconds` is its length (for `current_…`, of the whole period)."""

    tense: Literal["last", "next", "current"]
    count: int
    unit: Literal["m", "h", "d", "w", "mo"]

    @property
    def seconds(self) -> int:
        """The length in seconds; a month is 730 hours, the longest window that Datadog accepts."""
        return self.count * UNIT_SECONDS[self.unit]


UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 730 * 3600}


@dataclass(frozen=True, slots=True)
class Change(Placed):
    """`change(avg(last_5m),last_1h)`: against the query `shift` ago; `relative` for `pct_change`."""

    relative: bool
    shift: Window
    ago: bool = False


@dataclass(frozen=True, slots=True)
class Algorithm(Placed):
    """`anomalies(query, 'basic', 2, direction='above')`, outliers or forecast, with its arguments by name."""

    name: Literal["anomalies", "outliers", "forecast"]
    query: Expression
    method: str
    deviations: float | None
    options: tuple[tuple[str, str | float], ...] = ()

    def option(self, name: str, default: str = "") -> str | float:
        """Return the named argument, or the default."""
        return dict(self.options).get(name, default)


@dataclass(frozen=True, slots=True)
class MetricMonitor(Placed):
    """`aggregation(window):query operator threshold`.

    `kind` is "metric", "change", "anomaly", "outlier" or "forecast". `query` is the whole expression;
    `algorithm` and `change` are the functions around it. `threshold` is None if the query has the word
    `threshold` (then options.thresholds.critical_query is used).
    """

    kind: Literal["metric", "change", "anomaly", "outlier", "forecast"]
    aggregation: str
    window: Window
    query: Expression
    operator: Operator
    threshold: float | None
    change: Change | None = None
    algorithm: Algorithm | None = None


@dataclass(frozen=True, slots=True)
class SearchMonitor(Placed):
    """`logs("search").index("main").rollup("count", "@facet").by("a,b").last("5m") operator threshold`.

    `source` is the word before the bracket: logs, events, rum, ci-pipelines, ci-tests, error-tracking, …;
    `others` are methods of some sources only, such as `.source("all").new()` of error-tracking.
    """

    source: str
    search: str
    index: tuple[str, ...]
    rollup: tuple[str, ...]
    by: tuple[str, ...]
    window: Window
    operator: Operator
    threshold: float | None
    others: tuple[tuple[str, tuple[str, ...]], ...] = ()
    kind: Literal["search"] = "search"


@dataclass(frozen=True, slots=True)
class FormulaMonitor(Placed):
    """`formula("query1 / query2").rollup("sum").last("5m") operator threshold`.

    The queries are in options.variables. `anomaly` are the arguments of `.anomaly(…)`, if there are any.
    """

    formula: Expression
    rollup: tuple[str, ...]
    by: tuple[str, ...]
    window: Window
    operator: Operator
    threshold: float | None
    anomaly: tuple[tuple[str, str | float], ...] | None = None
    kind: Literal["formula"] = "formula"


@dataclass(frozen=True, slots=True)
class CheckMonitor(Placed):
    """`"check".over("tag").by("key").last(4).count_by_status()`; thresholds are in the options."""

    check: str
    over: tuple[str, ...]
    exclude: tuple[str, ...]
    by: tuple[str, ...]
    last: int | None
    function: Literal["count_by_status", "pct_by_status"]
    kind: Literal["service check"] = "service check"
    operator: Operator | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessMonitor(Placed):
    """`processes("search").over("tag").by("key").rollup("count").last("5m") operator threshold`."""

    search: str
    over: tuple[str, ...]
    by: tuple[str, ...]
    rollup: tuple[str, ...]
    window: Window
    operator: Operator
    threshold: float | None
    kind: Literal["process"] = "process"


@dataclass(frozen=True, slots=True)
class SloMonitor(Placed):
    """`error_budget("id").over("7d") operator threshold`, or `burn_rate(…)` with its two windows."""

    function: Literal["error_budget", "burn_rate"]
    slo: str
    over: Window
    operator: Operator
    threshold: float | None
    long_window: Window | None = None
    short_window: Window | None = None
    kind: Literal["slo"] = "slo"


@dataclass(frozen=True, slots=True)
class Member(Placed):
    """A monitor that a composite refers to by its id."""

    id: int


@dataclass(frozen=True, slots=True)
class Opposite(Placed):
    """`!member`."""

    member: "Composition"


@dataclass(frozen=True, slots=True)
class Combined(Placed):
    """`left && right`, or `left || right`."""

    operator: Literal["&&", "||"]
    left: "Composition"
    right: "Composition"


Composition = Member | Opposite | Combined


@dataclass(frozen=True, slots=True)
class CompositeMonitor(Placed):
    """`1234 && !5678`."""

    expression: Composition
    kind: Literal["composite"] = "composite"
    operator: Operator | None = None
    threshold: float | None = None

    @property
    def members(self) -> tuple[int, ...]:
        """The distinct ids in the order of the text."""
        ids: dict[int, None] = {}
        left: list[Composition] = [self.expression]
        while left:
            node = left.pop()
            if isinstance(node, Member):
                ids[node.id] = None
            else:
                left.extend((node.member,) if isinstance(node, Opposite) else (node.right, node.left))
        return tuple(ids)


@dataclass(frozen=True, slots=True)
class SyntheticsMonitor(Placed):
    """`no_query`, the query of the monitor of a synthetic test."""

    kind: Literal["synthetics"] = "synthetics"
    operator: Operator | None = None
    threshold: float | None = None


MonitorQuery = (
    MetricMonitor
    | SearchMonitor
    | FormulaMonitor
    | CheckMonitor
    | ProcessMonitor
    | SloMonitor
    | CompositeMonitor
    | SyntheticsMonitor
)
