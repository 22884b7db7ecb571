"""What a widget's requests amount to: lines over time, or values by group, from whatever source of points."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from monitoring.preview.charts.shapes import Line, Row, Style
from monitoring.preview.variables import Variable, put_in
from monitoring.query import Answer, QueryError, evaluate, parse, reduce_line, walk
from monitoring.query.nodes import Metric
from monitoring.query.scalars import scalar_results
from monitoring.query.sources import Source
from monitoring.values import dataclass

Request = Mapping[str, Any]

BARS = ((3600, 60), (14400, 120), (86400, 1200), (172800, 1800), (604800, 7200), (2678400, 43200))
"""(timeframe, width of a bar), in seconds."""


class UndrawableError(Exception):
    """Why a widget cannot be drawn here; the widget shows it in its place."""


@dataclass(frozen=True, slots=True)
class Data:
    """A source, the time to look at, the values of template variables, and the units of metrics."""

    source: Source
    start: int
    end: int
    variables: Mapping[str, Variable] = field(default_factory=dict)
    unit_of: Callable[[str], str] = lambda _: ""

    def lines(self, request: Request) -> list[Line]:
        """Every series of a request, in the order of its formulas."""
        style = _style(request)
        interval = self._bar() if style.display == "bars" else None
        return [
            Line(ask.label(answer), answer.times, answer.values, answer.interval, ask.unit, style)
            for ask in self.asks(request)
            for answer in self.answers(ask, interval)
        ]

    def _bar(self) -> int:
        """The width of a bar in seconds: the table in Datadog's page on rollup."""
        span = self.end - self.start
        return next((width for timeframe, width in BARS if span <= timeframe), BARS[-1][1])

    def rows(self, request: Request, aggregator: str = "avg") -> list[Row]:
        """Every group of a request's first formula with its value over the window."""
        asks = self.asks(request)
        return self.reduced(asks[0], aggregator) if asks else []

    def columns(self, request: Request, aggregator: str = "avg") -> list[tuple[str, str, dict[str, float]]]:
        """(heading, unit, group -> value) of every formula."""
        return [
            (ask.heading, ask.unit, {row.name: row.values[0] or 0.0 for row in self.reduced(ask, aggregator)})
            for ask in self.asks(request)
        ]

    def reduced(self, ask: "Ask", aggregator: str) -> list[Row]:
        """Groups with one value each, sorted and limited as the formula says.

        Every query is reduced by its own aggregator, and the formula works on what comes out.
        """
        found = self._of_formula(ask, aggregator) if ask.queries else self._of_query(ask, aggregator)
        rows = [
            Row(", ".join(map(short, tags)) or ask.heading, (value,), ask.unit)
            for tags, value in found.items()
            if np.isfinite(value)
        ]
        rows.sort(key=lambda row: row.values[0] or 0.0, reverse=ask.descending or not ask.limit)
        return rows[: ask.limit] if ask.limit else rows

    def _of_query(self, ask: "Ask", aggregator: str) -> dict[tuple[str, ...], float]:
        by = ask.aggregator or aggregator
        return {one.tag_set: reduce_line(one.values, by, one.interval) for one in self.answers(ask)}

    def _of_formula(self, ask: "Ask", aggregator: str) -> dict[tuple[str, ...], float]:
        queries = [
            {"name": name, "query": text, "aggregator": ask.aggregators.get(name) or aggregator}
            for name, text in ask.queries.items()
        ]
        _, results = scalar_results(queries, [{"formula": ask.expression}], self.source, self.start, self.end)
        return results[0][1]

    def answers(self, ask: "Ask", interval: int | None = None) -> list[Answer]:
        """The evaluator's answers.

        Raises:
            QueryError: the query cannot be read or evaluated.
        """
        return evaluate(ask.expression, self.source, self.start, self.end, interval, queries=ask.queries)

    def asks(self, request: Request) -> list["Ask"]:
        """What a request asks for: its `q`, or its formulas over its queries.

        Raises:
            UndrawableError: it asks for what is no metric.
        """
        if isinstance(request.get("q"), str):
            text = put_in(request["q"], self.variables)
            return [Ask(text, text, {}, self._unit([text]), str(request.get("aggregator") or ""))]
        queries = self._queries(request)
        unit = self._unit(list(queries.values()))
        given = [one for one in request["queries"] if isinstance(one, Mapping)]
        reducers = {str(one.get("name")): str(one.get("aggregator") or "") for one in given}
        formulas = [one for one in request.get("formulas") or [] if isinstance(one, Mapping)]
        if not formulas:
            return [Ask(text, text, {}, unit, reducers[name]) for name, text in queries.items()]
        return [_formula(one, queries, unit, reducers) for one in formulas]

    def _queries(self, request: Request) -> dict[str, str]:
        queries = [one for one in request.get("queries") or [] if isinstance(one, Mapping)]
        if not queries:
            raise UndrawableError("The widget has no query that could be evaluated.")
        other = sorted({str(one.get("data_source")) for one in queries} - {"metrics", "cloud_cost"})
        if other:
            raise UndrawableError(f"Asks for {', '.join(other)}: no metrics, shown in Datadog only.")
        return {str(one.get("name")): put_in(str(one.get("query")), self.variables) for one in queries}

    def _unit(self, queries: Sequence[str]) -> str:
        """The unit that all metrics share; counts of events and ratios have none."""
        units = set()
        for text in queries:
            try:
                units |= {self.unit_of(node.name) for node in walk(parse(text)) if isinstance(node, Metric)}
            except QueryError:
                return ""
        return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One expression to evaluate, and how its answers are called, reduced and limited."""

    expression: str
    heading: str
    queries: Mapping[str, str]
    unit: str = ""
    aggregator: str = ""
    alias: str = ""
    aggregators: Mapping[str, str] = field(default_factory=dict)
    limit: int = 0
    descending: bool = True

    def label(self, answer: Answer) -> str:
        """What a line is called in a legend: its alias and its group, else its query."""
        tags = ", ".join(map(short, answer.tag_set))
        return " · ".join(part for part in (self.alias, tags) if part) or self.heading


def definitions(widgets: Any) -> Iterator[Mapping[str, Any]]:
    """The definition of every widget, those inside groups included."""
    for one in widgets if isinstance(widgets, list) else []:
        definition = one.get("definition") if isinstance(one, Mapping) else None
        if isinstance(definition, Mapping):
            yield definition
            yield from definitions(definition.get("widgets"))


def short(tag: str) -> str:
    """A tag as people tell it from its neighbours: of an ARN, the name at its end."""
    key, colon, value = tag.partition(":")
    return (
        f"{key.removesuffix('arn')}:{value.rpartition(':')[2]}"
        if value.startswith("arn:")
        else key + colon + value
    )


def _formula(
    one: Mapping[str, Any], queries: Mapping[str, str], unit: str, reducers: Mapping[str, str]
) -> Ask:
    expression, alias = str(one.get("formula")), str(one.get("alias") or "")
    given = one.get("limit")
    limit = given if isinstance(given, Mapping) else {}
    count = limit.get("count")
    return Ask(
        expression,
        alias or queries.get(expression, expression),
        queries,
        _stated_unit(one) or ("" if "/" in expression else unit),
        alias=alias,
        aggregators=reducers,
        limit=count if isinstance(count, int) else 0,
        descending=limit.get("order") != "asc",
    )


def _stated_unit(formula: Mapping[str, Any]) -> str:
    """The unit that a formula's number format names."""
    unit = (formula.get("number_format") or {}).get("unit") or {}
    return str(unit.get("unit_name") or "") if unit.get("type") == "canonical_unit" else ""


def _style(request: Request) -> Style:
    given = request.get("style")
    style = given if isinstance(given, Mapping) else {}
    return Style(
        display=str(request.get("display_type") or "line"),
        palette=str(style.get("palette") or "dog_classic"),
        line_type=str(style.get("line_type") or "solid"),
        line_width=str(style.get("line_width") or "normal"),
        right_axis=bool(request.get("on_right_yaxis")),
    )
