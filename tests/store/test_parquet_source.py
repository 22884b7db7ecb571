"""A folder of Parquet files, queried where it lies: the same answers as from points in memory, reading only what is asked."""

import json

import duckdb
import numpy as np
import pytest

from monitoring.errors import InputError
from monitoring.query import SeriesSource, evaluate
from monitoring.query.datafile import load
from monitoring.store.parquet_source import ParquetSource, Partitions, has_partitions

START, DAY = 1_700_006_400, 86_400


def write(folder, metric, rows, kind="distribution", part="0"):
    """Rows of (timestamp, value, tags), into the folders of their days."""
    by_day = {}
    for timestamp, value, tags in rows:
        at = f"{np.datetime64(int(timestamp), 's')}"[:10]
        by_day.setdefault(at, []).append({"timestamp": timestamp, "value": value, "type": kind, "tags": tags})
    for at, own in by_day.items():
        place = folder / f"day={at}" / f"metric={metric}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
        columns = "{timestamp: 'DOUBLE', value: 'DOUBLE', type: 'VARCHAR', tags: 'VARCHAR[]'}"
        duckdb.sql(
            f"COPY (SELECT * FROM read_json('{place}/rows.jsonl', format='newline_delimited', columns={columns})) TO '{place}/{part}.parquet'"
        )
        (place / "rows.jsonl").unlink()


@pytest.fixture
def folder(tmp_path):
    """Three days, two metrics, sources with equal tags in another order, several points of one second."""
    paid = [
        (START + n * 997, float(n % 13), [f"zone:{n % 3}", f"host:h{n % 5}", "env:prod"]) for n in range(260)
    ]
    write(tmp_path, "shop.paid", paid)
    write(tmp_path, "shop.paid", [(START + 5, 7.0, ["zone:1", "host:h1", "env:prod"])] * 3, part="1")
    write(tmp_path, "shop.lost%2Fx", [(START + DAY, 1.0, [])])
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
        (place / "metric=broken" / "0.parquet").write_bytes(b"no Parquet")
    source = ParquetSource(Partitions(folder))
    evaluate("avg:shop.paid{*}", source, START, START + DAY, 3600)
    days = sorted(folder.glob("day=*"))
    (days[-1] / "metric=shop.paid" / "0.parquet").write_bytes(b"no Parquet")
    assert evaluate("avg:shop.paid{*}", source, START, START + DAY - 1, 3600)


def test_what_is_there_and_from_when_to_when(folder):
    partitions = Partitions(folder)
    assert partitions.metrics() == ["shop.lost%2Fx", "shop.paid"]
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
    assert not has_partitions(place)


def test_a_folder_of_distributions_is(folder):
    assert has_partitions(folder)


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_a_folder_with_counts_beside_distributions_is_not_read_as_distributions(tmp_path, names):
    for metric, kind in zip(names, ("distribution", "count"), strict=True):
        write(tmp_path, metric, [(START, 1.0, [])], kind=kind)
    assert not has_partitions(tmp_path)
