"""A query over the store answers what it answers over the same series in memory."""

import numpy as np
import pytest
from query_cases import START, ask, distribution, series

from monitoring.cli import main
from monitoring.query import evaluate
from monitoring.query.evaluation import evaluate_lines
from monitoring.store import Store
from monitoring.store.query_source import StoreSource

DATA = [
    *(
        series("m", f"env:{env} host:h{at}", [at + 1, None, 3 * at, 4, None, 2.5, 1], every=30 + at)
        for at in range(6)
        for env in ("prod", "dev")
    ),
    series("c", "env:prod", [1, 2, 3, 4], type="count", interval=60),
    series("r", "env:prod", [0.5, 0.25], type="rate", interval=10, every=10),
    distribution("d", "env:prod", [1, 5, 2, 2]),
    distribution("d", "env:dev", [9, 1], START + 100),
    series("other", "", [1]),
]
QUERIES = [
    "avg:m{*}",
    "sum:m{env:prod} by {host}",
    "max:m{host:h1 OR host:h4} by {env}.rollup(min, 120)",
    "count:m{!env:dev}.rollup(count, 60)",
    "sum:m{*}.fill(last, 90)",
    "sum:c{*}.as_count() / sum:m{env:prod}.as_count()",
    "sum:c{*}.as_rate()",
    "sum:r{*}.as_count()",
    "avg:d{*}",
    "p95:d{*} by {env}",
    "count(v: v>=2):d{*}",
    "default_zero(sum:d{env:prod})",
    "diff(sum:m{*} by {host})",
    "avg:nothing{*}",
]


@pytest.fixture(scope="module")
def store():
    with Store.open() as opened:
        opened.add_points([each for each in DATA if each.type != "distribution"])
        opened.add_samples([each for each in DATA if each.type == "distribution"])
        yield opened


@pytest.mark.parametrize("query", QUERIES)
def test_the_store_and_memory_agree(store, query):
    assert ask(query, StoreSource(store), 400, 20) == ask(query, DATA, 400, 20)


@pytest.mark.parametrize("query", QUERIES)
def test_they_agree_on_what_a_monitor_sees(store, query):
    ours = evaluate_lines(query, StoreSource(store), START, START + 200)
    theirs = evaluate_lines(query, DATA, START, START + 200)
    assert ours.groups == theirs.groups
    assert ours.times.tolist() == theirs.times.tolist()
    assert np.array_equal(np.round(ours.values, 9), np.round(theirs.values, 9), equal_nan=True)


def test_calendar_buckets_work_over_the_store(store):
    query = "sum:c{*}.rollup(sum, daily)"
    found = evaluate(query, StoreSource(store), START - 86400, START + 86400)
    assert [each.values.tolist() for each in found] == [[10.0]]


def test_the_command_reads_a_database(tmp_path, capsys):
    file = tmp_path / "points.duckdb"
    with Store.open(file) as opened:
        opened.add_points([series("m", "a:b", [1, 2, 3])])
    with pytest.raises(SystemExit) as ended:
        main(["query", "sum:m{a:b}.rollup(sum, 300)", "--data", str(file)])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split()[-1] == "6"
