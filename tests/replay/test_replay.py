"""`stepscope replay`: every object once, the same totals twice, and Parquet that queries read."""

import gzip
import json
import os
import shutil
from collections import Counter

import duckdb
import pytest
from click.testing import CliRunner

from monitoring.cli import query as query_command
from monitoring.cli.replay import command
from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog, Settings
from monitoring.query.datafile import load
from monitoring.replay import run as replaying
from monitoring.replay.items import list_items
from monitoring.replay.run import ReplayOptions, replay

DAY = 86_400
START = 1_795_392_000  # 2026-11-23T00:00:00Z
STREAMS, OBJECTS, LINES = 4, 5, 30


def text_of(stream, number):
    """An object of a log export: two days, two metrics, equal lines, a log and a line that is refused."""
    lines = []
    for index in range(LINES):
        second = START + (number % 2) * DAY + index // 2
        stamp = f"2026-11-{23 + number % 2:02d}T00:00:{index // 2:02d}.000Z"
        name = "shop.orders" if index % 3 else "shop.paid"
        lines.append(f"{stamp} MONITORING|{second}|{index}|count|{name}|#stream:{stream}")
    return "\n".join([*lines, f"2026-11-23T00:00:01.000Z an ordinary line of {stream}"]) + "\n"


@pytest.fixture
def exported(tmp_path):
    """Exported logs as S3 holds them: TASK/STREAM/000000.gz."""
    folder = tmp_path / "exported"
    for stream in range(STREAMS):
        place = folder / "task" / f"2026-11-23-[$LATEST]{stream:032x}"
        place.mkdir(parents=True)
        for number in range(OBJECTS):
            (place / f"{number:06d}.gz").write_bytes(gzip.compress(text_of(stream, number).encode(), mtime=0))
    return folder


def options(exported, out, **more):
    """Return what a replay in this process takes; more workers are processes of their own, which have to be started."""
    settings = {"source": str(exported), "out": out, "group": "/aws/lambda/shop", "workers": 1}
    return ReplayOptions(**settings | {"environment": {"AWS_REGION": "eu-west-1"}} | more)


def rows(out):
    """Every stored point, with how often it is there."""
    if not list(out.rglob("*.parquet")):
        return Counter()
    read = f"read_parquet('{out}/**/*.parquet', hive_partitioning=true)"
    return Counter(
        (metric, timestamp, value, tuple(tags))
        for metric, timestamp, value, tags in duckdb.sql(
            f"SELECT metric, timestamp, value, tags FROM {read}"
        ).fetchall()
    )


def test_every_point_is_there_once_by_day_and_metric(exported, tmp_path):
    out = tmp_path / "out"
    result = replay(options(exported, out, workers=2))
    assert result.totals["points"] == STREAMS * OBJECTS * LINES == sum(rows(out).values())
    assert result.totals["logs"] == STREAMS * OBJECTS
    assert result.totals["objects"] == STREAMS * OBJECTS
    assert (result.read, result.known, result.failed) == (STREAMS, 0, {})
    parts = {path.parent.relative_to(out).as_posix() for path in out.rglob("*.parquet")}
    days, metrics = ("2026-11-23", "2026-11-24"), ("shop.orders", "shop.paid")
    assert parts == {f"day={day}/metric={metric}" for day in days for metric in metrics}


def test_a_second_run_reads_nothing_and_has_the_same_totals(exported, tmp_path):
    out = tmp_path / "out"
    first, before = replay(options(exported, out)), rows(out)
    second = replay(options(exported, out))
    assert (second.read, second.known) == (0, STREAMS)
    assert second.totals == first.totals
    assert rows(out) == before


