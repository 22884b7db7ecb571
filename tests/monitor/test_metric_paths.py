"""Evaluating a whole span at once is the same as evaluating window by window, on what was known by then."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monitor_helpers import START

from monitoring.monitor.families import look_up
from monitoring.monitor.metric import Lookup, _Finder, find, merged, span_step
from monitoring.monitor.switches import Switches
from monitoring.monitor.windows import EvaluationWindow, evaluation_times
from monitoring.query import parse_monitor
from monitoring.query.series import Series
from monitoring.query.sources import SeriesSource

QUERIES = [
    "avg:a{*} by {g}",
    "sum:a{*}",
    "max:a{*} by {g}.rollup(max, 120)",
    "sum:c{*} by {g}.as_count()",
    "sum:c{*}.as_count() / sum:d{*}.as_count()",
    "100 * sum:c{*} by {g}.as_count().rollup(sum, 300) / sum:d{*} by {g}.as_count().rollup(sum, 300)",
    "sum:c{*} by {g}.as_rate()",
    "sum:c{*} by {g}.as_count() - timeshift(sum:c{*} by {g}.as_count(), -600)",
    "avg:a{*} by {g}.rollup(avg, 300) / timeshift(avg:a{*} by {g}.rollup(avg, 300), -900)",
    "cutoff_min(avg:a{*} by {g}, 2)",
    "avg:a{*} by {g} / avg:b{*} by {g}",
    "p95:dist{*} by {g}",
    "sum:dist{*}.as_count()",
    "avg:a{*} by {g}.fill(last)",
    "max:a{*}.rollup(max, 300).fill(last, 600)",
    "sum:c{*} by {g}.as_count().fill(zero)",
    "p50:dist{*} by {g}.rollup(300).fill(last, 900)",
    "max:a{*} by {g}.rollup(max, 300) / (max:b{*} by {g}.rollup(max, 300).fill(last, 1800) * 10)",
    "avg:a{*} by {g}.fill(null) + avg:b{*} by {g}.fill(zero, 120)",
]


def lookup(seconds, count, full, delay):
    times = evaluation_times(START, START + count * 60, 60)
    window = EvaluationWindow(seconds, "m")
    ends = times - delay
    return Lookup(window, times, window.starts(ends), ends, Switches(), 60 if full else None, silence=full)


@st.composite
def sources(draw):
    found = []
    for metric, kind in (
        ("a", "gauge"),
        ("b", "gauge"),
        ("c", "count"),
        ("d", "count"),
        ("dist", "distribution"),
    ):
        for tag in ("g:x", "g:y"):
            offsets = draw(st.lists(st.integers(-1000, 1900), max_size=25, unique=True))
            times = START + np.sort(np.array(offsets, dtype=np.int64))
            values = np.array(
                draw(st.lists(st.integers(0, 9), min_size=len(times), max_size=len(times))), float
            )
            found.append(Series(metric, (tag,), times, values, kind, 60 if kind == "count" else None))
    return SeriesSource(found)


@settings(max_examples=40, deadline=None)
@given(
    source=sources(),
    query=st.sampled_from(QUERIES),
    aggregation=st.sampled_from(["avg", "sum", "min", "max"]),
    seconds=st.sampled_from([60, 300, 900]),
    full=st.booleans(),
    delay=st.sampled_from([0, 60, 90]),
)
def test_a_span_gives_what_each_window_gives(source, query, aggregation, seconds, full, delay):
    node = parse_monitor(f"{aggregation}(last_5m):{query} > 1").query
    asked = lookup(seconds, 20, full, delay)
    fast = find(node, aggregation, source, asked)
    finder = _Finder(node, aggregation, source)
    slow = merged([finder.window(part) for part in asked.each()], asked)
    for group in fast.keys() | slow.keys():
        one, other = fast.get(group), slow.get(group)
        if one is None or other is None:
            assert not (one or other).points.any()
            continue
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12, err_msg=f"{query} {group}")
        np.testing.assert_array_equal(one.points, other.points)
        if full:
            np.testing.assert_array_equal(one.last[one.points], other.last[other.points])
            np.testing.assert_array_equal(one.full & one.points, other.full & other.points)


@pytest.mark.parametrize(
    ("query", "spans"),
    [
        ("avg:a{*}", True),
        ("sum:c{*}.as_count().rollup(sum, 3600)", True),
        ("cumsum(avg:a{*})", False),
        ("default_zero(avg:a{*})", False),
        ("fill(avg:a{*}, last)", False),
        ("avg:a{*}.fill(last)", True),
        ("avg:a{*}.fill(zero, 600)", True),
        ("avg:a{*}.fill(linear)", False),
        ("avg:a{*}.fill(600)", False),
        ("avg:a{*}.fill(last) / avg:b{*}.fill(linear)", False),
        ("avg:a{*}.fill(last) / avg:b{*}", True),
        ("avg:a{*}.rollup(avg, daily)", False),
        ("avg:a{*}.rollup(avg, 3600) - timeshift(avg:a{*}.rollup(avg, 3600), -600)", False),
    ],
)
def test_only_queries_whose_buckets_stand_alone_are_evaluated_at_once(query, spans):
    node = parse_monitor(f"avg(last_1h):{query} > 1").query
    assert bool(span_step(node, lookup(3600, 20, False, 0))) is spans


def test_a_zero_after_a_large_value_is_exactly_zero():
    values = np.array([1e15, 0.1, *[0.0] * 20])
    source = SeriesSource([Series("a", (), START + np.arange(22) * 60, values)])
    node = parse_monitor("sum(last_5m):sum:a{*} > 0")
    found = look_up(node, source, lookup(300, 20, False, 0))
    assert found[()].values[8:].tolist() == [0.0] * 13
