"""Generate monitors and graphs for the metrics in a project's catalogue."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.discovery.found import DiscoveredResources
from monitoring.discovery.tailored import (
    Further,
    case_text,
    json_text,
    monitor_options,
    monitor_rest,
    slug,
    tests_text,
)
from monitoring.discovery.watches import FUNCTIONS
from monitoring.resources.own_metrics import OwnMetric, OwnMetrics

METRICS = "metrics"
"""The list of application.toml that holds the counts of the project."""

_FAILURES = re.compile(
    r"(?:^|[._])(?:broken|denied|dropped|errors?|exceptions?|fail(?:ed|s|ures?)?|invalid|lost|miss(?:ed|ing)"
    r"|refused|rejected|timeouts?|unpaid)(?:$|[._])"
)
"""Words of a name that make its count one of failures."""

_MOST_GRAPHS = 24
_MOST_LINES = 10
_TILE = {"width": 4, "height": 3}

Values = dict[str, str | int | bool]


def claiming(own: OwnMetrics, application: DiscoveredResources) -> Further:
    """Return `claims` for each function with a verified claim; all if the catalogue has no names."""
    claims = [metric for name, metric in own.metrics.items() if name.startswith("claims.")]
    if not claims:
        return {}
    names = {function.lower() for metric in claims for function in metric.functions}
    return {name: {"claims": True} for name in names or {item.name.lower() for item in application.functions}}


def metric_entries(own: OwnMetrics, application: DiscoveredResources) -> dict[str, Values]:
    """Return the entries of the list of counts: metric, emitting functions, and whether it counts failures.

    Args:
        own: the catalogue.
        application: what the template describes; functions that it does not have are left out.
    """
    entries: dict[str, Values] = {}
    for name, metric in sorted(own.metrics.items()):
        if metric.type != "count" or name.startswith("claims.") or not application.functions:
            continue
        emitters = [item.scope for item in application.functions if _emits(item.name, metric)]
        entry = slug(name)
        while entry in entries:
            entry += "-2"
        scopes = emitters or [item.scope for item in application.functions]
        scope = scopes[0] if len(scopes) == 1 else f"({' OR '.join(scopes)})"
        failing = _FAILURES.search(name.lower())
        kind = "failures" if failing else "steady" if emitters else "unwatched"
        if kind != "unwatched":
            entries[entry] = {"metric": name, "scope": scope, kind: True}
    return entries


def _emits(function: str, metric: OwnMetric) -> bool:
    parts = re.split(r"\$\{[^}]*\}|\*", function.lower())
    pattern = ".*".join(map(re.escape, parts))
    return any(re.fullmatch(pattern, name.lower()) for name in metric.functions)


def metric_files(entries: Mapping[str, Values]) -> Iterator[tuple[str, str]]:
    """Yield path and text of the monitors over the entries, and of their tests."""
    first: dict[str, str] = {}
    for values in entries.values():
        for kind in _KEYS:
            if values.get(kind):
                first.setdefault(kind, str(values["metric"]))
    if "failures" in first:
        query = f"sum(last_15m):sum:${{var:metric|{first['failures']}}}{_SCOPE}.as_count()"
        words = "counted {{value}} within 15 minutes."
        yield from _monitor(
            "failures", "counts failures", f"{query} > ${{var:least_failures|0}}", words, delay=False
        )
        count = [("shop.failed", "_x39 9 _x80")]
        cases = [
            case_text("it fires", count, "alerts_within: 20m\n        of: 39m", "recovers_by: 119m"),
            case_text("no failure is fine", [("shop.failed", "0x120")], "never: Alert"),
        ]
        yield _tests("failures", "shop.failed", cases)
    if "steady" in first:
        query = (
            f"sum(last_1h):sum:aws.lambda.invocations{_SCOPE}.as_count()"
            f" - 1000000 * sum:${{var:metric|{first['steady']}}}{_SCOPE}.as_count()"
        )
        words = "{{value}} calls within an hour, and nothing is counted."
        yield from _monitor(
            "steady", "counts no more", f"{query} > ${{var:uncounted_calls|10}}", words, delay=True
        )
        calls, counted = ("aws.lambda.invocations", "1x180"), ("shop.orders", "1x60 _x120")
        cases = [
            case_text("it fires where calls go on", [calls, counted], "alerts_within: 80m\n        of: 60m"),
            case_text("calls that count are fine", [calls, ("shop.orders", "1x180")], "never: Alert"),
            case_text("without calls nothing is missing", [counted], "never: Alert"),
        ]
        yield _tests("steady", "shop.orders", cases, until="180m")


_SCOPE = "{${var:scope|functionname:*}}"
_KEYS = {"failures": "metrics-failures", "steady": "metrics-stopped"}


def _monitor(kind: str, name: str, query: str, words: str, *, delay: bool) -> Iterator[tuple[str, str]]:
    threshold = query.rpartition(" > ")[2]
    body = {
        "for_each": f"{METRICS} where {kind}",
        "name": f"${{var:each}}: {name}",
        "type": "query alert",
        "query": query,
        **monitor_rest(FUNCTIONS, words, pages=False),
        "options": {"thresholds": {"critical": threshold}, **monitor_options(delay=delay)},
    }
    body["message"] = str(body["message"]).replace("${dashboard:lambda-function}", "${dashboard:business}")
    body["tags"] = ["made-by:stepscope", "pipeline:business"]
    yield f"monitors/{_KEYS[kind]}.json", json_text(body)


def _tests(kind: str, metric: str, cases: list[str], until: str = "120m") -> tuple[str, str]:
    variables = {"scope": "functionname:x", "metric": metric}
    text = tests_text(variables, cases).replace("until: 120m", f"until: {until}")
    return f"monitors/{_KEYS[kind]}.test.yaml", text


def metric_graphs(own: OwnMetrics) -> list[dict[str, Any]]:
    """Return a graph for each metric of the catalogue, laid out in rows of three."""
    names = [name for name in sorted(own.metrics) if not name.startswith("claims.")][:_MOST_GRAPHS]
    return [
        {
            "definition": _graph(name, own.metrics[name]),
            "layout": {"x": place % 3 * 4, "y": place // 3 * 3, **_TILE},
        }
        for place, name in enumerate(names)
    ]


def _graph(name: str, metric: OwnMetric) -> dict[str, Any]:
    few = [(count, key) for key, count in metric.tags.items() if 1 < count <= _MOST_LINES]
    by = f" by {{{max(few)[1]}}}" if few else ""
    where = "{$env,$service,$statemachine,$function}"
    single = "count" if metric.type == "count" else "gauge" if metric.type in {"gauge", "check"} else "spread"
    texts = {
        "count": {"": f"sum:{name}{where}{by}.as_count()"},
        "gauge": {"": f"avg:{name}{where}{by}"},
        "spread": {"median": f"p50:{name}{where}", "p95": f"p95:{name}{where}", "max": f"max:{name}{where}"},
    }[single]
    queries = [
        {"data_source": "metrics", "name": f"query{number}", "query": text}
        for number, text in enumerate(texts.values(), 1)
    ]
    formulas = [
        {"formula": f"query{number}", **({"alias": alias} if alias else {})}
        for number, alias in enumerate(texts, 1)
    ]
    request = {
        "response_format": "timeseries",
        "queries": queries,
        "formulas": formulas,
        "style": {"palette": "dog_classic" if single == "count" else "purple", "line_type": "solid"},
        "display_type": "bars" if single == "count" else "line",
    }
    title = f"{name} ({metric.unit})" if metric.unit else name
    split = f" by {max(few)[1]}" if few and single != "spread" else ""
    legend = {"show_legend": True, "legend_layout": "auto", "legend_columns": ["avg", "max", "value"]}
    return {"type": "timeseries", "title": title + split, **legend, "requests": [request]}
