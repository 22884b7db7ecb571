"""Commands over the Parquet files of a replay, in a folder and in S3: read where they lie, the same answers."""

import json
import shutil

import pytest
from click.testing import CliRunner
from test_replay import START, exported, options, replayed  # noqa: F401

from monitoring.cli import backtest, preview, query
from monitoring.errors import InputError
from monitoring.query.datafile import load
from monitoring.store import parquet_source
from monitoring.store.parquet_files import PartitionFiles

DAY = 86_400
TIMES = ["--from", str(START), "--to", str(START + 2 * DAY - 60)]
DASHBOARD = {
    "title": "Shop",
    "layout_type": "ordered",
    "widgets": [
        {
            "definition": {
                "type": "timeseries",
                "requests": [
                    {
                        "response_format": "timeseries",
                        "queries": [
                            {
                                "data_source": "metrics",
                                "name": "a",
                                "query": "p95:shop.orders{*} by {stream}",
                            },
                            {
                                "data_source": "logs",
                                "name": "b",
                                "search": {"query": "*"},
                                "indexes": ["*"],
                                "compute": {"aggregation": "count"},
                            },
                        ],
                        "formulas": [{"formula": "a"}, {"formula": "b"}],
                    }
                ],
            }
        }
    ],
}
MONITOR = {
    "name": "orders",
    "type": "metric alert",
    "message": "",
    "query": "avg(last_5m):p95:shop.orders{*} by {stream} > 10",
    "options": {"thresholds": {"critical": 10}},
}


@pytest.fixture
def in_s3(replayed, monkeypatch):  # noqa: F811
    """The same files below a prefix of a bucket, beside objects that are none of them."""
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = parquet_source.s3_client("s3")
        s3.create_bucket(Bucket="history", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for path in replayed.rglob("*.*"):
            if path.is_file():
                s3.upload_file(str(path), "history", f"a/shop/{path.relative_to(replayed).as_posix()}")
        s3.put_object(Bucket="history", Key="a/shop/day=2026-11-23/README.txt", Body=b"")
        yield "s3://history/a/shop"


@pytest.fixture(params=["folder", "s3"])
def place(request, replayed):  # noqa: F811
    return str(replayed) if request.param == "folder" else request.getfixturevalue("in_s3")


def answer(place, *more):
    asked = ["sum:shop.paid{*} by {stream}.as_count()", "--data", place, "--json", *more]
    return json.loads(CliRunner().invoke(query.command, asked, standalone_mode=False).output)


def test_a_query_has_the_same_answer_as_over_points_in_memory(place, replayed, monkeypatch):  # noqa: F811
    answers = answer(place)
    monkeypatch.setattr("monitoring.store.parquet_source.open_partitions", lambda _place: None)
    assert answers["series"]
    assert answers == answer(str(replayed))


def test_a_backtest_has_the_same_outcome_as_over_points_in_memory(place, replayed, tmp_path, monkeypatch):  # noqa: F811
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(MONITOR))

    def outcome(data):
        result = CliRunner().invoke(
            backtest.command, [str(file), "--data", data, "--json"], standalone_mode=False
        )
        return json.loads(result.output)["variants"]

    variants = outcome(place)
    assert variants[0]["episodes"]
    monkeypatch.setattr("monitoring.store.parquet_source.open_partitions", lambda _place: None)
    assert variants == outcome(str(replayed))


def test_a_preview_draws_the_same_picture_as_over_points_in_memory(place, replayed, tmp_path, monkeypatch):  # noqa: F811
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(DASHBOARD))

    def picture(data, out):
        asked = [str(file), "--data", data, "--format", "svg", "--out", str(tmp_path / out), *TIMES]
        assert CliRunner().invoke(preview.command, asked, standalone_mode=False).return_value == 0
        return (tmp_path / out / "shop.svg").read_text()

    drawn = picture(place, "a")
    monkeypatch.setattr("monitoring.store.parquet_source.open_partitions", lambda _place: None)
    assert drawn == picture(str(replayed), "b")
    shutil.rmtree(replayed / "day=2026-11-23")
    assert drawn != picture(str(replayed), "c")


def test_only_the_objects_that_a_query_needs_are_fetched(in_s3, monkeypatch):
    fetched = []
    whole = PartitionFiles._fetch
    monkeypatch.setattr(PartitionFiles, "_fetch", lambda self, key: fetched.append(key) or whole(self, key))
    assert answer(in_s3, "--from", str(START), "--to", str(START + 3600))["series"]
    assert {key.rpartition("/")[0] for key in fetched} == {"a/shop/day=2026-11-23/metric=shop.paid"}


@pytest.mark.parametrize("tail", [8, 300, 1 << 16])
def test_a_footer_of_any_length_is_fetched(in_s3, monkeypatch, tail):
    monkeypatch.setattr("monitoring.store.parquet_files._TAIL", tail)
    assert len(parquet_source.open_partitions(in_s3).sources("shop.paid")) == 4


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://absent/a", "S3 cannot be listed: NoSuchBucket"),
        ("s3://history/none", "no Parquet files of a replay"),
    ],
)
def test_a_prefix_without_a_replay_is_wrong_input(in_s3, address, message):
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(
            query.command, ["avg:a{*}", "--data", address], standalone_mode=False, catch_exceptions=False
        )


def test_copies_of_objects_are_deleted(in_s3):
    partitions = parquet_source.open_partitions(in_s3)
    path = partitions._place.paths("shop.paid")[0]
    partitions.close()
    assert path.endswith(".parquet")
    with pytest.raises(InputError):
        load(path)


def test_more_raw_points_than_memory_should_hold_are_refused(replayed, monkeypatch):  # noqa: F811
    monkeypatch.setattr(parquet_source, "MOST_POINTS", 30)
    source = parquet_source.ParquetSource(parquet_source.open_partitions(replayed))
    origins = source.select("shop.orders", query_scope())
    with pytest.raises(InputError, match="more than 30 points"):
        source.points(origins, START, START + 2 * DAY)
    assert len(source.points(origins, START, START + 1).times) <= 30


def query_scope():
    from monitoring.query import parse

    return parse("avg:a{*}").scope
