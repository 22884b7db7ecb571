"""JSONata: the functions of Step Functions, what fails, and that expressions see what AWS lets them see."""

import json
import time
from typing import Any

import pytest
from state_machines import one_state, run

from monitoring.local_aws import LocalAws
from monitoring.local_aws.states import expressions
from monitoring.local_aws.states.errors import EvaluationError
from monitoring.local_aws.states.expressions import evaluate_expression, expression_of

BINDINGS = {"n": None, "v": {"a": None, "list": [3, 1, 2]}, "states": {"input": {"name": "Ada", "x": 2}}}
VALUES = [
    ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
    ("$partition([1], 5)", [[1]]),
    ("$partition(7, 2)", [[7]]),
    ("$range(1, 9, 2)", [1, 3, 5, 7, 9]),
    ("$range(5, 1, -2)", [5, 3, 1]),
    ("$range(4, 4, 1)", 4),
    ("$count($range(2, 1, 1))", 0),
    ("$hash('x', 'SHA-256')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ("$hash('x', 'MD5')", "9dd4e461268c8034f5c8564e155c67a6"),
    ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
    ("$parse('null')", None),
    ("$length($uuid())", 36),
    ("$random(3) = $random(3)", True),
    ("$random() >= 0 and $random() < 1", True),
    ("$sort($v.list)", [1, 2, 3]),
    ("$n", None),
    ("$v.a", None),
    ("$type($v.a)", "null"),
    ("$states.input.name & '!'", "Ada!"),
    ("$states.input.x / 4", 0.5),
    ("$states.input.x / 2", 1),
    ("[]", []),
    ("{'a': [1..3]}", {"a": [1, 2, 3]}),
    ("($f := function($x) { $x * 2 }; $map($v.list, $f))", [6, 2, 4]),
    ("$merge([{'a': 1}, {'b': 2}])", {"a": 1, "b": 2}),
    ("$exists($states.input.missing)", False),
    ("$contains('a$b', /a\\$b/)", True),
]
FAILING = [
    ("$states.input.missing", "returned nothing (undefined)."),
    ("$undefined", "returned nothing (undefined)."),
    ("$partition($states.input.missing, 1)", "returned nothing (undefined)."),
    ("$nope(1)", "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
    ("$eval('1 + 1')", "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
    ("1 + 'a'", "threw an error during evaluation. T2002: "),
    ("$number('x')", "threw an error during evaluation. "),
    ("$hash('x', 'SHA256')", "threw an error during evaluation. one of MD5, "),
    ("$parse('{')", "threw an error during evaluation. "),
    ("$range(1, 2, 0)", "threw an error during evaluation. "),
    ("$partition([1], 0)", "threw an error during evaluation. "),
    ("$error('my own')", "threw an error during evaluation. D3137: my own"),
    ("($f := function($n) { $f($n + 1) + 1 }; $f(0))", "threw an error during evaluation. D10"),
    ("function($x) { $x }", "returned an unsupported result type."),
    ("{'f': $sum}", "returned an unsupported result type."),
    ("/a/", "returned an unsupported result type."),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_an_expression_gives_what_aws_gives(expression: str, value: Any) -> None:
    result = evaluate_expression(expression, BINDINGS, "Output")
    assert result == value
    assert json.loads(json.dumps(result)) == value
    assert type(result) is type(value) or isinstance(result, list)


@pytest.mark.parametrize(("expression", "reason"), FAILING)
def test_an_expression_that_fails_is_an_evaluation_error(expression: str, reason: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        evaluate_expression(expression, BINDINGS, "Output/x")
    prefix = f"The JSONata expression '{expression}' specified for the field 'Output/x' "
    assert str(failed.value.cause).startswith(prefix + reason)
    assert failed.value.location == "Output/x"
    assert failed.value.error == "States.QueryEvaluationError"


def test_an_expression_without_an_end_fails_and_the_next_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "TIMEOUT_MILLISECONDS", 200)
    slow = "$sum($map([1..9000], function($i) { $sum([1..$i]) }))"
    began = time.monotonic()
    with pytest.raises(EvaluationError, match="D1012"):
        evaluate_expression(slow, {}, "Output")
    assert time.monotonic() - began < 10
    time.sleep(0.3)
    assert evaluate_expression("1 + 1", {}, "Output") == evaluate_expression("1 + 1", {}, "Output") == 2


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("{% 1 %}", "1"),
        ("{%1%}", "1"),
        (" {% 1 %}", None),
        ("{% 1 %} ", None),
        ("{%", None),
        ("x", None),
        (1, None),
    ],
)
def test_only_a_text_that_is_all_expression_is_one(text: Any, expression: str | None) -> None:
    assert expression_of(text) == expression


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def test_output_and_assign_see_the_variables_from_before_the_state(aws: LocalAws) -> None:
    states = machine(
        First={"Type": "Pass", "Assign": {"n": 1, "m": "{% $states.input.m %}"}, "Next": "Second"},
        Second={
            "Type": "Pass",
            "Assign": {"n": "{% $n + 10 %}", "m": "{% $n %}"},
            "Output": "{% [$n, $m] %}",
            "Next": "Third",
        },
        Third={"Type": "Succeed", "Output": "{% {'n': $n, 'm': $m, 'before': $states.input} %}"},
    )
    done = run(aws, "before", states, {"m": 5})
    assert json.loads(done["output"]) == {"n": 11, "m": 1, "before": [1, 5]}


@pytest.mark.parametrize(("n", "output"), [(1, {"rule": 1}), (2, {"default": 2}), (3, {"n": 3})])
def test_a_rule_has_an_output_and_an_assign_of_its_own(aws: LocalAws, n: int, output: Any) -> None:
    states = machine(
        Which={
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $states.input.n = 1 %}",
                    "Assign": {"from": "rule"},
                    "Output": {"rule": 1},
                    "Next": "End",
                },
                {"Condition": "{% $states.input.n = 3 %}", "Assign": {"from": "plain"}, "Next": "End"},
            ],
            "Default": "End",
            "Output": "{% {'default': $states.input.n} %}",
            "Assign": {"from": "default"},
        },
        End={"Type": "Succeed", "Output": "{% {'from': $from, 'input': $states.input} %}"},
    )
    done = run(aws, f"rule-{n}", states, {"n": n})
    expected = {1: "rule", 2: "default", 3: "plain"}[n]
    assert json.loads(done["output"]) == {"from": expected, "input": output}


LANGUAGES = [
    ("a JSONata state among JSONPath states", None, "JSONata"),
    ("a JSONPath state among JSONPath states", None, None),
    ("a JSONata state among JSONata states", "JSONata", None),
]


@pytest.mark.parametrize(("top", "own"), [row[1:] for row in LANGUAGES], ids=[row[0] for row in LANGUAGES])
def test_the_states_of_a_map_have_the_language_of_the_machine(
    aws: LocalAws, top: str | None, own: str | None
) -> None:
    jsonata = "JSONata" in {top, own}
    inner = {"Type": "Pass", "End": True}
    inner |= (
        {"Output": "{% $states.input * 2 %}"}
        if top
        else {"Parameters": {"n.$": "States.MathAdd($, $)"}, "OutputPath": "$.n"}
    )
    items = {"Items": "{% $states.input.l %}"} if jsonata else {"ItemsPath": "$.l"}
    state = {"Type": "Map", "ItemProcessor": one_state(inner), **items, "End": True}
    if own:
        state["QueryLanguage"] = own
    definition = one_state(state, **({"QueryLanguage": top} if top else {}))
    assert json.loads(run(aws, f"language-{top}-{own}".lower(), definition, {"l": [1, 2]})["output"]) == [
        2,
        4,
    ]
