"""What is written on a graph: the critical path, comparisons, a drill's results, and states that are not there."""

import json
from pathlib import Path
from typing import Any

import pytest
from geometry import Drawing

from monitoring.cli import main
from monitoring.graph import (
    Look,
    Note,
    as_svg,
    as_text,
    compared_with_last,
    critical_path,
    difference_notes,
    drill_notes,
    figures_of,
    joined,
    of_machine,
    read_graph,
    slow_notes,
)
from monitoring.log_events.timeline import Run


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:1:function:shop-{name.lower()}", **more}


BRANCH = {"StartAt": "A1", "States": {"A1": task("A1", Next="A2"), "A2": task("A2", End=True)}}
OTHER = {"StartAt": "B1", "States": {"B1": task("B1", End=True)}}
SHOP = {
    "StartAt": "Pay",
    "States": {
        "Pay": task("Pay", Next="Both", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Refund"}]),
        "Both": {"Type": "Parallel", "Branches": [BRANCH, OTHER], "Next": "Ship"},
        "Ship": task("Ship", End=True),
        "Refund": task("Refund", End=True),
    },
}


def state(name: str, start: int, end: int, *inner: Run, kind: Any = "state", type: str = "Task") -> Run:
    run = Run(kind, name, type, start, end, "succeeded")
    for at, child in enumerate(inner):
        child.parent, child.event = run, at + 1
        run.children.append(child)
    return run


def shop(start: int = 0, pay: int = 100, status: str = "succeeded") -> Run:
    end = start + pay
    both = state("Both", end, end + 300, state("A1", end, end + 50), state("B1", end, end + 300),
                 state("A2", end + 50, end + 90), type="Parallel")  # fmt: skip
    root = state("shop", start, end + 400, state("Pay", start, end), both,
                 state("Ship", end + 300, end + 400), kind="execution")  # fmt: skip
    root.status = status
    return root


# -- the critical path


@pytest.mark.parametrize("graph", [None, read_graph(SHOP)], ids=["without a definition", "with it"])
def test_the_critical_path_goes_through_the_branch_that_was_waited_for(graph: Any) -> None:
    path = critical_path(shop(), graph)
    assert [(step.name, step.duration) for step in path] == [("Pay", 100), ("B1", 300), ("Ship", 100)]
    assert [round(step.share, 2) for step in path] == [0.2, 0.6, 0.2]


def test_states_of_another_branch_are_not_on_it_where_the_definition_is_known() -> None:
    both = state(
        "Both", 0, 100, state("B1", 0, 50), state("A1", 0, 60), state("A2", 60, 100), type="Parallel"
    )
    root = state("shop", 0, 100, both, kind="execution")
    assert [step.name for step in critical_path(root, read_graph(SHOP))] == ["A1", "A2"]


def test_of_a_map_the_iterations_count_that_ended_last() -> None:
    iterations = [
        state(f"[{at}]", start, end, state("Item", start, end), kind="iteration")
        for at, (start, end) in enumerate([(0, 40), (0, 70), (40, 60), (70, 100)])
    ]
    root = state("shop", 0, 100, state("Each", 0, 100, *iterations, type="Map"), kind="execution")
    assert [(step.name, step.duration) for step in critical_path(root)] == [("Item", 70), ("Item", 30)]


@pytest.mark.parametrize(
    "root", [state("x", 0, 0, kind="execution"), Run("execution", "x")], ids=["empty", "runs"]
)
def test_an_execution_without_states_has_no_path(root: Run) -> None:
    assert critical_path(root) == []


def test_the_path_is_thick_on_the_picture() -> None:
    text = as_svg(read_graph(SHOP), Look(figures=figures_of([shop()]), critical=frozenset({"B1"})))
    assert text.count("critical") == 1
    assert 'class="state task succeeded critical"' in text


# -- compared


def test_a_state_that_took_longer_than_95_percent_of_the_last_executions_is_slow() -> None:
    before = [shop(at * 1000) for at in range(60)]
    whole, states = compared_with_last(shop(99_000, pay=900), before)
    assert whole is not None
    assert whole.text == "slow: 1.3 s, p50 500 ms, p95 500 ms of the last 50"
    assert [name for name, one in states.items() if one.slow] == ["Pay"]
    assert slow_notes(states)["Pay"] == [Note("slow: p50 100 ms, p95 100 ms", "warning")]
    assert slow_notes(states)["Ship"] == [Note("p50 100 ms, p95 100 ms")]


@pytest.mark.parametrize(
    "before",
    [
        [],
        [shop(at) for at in range(4)],
        [shop(at, status="failed") for at in range(9)],
        [shop(200_000 + at) for at in range(9)],
    ],
    ids=["none", "four", "failed ones", "later ones"],
)
def test_few_failed_or_later_executions_are_no_comparison(before: list[Run]) -> None:
    assert compared_with_last(shop(99_000), before) == (None, {})


def test_the_difference_of_two_periods_is_on_each_state() -> None:
    older, newer = figures_of([shop(), shop()]), figures_of([shop(pay=250)])
    newer.states["Ship"].failed = 1
    newer.states["New"] = newer.states.pop("B1")
    notes = difference_notes(older, newer)
    assert notes["Pay"] == [Note("p50 100 ms → 250 ms (+150%)", "bad"), Note("entered 2× → 1×")]
    assert Note("failed 0% → 100%", "bad") in notes["Ship"]
    assert notes["New"] == [Note("not entered before", "warning")]
    assert notes["B1"] == [Note("no longer entered", "warning")]
    assert difference_notes(older, older) == {}
    assert difference_notes(figures_of([shop(pay=250)]), figures_of([shop()]))["Pay"][0].tone == "good"


# -- a drill


def fault(name: str, *by: str, minutes: float | None = 2.0) -> dict[str, Any]:
    return {"name": name, "target": name.partition("/")[0], "noticed_by": list(by), "minutes": minutes}


def test_the_faults_of_a_drill_are_at_the_states_that_they_hit() -> None:
    faults = [
        fault("PayFunction/raises", "errors", "slow"),
        fault("shop-ship/hangs", minutes=None),
        {**fault("Shop/stuck", "age"), "machine": "Shop"},
    ]
    notes = drill_notes({"faults": [*faults, "nonsense"]}, read_graph(SHOP))
    assert notes["Ship"] == [Note("hangs: nobody notices", "bad")]
    assert Note("raises: errors +1, 2 min", "good") in notes["Pay"]
    assert drill_notes({"faults": None}, read_graph(SHOP)) == {}
    assert drill_notes({"faults": [fault("Ghost/raises", "m")]}, read_graph(SHOP)) == {
        "Pay": [Note("Ghost raises: m, 2 min", "good")]
    }


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["orders"], ["Orders"]),
        (["shop-Orders-1A2B"], ["Orders"]),
        (["shop-OrdersRefund-1A2B"], ["OrdersRefund"]),
        (["checkout", "OrdersRefund"], ["OrdersRefund"]),
        (["checkout"], []),
        ([""], []),
        ([], []),
    ],
    ids=str,
)
def test_a_report_of_several_machines_is_read_for_one(names: list[str], kept: list[str]) -> None:
    rows = [{**fault("Pay/raises", "m"), "machine": name} for name in ("Orders", "OrdersRefund", "")]
    assert [row["machine"] for row in of_machine({"faults": [*rows, 3]}, names)["faults"]] == kept


