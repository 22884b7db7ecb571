"""Evaluate a widget's requests into time series or scalar values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from monitoring.preview.charts.shapes import Line, Row, Style
from monitoring.preview.errors import UndrawableError
from monitoring.preview.facts import NOTHING, Facts
from monitoring.preview.log_queries import QueryContext, beside, counted, legacy
from monitoring.preview.variables import Variable, put_in
from monitoring.query import Answer, QueryError, evaluate, parse, reduce_line, walk
from monitoring.query.nodes import Metric
from monitoring.query.scalars import scalar_results
from monitoring.query.sources import Source

if TYPE_CHECKING:
    from monitoring.query.series import Series

Request = Mapping[str, Any]

BARS = ((3600, 60), (14400, 120), (86400, 1200), (172800, 1800), (604800, 7200), (2678400, 43200))
"""(timeframe, width of a bar), in seconds."""


@dataclass(frozen=True, slots=True)
class Data:
    """A source, a time range, the values of template variables, and the units of metrics."""

    source: Source
    start: int
    end: int
    variables: Mapping[str, Variable] = field(default_factory=dict)
    unit_of: Callable[[str], str] = lambda _: ""
    facts: Facts = NOTHING
    memo: dict[Any, list[Answer]] = field(default_factory=dict)
    """A cache of query results, because a page draws a wide widget twice."""

    def lines(self, request: Request) -> list[Line]:
        """Return every series of a request, in the order of its formulas."""
        style = _style(request)
        interval = self._bar() if style.display == "bars" else None
        return [
            Line(ask.label(answer), answer.times, answer.values, answer.interval, ask.unit, style)
            for ask in self.asks(request)
            for answer in self.answers(ask, interval)
        ]

    def _bar(self) -> int:
        """Return the width of a bar in seconds, from the table on Datadog's page about rollup."""
        span = self.end - self.start
        return next((width for timeframe, width in BARS if span <= timeframe), BARS[-1][1])

    def rows(self, request: Request, aggregator: str = "avg") -> list[Row]:
        """Return every group of a request's first formula with its value over the window."""
        asks = self.asks(request, scalar=True)
        return self.reduced(asks[0], aggregator) if asks else []

    def columns(self, request: Request, aggregator: str = "avg") -> list[tuple[str, str, dict[str, float]]]:
        """Return (heading, unit, group -> value) of every formula, in order."""
        return [
            (ask.heading, ask.unit, {row.name: row.values[0] or 0.0 for row in self.reduced(ask, aggregator)})
            for ask in self.asks(request, scalar=True)
        ]

    def reduced(self, ask: "Ask", aggregator: str) -> list[Row]:
        """Return the groups with one value each, sorted and limited by the formula's options.

        Every query is reduced by its own aggregator before the formula is evaluated.
        """
        values = self._of_formula(ask, aggregator) if ask.queries else self._of_query(ask, aggregator)
        rows = [
            Row(", ".join(map(short, tags)) or ask.heading, (value,), ask.unit)
            for tags, value in values.items()
            if np.isfinite(value)
        ]
        rows.sort(key=lambda row: row.values[0] or 0.0, reverse=ask.descending or not ask.limit)
        return rows[: ask.limit] if ask.limit else rows

    def _of_query(self, ask: "Ask", aggregator: str) -> dict[tuple[str, ...], float]:
        by = ask.aggregator or aggregator
        return {
            answer.tag_set: reduce_line(answer.values, by, answer.interval) for answer in self.answers(ask)
        }

    def _of_formula(self, ask: "Ask", aggregator: str) -> dict[tuple[str, ...], float]:
        queries = [
            {"name": name, "query": text, "aggregator": ask.aggregators.get(name) or aggregator}
            for name, text in ask.queries.items()
        ]
        _, results = scalar_results(
            queries,
            [{"formula": ask.expression}],
            ask.source or self.source,
            self.start,
            self.end,
            whole=ask.source is not None,
        )
        return results[0][1]

    def answers(self, ask: "Ask", interval: int | None = None) -> list[Answer]:
        """Evaluate an expression, or return the cached result.

        Raises:
            QueryError: the query cannot be read or evaluated.
        """
        place = (id(self.source), ask.expression, tuple(ask.queries.items()), self.start, self.end, interval)
        if ask.source is not None:
            return evaluate(ask.expression, ask.source, self.start, self.end, interval, queries=ask.queries)
        if place not in self.memo:
            self.memo[place] = evaluate(
                ask.expression, self.source, self.start, self.end, interval, queries=ask.queries
            )
        return self.memo[place]

    def asks(self, request: Request, *, scalar: bool = False) -> list["Ask"]:
        """Return the expressions of a request: its `q`, or its formulas over its queries.

        With `scalar`, records are counted over the whole time range, not by bucket.

        Raises:
            UndrawableError: the data are available only in Datadog.
            InputError: a search in it cannot be parsed.
        """
        if isinstance(request.get("q"), str):
            text = put_in(request["q"], self.variables)
            return [Ask(text, text, {}, self._unit([text]), str(request.get("aggregator") or ""))]
        known = self._known(_queries_of(request), scalar)
        formulas = [formula for formula in request.get("formulas") or [] if isinstance(formula, Mapping)]
        return [_formula(formula, known) for formula in formulas] or known.plain()

    def _known(self, queries: Sequence[Request], scalar: bool) -> "_Known":
        window = QueryContext(self.start, self.end, self.variables, self.facts)
        texts: dict[str, str] = {}
        units: set[str] = set()
        series: list[Series] = []
        for query in queries:
            name = str(query.get("name"))
            if query.get("data_source") in METRICS:
                texts[name] = put_in(str(query.get("query")), self.variables)
                units.add(self._unit([texts[name]]))
            else:
                other = counted(query, window, scalar=scalar)
                texts[name], series = other.text, [*series, *other.series]
                units.add(other.unit)
        return _Known(
            texts,
            units.pop() if len(units) == 1 else "",
            {str(query.get("name")): str(query.get("aggregator") or "") for query in queries},
            beside(self.source, series)
            if any(query.get("data_source") not in METRICS for query in queries)
            else None,
            {str(query.get("name")): _heading(query) or texts[str(query.get("name"))] for query in queries},
        )

    def _unit(self, queries: Sequence[str]) -> str:
        """Return the common unit of all metrics; counts of events and ratios have none."""
        units = set()
        for text in queries:
            try:
                units |= {self.unit_of(node.name) for node in walk(parse(text)) if isinstance(node, Metric)}
            except QueryError:
                return ""
        return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True, slots=True)
