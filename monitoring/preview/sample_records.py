"""Generate records for a dashboard's searches, facets, measures and columns.

Every record has all facets and measures of the dashboard, and there are records for each search. So each
widget has some, and a wider search returns more than a narrower one. The records are the same every time.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monitoring.monitor.search import Record
from monitoring.preview.data import definitions
from monitoring.preview.drawing import requests_of
from monitoring.preview.variables import Variable, as_search, variables_of

EACH = 80
"""The number of records per search."""
KINDS = {"logs_stream": "logs", "event_stream": "events", "trace_stream": "spans"}
"""Data source of a list -> the kind of its records; any other source is a kind of its own."""
LEGACY = {"log_query": "logs", "event_query": "events", "apm_query": "spans"}
LISTS = {"log_stream": "logs", "event_stream": "events", "event_timeline": "events"}

VALUES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"country.*(iso|code)|iso_code", ("US", "DE", "FR", "GB", "JP", "BR", "IN")),
    (r"country", ("United States", "Germany", "France", "Japan", "Brazil")),
    (r"city", ("Amsterdam", "Baltimore", "Lyon", "Osaka")),
    (r"(^|[._-])ip(s|v4|_?addr\w*)?$", ("192.0.2.10", "192.0.2.77", "198.51.100.4", "203.0.113.25")),
    (r"status_?code|response_code", ("200", "200", "302", "404", "500")),
    (r"^status$|level$", ("info", "info", "warn", "error")),
    (r"severity|priority|risk", ("low", "medium", "high", "critical")),
    (r"method$", ("GET", "POST", "PUT", "DELETE")),
    (r"e-?mail|user|usr|actor|owner|sender", ("ada@example.com", "ben@example.com", "cleo@example.com")),
    (r"url|path|domain|referer", ("/", "/checkout", "/orders", "/login")),
    (r"host", tuple(f"sample-{name}" for name in "abcd")),
    (r"^service$", ("slides", "orders")),
    (r"^env$", ("prod",)),
)
"""Name of a facet -> its values; other facets get four values with their name."""

LEVELS: tuple[tuple[str, float], ...] = (
    (r"byte|size|length|mem", 50_000.0),
    (r"duration|latency|elapsed|time", 2e8),
    (r"percent|pct|ratio|score|rate", 60.0),
)
"""Name of a measure -> its usual value; others are about 20, and percentages are below 100."""

OWN_COLUMNS = frozenset(
    {
        *("", "timestamp", "date", "time", "status_line", "status", "content", "message", "host", "service"),
        *("source", "index", "tags", "title", "text", "env", "version", "duration", "resource_name", "name"),
        *("operation_name", "type", "error", "trace_id", "span_id", "event_type", "priority", "issue"),
    }
)
"""Columns of a list that every record has; a column with another name shows an attribute or a tag."""

_TERM = re.compile(
    r"(?P<not>-|\bNOT\s+)?(?P<field>@?[\w./-]+):"
    r"(?P<value>\"[^\"]*\"|\[[^\]]*\]|\([^()]*\)|[^\s()]+)|(?P<word>\S+)"
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(slots=True)
class Demand:
    """The requirements of a dashboard for one kind of records; facets in `unique` have distinct values."""

    searches: dict[str, None] = field(default_factory=dict)
    facets: dict[str, None] = field(default_factory=dict)
    measures: dict[str, None] = field(default_factory=dict)
    unique: dict[str, None] = field(default_factory=dict)


def demands_of(dashboard: Mapping[str, Any]) -> dict[str, Demand]:
    """Return kind of record -> requirements of the widgets."""
    variables = variables_of(dashboard, {})
    demands: dict[str, Demand] = {}
    for definition in definitions(dashboard.get("widgets")):
        for kind, query in _queries(definition):
            _add(demands.setdefault(kind, Demand()), query, variables)
    return demands


def _queries(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    kind = str(definition.get("type"))
    if kind in LISTS:
        yield LISTS[kind], {"search": definition.get("query"), "columns": definition.get("columns")}
    for request in requests_of(definition):
        queries = request.get("queries")
        inner = request.get("query")
        for query in [*(queries if isinstance(queries, list) else ()), inner]:
            if isinstance(query, Mapping):
                source = str(query.get("data_source"))
                shown = {"columns": request.get("columns"), "projection": request.get("projection")}
                yield KINDS.get(source, source), {**shown, **query}
        for key, legacy in LEGACY.items():
            query = request.get(key)
            if isinstance(query, Mapping):
                several = query.get("multi_compute")
                compute = query.get("compute") or (
                    several[0] if isinstance(several, list) and several else {}
                )
                yield legacy, {**query, "compute": compute}


def _add(demand: Demand, query: Mapping[str, Any], variables: Mapping[str, Variable]) -> None:
    search = query.get("search")
    text = search.get("query") if isinstance(search, Mapping) else search or query.get("query_string") or ""
    demand.searches[as_search(str(text or ""), variables)] = None
    compute = query.get("compute")
    if isinstance(compute, Mapping):
        metric = str(compute.get("metric") or compute.get("facet") or "").lstrip("@")
        aggregation = str(compute.get("aggregation") or "count")
        if metric and aggregation != "count":
            (demand.unique if aggregation == "cardinality" else demand.measures)[metric] = None
    for facet in _facets(query):
        name = facet.lstrip("@")
        (demand.measures if name.endswith("duration") else demand.facets)[name] = None
    projection = query.get("projection")
    dimensions = projection.get("dimensions") if isinstance(projection, Mapping) else ()
    for dimension in dimensions if isinstance(dimensions, list) else ():
        if isinstance(dimension, Mapping):
            kept = demand.measures if dimension.get("dimension") == "y" else demand.facets
            kept[str(dimension.get("column")).lstrip("@")] = None


def _facets(query: Mapping[str, Any]) -> Iterator[str]:
    """Yield the facets of the grouping and of the columns, in any of their forms."""
    group_by = query.get("group_by")
    fields = group_by.get("fields") if isinstance(group_by, Mapping) else group_by
    for item in fields if isinstance(fields, list) else ():
        facet = item.get("facet") if isinstance(item, Mapping) else item
        if isinstance(facet, str):
            yield facet
    columns = query.get("columns")
    for column in columns if isinstance(columns, list) else ():
        facet = column.get("field") if isinstance(column, Mapping) else column
        if isinstance(facet, str) and (facet.startswith("@") or "." in facet or facet not in OWN_COLUMNS):
            yield facet


def terms_of(search: str) -> tuple[dict[str, str], list[str]]:
    """Return the values of a search by field, and its words; only the first of alternatives."""
    values: dict[str, str] = {}
    words: list[str] = []
    for match in _TERM.finditer(search.replace("(@", "( @")):
        if match["field"] and not match["not"]:
            values.setdefault(match["field"].lstrip("@"), match["value"])
        elif match["word"] and match["word"].strip("()*") not in {"", "AND", "OR", "NOT"}:
            words.append(match["word"].strip('()"*'))
    return values, words


def chance_of(*names: str) -> np.random.Generator:
    """Return a random generator that is seeded by the names."""
    digest = hashlib.sha256("\n".join(names).encode(errors="replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def fitted(records: Sequence[Record], kind: str, demand: Demand, search: str) -> list[Record]:
    """Return the records with the facets and measures of a dashboard, and the values of a search."""
    count = len(records)
    columns: dict[str, Sequence[Any]] = {}
    for name in demand.facets:
        columns[name] = _chosen(name, count, chance_of(kind, name, search))
    for name in demand.measures:
        columns[name] = _measured(name, count, chance_of(kind, name, search))
    for name in demand.unique:
        columns.setdefault(name, [f"{_leaf(name)}-{at}" for at in range(count)])
    values, words = terms_of(search)
    for name, term in values.items():
        known = columns.get(name)
        columns[name] = [_fulfilled(name, term, known[at] if known else None, at) for at in range(count)]
    text = f" {' '.join(words)}" if words else ""
    return [
        replace(
            record,
            message=record.message + text,
            attributes={**record.attributes, **{name: column[at] for name, column in columns.items()}},
        )
        for at, record in enumerate(records)
    ]


def _leaf(name: str) -> str:
    return re.split(r"[./]", name)[-1] or name


def _chosen(name: str, count: int, chance: np.random.Generator) -> list[str]:
    """Return values of a facet; the first is the most frequent."""
    leaf = _leaf(name)
    values = next((known for pattern, known in VALUES if re.search(pattern, name, re.IGNORECASE)), None)
    values = values or tuple(f"{leaf}-{end}" for end in "abcd")
    return [values[at] for at in np.minimum(chance.geometric(0.45, count) - 1, len(values) - 1).tolist()]


def _measured(name: str, count: int, chance: np.random.Generator) -> list[float]:
    share = bool(re.search(LEVELS[2][0], name, re.IGNORECASE))
    level = next((value for pattern, value in LEVELS if re.search(pattern, name, re.IGNORECASE)), 20.0)
    values = level * chance.lognormal(0, 0.2 if share else 0.6, count)
    return [round(value, 2) for value in np.clip(values, 0, 100 if share else None).tolist()]


def _fulfilled(name: str, pattern: str, value: Any, at: int) -> Any:
    """Return a value that matches a term of a search: the given one if it matches."""
    text = pattern.strip()
    if text == "*":
        return f"{_leaf(name)}-{'abcd'[at % 4]}" if value is None else value
    if text.startswith("("):
        options = [
            term for term in re.findall(r'"[^"]*"|[^\s()"]+', text) if term not in {"OR", "AND", "NOT"}
        ]
        positive = [term for term in options if not term.startswith("-")] or ["sample"]
        text = positive[at % len(positive)]
    number = _NUMBER.search(text)
    if text[:1] in {"<", ">", "["} and number:
        bound = float(number[0])
        return bound + (1 if text[0] == ">" else -1 if text.startswith("<") else 0)
    return text.strip('"').replace("*", "sample").replace("\\", "")
