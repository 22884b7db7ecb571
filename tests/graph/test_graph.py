"""State machines as pictures and as text: nothing lies on anything, nothing is cut, and the path is on it."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from geometry import Drawing
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.graph import Look, as_svg, as_text, difference, figures_of, read_graph
from monitoring.graph.conditions import condition_text
from monitoring.graph.figures import percentile
from monitoring.log_events.timeline import Run
from monitoring.preview.picture import as_png
from monitoring.preview.theme import LIGHT

EXAMPLE = Path(__file__).parents[2] / "handlers" / "slides" / "state_machine.asl.json"
ORDER: dict[str, Any] = {
    "StartAt": "Take",
    "States": {
        "Take": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:take:live"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
            "Next": "Large",
        },
        "Large": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.amount", "NumericGreaterThan": 10, "Next": "Each"}],
            "Default": "Wait",
        },
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                "StartAt": "Ship",
                "States": {
                    "Ship": {
                        "Type": "Task",
                        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:ship",
                        "End": True,
                    }
                },
            },
            "Next": "Done",
        },
        "Wait": {"Type": "Wait", "Seconds": 30, "Next": "Take"},
        "Done": {"Type": "Pass", "End": True},
        "Failed": {"Type": "Fail", "Error": "OrderFailed"},
    },
}


def test_every_state_and_every_way_is_read() -> None:
    graph = read_graph(ORDER)
    assert [(node.name, node.type, node.detail) for node in graph.walk()] == [
        ("Take", "Task", "lambda:invoke take"),
        ("Large", "Choice", ""),
        ("Each", "Map", "distributed"),
        ("Ship", "Task", "ship"),
        ("Wait", "Wait", "30 s"),
        ("Done", "Pass", ""),
        ("Failed", "Fail", "OrderFailed"),
    ]
    assert [(edge.source, edge.target, edge.kind, edge.label) for edge in graph.all_edges()] == [
        ("Take", "Large", "next", ""),
        ("Take", "Failed", "catch", "States.ALL"),
        ("Large", "Each", "choice", "$.amount > 10"),
        ("Large", "Wait", "default", "otherwise"),
        ("Each", "Done", "next", ""),
        ("Wait", "Take", "next", ""),
    ]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
        ({"Variable": "$.a", "NumericLessThanEqualsPath": "$.b"}, "$.a ≤ $.b"),
        ({"Variable": "$.a", "IsPresent": False}, "$.a is absent"),
        ({"Variable": "$.a", "StringMatches": "log-*"}, '$.a like "log-*"'),
        ({"Not": {"Variable": "$.a", "BooleanEquals": True}}, "not $.a = true"),
        (
            {
                "And": [
                    {"Variable": "$.a", "IsNull": True},
                    {
                        "Or": [
                            {"Variable": "$.b", "NumericEquals": 1},
                            {"Variable": "$.c", "NumericEquals": 2},
                        ]
                    },
                ]
            },
            "$.a is null and ($.b = 1 or $.c = 2)",
        ),
        ({"Condition": "{% $states.input.a\n > 3 %}"}, "$states.input.a > 3"),
        ({"Condition": "{%" + "a" * 400 + "%}"}, "a" * 239 + "…"),
    ],
)
def test_a_condition_is_told_in_short_words(rule: dict, text: str) -> None:
    assert condition_text(rule) == text


@pytest.mark.checkout
def test_the_example_is_drawn_without_a_fault() -> None:
    drawing = Drawing(as_svg(read_graph(json.loads(EXAMPLE.read_text()))))
    assert drawing.faults() == []
    assert len(drawing.states) == 26


def test_the_root_has_its_class_and_every_state_its_name() -> None:
    text = as_svg(read_graph(ORDER), Look(title="Order & <more>", links={"Take": "/logs?a=1&b=2"}))
    assert text.startswith("<svg ")
    assert 'class="state-machine-graph"' in text.partition(">")[0]
    assert 'role="group"' in text  # what is inside an image cannot be reached, and here are links
    assert 'role="img"' in as_svg(read_graph(ORDER), Look(title="Order"))
    assert "Order &amp; &lt;more&gt;" in text
    assert '<a href="/logs?a=1&amp;b=2">' in text
    assert {box.name for box in Drawing(text).states} == {node.name for node in read_graph(ORDER).walk()}


def test_no_name_is_cut_however_long_it_is() -> None:
    names = [
        "A" * 80,
        "checkWhetherThePaymentWasAuthorisedByTheBankOfTheCustomerWhoOrdered",
        "one two " * 9 + "x",
    ]
    states = {name: {"Type": "Pass", "Next": following} for name, following in itertools.pairwise(names)}
    states[names[-1]] = {"Type": "Pass", "End": True}
    drawing = Drawing(as_svg(read_graph({"StartAt": names[0], "States": states})))
    assert drawing.faults() == []
    for name in names:
        assert name.replace(" ", "") in "".join(drawing.texts).replace(" ", "")


@st.composite
def definitions(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    prefix = draw(st.text("abcdefgh", min_size=1, max_size=9)) + f"{depth}"
    names = [f"{prefix}{number}" for number in range(draw(st.integers(1, 14 if not depth else 4)))]
    states: dict[str, Any] = {}
    for name in names:
        kind = draw(st.sampled_from(["Task", "Pass", "Wait", "Choice", "Succeed", "Fail", "Map", "Parallel"]))
        target = st.sampled_from(names)
        state: dict[str, Any] = {"Type": kind}
        if kind == "Choice":
            state["Choices"] = [
                {
                    "Variable": "$." + draw(st.text("xyz", min_size=1, max_size=40)),
                    "NumericEquals": 1,
                    "Next": draw(target),
                }
                for _ in range(draw(st.integers(1, 4)))
            ]
            state["Default"] = draw(target)
        elif kind in {"Map", "Parallel"} and depth < 2:
            inner = [
                draw(definitions(depth + 1)) for _ in range(1 if kind == "Map" else draw(st.integers(1, 3)))
            ]
            state |= {"Branches": inner} if kind == "Parallel" else {"ItemProcessor": inner[0]}
            state["Next"] = draw(target)
        elif kind not in {"Succeed", "Fail"}:
            state |= {"End": True} if draw(st.booleans()) else {"Next": draw(target)}
        if kind == "Task" and draw(st.booleans()):
            state["Catch"] = [
                {"ErrorEquals": ["States.ALL", "A.Long.Name.Of.An.Error"], "Next": draw(target)}
            ]
        states[name] = state
    return {"StartAt": draw(st.sampled_from(names)), "States": states}


@settings(max_examples=150)
@given(definitions())
def test_any_definition_is_drawn_without_a_fault(definition: dict[str, Any]) -> None:
    graph = read_graph(definition)
    names = [node.name for node in graph.walk()]
    if len(set(names)) == len(names):
        assert Drawing(as_svg(graph)).faults() == []
    assert as_text(graph).count("\n") >= len(names)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.dictionaries(
            st.sampled_from(["StartAt", "States", "Type", "Next", "Choices", "Catch", "Branches", "a"]),
            inner | st.lists(inner),
        ),
    )
)
def test_what_is_not_a_definition_never_raises(value: Any) -> None:
    if isinstance(value, dict):
        as_svg(read_graph(value))


def test_labels_inside_a_group_have_its_colour_behind_them() -> None:
    rules = as_svg(read_graph(ORDER), Look(theme=LIGHT))
    assert f".group .label-back{{fill:{LIGHT.panel}}}" in rules


@pytest.mark.parametrize(
    ("resource", "detail"),
    [
        ("arn:aws:states:us-east-1:123456789012:activity:Approve", "activity Approve"),
        ("arn:aws:lambda:us-east-1:123456789012:function:" + "f" * 64, "f" * 64),
        ("arn:aws:states:::aws-sdk:s3:getObject", "s3:getObject"),
        ("${PayFunction.Arn}", "PayFunction.Arn"),
    ],
)
def test_what_a_task_calls_is_named_whole(resource: str, detail: str) -> None:
    states = {"Call": {"Type": "Task", "Resource": resource, "End": True}}
    assert [node.detail for node in read_graph({"StartAt": "Call", "States": states}).nodes] == [detail]


def test_sixty_states_in_a_row_and_sixty_in_a_fan_are_drawn() -> None:
    chain = {
        f"S{n}": {"Type": "Pass", **({"Next": f"S{n + 1}"} if n < 59 else {"End": True})} for n in range(60)
    }
    assert Drawing(as_svg(read_graph({"StartAt": "S0", "States": chain}))).faults() == []
    rules = [{"Variable": "$.x", "NumericEquals": n, "Next": f"T{n}"} for n in range(60)]
    fan = {"C": {"Type": "Choice", "Choices": rules}, **{f"T{n}": {"Type": "Succeed"} for n in range(60)}}
    assert Drawing(as_svg(read_graph({"StartAt": "C", "States": fan}))).faults() == []


def run_of(*states: tuple[str, str, int], caught: bool = False) -> Run:
    root = Run("execution", "e", start=0, end=10_000, status="succeeded")
    at = 0
    for number, (name, status, duration) in enumerate(states):
        end = None if status == "running" else at + duration
        state = Run(
            "state",
            name,
            "Task",
            start=at,
            end=end,
            status=status,
            error="Boom" if status == "failed" else "",
            caught=caught,
            event=number,
        )
        state.children = [Run("attempt", name, retry=n) for n in range(2)] if name == "Take" else []
        root.children.append(state)
        at += duration
    return root


@pytest.mark.parametrize("count", [2, 6, 20])
def test_ways_to_the_end_stay_beside_the_states(count: int) -> None:
    """Every task is caught by a state of its own, which ends the execution: the ways to the end are long."""
    states: dict[str, Any] = {}
    for n in range(count):
        catch = [{"ErrorEquals": ["States.ALL"], "Next": f"Refuse {n}"}]
        way = {"Next": f"Work {n + 1}"} if n < count - 1 else {"End": True}
        states[f"Work {n}"] = {"Type": "Task", "Resource": "states:sns:publish", "Catch": catch, **way}
        states[f"Refuse {n}"] = {"Type": "Pass", "End": True}
    drawing = Drawing(as_svg(read_graph({"StartAt": "Work 0", "States": states}), Look(theme=LIGHT)))
    assert not drawing.faults()
    assert drawing.width < 300 + 30 * count


def test_an_execution_is_on_its_graph() -> None:
    figures = figures_of(
        [run_of(("Take", "succeeded", 1500), ("Large", "succeeded", 1), ("Each", "failed", 40))]
    )
    text = as_svg(read_graph(ORDER), Look(figures=figures))
    drawing = Drawing(text)
    assert drawing.faults() == []
    assert 'class="state map failed group"' in text
    assert 'class="state task succeeded"' in text
    assert 'class="state fail untaken"' in text
    taken = {
        (way.source, way.target)
        for way, part in zip(drawing.ways, text.split("<path ")[3:], strict=False)
        if "taken" in part.partition("class=")[2][:30]
    }
    assert ("Take", "Large") in taken
    assert ("Large", "Wait") not in taken
    assert {"1.5 s, 1 retry", "Boom"} <= set(drawing.texts)
    assert "✗ Each" in as_text(read_graph(ORDER), figures)


def test_a_state_that_still_runs_is_the_current_one() -> None:
    figures = figures_of([run_of(("Take", "succeeded", 10), ("Large", "running", 0))])
    assert 'class="state choice running"' in as_svg(read_graph(ORDER), Look(figures=figures))
    assert "… Large" in as_text(read_graph(ORDER), figures)


def test_many_executions_give_shares_percentiles_and_failure_rates() -> None:
    runs = [
        run_of(("Take", "succeeded", 100), ("Large", "succeeded", 1), ("Each", "succeeded", 5))
        for _ in range(3)
    ]
    runs.append(run_of(("Take", "failed", 300), ("Failed", "succeeded", 1), caught=True))
    figures = figures_of(runs)
    assert figures.followed == {("Take", "Large"): 3, ("Large", "Each"): 3, ("Take", "Failed"): 1}
    texts = " ".join(Drawing(as_svg(read_graph(ORDER), Look(figures=figures))).texts)
    assert "25% failed" in texts
    assert "1× (25%)" in texts
    assert "p50 100 ms" in texts


def test_percentiles_are_between_the_nearest_values() -> None:
    assert percentile([5], 95) == 5
    assert percentile(list(range(101)), 95) == 95
    assert percentile([0, 100], 50) == 50


def test_a_difference_names_what_was_added_removed_and_changed() -> None:
    after = json.loads(json.dumps(ORDER))
    del after["States"]["Wait"]
    after["States"]["Large"]["Default"] = "Done"
    after["States"]["Each"]["ItemProcessor"]["States"]["Ship"]["Resource"] = "other"
    after["States"]["New"] = {"Type": "Succeed"}
    changed = difference(ORDER, after)
    assert (changed.added, changed.removed) == (("New",), ("Wait",))
    assert changed.changed == {"Large": ("Default",), "Ship": ("Resource",)}
    assert changed.lines() == ["+ New", "- Wait", "~ Large: Default", "~ Ship: Resource"]
    assert difference(ORDER, ORDER).empty


@pytest.fixture
def run(graph_command, tmp_path: Path):
    (tmp_path / "order.asl.json").write_text(json.dumps(ORDER))
    return graph_command


def test_the_command_draws_text_svg_png_and_data(run, tmp_path: Path) -> None:
    status, out, _ = run("order.asl.json")
    assert (status, out.splitlines()[0]) == (0, "● Take (Task: lambda:invoke take)")
    assert run("order.asl.json", "--out", "o.svg")[:2] == (0, "")
    assert 'class="state-machine-graph"' in (tmp_path / "o.svg").read_text()
    assert run("order.asl.json", "--out", "o.png", "--theme", "dark")[0] == 0
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    data = json.loads(run("order.asl.json", "--json")[1])
    assert (data["start"], len(data["states"]), len(data["edges"])) == ("Take", 7, 6)


def test_the_command_finds_a_machine_in_a_template(run, tmp_path: Path) -> None:
    resources = {
        name: {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"StateMachineName": f"{name.lower()}-x", "DefinitionString": json.dumps(ORDER)},
        }
        for name in ("One", "Two")
    }
    (tmp_path / "template.json").write_text(json.dumps({"Resources": resources}))
    assert run("One")[0] == run("two-x")[0] == 0
    assert run("template.json", "--machine", "Two")[0] == 0
    status, _, said = run("template.json")
    assert (status, "several state machines: One, Two" in said) == (2, True)
    status, _, said = run("Three")
    assert (status, "There are: One, Two" in said) == (2, True)


def test_the_command_marks_a_difference(run, tmp_path: Path) -> None:
    after = json.loads(json.dumps(ORDER))
    after["States"]["New"] = {"Type": "Succeed"}
    (tmp_path / "new.asl.json").write_text(json.dumps(after))
    assert "+ New (Succeed)" in run("new.asl.json", "--diff", "order.asl.json")[1]
    assert "- New (Succeed)" in run("order.asl.json", "--diff", "new.asl.json")[1]


def test_the_command_draws_what_an_execution_did(run, tmp_path: Path) -> None:
    history = {
        "events": [
            {
                "id": 1,
                "type": "ExecutionStarted",
                "timestamp": 1,
                "previousEventId": 0,
                "executionStartedEventDetails": {},
            },
            {
                "id": 2,
                "type": "TaskStateEntered",
                "timestamp": 2,
                "previousEventId": 0,
                "stateEnteredEventDetails": {"name": "Take"},
            },
            {
                "id": 3,
                "type": "TaskStateExited",
                "timestamp": 5,
                "previousEventId": 2,
                "stateExitedEventDetails": {"name": "Take"},
            },
            {
                "id": 4,
                "type": "ExecutionSucceeded",
                "timestamp": 6,
                "previousEventId": 3,
                "executionSucceededEventDetails": {},
            },
        ]
    }
    (tmp_path / "history.json").write_text(json.dumps(history))
    data = json.loads(run("order.asl.json", "--execution", "history", "--data", "history.json", "--json")[1])
    by_name = {state["name"]: state["figures"] for state in data["states"]}
    assert by_name["Take"]["status"] == "succeeded"
    assert by_name["Large"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "no such file"),
        (["order.asl.json", "--out", "o.gif"], "the format of o.gif is not known"),
        (["order.asl.json", "--out", "missing/o.svg"], "cannot be written"),
        (["empty.json"], "empty.json"),
        (["text.json"], "text.json"),
        (["order.asl.json", "--machine", "x"], "no state machine x"),
        (["order.asl.json", "--execution", "x", "--data", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_status_2(
    run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty.json").write_text('{"StartAt": "A", "States": {}}')
    (tmp_path / "text.json").write_text("not json")
    status, _, said = run(*arguments)
    assert (status, message in said, "Traceback" in said) == (2, True, False), said


def test_a_picture_is_drawn_without_a_browser() -> None:
    assert as_png(as_svg(read_graph(ORDER))).startswith(b"\x89PNG")
    assert sys.modules.get("selenium") is None
