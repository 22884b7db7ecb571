"""`stepscope demo`: what it tells is what happened, and every line that was printed has arrived."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import psutil
import pytest
import spec_reader
from shapes import deviations

from monitoring.demo.scenarios import SCENARIOS

MASK = 2**63 - 1
START = "from monitoring.cli import main; main()"


NAMES = re.compile(r"/(slides-[^\[]+)\[")


def function_of(event) -> str:
    """The function whose environment wrote an event: groups that the template names have it in the stream."""
    return NAMES.search(event["log_stream"])[1]


def messages(demo) -> list[str]:
    """What functions printed that are subscribed: all but the forwarder's own."""
    return [
        event["message"]
        for event in demo.events
        if event["log_group"].startswith("/aws/lambda/") and "forwarder" not in event["log_group"]
    ]


@pytest.mark.checkout
def test_the_document_has_the_shape_of_its_schema(demo):
    assert deviations("demo", demo.data) == []


def test_it_succeeds_and_prints_nothing_but_data(demo):
    assert demo.status == 0, demo.data["accounting"]
    assert demo.errors == ""
    assert demo.data["fine"] is True


def test_every_scenario_ends_as_it_has_to(demo):
    ends = {
        each["name"]: (each["status"], each["path"][-1], each["error"]) for each in demo.data["executions"]
    }
    assert ends == {
        each.name: ("FAILED" if each.error else "SUCCEEDED", each.ends, each.error) for each in SCENARIOS
    }


def test_failures_say_why(demo):
    causes = {each["name"]: each["cause"] for each in demo.data["executions"]}
    assert "which slide it shows is not sure" in causes["unsure-photo"]
    assert "exit status 1" in causes["broken-build"]
    assert "There is no photo nowhere/001.jpg" in causes["no-photo"]
    assert "not a picture" in causes["not-a-photo"]
    assert "no slide s08" in causes["unknown-slide"]
    assert "CreateDocument" in causes["slow-figure"]


def test_the_build_is_waited_for_in_a_loop_and_the_end_goes_both_ways(demo):
    path = demo.execution("new-slide")["path"]
    assert path[:3] == ["PhotoArrived", "IdentifySlide", "IsItSure"]
    assert path.count("WaitForBuild") == path.count("CheckBuild") == path.count("IsItBuilt") >= 1
    assert set(path[-4:-1]) == {"Publish", "TellSubscribers", "InvalidateCache"}


def test_the_raw_lines_are_as_many_as_the_accounting_says(demo):
    points, traces, _ = spec_reader.read_output("\n".join(messages(demo)))
    books = demo.data["accounting"]
    assert books["metric_lines_printed"] == books["points_stored"] == len(points) > 100
    assert books["span_lines_printed"] == len(traces)
    assert books["spans_printed"] == books["spans_stored"] == sum(len(spans) for spans in traces)
    assert books["log_events"] == len(demo.events)
    assert books["unexplained"] == 0
    assert books["differences"] == []


def test_the_kept_database_has_the_printed_points_one_for_one(demo):
    points, traces, _ = spec_reader.read_output("\n".join(messages(demo)))
    printed = Counter((point.metric, point.timestamp, float(point.value)) for point in points)
    query = """
        SELECT metric, time, value FROM (
            SELECT series_id, time, value FROM points UNION ALL SELECT series_id, time, value FROM samples
        ) JOIN series USING (series_id)"""
    with duckdb.connect(str(demo.kept / "datadog.duckdb"), read_only=True) as database:
        stored = Counter((name, time, value) for name, time, value in database.execute(query).fetchall())
        spans = {row[0] for row in database.execute("SELECT span_id FROM spans").fetchall()}
    assert printed <= stored
    assert {name for name, _, _ in printed} & {name for name, _, _ in stored - printed} == set()
    assert {span["span_id"] for trace in traces for span in trace} <= spans


def test_metrics_are_listed_with_their_points_and_sums(demo):
    found = {each["name"]: (each["points"], each["sum"]) for each in demo.data["metrics"]}
    assert found["slides.identified"] == (8, 8.0)
    assert found["slides.shown"] == (2, 2.0)
    assert found["slides.unknown"] == found["slides.photo.unreadable"] == (1, 1.0)
    assert found["aws.lambda.enhanced.timeouts"] == (1, 1.0)
    assert found["stepscope.execution.started"] == (10, 10.0)


def test_every_execution_and_state_has_its_duration(demo):
    """The state machine's log goes to one environment of the forwarder, which hears both ends of each."""
    found = {each["name"]: each["points"] for each in demo.data["metrics"]}
    assert found["aws.states.enhanced.execution.execution_time"] == len(demo.data["executions"])
    entered = sum(len(each["path"]) for each in demo.data["executions"])
    assert (
        found["aws.states.enhanced.state.duration"] == found["aws.states.enhanced.state.entered"] == entered
    )
    tree = [span for span in demo.data["spans"] if span["name"] == "aws.stepfunctions"]
    known = {span["span_id"] for span in demo.data["spans"]}
    assert [span["parent_id"] in known for span in demo.data["spans"] if span not in tree] == [True] * (
        len(demo.data["spans"]) - 1
    )


def test_steps_agree_with_the_report_lines(demo):
    reports = Counter(function_of(event) for event in demo.events if event["message"].startswith("REPORT "))
    cold = Counter(function_of(event) for event in demo.events if "Init Duration" in event["message"])
    assert len(demo.data["steps"]) == 9
    for step in demo.data["steps"]:
        assert step["invocations"] == reports[step["function"]]
        assert step["cold_starts"] == cold[step["function"]] >= 1
        assert 0 < step["p50_ms"] <= step["p95_ms"]
    errors = {step["name"]: step["errors"] for step in demo.data["steps"] if step["errors"]}
    assert errors == {"IdentifySlide": 2, "PullSlide": 1, "CreateDocument": 1}