def test_a_broken_off_run_goes_on_and_ends_with_the_same_points(exported, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    replay(options(exported, whole))
    out, write = tmp_path / "out", replaying._write_checkpoint
    calls = []

    def broken(item, *rest):
        calls.append(item)
        if len(calls) == 3:  # its points are written, its checkpoint is not
            raise KeyboardInterrupt
        write(item, *rest)

    monkeypatch.setattr(replaying, "_write_checkpoint", broken)
    with pytest.raises(KeyboardInterrupt):
        replay(options(exported, out))
    monkeypatch.setattr(replaying, "_write_checkpoint", write)
    result = replay(options(exported, out, workers=2))
    assert (result.read, result.known) == (STREAMS - 2, 2)
    assert rows(out) == rows(whole)


@pytest.mark.parametrize("change", ["more", "less", "another"])
def test_a_folder_whose_content_changed_is_read_again_and_replaces_its_points(exported, tmp_path, change):
    out = tmp_path / "out"
    replay(options(exported, out))
    place = next((exported / "task").iterdir())
    if change == "more":
        (place / "000009.gz").write_bytes(gzip.compress(text_of("new", 0).encode()))
    elif change == "less":
        for path in place.glob("00000[0-3].gz"):
            path.unlink()
    else:
        (place / "000001.gz").write_bytes(gzip.compress(b"2026-11-23T00:00:01.000Z nothing\n"))
    result = replay(options(exported, out))
    assert (result.read, result.known) == (1, STREAMS - 1)
    fresh = tmp_path / "fresh"
    assert replay(options(exported, fresh)).totals == result.totals
    assert rows(fresh) == rows(out)


def test_one_process_and_several_give_the_same(exported, tmp_path):
    alone = replay(options(exported, tmp_path / "a"))
    together = replay(options(exported, tmp_path / "b", workers=3))
    assert alone.totals == together.totals
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_what_is_refused_is_counted_and_costs_nothing_else(exported, tmp_path):
    place = next((exported / "task").iterdir())
    (place / "000010.gz").write_bytes(b"\x1f\x8b\x08 cut off")
    result = replay(options(exported, tmp_path / "out"))
    assert result.totals["refused"] == 1
    assert result.totals["points"] == STREAMS * OBJECTS * LINES


@pytest.mark.parametrize("content", ["absent", "empty"])
def test_a_source_without_objects_is_wrong_input(tmp_path, content):
    if content == "empty":
        (tmp_path / content).mkdir()
    with pytest.raises(InputError, match=r"the folder does not exist|there are no objects"):
        replay(ReplayOptions(str(tmp_path / content), tmp_path / "out"))


def test_an_embedded_datadog_holds_the_same_after_one_run_and_two(exported, tmp_path):
    """Its clock is that of the lines: Datadog keeps no old points of distributions."""
    for path in exported.rglob("*.gz"):
        path.write_bytes(gzip.compress(text_of(path.parent.name[-1], 0).encode()))
    metrics = ("shop.orders", "shop.paid")
    with LocalDatadog(settings=Settings(clock=lambda: START + 600)) as datadog:
        environment = {"DD_URL": datadog.url, "DD_API_KEY": "k", "AWS_REGION": "eu-west-1"}
        sent = options(exported, tmp_path / "out", send=True, environment=environment)
        first = replay(sent)
        held = [sum(len(each.values) for each in datadog.store.series(name)) for name in metrics]
        second = replay(sent)
        again = [sum(len(each.values) for each in datadog.store.series(name)) for name in metrics]
    assert first.totals["points"] == STREAMS * OBJECTS * LINES == sum(held)
    assert (second.read, second.totals, again) == (0, first.totals, held)


def test_what_cannot_be_delivered_is_tried_again_by_the_next_run(exported, tmp_path):
    environment = {"DD_URL": "http://127.0.0.1:9", "DD_API_KEY": "k", "MONITORING_RETRY_SECONDS": "0"}
    sent = options(exported, tmp_path / "out", send=True, environment=environment)
    result = replay(sent)
    assert (result.read, len(result.failed)) == (0, STREAMS)
    assert replay(sent).known == 0


def test_objects_of_a_bucket_are_read_as_those_of_a_folder(exported, tmp_path, monkeypatch):
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    replaying.aws.client.cache_clear()
    with mock_aws():
        s3 = replaying.aws.client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for path in sorted(exported.rglob("*.gz")):
            s3.upload_file(str(path), "bucket", f"logs/{path.relative_to(exported).as_posix()}")
        chosen = options("s3://bucket/logs", tmp_path / "s3")
        result = replay(chosen)
        assert replay(chosen).read == 0
        with pytest.raises(InputError, match="S3 cannot be listed: NoSuchBucket"):
            list_items("s3://absent/x", replaying.aws.client)
    replaying.aws.client.cache_clear()
    assert result.totals["points"] == STREAMS * OBJECTS * LINES == sum(rows(tmp_path / "s3").values())


@pytest.fixture
def replayed(exported, tmp_path):
    out = tmp_path / "out"
    replay(options(exported, out))
    return out


def test_a_query_reads_the_folder(replayed):
    asked = [
        "sum:shop.paid{*} by {stream}.as_count()",
        "--data",
        str(replayed),
        "--json",
        "--interval",
        str(2 * DAY),
    ]
    result = CliRunner().invoke(query_command.command, asked, standalone_mode=False)
    series = json.loads(result.output)["series"]
    values = {each["scope"]: sum(value for _, value in each["pointlist"]) for each in series}
    each = OBJECTS * sum(index for index in range(LINES) if index % 3 == 0)
    assert values == {f"stream:{stream}": each for stream in range(STREAMS)}


def test_only_the_metrics_that_are_asked_for_are_read(replayed):
    shutil.rmtree(replayed / "day=2026-11-23" / "metric=shop.orders")
    assert {each.metric for each in load(replayed, ["shop.paid"]).series} == {"shop.paid"}
    with pytest.raises(InputError, match=r"there are no points of shop\.payed") as refused:
        load(replayed, ["shop.payed"])
    assert "shop.paid" in refused.value.hint


def test_the_command_says_what_came_of_it(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    arguments = [
        str(exported),
        "--out",
        str(tmp_path / "out"),
        "--group",
        "/aws/lambda/shop",
        "--workers",
        "1",
    ]
    first = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert first.return_value == 0
    assert f"{STREAMS * OBJECTS * LINES} points" in first.output
    second = CliRunner().invoke(command, [*arguments, "--json"], standalone_mode=False)
    report = json.loads(second.output)
    assert (report["read"], report["known"]) == (0, STREAMS)
    assert report["totals"]["points"] == STREAMS * OBJECTS * LINES


@pytest.mark.skipif(
    "STEPSCOPE_OBJECTS" not in os.environ, reason="set STEPSCOPE_OBJECTS to a number of objects"
)
def test_many_objects_twice(tmp_path):
    folder = tmp_path / "many"
    for number in range(int(os.environ["STEPSCOPE_OBJECTS"])):
        place = folder / f"stream-{number // 10}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.gz").write_bytes(gzip.compress(text_of(number // 10, number).encode()))
    first = replay(options(folder, tmp_path / "out", workers=2))
    second = replay(options(folder, tmp_path / "out", workers=2))
    assert first.totals == second.totals
    assert first.totals["points"] == int(os.environ["STEPSCOPE_OBJECTS"]) * LINES
