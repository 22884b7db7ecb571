"""A folder of Parquet files, queried where it lies: the same answers as from points in memory, reading only what is asked."""

import numpy as np
import pytest

from monitoring.errors import InputError
from monitoring.lines import Point
from monitoring.query import SeriesSource, evaluate
from monitoring.query.datafile import load
from monitoring.query.switches import Switches
from monitoring.replay.parquet import Partitions as Written
from monitoring.store import pooling
from monitoring.store.parquet_source import ParquetSource, Partitions, open_partitions

START, DAY = 1_700_006_400, 86_400


def write(folder, metric, rows, kind="distribution", part="0"):
    """Rows of (timestamp, value, tags), written as a replay writes them."""
    partitions = Written(folder, part, native=kind != "distribution")
    partitions.add(Point(metric, value, timestamp, kind, tuple(tags)) for timestamp, value, tags in rows)
    partitions.flush()


@pytest.fixture
def folder(tmp_path):
    """Three days, two metrics, sources with equal tags in another order, several points of one second."""
    paid = [
        (START + n * 997, float(n % 13), [f"zone:{n % 3}", f"host:h{n % 5}", "env:prod"]) for n in range(260)
    ]
    write(tmp_path, "shop.paid", paid)
    write(tmp_path, "shop.paid", [(START + 5, 7.0, ["zone:1", "host:h1", "env:prod"])] * 3, part="1")
    write(tmp_path, "shop.lost/x", [(START + DAY, 1.0, [])])
    return tmp_path


QUERIES = [
    "avg:shop.paid{*}",
    "sum:shop.paid{*}.as_count()",
    "max:shop.paid{zone:1} by {host}",
    "min:shop.paid{zone:1 OR host:h2} by {zone}",
    "count:shop.paid{*} by {zone}.as_count()",
    "avg:shop.paid{zone:9}",
    "sum:shop.paid{*} by {host}.rollup(sum, 7200)",
    "p50:shop.paid{*}",
    "avg:absent{*}",
]
TIMES = [
    (START, START + 3 * DAY),
    (START + 1000, START + DAY + 77),
    (START + 2 * DAY, START + 9 * DAY),
    (0, 10),
]


@pytest.mark.parametrize("times", TIMES, ids=["all", "a part", "the end", "before"])
@pytest.mark.parametrize("query", QUERIES)
def test_the_answers_are_those_of_points_in_memory(folder, query, times):
    start, end = times
    expected = evaluate(query, SeriesSource(load(folder).series), start, end, 3600)
    answers = evaluate(query, ParquetSource(Partitions(folder)), start, end, 3600)
    assert [(line.scope, list(line.times)) for line in answers] == [
        (line.scope, list(line.times)) for line in expected
    ]
    for line, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(line.values, wanted.values)


def test_only_the_days_and_the_metric_that_are_asked_for_are_read(folder):
    """Others may be broken."""
    for place in folder.glob("day=*"):
        (place / "metric=broken").mkdir()
        (place / "metric=broken" / "0-0000.parquet").write_bytes(b"no Parquet")
    source = ParquetSource(Partitions(folder))
    evaluate("avg:shop.paid{*}", source, START, START + DAY, 3600)
    days = sorted(folder.glob("day=*"))
    (days[-1] / "metric=shop.paid" / "0-0000.parquet").write_bytes(b"no Parquet")
    assert evaluate("avg:shop.paid{*}", source, START, START + DAY - 1, 3600)


def test_what_is_there_and_from_when_to_when(folder):
    partitions = Partitions(folder)
    assert partitions.metrics() == ["shop.lost/x", "shop.paid"]
    assert partitions.span(["shop.paid"]) == (START, START + 259 * 997)
    with pytest.raises(InputError, match="have no points of these metrics"):
        partitions.span(["absent"])


@pytest.mark.parametrize("content", ["nothing", "a file", "another layout", "counts"])
def test_another_folder_is_none_of_these(tmp_path, content):
    place = tmp_path / "x"
    if content == "a file":
        place.write_text("")
    elif content == "another layout":
        (place / "metric=a").mkdir(parents=True)
    elif content == "counts":
        write(place, "a.b", [(START, 1.0, [])], kind="count")
    assert not open_partitions(place)


def test_a_folder_of_distributions_is(folder):
    assert open_partitions(folder)


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_a_folder_with_counts_beside_distributions_is_not_read_as_distributions(tmp_path, names):
    for metric, kind in zip(names, ("distribution", "count"), strict=True):
        write(tmp_path, metric, [(START, 1.0, [])], kind=kind)
    assert not open_partitions(tmp_path)


