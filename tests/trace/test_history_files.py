"""A history as people export it: pages in any shape and order, with pages missing, or cut off."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cli.trace import command
from monitoring.errors import InputError
from monitoring.trace import as_data, as_text, read_executions

Page = dict[str, Any]

EVENTS: list[dict[str, Any]] = [
    {"type": "ExecutionStarted", "previousEventId": 0, "executionStartedEventDetails": {"input": "{}"}},
    {"type": "TaskStateEntered", "previousEventId": 0, "stateEnteredEventDetails": {"name": "A"}},
    {"type": "TaskScheduled", "previousEventId": 2, "taskScheduledEventDetails": {"resource": "invoke"}},
    {"type": "TaskStarted", "previousEventId": 3, "taskStartedEventDetails": {}},
    {"type": "TaskSucceeded", "previousEventId": 4, "taskSucceededEventDetails": {}},
    {"type": "TaskStateExited", "previousEventId": 5, "stateExitedEventDetails": {"name": "A"}},
    {"type": "ExecutionSucceeded", "previousEventId": 6, "executionSucceededEventDetails": {"output": "1"}},
]
for number, event in enumerate(EVENTS, 1):
    event |= {"id": number, "timestamp": 1_700_000_000 + number}


def pages(size: int) -> list[Page]:
    """The history in pages of that size; each but the last has a token."""
    cuts = [{"events": EVENTS[at : at + size], "nextToken": f"t{at}"} for at in range(0, len(EVENTS), size)]
    del cuts[-1]["nextToken"]
    return cuts


SHAPES = {
    "one after the other": lambda found: "".join(json.dumps(page, indent=2) for page in found),
    "a page a line": lambda found: "\n".join(map(json.dumps, found)) + "\n",
    "a list of pages": json.dumps,
    "behind a byte-order mark": lambda found: "\ufeff" + "\r\n".join(map(json.dumps, found)),
    "a list of events": lambda found: json.dumps([event for page in found for event in page["events"]]),
}


def read(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    (execution,) = read_executions(path)
    return as_data(execution) | {"text": as_text(execution)}


@pytest.mark.parametrize("shape", SHAPES)
@given(size=st.integers(1, 8), seed=st.integers(0, 9), twice=st.booleans())
def test_a_history_is_the_same_in_every_shape_and_order(
    tmp_path_factory: pytest.TempPathFactory, shape: str, size: int, seed: int, twice: bool
) -> None:
    found = pages(size) * (1 + twice)
    random.Random(seed).shuffle(found)
    data = read(tmp_path_factory.mktemp("history") / "h.json", SHAPES[shape](found))
    assert (data["status"], data["duration_ms"], data["states"]) == ("SUCCEEDED", 6000, ["A"])
    assert (data["missing_events"], data["more_pages"]) == ([], False)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([0], ["page 1 of more (nextToken is set): steps and times may be missing"]),
        ([0, 1], ["pages 1 to 2 of more (nextToken is set): steps and times may be missing"]),
        ([1, 2, 3], ["events 1 to 2 are missing: steps and times may be missing"]),
        ([0, 2, 3], ["events 3 to 4 are missing: steps and times may be missing"]),
        ([0, 3], ["events 3 to 6 are missing: steps and times may be missing"]),
        ([0, 1, 2, 3], []),
    ],
)
def test_pages_that_are_missing_are_said(tmp_path: Path, kept: list[int], expected: list[str]) -> None:
    found = pages(2)
    data = read(tmp_path / "h.json", "".join(json.dumps(found[at]) for at in kept))
    listed = CliRunner().invoke(command, ["--data", str(tmp_path / "h.json")], catch_exceptions=False).output
    assert all(line.partition(":")[0] in listed for line in expected)
    assert [line for line in data["text"].splitlines() if "missing" in line] == expected


def test_the_list_says_that_there_are_more_pages_and_that_there_was_a_redrive(tmp_path: Path) -> None:
    redrive = [
        {"id": 8, "type": "ExecutionRedriven", "timestamp": 1_700_000_100, "previousEventId": 7},
        {"id": 9, "type": "ExecutionSucceeded", "timestamp": 1_700_000_101, "previousEventId": 8},
    ]
    failed = [*EVENTS[:6], EVENTS[6] | {"type": "ExecutionFailed", "executionFailedEventDetails": {}}]
    (tmp_path / "h.json").write_text(json.dumps({"events": failed + redrive, "nextToken": "t"}))
    result = CliRunner().invoke(command, ["--data", str(tmp_path / "h.json")], catch_exceptions=False)
    assert "SUCCEEDED (1 redrive)" in result.output
    assert "page 1 of more (nextToken is set)" in result.output


@given(end=st.integers(12, len(json.dumps(pages(8)[0])) - 1))
def test_a_history_that_breaks_off_is_refused_with_the_place(
    tmp_path_factory: pytest.TempPathFactory, end: int
) -> None:
    path = tmp_path_factory.mktemp("history") / "h.json"
    path.write_text(json.dumps(pages(8)[0])[:end])
    with pytest.raises(InputError, match="not valid JSON from here on: is the file cut off") as caught:
        read_executions(path)
    assert f"{path}:1:" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"events": [1]}',
        '{"events": [{"id": 1}]}',
        '{"events": [{"id": "x", "type": 1, "timestamp": "soon"}]}',
    ],
)
def test_events_of_another_shape_are_refused_without_the_words_of_python(tmp_path: Path, text: str) -> None:
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(InputError, match="an event lacks id, type, timestamp or previousEventId") as caught:
        read_executions(tmp_path / "h.json")
    assert "Error(" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"events": []}', "[1, 2]", "[", "[[[[", '{"ev'])
def test_what_holds_no_event_is_said_to_hold_no_execution(tmp_path: Path, text: str) -> None:
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(InputError, match="the file contains no executions"):
        read_executions(tmp_path / "h.json")


def test_histories_of_two_executions_are_not_mixed(tmp_path: Path) -> None:
    """An answer of GetExecutionHistory does not say whose it is, and event ids begin at 1 in each."""
    other = [event | {"timestamp": event["timestamp"] + 3600} for event in EVENTS]
    (tmp_path / "h.json").write_text(json.dumps({"events": EVENTS}) + json.dumps({"events": other}))
    with pytest.raises(InputError, match="several executions: event 1 is here twice, and differs"):
        read_executions(tmp_path / "h.json")


def test_a_whole_page_does_not_hide_that_the_next_one_breaks_off(tmp_path: Path) -> None:
    first, second = pages(4)
    (tmp_path / "h.json").write_text(json.dumps(first) + "\n" + json.dumps(second)[:-20])
    with pytest.raises(InputError, match=r"h\.json:2:\d+: this history is not valid JSON"):
        read_executions(tmp_path / "h.json")


def test_printed_pages_of_filter_log_events_are_read(tmp_path: Path) -> None:
    lines = [
        {
            "id": str(event["id"]),
            "type": event["type"],
            "details": event.get("stateEnteredEventDetails", {}),
            "previous_event_id": str(event["previousEventId"]),
            "event_timestamp": str(event["timestamp"] * 1000),
            "execution_arn": "arn:aws:states:eu-west-1:123456789012:execution:m:x",
        }
        for event in EVENTS
    ]
    page = {"events": [{"logStreamName": "s", "timestamp": 1, "message": json.dumps(line)} for line in lines]}
    data = read(tmp_path / "h.json", json.dumps(page, indent=4))
    assert (data["name"], data["status"], data["duration_ms"]) == ("x", "SUCCEEDED", 6000)
