"""Graphs of state machines of 5, 60 and 500 states: drawing against reading the definition, and the growth per state."""

import json
from collections.abc import Callable
from typing import Any

from measure import is_quick, timed

from monitoring.graph import as_svg, read_graph

Definition = dict[str, Any]
CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]


def chain(count: int) -> Definition:
    """Return tasks one after another."""
    states: Definition = {f"Step{at}": {"Type": "Task", "Next": f"Step{at + 1}"} for at in range(count - 1)}
    return {"StartAt": "Step0", "States": {**states, f"Step{count - 1}": {"Type": "Task", "End": True}}}


def caught(count: int) -> Definition:
    """Return tasks one after another, each of which leads to one Fail when it fails."""
    definition = chain(count - 1)
    for state in definition["States"].values():
        state["Catch"] = CATCH
    definition["States"]["Failed"] = {"Type": "Fail"}
    return definition


def fan(count: int) -> Definition:
    """Return a choice between tasks."""
    names = [f"Step{at}" for at in range(count - 1)]
    rules = [{"Variable": "$.kind", "StringEquals": name, "Next": name} for name in names[1:]]
    choice = {"Type": "Choice", "Choices": rules, "Default": names[0]}
    return {"StartAt": "Which", "States": {"Which": choice, **{name: {"Type": "Succeed"} for name in names}}}


def polling(count: int) -> Definition:
    """Return jobs one after another, each asked again until it is done: edges that go back."""
    states: Definition = {}
    for at in range(0, count, 3):
        rule = {"Variable": "$.state", "StringEquals": "running", "Next": f"Wait{at}"}
        states[f"Wait{at}"] = {"Type": "Wait", "Seconds": 30, "Next": f"Look{at}"}
        states[f"Look{at}"] = {"Type": "Task", "Next": f"Done{at}", "Catch": CATCH}
        states[f"Done{at}"] = {"Type": "Choice", "Choices": [rule], "Default": f"Wait{at + 3}"}
    return {
        "StartAt": "Wait0",
        "States": {**states, f"Wait{at + 3}": {"Type": "Pass"}, "Failed": {"Type": "Fail"}},
    }


def nested(count: int) -> Definition:
    """Return Map states one after another, each around tasks of which some run in parallel."""
    states: Definition = {}
    for at in range(0, count, 5):
        branches = [chain(1), chain(1)]
        inner = {
            "Split": {"Type": "Parallel", "Branches": branches, "Next": "Join"},
            "Join": {"Type": "Succeed"},
        }
        processor = {"StartAt": "Split", "States": inner}
        states[f"Each{at}"] = {"Type": "Map", "ItemProcessor": processor, "Next": f"Each{at + 5}"}
    return {"StartAt": "Each0", "States": {**states, f"Each{at + 5}": {"Type": "Succeed"}}}


SHAPES: tuple[Callable[[int], Definition], ...] = (chain, caught, fan, polling, nested)


def main() -> None:
    """Print the table."""
    sizes, rounds = ((5, 10), 1) if is_quick(__doc__) else ((5, 60, 500), 5)
    print(
        f"{'shape':8} {'states':>6} {'ms':>9} {'/ reading':>10} {'ms a state':>10} {'/ the size before':>17}"
    )
    for shape in SHAPES:
        before = 0.0
        for size in sizes:
            text = json.dumps(shape(size))
            reading = timed(lambda text=text: read_graph(json.loads(text)), rounds).processor
            drawing = timed(lambda text=text: as_svg(read_graph(json.loads(text))), rounds).processor
            share = drawing / size
            growth = f"{share / before:.2f}x" if before else ""
            ratio = f"{drawing / reading:.0f}x" if reading else "–"
            print(
                f"{shape.__name__:8} {size:6} {1e3 * drawing:9.1f} {ratio:>10} {1e3 * share:10.2f} {growth:>17}"
            )
            before = share


if __name__ == "__main__":
    main()
