"""`stepscope trace`: executions found in files and databases, and told step by step."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from shared_data import shared_data

from monitoring.cli.trace import command
from monitoring.errors import InputError
from monitoring.forwarder.executions import Executions
from monitoring.log_events.step_events import read_step_event
from monitoring.store import Store
from monitoring.terminal import width_of
from monitoring.trace import as_data, as_text, choose, read_executions, read_inside

ARN = "arn:aws:states:us-east-1:123456789012:execution:slides:{name}"
Line = dict[str, Any]


def lines(name: str, *events: tuple[int, str, int, int, dict[str, Any]]) -> list[Line]:
    """Log events: previous event, type, id, time in milliseconds, details."""
    return [
        {
            "id": str(number),
            "type": kind,
            "details": details,
            "previous_event_id": str(previous),
            "event_timestamp": str(1_700_000_000_000 + time),
            "execution_arn": ARN.format(name=name),
            "redrive_count": "0",
        }
        for previous, kind, number, time, details in events
    ]


CAUSE = {"error": "ValueError", "cause": '{"errorMessage": "row 7 is\\nbad", "errorType": "ValueError"}'}
STORY = lines(
    "one",
    (0, "ExecutionStarted", 1, 0, {"input": "{}", "inputDetails": {"truncated": True}}),
    (0, "TaskStateEntered", 2, 10, {"name": "Identify"}),
    (2, "LambdaFunctionScheduled", 3, 20, {"resource": "arn:f"}),
    (3, "LambdaFunctionStarted", 4, 20, {}),
    (4, "LambdaFunctionFailed", 5, 320, CAUSE),
    (5, "LambdaFunctionScheduled", 6, 520, {"resource": "arn:f"}),
    (6, "LambdaFunctionStarted", 7, 520, {}),
    (7, "LambdaFunctionSucceeded", 8, 720, {}),
    (8, "TaskStateExited", 9, 730, {"name": "Identify"}),
    (9, "WaitStateEntered", 10, 730, {"name": "Settle"}),
    (10, "WaitStateExited", 11, 930, {"name": "Settle"}),
    (11, "ExecutionSucceeded", 12, 1000, {}),
)
OTHER = lines(
    "two",
    (0, "ExecutionStarted", 1, 5000, {}),
    (0, "FailStateEntered", 2, 5010, {"name": "Give up"}),
    (2, "ExecutionFailed", 3, 5020, {"error": "Slides.Unsure", "cause": "no slide"}),
)


def as_received(line: Line) -> Line:
    """The line as CloudWatch Logs received it, as `stepscope demo --keep` writes it."""
    return {"log_group": "/aws/vendedlogs/x", "log_stream": "s", "timestamp": 1, "message": json.dumps(line)}


def write(path: Path, found: list[Line], wrap: Callable[[Line], Line] = lambda line: line) -> Path:
    noise = ["START RequestId: 1 Version: $LATEST", "{broken", '{"message": "MONITORING|1|2|count|a|"}', ""]
    texts = [*noise, *(json.dumps(wrap(line)) for line in found)]
    path.write_text("\n".join(texts) + "\n")
    return path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False, catch_exceptions=False)
    return result.return_value, result.output


STEPS = [
    (0, "state", "Identify", "succeeded", 10, 720),
    (1, "attempt", "Identify", "failed", 20, 300),
    (1, "attempt", "Identify", "succeeded", 520, 200),
    (0, "state", "Settle", "succeeded", 730, 200),
]


def steps_of(data: dict[str, Any]) -> list[tuple[Any, ...]]:
    keys = ("depth", "kind", "name", "status", "offset_ms", "duration_ms")
    return [tuple(step[key] for key in keys) for step in data["steps"]]


@pytest.mark.parametrize("wrap", [lambda line: line, as_received], ids=["lines", "log events"])
@pytest.mark.parametrize("order", ["as written", "backwards", "shuffled", "twice"])
def test_an_execution_is_told_whatever_the_order(
    tmp_path: Path, wrap: Callable[[Line], Line], order: str
) -> None:
    found = [*STORY, *OTHER]
    arranged = {
        "as written": found,
        "backwards": found[::-1],
        "shuffled": random.Random(7).sample(found, len(found)),
        "twice": found + found,
    }[order]
    executions = read_executions(write(tmp_path / "log_events.jsonl", arranged, wrap))
    assert [(each.name, each.state_machine) for each in executions] == [("one", "slides"), ("two", "slides")]
    one, two = map(as_data, executions)
    assert steps_of(one) == STEPS
    assert (one["status"], one["duration_ms"], one["events"]) == ("SUCCEEDED", 1000, 12)
    assert (one["missing_events"], one["truncated_payloads"]) == ([], 1)
    assert (two["status"], two["error"], two["cause"]) == ("FAILED", "Slides.Unsure", "no slide")
    assert one["steps"][1]["error"] == "ValueError"


def test_the_text_shows_offsets_durations_and_what_went_wrong(tmp_path: Path) -> None:
    text = as_text(read_executions(write(tmp_path / "x.jsonl", STORY))[0])
    assert text.splitlines() == [
        "slides  one  SUCCEEDED  1.000 s  2023-11-14 22:13:20.000 UTC",
        "  +   0.010  Identify     Task        0.720 s  █████████████████         succeeded",
        "  +   0.020    attempt 1              0.300 s  ███████                   failed     ValueError: row 7 is bad",
        "  +   0.520    attempt 2              0.200 s              █████         succeeded",
        "  +   0.730  Settle       Wait        0.200 s                   █████    succeeded",
        "1 inputs or outputs were cut by CloudWatch Logs (248 KB)",
    ]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = [line for line in STORY if line["id"] not in {"3", "11"}]
    execution = read_executions(write(tmp_path / "x.jsonl", found))[0]
    data = as_data(execution)
    assert data["missing_events"] == [3, 11]
    assert [step["name"] for step in data["steps"] if step["kind"] == "state"] == ["Identify", "Settle"]
    assert "events 3, 11 are missing: steps and times may be missing" in as_text(execution)


def test_an_execution_that_runs_is_shown_as_running(tmp_path: Path) -> None:
    data = as_data(read_executions(write(tmp_path / "x.jsonl", STORY[:4]))[0])
    assert (data["status"], data["duration_ms"]) == ("RUNNING", None)
    assert {step["status"] for step in data["steps"]} == {"running"}


def test_the_database_tells_the_same_story_as_the_log_events(tmp_path: Path) -> None:
    events = [read_step_event(line) for line in STORY]
    _, spans = Executions().take(event for event in events if not isinstance(event, str))
    with Store.open(tmp_path / "datadog.duckdb") as store:
        store.add_spans([msgspec.to_builtins(span) for span in spans])
    data = as_data(read_executions(tmp_path)[0])
    assert steps_of(data) == STEPS
    assert (data["execution"], data["status"], data["duration_ms"]) == (
        ARN.format(name="one"),
        "SUCCEEDED",
        1000,
    )


def test_recorded_histories_are_all_told(tmp_path: Path) -> None:
    rows = [json.loads(row) for row in shared_data("execution_histories.jsonl").read_text().splitlines()]
    told = 0
    for row in rows:
        if not all(isinstance(event["id"], int) for event in row["events"]):
            continue
        events = [
            {**event, "timestamp": f"2026-11-23T10:00:{event['id'] % 60:02d}+00:00"}
            for event in row["events"]
        ]
        path = tmp_path / "history.json"
        path.write_text(json.dumps({"executionArn": ARN.format(name="x"), "events": events}))
        data = as_data(read_executions(path)[0])
        entered = sorted(
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event and event["type"] != "EvaluationFailed"
        )
        assert sorted(data["states"]) == entered
        assert data["events"] == len({event["id"] for event in events})
        ended = [
            event["type"] for event in events if event["type"] in {"ExecutionSucceeded", "ExecutionFailed"}
        ]
        assert ended == [] or data["status"] == ended[0].removeprefix("Execution").upper()
        told += 1
    assert told > 100


def test_the_command_lists_and_shows(tmp_path: Path) -> None:
    write(tmp_path / "log_events.jsonl", [*STORY, *OTHER], as_received)
    status, listed = run("--data", str(tmp_path))
    assert status == 0
    assert listed.splitlines() == [
        "one  SUCCEEDED  1.000 s  Identify → Settle",
        "two  FAILED     0.020 s  Give up",
    ]
    status, shown = run("two", "--data", str(tmp_path), "--json")
    assert (status, json.loads(shown)["execution"]) == (0, ARN.format(name="two"))
    status, rows = run("--data", str(tmp_path), "--json")
    assert [row["status"] for row in json.loads(rows)["executions"]] == ["SUCCEEDED", "FAILED"]
    assert run(ARN.format(name="one"), "--data", str(tmp_path))[1].startswith("slides  one  SUCCEEDED")


def test_an_execution_is_chosen_by_what_is_unmistakable(tmp_path: Path) -> None:
    many = [
        line
        for name in ("photo-1", "photo-12", "other")
        for line in lines(name, (0, "ExecutionStarted", 1, 0, {}))
    ]
    executions = read_executions(write(tmp_path / "x.jsonl", many))
    assert choose(executions, "oth").name == "other"
    assert choose(executions, "photo-1").name == "photo-1"
    with pytest.raises(InputError, match=r"'photo' matches 2 executions: arn:\S+photo-1, arn:\S+photo-12"):
        choose(executions, "photo")
    with pytest.raises(InputError, match=r"there is no execution 'phoot-12'\n  there are: photo-12"):
        choose(executions, "phoot-12")


BAD = [
    ("missing.jsonl", None, "there is no such file"),
    ("empty.jsonl", "", "the file contains no executions"),
    ("text.jsonl", "START RequestId: 1\n", "the file contains no executions"),
    ("history.json", '{"events": [{"id": 1}]}', "this is not a history of an execution"),
    ("history.json", '{"events": [1]}', "this is not a history of an execution"),
    ("datadog.duckdb", "not a database", "database"),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD, ids=range(len(BAD)))
def test_what_holds_no_execution_is_refused(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_executions(tmp_path / name)


def test_a_folder_without_either_file_says_which_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither log_events\.jsonl nor datadog\.duckdb is in this folder"):
        read_executions(tmp_path)


def test_the_page_names_every_key_of_the_data(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "trace.md").read_text()
    data = as_data(read_executions(write(tmp_path / "x.jsonl", STORY))[0])
    assert all(f"`{key}`" in page for key in (*data, *data["steps"][0]))


# --- functions, calls and log lines, from a database


def span(number: int, parent: int, name: str, start: int, length: int, **meta: str) -> dict[str, Any]:
    """A span of one trace; times in milliseconds after the execution's start."""
    event = {"event_id": int(meta.pop("event"))} if "event" in meta else {}
    return {
        "trace_id": f"{7:016x}",
        "span_id": f"{number:016x}",
        "parent_id": f"{parent:016x}" if parent else "0",
        "name": name,
        "service": "s",
        "resource": meta.pop("resource", ""),
        "type": "",
        "start": (1_700_000_000_000 + start) * 1_000_000,
        "duration": length * 1_000_000,
        "error": int("error.type" in meta),
        "meta": meta,
        "metrics": event,
    }