def measured(folder, query, values, step=3600, **more):
    """Write values of two sources over three hours, and return what both sources of queries answer."""
    rows = [(START + at * 10_800 // len(values), value, [f"az:{at % 2}"]) for at, value in enumerate(values)]
    write(folder, "shop.time", rows)
    span = (START, START + 10_799, step)
    expected = evaluate(query, SeriesSource(load(folder).series), *span, **more)
    answers = evaluate(query, ParquetSource(Partitions(folder)), *span, **more)
    assert [line.scope for line in answers] == [line.scope for line in expected]
    return [line.values for line in answers], [line.values for line in expected]


VALUES = {
    "one": [2.5],
    "equal": [3.0] * 40,
    "both signs": [float(at - 30) for at in range(61)],
    "around zero": [0.0, 1e-12, -1e-12, 2e-9, -2e-9, 0.0, 1.0],
    "huge and tiny": [1.7e308, 1e-300, -1.7e308, 5e-324, 1.0, 2.0],
    "edges of bins": [(1 + 1 / 64) ** (at / 2) for at in range(200)],
    "near each other": [1.7e9 + at / 7 for at in range(300)],
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("query", ["p1", "p50", "p95", "p99.9", "max", "stddev", "count(v: v>=1)"])
def test_every_value_of_a_distribution_counts_as_in_memory(tmp_path, query, values):
    if query == "stddev":
        values = [value for value in values if abs(value) < 1e100]
    answers, expected = measured(tmp_path, f"{query}:shop.time{{*}} by {{az}}", values)
    for line, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(line, wanted, rtol=1e-6 if query == "stddev" else 1e-9, atol=1e-12)


def test_percentiles_of_very_many_values_are_those_of_a_sketch(tmp_path, monkeypatch):
    """Datadog's own accuracy: within 1/128 of the value at the rank."""
    values = [float(np.exp(at % 97 / 10)) * (-1) ** (at % 5 == 0) for at in range(3000)]
    monkeypatch.setattr(pooling, "MOST_REFINED", 100)
    answers, exact = measured(tmp_path, "p95:shop.time{*}", values)
    np.testing.assert_allclose(answers, exact, rtol=1 / 128)
    assert not np.array_equal(answers, exact)
    _, binned = measured(tmp_path, "p95:shop.time{*}", values, switches=Switches(quantiles="sketch"))
    np.testing.assert_allclose(answers, binned)


@pytest.mark.parametrize("bins", [1, 900, 5_000_000])
def test_a_query_of_many_cells_is_answered_in_several_scans(tmp_path, monkeypatch, bins):
    monkeypatch.setattr(pooling, "MOST_BINS", bins)
    answers, expected = measured(
        tmp_path, "p90:shop.time{*} by {az}", [float(at % 53) for at in range(900)], 600
    )
    for line, wanted in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(line, wanted)


def test_a_source_with_two_values_of_a_key_is_in_both_groups(tmp_path):
    write(tmp_path, "shop.time", [(START, 1.0, ["az:1", "az:2"]), (START, 5.0, ["az:2"])])
    answers = evaluate(
        "p99:shop.time{*} by {az}", ParquetSource(Partitions(tmp_path)), START, START + 60, 3600
    )
    assert {line.scope: list(line.values) for line in answers} == {"az:1": [1.0], "az:2": [1.0]}


def test_an_answer_is_computed_once_and_is_the_callers_own(tmp_path, monkeypatch):
    write(tmp_path, "shop.time", [(START, 1.0, [])])
    source = ParquetSource(Partitions(tmp_path))
    evaluate("avg:shop.time{*}", source, START, START + 60, 60)[0].values[:] = 7
    monkeypatch.setattr("monitoring.store.query_source.pool", None)
    assert evaluate("avg:shop.time{*}", source, START, START + 60, 60)[0].values.tolist() == [1.0]


@pytest.mark.parametrize("content", [b"", b"no Parquet"])
def test_a_file_that_is_cut_off_is_said(folder, content):
    path = next(folder.glob("day=*/metric=shop.paid/*.parquet"))
    path.write_bytes(content)
    with pytest.raises(InputError, match="the files cannot be read"):
        evaluate("avg:shop.paid{*}", ParquetSource(Partitions(folder)), START, START + 3 * DAY, 3600)
