"""Recorded monitors: each is evaluated, or refused with a reason; none is a bug."""

import json

import numpy as np
import pytest
from monitor_helpers import START
from shared_data import shared_data

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.query import Metric, MetricMonitor, parse_monitor, walk
from monitoring.query.series import Series

STAND_INS = {"anomalies": "median-band", "forecast": "linear-trend"}


def bodies():
    for name in ("monitors.jsonl", "accepted_monitors.jsonl"):
        for line in shared_data(name).read_text().splitlines():
            row = json.loads(line)
            yield row.get("request", row)


def submitted(node):
    """Half an hour of points for two groups of every metric that the query names."""
    times = START + np.arange(30) * 60
    metrics = {each.name: each for each in walk(node.query) if isinstance(each, Metric)}
    for metric in metrics.values():
        percentile = (metric.aggregator or "")[1:2].isdigit()
        kind = "count" if metric.modifier("as_count") else "distribution" if percentile else "gauge"
        for value in ("a", "b"):
            tags = tuple(f"{key}:{value}" for key in metric.by)
            yield Series(metric.name, tags, times, np.arange(30.0), kind, 60 if kind == "count" else None)


def test_every_recorded_metric_monitor_is_evaluated():
    evaluated = 0
    for body in bodies():
        monitor = Monitor.from_body(body, "m")
        node = parse_monitor(monitor.query)
        if not isinstance(node, MetricMonitor):
            continue
        setting = Setting(stand_in=STAND_INS)
        evaluate_monitor(monitor, Data(list(submitted(node))), START, START + 1800, setting)
        evaluated += 1
    assert evaluated > 300


def test_monitors_of_other_types_are_refused_by_name():
    refused = set()
    for body in bodies():
        if body["type"] in {"rum alert", "cost alert", "data-quality alert"}:
            with pytest.raises(InputError) as caught:
                evaluate_monitor(Monitor.from_body(body, "m"), Data(), START, START + 600)
            refused.add(caught.value.message)
    assert refused
    assert all("cannot be evaluated offline" in message for message in refused)


def test_a_formula_over_metric_queries_is_evaluated():
    body = {
        "type": "query alert",
        "query": 'formula("a / b").rollup("sum").last("5m") > 1',
        "options": {
            "variables": [
                {"data_source": "metrics", "name": "a", "query": "sum:x{*}.as_count()"},
                {"data_source": "metrics", "name": "b", "query": "sum:y{*}.as_count()"},
            ]
        },
    }
    times = START + np.arange(10) * 60
    found = [
        Series(name, (), times, np.full(10, value), "count", 60) for name, value in (("x", 6.0), ("y", 3.0))
    ]
    history = evaluate_monitor(Monitor.from_body(body, "m"), Data(found), START, START + 600)
    assert history.verdict("*", 10).value == 2
    assert str(history.verdict("*", 10).state) == "Alert"