def database(folder: Path, lines_logged: int = 7, state: str = "Pay") -> Path:
    arn = ARN.format(name="three")
    common = {
        "executionarn": arn,
        "state": state,
        "error.type": "ValueError",
        "error.message": "row 7 is bad",
    }
    with Store.open(folder / "datadog.duckdb") as store:
        steps = {
            "aws.stepfunctions": (1, 0, 0, 1000, {}),
            "aws.stepfunctions.state": (2, 1, 10, 900, {"event": "2", "statetype": "Task"}),
            "aws.stepfunctions.attempt": (3, 2, 20, 880, {"event": "3"}),
        }
        spans = [
            span(number, parent, name, start, length, **common, **more)
            for name, (number, parent, start, length, more) in steps.items()
        ]
        error = {"error.type": "ValueError", "error.message": "row 7 is bad"}
        spans += [
            span(4, 3, "aws.lambda", 30, 800, resource="shop-pay", request_id="r-1", **error),
            span(5, 4, "dynamodb.get_item", 40, 100, resource="orders"),
            span(6, 9, "aws.lambda", 950, 20, resource="stray", request_id="r-2"),
        ]
        store.add_spans(spans)
        said = [
            ("info", "begins r-1"),
            *(("error", f"line {n} r-1") for n in range(lines_logged)),
            ("error", "r-9"),
        ]
        store.add_logs(
            {"timestamp": 1_700_000_000_100 + at, "status": status, "message": text}
            for at, (status, text) in enumerate(said)
        )
    return folder


