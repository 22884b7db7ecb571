"""Generate logs, events, spans, checks and SLOs, the same every time, marked as samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data as MonitorData
from monitoring.monitor.evaluation import evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.search import Record, span_record
from monitoring.preview.data import definitions
from monitoring.preview.facts import Body, Facts, Test
from monitoring.preview.sample import sample_queries
from monitoring.preview.sample_records import EACH, Demand, chance_of, demands_of, fitted
from monitoring.preview.variables import as_search, variables_of
from monitoring.query.sources import SeriesSource, Source
from monitoring.resources.catalogue import MetricFacts

SERVICES = ("slides", "orders")
STATES = ("identify", "compare", "create document", "build")
LOGS = (
    ("info", "Sample: identified slide {n} of the talk in {ms} ms"),
    ("info", "Sample: state {state} entered"),
    ("warn", "Sample: slow answer of dynamodb.get_item: {ms} ms"),
    ("info", "Sample: published {n} pages"),
    ("error", "Sample: state {state} failed: Task timed out after 30.00 seconds"),
)
EVENTS = (
    ("info", "Sample: deployed version {n}"),
    ("warning", "Sample: {state} was throttled"),
    ("error", "Sample: execution run-{n} failed"),
    ("success", "Sample: execution run-{n} recovered"),
)
HOSTS = tuple(f"sample-{name}" for name in "abcd")
OBJECTIVE = {
    "name": "Sample objective",
    "type": "metric",
    "query": {"numerator": "sum:sample.good{*}.as_count()", "denominator": "sum:sample.all{*}.as_count()"},
    "thresholds": [{"timeframe": name, "target": 99.0, "warning": 99.5} for name in ("7d", "30d", "90d")],
    "tags": [],
}


def sample_facts(
    dashboard: Mapping[str, Any],
    known: Mapping[str, MetricFacts],
    slos: Mapping[str, Body],
    monitors: Mapping[str, Body],
) -> Facts:
    """Return facts for all widgets of a dashboard; an unknown SLO is replaced by a sample."""

    def points(queries: Sequence[str], start: int, end: int) -> Source:
        step = max(60, (end - start) // 2000 // 60 * 60)
        own = [query for query in queries if "sample.good" not in query and "sample.all" not in query]
        series = sample_queries(own, start, end, known, step)
        return SeriesSource(
            [*series, *_events_counted(start, end, step)] if len(own) < len(queries) else series
        )

    def history(key: str, start: int, end: int) -> History | None:
        body = monitors.get(key)
        if body is None:
            return None
        monitor = Monitor.from_body(body, key)
        series = sample_queries([monitor.query.partition(":")[2]], start - 3600, end, known, 300)
        return evaluate_monitor(monitor, MonitorData(series), start // 60 * 60, end // 60 * 60)

    return Facts(
        newest=_Records(demands_of(dashboard)).newest,
        checks=lambda start, end: _checks(dashboard, end),
        slos=_Objectives(slos),
        history=history,
        points=points,
        sampled=True,
    )


class _Objectives(dict[str, Body]):
    """The project's SLOs; any other id returns the sample, so that the widget can be drawn."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the SLO, or the sample."""
        return super().get(key, {**OBJECTIVE, "id": key})

    def items(self) -> Any:
        """Return every SLO; the sample if the project has none."""
        return super().items() or {"sample": OBJECTIVE}.items()