def test_notes_are_drawn_whole_and_lie_on_nothing() -> None:
    notes = joined(
        {"Pay": [Note("a " * 60)]}, {"Pay": [Note("second", "bad")], "A1": [Note("inside", "warning")]}
    )
    drawing = Drawing(as_svg(read_graph(SHOP), Look(notes=notes)))
    assert drawing.faults() == []
    assert "".join(drawing.texts).count("a") >= 60
    assert {"second", "inside"} <= set(drawing.texts)
    assert "✗ second" in as_text(read_graph(SHOP), notes=notes)


# -- states that are not there


GONE = {
    "StartAt": "Pay",
    "States": {"Pay": task("Pay", Next="Ship", Catch=[{"ErrorEquals": ["E"], "Next": "Oops"}])},
}


@pytest.mark.parametrize(
    ("definition", "sentences"),
    [
        (GONE, ["Pay: Next names Ship, which is not a state here", "Pay: Next of a Catch names Oops, which is not a state here"]),
        ({"StartAt": "X", "States": {"A": {"Type": "Succeed"}}}, ["StartAt names X, which is not a state here"]),
        ({"StartAt": "A", "States": {"A": {"Type": "Map", "ItemProcessor": GONE, "End": True}}}, 2),
        ({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Next": "N"}], "Default": "D"}}}, 2),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": "no state"}}, 1),
        (SHOP, []),
    ],
    ids=["next and catch", "start", "inside", "choice and default", "not an object", "none"],
)  # fmt: skip
def test_a_state_that_is_not_there_is_said_and_drawn(definition: dict[str, Any], sentences: Any) -> None:
    graph = read_graph(definition)
    missing = list(graph.missing())
    assert (len(missing) if isinstance(sentences, int) else missing) == sentences
    text = as_svg(graph)
    assert ('class="state missing"' in text) == bool(missing)
    assert Drawing(text).faults() == []
    assert ("there is no such state" in as_text(graph)) == bool(missing)


