"""What one state machine gives does not depend on which others were deployed, refused or run before it."""

import json
import random
from typing import Any

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws

COUNT = 200
VALUES: list[Any] = [None, True, 0, -3, 2.5, "pear", "7", [], [1, 2, 3], {}, {"n": 1}, [{"n": 2}]]
TEMPLATES: list[Any] = [
    {"a.$": "$.n"},
    {"a.$": "$.missing"},
    {"a.$": "States.MathAdd($.n, 1)"},
    {"a.$": "States.Format('{}-{}', $.n, $$.State.Name)"},
    {"a.$": "States.ArrayRange(0, $.n, 2)"},
    {"a.$": "States.Unknown($.n)"},
    {"a.$": "$.list[0"},
    {"a.$": "$.list[0]"},
    {"a.$": "$.list[?(@ > 1)]"},
    {"a.$": "$v"},
]
EXPRESSIONS = [
    "{% $states.input.n + 1 %}",
    "{% $states.input.list[0] %}",
    "{% $sum($states.input.list) %}",
    "{% $unknown(1) %}",
    "{% $states.input.( %}",
    "{% $partition($states.input.list, 2) %}",
    "{% $v %}",
]
CONDITIONS: list[Any] = [
    {"Variable": "$.n", "NumericGreaterThan": 1},
    {"Variable": "$.missing", "StringEquals": "x"},
    {"Variable": "$.missing", "IsPresent": False},
    {"Not": {"Variable": "$.n", "IsNumeric": True}},
    {"And": [{"Variable": "$.n", "IsNumeric": True}, {"Variable": "$.list[0]", "NumericEquals": 1}]},
    {"Variable": "$.n", "NumericNothing": 1},
    {"Variable": "$.t", "TimestampLessThan": "2030-01-01T00:00:00Z"},
]


def definition(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """A definition of up to five states; about a third of them is refused, and of the rest a third fails.

    None waits: of two branches that fail at the same time, either may be first.
    """
    jsonata = chance.random() < 0.3
    names = [f"S{number}" for number in range(chance.randint(1, 5))]
    states = {}
    for name, following in zip(names, [*names[1:], None], strict=True):
        onward = {"Next": following} if following else {"End": True}
        if chance.random() < 0.03:
            onward = {"Next": "Nowhere"}
        states[name] = state(chance, onward, jsonata=jsonata, depth=depth)
    machine = {"StartAt": names[0], "States": states}
    return {**machine, "QueryLanguage": "JSONata"} if jsonata else machine


def state(chance: random.Random, onward: dict[str, Any], *, jsonata: bool, depth: int) -> dict[str, Any]:
    kind = chance.choice(
        ["Pass", "Pass", "Pass", "Choice", "Map", "Parallel", "Wait", "Fail", "Succeed", "Tsak"]
    )
    if kind in {"Map", "Parallel"} and depth < 2:
        inner = definition(chance, depth + 1)
        if kind == "Parallel":
            return {"Type": kind, "Branches": [inner, definition(chance, depth + 1)], **onward}
        items = {"Items": "{% [1, 2] %}"} if jsonata else {"ItemsPath": chance.choice(["$.list", "$.n"])}
        processor = {"ProcessorConfig": {"Mode": "INLINE"}, **inner}
        return {"Type": kind, **items, "ItemProcessor": processor, **onward}
    if kind == "Choice" and not jsonata and "Next" in onward:
        rule = {**chance.choice(CONDITIONS), **onward}
        return {"Type": kind, "Choices": [rule], "Default": onward["Next"]}
    simple: dict[str, dict[str, Any]] = {
        "Wait": {"Type": "Wait", "Seconds": chance.choice([0, 0, 0, -1]), **onward},
        "Fail": {"Type": "Fail", "Error": "Asked", "Cause": "for"},
        "Succeed": {"Type": "Succeed"},
        "Tsak": {"Type": chance.choice(["Tsak", "Pass"]), **onward},
    }
    return simple.get(kind) or made(chance, onward, jsonata=jsonata)


def made(chance: random.Random, onward: dict[str, Any], *, jsonata: bool) -> dict[str, Any]:
    """A Pass state whose output is computed, and which may set a variable."""
    if jsonata:
        assign = {"Assign": {"v": chance.choice(EXPRESSIONS)}} if chance.random() < 0.3 else {}
        return {"Type": "Pass", "Output": {"n": 2, "x": chance.choice(EXPRESSIONS)}, **assign, **onward}
    assign = {"Assign": {"v.$": "$.n"}} if chance.random() < 0.3 else {}
    result = chance.choice([{"Result": chance.choice(VALUES)}, {"Parameters": chance.choice(TEMPLATES)}])
    return {"Type": "Pass", **result, "ResultPath": chance.choice(["$.x", "$.y.z", "$"]), **assign, **onward}


def outcome(aws: LocalAws, name: str, machine: dict[str, Any]) -> tuple[Any, ...]:
    """What deploying and running a definition gives, without what names it."""
    try:
        arn = aws.deploy_state_machine(name, machine)
    except InputError as refused:
        return ("refused", str(refused).replace(name, "NAME"))
    event = {"n": 2, "list": [1, 2, 3], "t": "2026-01-01T00:00:00Z"}
    done = aws.wait(aws.start(name, event), 60)
    aws.client("stepfunctions").delete_state_machine(stateMachineArn=arn)
    kinds = tuple(event["type"] for event in aws.history(done["executionArn"]))
    cause = str(done.get("cause", "")).replace(name, "NAME")
    return (done["status"], done.get("output"), done.get("error"), cause, sorted(kinds))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_two_hundred_definitions_changes_nothing(aws: LocalAws, seed: int) -> None:
    chance = random.Random(seed)
    machines = [definition(chance) for _ in range(COUNT // 2)]
    rounds = []
    for turn in range(3):
        order = list(range(len(machines)))
        chance.shuffle(order)
        rounds.append({n: outcome(aws, f"alone-{seed}-{turn}-{n}", machines[n]) for n in order})
    for number, machine in enumerate(machines):
        assert rounds[0][number] == rounds[1][number] == rounds[2][number], json.dumps(machine)
    statuses = [result[0] for result in rounds[0].values()]
    assert min(statuses.count(status) for status in ("refused", "FAILED", "SUCCEEDED")) >= 10