class Ask:
    """An expression, with the names, the reduction and the limit of its results."""

    expression: str
    heading: str
    queries: Mapping[str, str]
    unit: str = ""
    aggregator: str = ""
    alias: str = ""
    aggregators: Mapping[str, str] = field(default_factory=dict)
    limit: int = 0
    descending: bool = True
    source: Source | None = None

    def label(self, answer: Answer) -> str:
        """Return the name of a line in a legend: its alias and its group, else its query."""
        tags = ", ".join(map(short, answer.tag_set))
        return " · ".join(part for part in (self.alias, tags) if part) or self.heading


def definitions(widgets: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the definition of every widget, including those inside groups."""
    for widget in widgets if isinstance(widgets, list) else []:
        definition = widget.get("definition") if isinstance(widget, Mapping) else None
        if isinstance(definition, Mapping):
            yield definition
            yield from definitions(definition.get("widgets"))
            repeated = definition.get("source_widget_definition")
            if isinstance(repeated, Mapping):  # the repeated widget of a split graph
                yield repeated


def short(tag: str) -> str:
    """Return a tag in its short form: of an ARN, only the name at its end."""
    key, colon, value = tag.partition(":")
    return (
        f"{key.removesuffix('arn')}:{value.rpartition(':')[2]}"
        if value.startswith("arn:")
        else key + colon + value
    )


METRICS = frozenset({"metrics", "cloud_cost"})
"""The data sources whose queries are written in the query language."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The inputs of a request's formulas: queries, their unit and aggregators, the source."""

    queries: Mapping[str, str]
    unit: str
    aggregators: Mapping[str, str]
    source: Source | None
    headings: Mapping[str, str]

    def plain(self) -> list[Ask]:
        """Return the queries themselves, for a request without formulas."""
        return [
            Ask(text, self.headings[name], {}, self.unit, self.aggregators[name], source=self.source)
            for name, text in self.queries.items()
        ]


def _queries_of(request: Request) -> list[Request]:
    """Return the queries of a request; a request of the format before formulas is converted.

    Raises:
        UndrawableError: the request has no query.
    """
    queries = [query for query in request.get("queries") or [] if isinstance(query, Mapping)]
    older = legacy(request)
    if not queries and older is None:
        sources = [key.removesuffix("_query") for key in request if key.endswith("_query")]
        if sources:
            raise UndrawableError(f"Asks for {', '.join(sources)}: shown in Datadog only.")
        raise UndrawableError("The widget has no query that could be evaluated.")
    return queries or [older or {}]


def _heading(query: Request) -> str:
    """Return the default name of a query that has no alias; a metric query is named by its text."""
    if query.get("data_source") in METRICS:
        return ""
    search = query.get("search")
    words = search.get("query") if isinstance(search, Mapping) else query.get("measure") or query.get("stat")
    return f"{query.get('data_source')}: {words or '*'}"


def _formula(formula: Mapping[str, Any], known: _Known) -> Ask:
    expression, alias = str(formula.get("formula")), str(formula.get("alias") or "")
    limit_given = formula.get("limit")
    limit = limit_given if isinstance(limit_given, Mapping) else {}
    count = limit.get("count")
    return Ask(
        expression,
        alias or known.headings.get(expression, expression),
        known.queries,
        _stated_unit(formula) or ("" if "/" in expression else known.unit),
        alias=alias,
        aggregators=known.aggregators,
        limit=count if isinstance(count, int) else 0,
        descending=limit.get("order") != "asc",
        source=known.source,
    )


def _stated_unit(formula: Mapping[str, Any]) -> str:
    """Return the unit in a formula's number format."""
    unit = (formula.get("number_format") or {}).get("unit") or {}
    return str(unit.get("unit_name") or "") if unit.get("type") == "canonical_unit" else ""


def _style(request: Request) -> Style:
    body = request.get("style")
    style = body if isinstance(body, Mapping) else {}
    return Style(
        display=str(request.get("display_type") or "line"),
        palette=str(style.get("palette") or "dog_classic"),
        line_type=str(style.get("line_type") or "solid"),
        line_width=str(style.get("line_width") or "normal"),
    )
