"""Executions and calls in the Parquet files of a replay: traced as from the log events that were replayed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_replay import START, options

from monitoring.cli import trace
from monitoring.errors import InputError
from monitoring.query.datafile import load
from monitoring.replay.run import replay
from monitoring.replay.spans import COLUMNS
from monitoring.store.parquet_files import ReplayFiles, s3_client
from monitoring.store.schema import SPANS
from monitoring.trace import as_data, choose, read_executions, read_inside

ARN = "arn:aws:states:eu-west-1:123456789012:execution:slides:{name}"
DAY = 86_400
STEPS = (
    (0, "ExecutionStarted", {}),
    (0, "TaskStateEntered", {"name": "Identify"}),
    (2, "LambdaFunctionScheduled", {"resource": "arn:f"}),
    (3, "LambdaFunctionStarted", {}),
    (4, "LambdaFunctionFailed", {"error": "ValueError", "cause": "row 7"}),
    (5, "TaskStateExited", {"name": "Identify"}),
    (6, "ExecutionSucceeded", {}),
)


def steps(name, start):
    """The log events of an execution, a second apart."""
    return [
        {
            "id": str(number),
            "type": kind,
            "details": details,
            "previous_event_id": str(previous),
            "event_timestamp": str((start + number) * 1000),
            "execution_arn": ARN.format(name=name),
            "redrive_count": "0",
        }
        for number, (previous, kind, details) in enumerate(STEPS, 1)
    ]


def stamped(second, text):
    return f"2026-11-23T00:00:{second % 60:02d}.000Z {text}"


@pytest.fixture
def exported(tmp_path):
    """Two executions of two days in one log stream, and a line of a metric."""
    place = tmp_path / "exported" / "stream"
    place.mkdir(parents=True)
    for number, (name, start) in enumerate([("one", START), ("two", START + DAY)]):
        lines = [stamped(at, json.dumps(step)) for at, step in enumerate(steps(name, start))]
        point = stamped(9, f"MONITORING|{start}|1|count|shop.orders|#stream:a")
        (place / f"{number:06d}").write_text("\n".join([*lines, point]) + "\n")
    return tmp_path / "exported"


@pytest.fixture
def replayed(exported, tmp_path):
    out = tmp_path / "out"
    chosen = options(exported, out, group="/aws/vendedlogs/states/slides")
    result = replay(chosen)
    assert result.totals["spans"] == replay(chosen).totals["spans"] > 0
    return out


def told(execution):
    """What is known of an execution, without the counts that only its log events have."""
    data, kept = (
        as_data(execution),
        ("kind", "name", "type", "status", "start", "duration_ms", "error", "cause"),
    )
    steps = [tuple(step[key] for key in kept) for step in data["steps"]]
    return data["execution"], data["status"], data["start"], data["duration_ms"], steps


def test_a_replay_is_traced_as_its_log_events(replayed, tmp_path):
    file = tmp_path / "events.jsonl"
    events = [*steps("one", START), *steps("two", START + DAY)]
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    executions, expected = read_executions(replayed), read_executions(file)
    assert [execution.name for execution in executions] == ["one", "two"]
    assert [told(execution) for execution in executions] == [told(execution) for execution in expected]
    assert read_inside(replayed, choose(executions, "one")).of(executions[0].root) == []


def test_spans_lie_by_day_and_a_query_does_not_see_them(replayed):
    assert {path.parent.name for path in replayed.glob("spans/*/*.parquet")} == {
        "day=2026-11-23",
        "day=2026-11-24",
    }
    assert {series.metric for series in load(replayed, ["shop.orders"]).series} == {"shop.orders"}


def test_the_command_reads_the_folder(replayed):
    result = CliRunner().invoke(trace.command, ["one", "--data", str(replayed)], standalone_mode=False)
    assert "Identify" in result.output
    assert result.return_value == 0


def test_a_file_of_spans_that_is_cut_off_is_said(replayed):
    next(replayed.glob("spans/*/*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(InputError, match="the files cannot be read"):
        read_executions(replayed)


def test_the_function_of_a_replay_needs_no_numpy():
    """Its zip holds DuckDB and the forwarder's packages alone."""
    code = "import sys, monitoring.replay.distributed; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_columns_are_those_of_the_database():
    kinds = {name: "VARCHAR" if kind == "JSON" else kind for name, kind in SPANS.columns}
    assert kinds == {**COLUMNS, "time": "BIGINT"}
    assert list(COLUMNS) == [name for name, _ in SPANS.columns][: len(COLUMNS)]


@pytest.fixture
def in_s3(replayed, monkeypatch):
    """The same files below a prefix of a bucket, beside an object that is none of them."""
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = s3_client("s3")
        s3.create_bucket(Bucket="history", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for path in replayed.rglob("*.parquet"):
            s3.upload_file(str(path), "history", f"a/shop/{path.relative_to(replayed).as_posix()}")
        s3.put_object(Bucket="history", Key="a/shop/spans/day=2026-11-23/README.txt", Body=b"")
        yield "s3://history/a/shop"


def printed(data, *more):
    asked = [*more, "--data", str(data), "--json"]
    result = CliRunner().invoke(trace.command, asked, standalone_mode=False, catch_exceptions=False)
    return json.loads(result.output)


@pytest.mark.parametrize("execution", [[], ["one"], ["two"]], ids=["all", "one", "two"])
@pytest.mark.parametrize("end", ["", "/"])
def test_a_prefix_is_traced_as_the_folder(in_s3, replayed, execution, end):
    assert printed(in_s3 + end, *execution) == printed(replayed, *execution)


def test_objects_are_fetched_once_and_their_copies_are_deleted(in_s3, monkeypatch):
    fetched = []
    whole = ReplayFiles._fetch
    monkeypatch.setattr(
        ReplayFiles, "_fetch", lambda self, key: fetched.append(whole(self, key)) or fetched[-1]
    )
    printed(in_s3, "one")
    assert len(set(fetched)) == 2
    assert not [path for path in fetched if Path(path).exists()]


@pytest.mark.parametrize(
    ("address", "message"),
    [("s3://absent/a", "S3 cannot be listed: NoSuchBucket"), ("s3://history/none", "no spans of a replay")],
)
def test_a_prefix_without_spans_is_wrong_input(in_s3, address, message):
    with pytest.raises(InputError, match=message):
        printed(address)
