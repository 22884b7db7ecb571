"""Read a definition in Amazon States Language into a graph of states and transitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.graph.conditions import condition_text

EdgeKind = Literal["next", "choice", "default", "catch"]
_LONGEST = 160
"""The maximum length of a detail in characters: longer than any name that AWS allows."""
TERMINAL = {"Succeed", "Fail"}
MISSING = "missing"
"""The type of a node for a state that a transition names and the definition does not contain."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state; Map and Parallel contain the graphs of their iterations or branches.

    Attributes:
        name: the state's name, unique in its machine.
        type: Task, Pass, Choice, Wait, Succeed, Fail, Map or Parallel; "" if the definition has no type,
            `missing` for a state that is named and does not exist.
        detail: a short description of the work: `lambda: orders-pay`, `wait 30 s`.
        ends: whether the execution, branch or iteration ends with this state.
        inner: the branches of a Parallel, the iteration of a Map.
    """

    name: str
    type: str
    detail: str = ""
    ends: bool = False
    inner: tuple["StateGraph", ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A transition between two states; `label` is the condition of a choice, or the errors of a catch."""

    source: str
    target: str
    kind: EdgeKind = "next"
    label: str = ""


@dataclass(frozen=True, slots=True)
class StateGraph:
    """The states of a machine, a branch or an iteration, in the order of the definition."""

    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    comment: str = ""

    def walk(self) -> Iterator[Node]:
        """Yield every state, including those inside Map and Parallel."""
        for node in self.nodes:
            yield node
            for inner in node.inner:
                yield from inner.walk()

    def missing(self) -> Iterator[str]:
        """Yield a sentence for each transition to a missing state: `Pay: Next names Ship, which …`."""
        missing = {node.name for node in self.nodes if node.type == MISSING}
        if self.start in missing:
            yield f"StartAt names {self.start}, which is not a state here"
        for edge in self.edges:
            if edge.target in missing:
                yield f"{edge.source}: {_FIELDS[edge.kind]} names {edge.target}, which is not a state here"
        for node in self.nodes:
            for inner in node.inner:
                yield from inner.missing()

    def all_edges(self) -> Iterator[Edge]:
        """Yield every edge, including those inside Map and Parallel."""
        yield from self.edges
        for node in self.nodes:
            for inner in node.inner:
                yield from inner.all_edges()


_FIELDS: Mapping[EdgeKind, str] = {
    "next": "Next",
    "choice": "Next of a choice",
    "default": "Default",
    "catch": "Next of a Catch",
}


def read_graph(definition: Mapping[str, Any]) -> StateGraph:
    """Return the graph of a definition; invalid parts are left out.

    A state that a transition names and that does not exist is a node of type `missing`.

    Args:
        definition: the definition in Amazon States Language, as JSON values.
    """
    states = definition.get("States")
    bodies = {
        str(name): state
        for name, state in (states.items() if isinstance(states, Mapping) else ())
        if isinstance(state, Mapping)
    }
    start = str(definition.get("StartAt") or "")
    edges = tuple(edge for name, state in bodies.items() for edge in _edges(name, state))
    named = dict.fromkeys([*([start] if start and bodies else []), *(edge.target for edge in edges)])
    return StateGraph(
        start,
        (
            *(_node(name, state) for name, state in bodies.items()),
            *(Node(name, MISSING, "there is no such state") for name in named if name not in bodies),
        ),
        edges,
        str(definition.get("Comment") or ""),
    )


def _node(name: str, state: Mapping[str, Any]) -> Node:
    kind = str(state.get("Type") or "")
    return Node(
        name,
        kind,
        _detail(kind, state),
        bool(state.get("End")) or kind in TERMINAL,
        tuple(read_graph(part) for part in _inner(state)),
    )


def _inner(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    branches = state.get("Branches")
    for part in (
        *(branches if isinstance(branches, list) else ()),
        state.get("ItemProcessor"),
        state.get("Iterator"),
    ):
        if isinstance(part, Mapping):
            yield part


def _edges(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    if isinstance(state.get("Next"), str) and state.get("Type") != "Choice":
        yield Edge(name, state["Next"])
    choices = state.get("Choices")
    for rule in choices if isinstance(choices, list) else ():
        if isinstance(rule, Mapping) and isinstance(rule.get("Next"), str):
            yield Edge(name, rule["Next"], "choice", condition_text(rule))
    if isinstance(state.get("Default"), str):
        yield Edge(name, state["Default"], "default", "otherwise")
    catchers = state.get("Catch")
    for catcher in catchers if isinstance(catchers, list) else ():
        if isinstance(catcher, Mapping) and isinstance(catcher.get("Next"), str):
            errors = catcher.get("ErrorEquals")
            label = ", ".join(map(str, errors)) if isinstance(errors, list) else ""
            yield Edge(name, catcher["Next"], "catch", label)


def _detail(kind: str, state: Mapping[str, Any]) -> str:
    if kind == "Task":
        return _task(state)
    if kind == "Wait":
        return _wait(state)
    if kind == "Fail":
        return _short(state.get("Error") or state.get("ErrorPath") or "")
    if kind == "Map":
        config = (
            (state.get("ItemProcessor") or {}).get("ProcessorConfig")
            if isinstance(state.get("ItemProcessor"), Mapping)
            else None
        )
        mode = config.get("Mode") if isinstance(config, Mapping) else None
        limit = state.get("MaxConcurrency")
        words = ["distributed"] if mode == "DISTRIBUTED" else []
        return ", ".join([*words, *([f"{limit} at once"] if isinstance(limit, int) and limit else [])])
    return ""


def _task(state: Mapping[str, Any]) -> str:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        return "function"
    if ":activity:" in resource:
        return _short(f"activity {resource.rpartition(':activity:')[2]}")
    if ":states:" not in resource:
        return _short(_function(resource))
    service = resource.partition(":states:")[2].lstrip(":").removeprefix("aws-sdk:")
    arguments = state.get("Parameters") or state.get("Arguments") or {}
    target = _target(arguments) if isinstance(arguments, Mapping) else ""
    return f"{service} {target}".strip()


def _target(arguments: Mapping[str, Any]) -> str:
    for key in (
        "FunctionName",
        "StateMachineArn",
        "TableName",
        "QueueUrl",
        "TopicArn",
        "ProjectName",
        "Bucket",
    ):
        value = arguments.get(key)
        if isinstance(value, str):
            return _short(_function(value))
    return ""


def _function(text: str) -> str:
    name = (
        text.partition(":function:")[2].partition(":")[0] if ":function:" in text else text.rpartition(":")[2]
    )
    return name.removeprefix("${").removesuffix("}").rpartition("/")[2]


def _wait(state: Mapping[str, Any]) -> str:
    if "Seconds" in state:
        seconds = state["Seconds"]
        return f"{seconds} s" if isinstance(seconds, int | float) else _short(seconds)
    for key in ("Timestamp", "SecondsPath", "TimestampPath"):
        if key in state:
            return f"{'until ' if key.startswith('Timestamp') else ''}{_short(state[key])}"
    return ""


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