# -- many catches


def test_many_catches_of_one_state_share_a_way() -> None:
    catch = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]}
    states = {
        f"S{at}": task(f"S{at}", **catch, **({"Next": f"S{at + 1}"} if at < 59 else {"End": True}))
        for at in range(60)
    }
    text = as_svg(read_graph({"StartAt": "S0", "States": {**states, "Failed": {"Type": "Fail"}}}))
    drawing = Drawing(text)
    assert drawing.faults() == []
    assert drawing.width < 1200
    points = sorted(len(way.points) for way in drawing.ways)
    assert points[-2] < 20 < points[-1]  # one goes all the way, the others up to it
    assert len({box.left for box in drawing.states if box.name in {"S10", "S20", "S30"}}) <= 3


# -- the command


@pytest.fixture
def run(graph_command, tmp_path: Path):
    (tmp_path / "shop.asl.json").write_text(json.dumps(SHOP))
    return graph_command


def history(name: str, begin: int, pay: int) -> str:
    arn = f"arn:aws:states:us-east-1:1:execution:shop:{name}"
    events = [
        ("ExecutionStarted", 0, {}), ("TaskStateEntered", 0, {"name": "Pay"}), ("TaskStateExited", pay, {"name": "Pay"}),
        ("TaskStateEntered", pay, {"name": "Ship"}), ("TaskStateExited", pay + 100, {"name": "Ship"}),
        ("ExecutionSucceeded", pay + 100, {}),
    ]  # fmt: skip
    rows = [
        {"id": str(at), "type": kind, "previous_event_id": str(at - 1), "execution_arn": arn,
         "event_timestamp": str(1_795_800_000_000 + begin + moment), "details": details}
        for at, (kind, moment, details) in enumerate(events, 1)
    ]  # fmt: skip
    return "\n".join(map(json.dumps, rows))


def test_the_command_says_the_critical_path_and_what_was_slow(run, tmp_path: Path) -> None:
    names = [history(f"e{at}", at * 60_000, 100) for at in range(9)]
    (tmp_path / "shop.jsonl").write_text("\n".join([*names, history("last", 3_600_000, 5000)]))
    chain = {"StartAt": "Pay", "States": {"Pay": task("Pay", Next="Ship"), "Ship": task("Ship", End=True)}}
    (tmp_path / "shop.asl.json").write_text(json.dumps(chain))
    status, out, err = run("shop.asl.json", "--execution", "last", "--data", "shop.jsonl")
    assert status == 0
    assert "! slow: p50 100 ms, p95 100 ms" in out
    assert "critical path: Pay 98%, Ship 2%" in err
    assert "compared with the last executions: slow: 5.1 s, p50 200 ms, p95 200 ms of the last 9" in err
    other = run("shop.asl.json", "--execution", "last", "--against", "e1", "--data", "shop.jsonl")[1]
    assert "✗ p50 100 ms → 5.0 s (+4900%)" in other