def _events_counted(start: int, end: int, step: int) -> Any:
    from monitoring.query.series import Series

    times = np.arange(start // step * step, end, step, dtype=np.int64)
    chance = chance_of("objective")
    every = chance.poisson(step / 6, times.size).astype(float)
    bad = np.where(chance.random(times.size) < 0.05, chance.binomial(every.astype(int), 0.09), 0)
    return (
        Series("sample.good", (), times, every - bad, "count", step),
        Series("sample.all", (), times, every, "count", step),
    )


BASE = 240
"""The number of records per kind that do not depend on a search."""
FIRST = 8
"""The number of a search's records that are tested to find the matching search."""


@dataclass(slots=True)
class _Records:
    """Generated records of each kind for a dashboard, cached by search and time range."""

    demands: Mapping[str, Demand]
    kept: dict[tuple[str, str, int, int], list[Record]] = field(default_factory=dict)

    def newest(self, kind: str, start: int, end: int, test: Test, most: int) -> Sequence[Record]:
        """Return the matching records, the newest first; if none matches, some with the same facets."""
        demand = self.demands.get(kind, Demand())
        fitting: list[Record] = []
        for search in {"": None, **demand.searches}:
            records = self.pool(kind, demand, search, start, end)
            if any(map(test, records[:FIRST])):
                fitting += [record for record in records if test(record)]
        fitting.sort(key=lambda record: -record.time)
        return (fitting or self.pool(kind, demand, "", start, end)[:12])[:most]

    def pool(self, kind: str, demand: Demand, search: str, start: int, end: int) -> list[Record]:
        """Return records that match one search, spread over the time range, the newest first."""
        place = (kind, search, start, end)
        if place not in self.kept:
            chance = chance_of(kind, search)
            count = EACH if search else BASE
            moments = np.sort(chance.integers(start, max(end, start + 1), count))[::-1].tolist()
            make = _MAKERS.get(kind, _log)
            plain = [make(moment, chance, at) for at, moment in enumerate(moments)]
            self.kept[place] = fitted(plain, kind, demand, search)
        return self.kept[place]


def _words(chance: np.random.Generator) -> dict[str, Any]:
    return {
        "n": int(chance.integers(1, 60)),
        "ms": int(chance.lognormal(5, 0.6)),
        "state": str(chance.choice(STATES)),
    }


def _log(moment: int, chance: np.random.Generator, at: int) -> Record:
    status, text = LOGS[int(chance.choice(len(LOGS), p=(0.4, 0.3, 0.1, 0.15, 0.05)))]
    service = str(chance.choice(SERVICES))
    words = _words(chance)
    attributes = {"status": status, "service": service, "source": "lambda", "host": str(chance.choice(HOSTS))}
    return Record(
        moment, text.format(**words), ("env:prod", "sample:true"), {**attributes, "duration": words["ms"]}
    )


def _event(moment: int, chance: np.random.Generator, at: int) -> Record:
    status, text = EVENTS[int(chance.integers(len(EVENTS)))]
    attributes = {"status": status, "source": "sample", "priority": "normal"}
    return Record(moment, text.format(**_words(chance)), ("env:prod", "sample:true"), attributes)


def _span(moment: int, chance: np.random.Generator, at: int) -> Record:
    """Return a span; most are children of the one before, so that a service map has edges."""
    layers = (("slides", "aws.stepfunctions"), ("identify-slide", "aws.lambda"), ("dynamodb", "get_item"))
    service, name = layers[at % 3]
    return span_record(
        {
            "trace_id": f"{at // 3:016x}",
            "span_id": f"{at + 1:016x}",
            "parent_id": f"{at if at % 3 else 0:016x}",
            "name": name,
            "service": service,
            "resource": f"Sample: {chance.choice(STATES)}",
            "start": moment * 1_000_000_000,
            "duration": int(chance.lognormal(17, 0.8)),
            "error": int(chance.random() < 0.04),
            "meta": {"env": "prod"},
        }
    )


_MAKERS = {"logs": _log, "events": _event, "spans": _span}


def _checks(dashboard: Mapping[str, Any], end: int) -> list[CheckSeries]:
    """Return a result from every sample host, with the tags that the widgets filter by."""
    checks, variables = [], variables_of(dashboard, {})
    for definition in definitions(dashboard.get("widgets")):
        if definition.get("type") != "check_status":
            continue
        name = str(definition.get("check"))
        tags = [
            as_search(str(tag), variables).lower()
            for tag in [*(definition.get("tags") or []), definition.get("group")]
        ]
        required = {tag for tag in tags if "*" not in tag and ":" in tag}
        chance = chance_of(name)
        for host in HOSTS:
            status = float(chance.choice(3, p=(0.8, 0.12, 0.08)))
            times = np.array([end - 30], np.int64)
            checks.append(
                CheckSeries(name, tuple(sorted({*required, f"host:{host}"})), times, np.array([status]))
            )
    return checks


def sample_states(key: str) -> Mapping[str, str]:
    """Return random states for a monitor; most are OK."""
    return {"*": str(chance_of(key).choice(("OK", "Warn", "Alert"), p=(0.84, 0.08, 0.08)))}