def test_functions_calls_and_the_errors_that_were_logged_are_below_the_state(tmp_path: Path) -> None:
    folder = database(tmp_path)
    (execution,) = read_executions(folder)
    text = as_text(execution, read_inside(folder, execution))
    rows = [line[13:].lstrip() for line in text.splitlines() if line.startswith("  +")]
    labels = [re.split(r" {3,}|  Task", row)[0] for row in rows]
    assert labels == [
        "Pay",
        "attempt 1",
        "aws.lambda shop-pay",
        "dynamodb.get_item orders",
        "aws.lambda stray",
    ]
    assert text.count("ERROR line") == 5
    assert "and 2 more log lines" in text
    assert "begins" not in text
    assert "r-9" not in text


def test_an_invocation_without_logged_errors_has_its_last_lines(tmp_path: Path) -> None:
    folder = database(tmp_path, lines_logged=0)
    (execution,) = read_executions(folder)
    text = as_text(execution, read_inside(folder, execution))
    assert "INFO begins r-1" in text
    assert "more log lines" not in text


def test_calls_are_data_too(tmp_path: Path) -> None:
    status, out = run("three", "--data", str(database(tmp_path)), "--json")
    data = json.loads(out)
    assert status == 0
    calls = {step["name"]: [call["resource"] for call in step["calls"]] for step in data["steps"]}
    assert calls["Pay"] == ["shop-pay", "orders"]
    assert [call["resource"] for call in data["calls"]] == ["stray"]
    assert len(next(iter(data["steps"][-1]["calls"]))["logs"]) == 5


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("state", ["Pay", "P" * 80, "a name of many words " * 4, "数" * 40])
def test_no_line_is_wider_than_the_terminal(
    tmp_path: Path, columns: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    folder = database(tmp_path, state=state)
    (execution,) = read_executions(folder)
    text = as_text(execution, read_inside(folder, execution))
    assert max(map(width_of, text.splitlines())) <= columns
    assert "".join(state.split()) in "".join(text.split()) or len(state) > 30
    assert max(map(width_of, run("--data", str(folder))[1].splitlines())) <= columns