def test_the_command_says_which_states_are_not_there(run, tmp_path: Path) -> None:
    (tmp_path / "gone.asl.json").write_text(json.dumps(GONE))
    status, out, err = run("gone.asl.json")
    assert (status, "✗ Ship (missing: there is no such state)" in out) == (1, True)
    assert "Pay: Next names Ship, which is not a state here" in err
    assert json.loads(run("gone.asl.json", "--json")[1])["missing"]
    assert run("gone.asl.json", "--out", "gone.png")[0] == 1


def test_the_command_draws_a_drill(run, tmp_path: Path) -> None:
    (tmp_path / "drill.json").write_text(json.dumps({"faults": [fault("Ship/raises", "errors")]}))
    assert "✓ raises: errors, 2 min" in run("shop.asl.json", "--drill", "drill.json")[1]
    rows = [{**fault(f"{target}/raises", "errors"), "machine": "Other"} for target in ("Ship", "Other")]
    (tmp_path / "drill.json").write_text(json.dumps({"faults": rows}))
    drawn = run("shop.asl.json", "--drill", "drill.json")[1]
    assert drawn.count("raises: errors") == 1  # the machine of another name is not the one of this file


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--last", "1d"], "--last needs --all"),
        (["--cost"], "--cost needs --all"),
        (["--against", "x"], "--against needs"),
        (["--all", "--last", "1d", "--against", "x"], "is not a period"),
        (["--drill", "nosuch.json"], "cannot be read"),
        (["--drill", "shop.asl.json"], "is not the result of a drill"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_said(run, arguments: list[str], words: str) -> None:
    status, _, err = run("shop.asl.json", *arguments)
    assert (status, words in err) == (2, True)


# -- the pictures of a pull request


@pytest.mark.parametrize("kind", ["svg", "png", "html"])
@pytest.mark.parametrize("older", ["old", "old/shop.asl.json"])
def test_a_preview_draws_what_changed_in_a_state_machine(
    run, tmp_path: Path, kind: str, older: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(json.dumps(SHOP))
    before["States"]["Gone"] = task("Gone", End=True)
    before["States"]["Ship"]["TimeoutSeconds"] = 5
    del before["States"]["Refund"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "shop.asl.json").write_text(json.dumps(before))
    with pytest.raises(SystemExit) as ended:
        main(["preview", "shop.asl.json", "--diff", older, "--format", kind])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"wrote previews/shop.graph.{kind}\n")
    drawn = (tmp_path / "previews" / f"shop.graph.{kind}").read_bytes()
    if kind == "png":
        assert drawn.startswith(b"\x89PNG")
        return
    text = drawn.decode()
    assert 'class="state task removed"' in text
    assert 'class="state task changed"' in text
    assert 'class="state task added"' in text
    assert ("<li>added: Refund</li>" in text) == (kind == "html")


def test_a_preview_without_an_older_version_marks_nothing(run, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["preview", "shop.asl.json", "--format", "svg", "--json"])
    assert ended.value.code == 0
    text = (tmp_path / "previews" / "shop.graph.svg").read_text()
    assert not any(f" {mark}" in text for mark in ("added", "removed", "changed"))


def test_a_machine_that_was_not_there_before_is_added_whole(run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        main(["preview", "shop.asl.json", "--format", "svg", "--diff", "empty"])
    assert (tmp_path / "previews" / "shop.graph.svg").read_text().count(" added") == 7


def test_machines_of_one_name_in_several_files_are_several_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, state in (("a", "First"), ("b", "Second"), ("c", "Third")):
        (tmp_path / folder).mkdir()
        body = {"StartAt": state, "States": {state: {"Type": "Succeed"}}}
        (tmp_path / folder / "shop.asl.json").write_text(json.dumps(body))
    paths = [f"{folder}/shop.asl.json" for folder in "abc"]
    with pytest.raises(SystemExit) as stopped:
        main(["preview", *paths, "--format", "svg"])
    assert not stopped.value.code
    pictures = {path.name: path.read_text() for path in (tmp_path / "previews").glob("*.graph.svg")}
    assert pictures.keys() == {"shop.graph.svg", "shop-2.graph.svg", "shop-3.graph.svg"}
    assert all(any(state in text for text in pictures.values()) for state in ("First", "Second", "Third"))
