"""Executions recorded on AWS come out the same here; `docs/local-aws.md` says why a few do not."""

import json
from typing import Any

import pytest
from recorded import difference, run_case
from shared_data import shared_data

from monitoring.local_aws import LocalAws

GROUPS = (
    *(
        "activities",
        "arguments",
        "assign",
        "base",
        "callback",
        "choice_operators",
        "comments",
        "context_object",
    ),
    *("error_handling", "evaluate_jsonata", "express", "intrinsic_functions", "logs", "outputdecl"),
    *("query_language", "scenarios", "services", "states_variables", "test_sfn_api_express", "timeouts"),
)
DIFFERENT = {
    "test_map_state_config_distributed_reentrant": "MapStateExited 11 comes after 9, here 8",
    "test_map_state_config_distributed_reentrant_lambda": "MapStateExited 11 comes after 9, here 8",
}


def cases(group: str) -> list[dict[str, Any]]:
    rows = map(json.loads, shared_data("step_functions_cases.jsonl").read_text().splitlines())
    return [row for row in rows if row["id"].startswith(group)]


def alone(case: dict[str, Any]) -> bool:
    """Return whether a case needs nothing but its definition, so that cases can share an AWS."""
    return not (case["functions"] or case["resources"] or case["machines"])


def named(case: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a case whose state machine has a name of its own."""
    name = case["machine"]
    renamed: dict[str, Any] = json.loads(json.dumps(case).replace(name, f"{name}n{number}"))
    return renamed


@pytest.mark.parametrize("group", GROUPS)
def test_recorded_executions_come_out_the_same(tmp_path_factory: pytest.TempPathFactory, group: str) -> None:
    folder, found = tmp_path_factory.mktemp("code"), dict[str, str]()
    with LocalAws(tmp_path_factory.mktemp("aws"), speed=20) as shared:
        for number, case in enumerate(filter(alone, cases(group))):
            found[case["id"].rpartition("::")[2]] = run_case(shared, named(case, number), folder)
    for number, case in enumerate(cases(group)):
        if not alone(case):
            with LocalAws(tmp_path_factory.mktemp("aws"), speed=20) as aws:
                found[case["id"].rpartition("::")[2]] = run_case(aws, case, folder / str(number))
    expected = {name: text for name, text in DIFFERENT.items() if name in found}
    assert {name: text for name, text in found.items() if text} == expected


CASE = {
    "placeholders": {"<Name>": "m1"},
    "anything": [],
    "recorded": {
        "status": "SUCCEEDED",
        "output": {"arn": "arn:<partition>:states:x:111111111111:<Name>", "id": "<uuid:1>", "n": 1},
        "error": None,
        "cause": None,
        "events": [
            {"type": "ExecutionStarted", "details": {"input": {}}, "id": 1, "previous": 0},
            {"type": "ExecutionSucceeded", "details": {"output": {"n": 1}}, "id": 2, "previous": 0},
        ],
    },
}
OUTPUT = {"arn": "arn:aws:states:x:123456789012:m1", "id": "7", "n": 1}
EVENTS = [
    {
        "type": "ExecutionStarted",
        "id": 1,
        "previousEventId": 0,
        "executionStartedEventDetails": {"input": "{}"},
    },
    {"type": "ExecutionSucceeded", "id": 2, "previousEventId": 0, "xEventDetails": {"output": '{"n":1}'}},
]
CHANGED = [
    ({"status": "FAILED"}, EVENTS, "status"),
    ({"output": json.dumps(OUTPUT | {"n": 2})}, EVENTS, r"output.n"),
    ({"output": json.dumps(OUTPUT | {"n": True})}, EVENTS, r"output.n"),
    ({"output": json.dumps(OUTPUT | {"arn": "arn:aws:states:x:123456789012:m2"})}, EVENTS, "output.arn"),
    ({"output": json.dumps(OUTPUT | {"more": 1})}, EVENTS, "the fields"),
    ({}, EVENTS[:1], "events"),
    ({}, [EVENTS[0], {**EVENTS[1], "xEventDetails": {"output": "{}"}}], "ExecutionSucceeded.output"),
    ({}, [EVENTS[0], {**EVENTS[1], "previousEventId": 1}], "comes after 0, here 1"),
]


def test_an_equal_execution_is_the_same() -> None:
    assert difference(CASE, {}, {"status": "SUCCEEDED", "output": json.dumps(OUTPUT)}, EVENTS) == ""


@pytest.mark.parametrize(("end", "events", "where"), CHANGED, ids=range(len(CHANGED)))
def test_every_difference_from_the_recording_is_found(end: Any, events: Any, where: str) -> None:
    described = {"status": "SUCCEEDED", "output": json.dumps(OUTPUT), **end}
    assert where in difference(CASE, {}, described, events)