def trace_of(arn: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(arn.encode()).digest()[8:16], 'big') & MASK:016x}"


def parent_of(arn: str, state: str, entered: str) -> str:
    digest = hashlib.sha256(f"{arn}#{state}#{entered}".encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') & MASK:016x}"


def test_every_step_joins_the_trace_and_the_state_of_its_execution(demo):
    """Section 4 of the published rules: ids from the ARN, the state's name and the time it was entered."""
    entered = [
        json.loads(event["message"])
        for event in demo.events
        if event["log_group"].startswith("/aws/vendedlogs/") and "TaskStateEntered" in event["message"]
    ]
    _, traces, _ = spec_reader.read_output("\n".join(messages(demo)))
    roots = [span for trace in traces for span in trace if span["name"] == "aws.lambda"]
    expected = set()
    for line in entered:
        seconds, milliseconds = divmod(int(line["event_timestamp"]), 1000)
        time_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03}Z"
        arn = line["execution_arn"]
        expected.add((trace_of(arn), parent_of(arn, line["details"]["name"], time_text)))
    assert len(roots) >= 30
    assert {(span["trace_id"], span["parent_id"]) for span in roots} == expected


def test_the_spans_of_one_execution_are_told(demo):
    arn = demo.execution(demo.data["spans_of"])["arn"]
    assert {span["trace_id"] for span in demo.data["spans"]} == {trace_of(arn)}
    names = {span["name"] for span in demo.data["spans"]}
    assert {"aws.lambda", "slides.classify", "s3.put_object", "verify"} <= names


def test_the_killed_step_tells_one_story(demo):
    """The history's error, the platform's lines, the printed points and the stored ones."""
    own = [event["message"] for event in demo.events if event["log_group"] == "/aws/lambda/slides-document"]
    assert sum("Task timed out after 6.00 seconds" in message for message in own) == 1
    assert sum("Status: timeout" in message for message in own) == 1
    assert demo.execution("slow-figure")["error"] == "StepTimedOut"
    assert demo.execution("slow-figure")["duration_ms"] > 6000


def leftovers(folder: Path) -> list[psutil.Process]:
    """Processes that the demo of this folder has left behind, and workers without a parent."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        home = (process.info["environ"] or {}).get("TMPDIR", "")
        if str(folder) in " ".join(process.info["cmdline"] or ()) or home.startswith(str(folder)):
            found.append(process)
    return found


def start(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-c", START, "demo", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "awslambdaric"), (signal.SIGTERM, "handlers.slides.seed")],
    ids=["SIGINT while a step runs", "SIGTERM during the set-up"],
)
def test_an_interrupted_demo_leaves_no_process_and_no_file_behind(
    tmp_path: Path, number: signal.Signals, moment: str
):
    process = start(tmp_path)
    deadline = time.monotonic() + 120
    while not any(moment in " ".join(child.cmdline()) for child in children_of(process)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = children_of(process)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), errors
    assert errors.strip() == "stepscope: interrupted"
    assert [
        child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    ] == []
    assert leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def status(tmp_path: Path, *options: str) -> tuple[int, str]:
    process = start(tmp_path, *options)
    out, errors = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, errors


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    code, errors = status(tmp_path, "--keep", str(tmp_path / "file" / "below"))
    assert code == 2
    assert "nothing can be kept here (Not a directory)" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said_in_one_sentence(tmp_path: Path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    code, errors = status(tmp_path, "--keep", str(folder))
    assert code == 2
    assert "Permission denied" in errors


def test_a_broken_database_is_said_to_be_one(tmp_path: Path):
    (tmp_path / "datadog.duckdb").write_bytes(b"not a database" * 500)
    code, errors = status(tmp_path, "--keep", str(tmp_path))
    assert code == 2
    assert "datadog.duckdb" in errors
    assert "Traceback" not in errors


def test_a_port_in_use_is_named(tmp_path: Path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, errors = status(tmp_path, "--port", str(port))
    assert code == 2
    assert str(port) in errors


def test_a_database_with_data_in_it_is_left_alone(demo, tmp_path: Path):
    before = (demo.kept / "datadog.duckdb").read_bytes()
    code, errors = status(tmp_path, "--keep", str(demo.kept))
    assert code == 2
    assert "has data in it already" in errors
    assert (demo.kept / "datadog.duckdb").read_bytes() == before
    assert demo.events


def test_what_is_kept_has_the_metrics_of_the_aws_integration(demo):
    """By CloudWatch's metrics, as many executions failed and as many calls were made as really were."""
    with duckdb.connect(str(demo.kept / "datadog.duckdb"), read_only=True) as database:
        query = (
            "SELECT metric, sum(value) FROM points JOIN series USING (series_id)"
            " WHERE list_contains(tags, 'region:us-east-1') AND (metric NOT LIKE 'aws.states.exec%'"
            " OR array_to_string(tags, ',') LIKE '%statemachinearn:%') GROUP BY metric"
        )
        sums = dict(database.execute(query).fetchall())
    statuses = Counter(each["status"] for each in demo.data["executions"])
    assert sums["aws.states.executions_started"] == len(demo.data["executions"])
    assert sums["aws.states.executions_failed"] == statuses["FAILED"]
    assert sums["aws.states.executions_succeeded"] == statuses["SUCCEEDED"]
    reports = sum(event["message"].startswith("REPORT RequestId: ") for event in demo.events)
    assert sums["aws.lambda.invocations"] == reports
