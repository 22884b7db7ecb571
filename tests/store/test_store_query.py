"""A store answers queries as series in memory do."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.query import evaluate
from monitoring.query.series import Series
from monitoring.store import Store
from monitoring.store.query_source import StoreSource

QUERIES = [
    "avg:m{*}",
    "sum:m{env:a} by {host}",
    "max:m{!env:a}.rollup(min, 7)",
    "sum:m{*}.as_count()",
    "count:m{*}",
    "avg:m{host:h*} by {env} / sum:m{*}",
    "p50:d{*} by {env}",
    "sum:d{env:b}.as_count()",
    "sum:m{*}.rollup(sum, daily)",
]
POINTS = st.dictionaries(st.integers(0, 300), st.integers(-50, 50), max_size=12)
SOURCE = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["", "h1", "h2"]))


@st.composite
def many(draw):
    series = {}
    for metric, kinds in (("m", ("gauge", "count", "rate")), ("d", ("distribution",))):
        kind = draw(st.sampled_from(kinds))
        for env, host in draw(st.sets(SOURCE, max_size=4)):
            points = draw(POINTS)
            if points:
                times = np.array(sorted(points), np.int64) + 1_700_000_000
                values = np.array([points[key] for key in sorted(points)], np.float64)
                series[metric, env, host] = Series(
                    metric,
                    (f"env:{env}",),
                    times,
                    values,
                    kind,
                    10 if kind in {"count", "rate"} else None,
                    host,
                )
    return list(series.values())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(many(), st.sampled_from(QUERIES), st.integers(0, 100))
def test_the_store_and_series_in_memory_answer_alike(series, query, start):
    window = (1_700_000_000 + start, 1_700_000_000 + start + 200)
    with Store.open() as store:
        store.add_points(one for one in series if one.type != "distribution")
        store.add_samples(one for one in series if one.type == "distribution")
        got = evaluate(query, StoreSource(store), *window)
    wanted = evaluate(query, series, *window)
    assert [(a.scope, a.interval, a.times.tolist()) for a in got] == [
        (a.scope, a.interval, a.times.tolist()) for a in wanted
    ]
    for one, other in zip(got, wanted, strict=True):
        assert one.values == pytest.approx(other.values)
