"""Compute the time and cost of each step of a state machine: cold starts, transitions, waiting and work."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from monitoring.cost.measured import Measurements, read_functions
from monitoring.cost.prices import PRICES
from monitoring.errors import InputError

PARTS = ("cold_start", "transition", "waiting", "work")
_MILLISECOND = 1_000_000  # nanoseconds
_EXPRESS_GB = 64 / 1024
"""The least memory that an Express execution is billed for."""
_CONTAINERS = {"Parallel", "Map"}
"""State types whose time is the time of the states inside them."""


@dataclass(slots=True)
class Step:
    """The figures of one state over all executions.

    Attributes:
        name: the state's name.
        type: its type in Amazon States Language.
        functions: name of an invoked function -> number of invocations.
        entered: how often it was entered.
        failed: how often it ended in an error.
        durations: of each entry, in milliseconds.
        parts: `PARTS` -> milliseconds over all entries.
        inner: name of a span inside the handler -> milliseconds.
        usd: dollars over all entries: transitions, requests and GB-seconds of functions; of an Express
            execution its duration at the least memory in place of transitions.
    """

    name: str
    type: str
    functions: Counter[str] = field(default_factory=Counter)
    entered: int = 0
    failed: int = 0
    durations: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    inner: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    usd: float = 0.0

    @property
    def time(self) -> float:
        """Milliseconds over all entries."""
        return sum(self.durations)

    @property
    def function(self) -> str:
        """The function that it invokes, or ""."""
        return self.functions.most_common(1)[0][0] if self.functions else ""

    def mean(self, part: str) -> float:
        """Return milliseconds of a part in one entry."""
        return self.parts[part] / self.entered if self.entered else 0.0


@dataclass(slots=True)
class Machine:
    """The steps of one state machine by name, and how often one followed another."""

    name: str
    executions: int = 0
    steps: dict[str, Step] = field(default_factory=dict)
    followed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def time(self) -> float:
        """Milliseconds of all steps; steps that run in parallel are all counted."""
        return sum(step.time for step in self.steps.values())

    @property
    def usd(self) -> float:
        """Dollars of all steps."""
        return sum(step.usd for step in self.steps.values())


def read_machines(path: Path) -> tuple[list[Machine], Measurements]:
    """Read a database that `stepscope demo --keep`, `up` or `serve` has written.

    Args:
        path: `datadog.duckdb`, or a folder with one.

    Raises:
        InputError: the database does not exist, or contains no execution.
    """
    from monitoring.store import Store

    database = path / "datadog.duckdb" if path.is_dir() else path
    if not database.is_file():
        raise InputError(
            "there is no such database", where=str(database), hint="Make one: stepscope demo --keep DIR."
        )
    with Store.open(database, read_only=True) as store:
        figures = Measurements()
        read_functions(store, figures)
        spans = [dict(span) for span in store.spans()]
    machines = machines_of(spans, figures)
    if not machines:
        raise InputError(
            "the database contains no executions",
            where=str(database),
            hint="Set the state machine's logging to level ALL with execution data, and execute it again.",
        )
    return machines, figures


def machines_of(spans: Iterable[Mapping[str, Any]], figures: Measurements) -> list[Machine]:
    """Compute the steps of each state machine from spans.

    Args:
        spans: with the field names of Datadog's trace line; times in nanoseconds.
        figures: memory, billed durations and initialisations of functions.
    """
    by_id = {span["span_id"]: span for span in spans}
    below: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for span in by_id.values():
        below[span["parent_id"]].append(span)
    machines: dict[str, Machine] = {}
    states: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for span in by_id.values():
        name = _machine_name(span)
        if span["name"] == "aws.stepfunctions":
            machines.setdefault(name, Machine(name)).executions += 1
        elif span["name"] == "aws.stepfunctions.state":
            states[span["parent_id"]].append(span)
            _count(machines.setdefault(name, Machine(name)), span, below, figures)
    for siblings in states.values():
        _follow(machines, siblings)
    return [machine for machine in machines.values() if machine.steps]


def _follow(machines: dict[str, Machine], siblings: list[Mapping[str, Any]]) -> None:
    """Count the pairs of consecutive states; states that overlap are not a pair."""
    ordered = sorted(siblings, key=lambda span: span["start"])
    for before, after in pairwise(ordered):
        if before["start"] + before["duration"] <= after["start"] + _MILLISECOND:
            machine = machines[_machine_name(before)]
            machine.followed[_state(before), _state(after)] += 1


def _machine_name(span: Mapping[str, Any]) -> str:
    """Return the state machine's name: of its tag, or of the execution's ARN."""
    arn = str(span["meta"].get("executionarn", "")).split(":")
    return str(span["meta"].get("statemachinename") or (arn[6].partition("/")[0] if len(arn) > 6 else ""))


def _is_express(span: Mapping[str, Any]) -> bool:
    """Return whether it is of an Express execution, whose ARN has `express` where others have `execution`."""
    return str(span["meta"].get("executionarn", "")).split(":")[5:6] == ["express"]


def _state(span: Mapping[str, Any]) -> str:
    return str(span["meta"].get("state", span["resource"]))


def _count(
    machine: Machine,
    span: Mapping[str, Any],
    below: Mapping[str, list[Mapping[str, Any]]],
    figures: Measurements,
) -> None:
    kind = str(span["meta"].get("statetype", ""))
    step = machine.steps.setdefault(_state(span), Step(_state(span), kind))
    step.entered += 1
    step.failed += bool(span["error"])
    express = _is_express(span)
    step.usd += 0.0 if express else PRICES["states.transitions"].of(1)
    if kind in _CONTAINERS:
        return
    duration = span["duration"] / _MILLISECOND
    step.usd += PRICES["states.express.duration"].of(duration / 1000 * _EXPRESS_GB) if express else 0.0
    step.durations.append(duration)
    calls = list(_invocations(span, below))
    for call in calls:
        _invocation(step, call, below, figures)
    invoked, initialised = _spent(calls, figures)
    work, cold = min(invoked, duration), min(initialised, max(0.0, duration - invoked))
    step.parts["work"] += work
    step.parts["cold_start"] += cold
    remainder = duration - work - cold
    step.parts["transition" if calls or kind not in ("Wait", "Task") else "waiting"] += remainder


def _spent(calls: list[Mapping[str, Any]], figures: Measurements) -> tuple[float, float]:
    """Return the milliseconds of invocations, and of the cold starts before them."""
    work = sum(call["duration"] for call in calls) / _MILLISECOND
    cold = sum(
        1000 * figures.init_durations.get(str(call["resource"]).lower(), 0.0)
        for call in calls
        if call["meta"].get("cold_start") == "true"
    )
    return work, cold


def _invocations(
    span: Mapping[str, Any], below: Mapping[str, list[Mapping[str, Any]]]
) -> Iterable[Mapping[str, Any]]:
    """Yield the spans of a state's invocations, over all its attempts."""
    for child in below.get(span["span_id"], ()):
        if child["name"] == "aws.lambda":
            yield child
        elif child["name"] == "aws.stepfunctions.attempt":
            yield from _invocations(child, below)


def _invocation(
    step: Step,
    call: Mapping[str, Any],
    below: Mapping[str, list[Mapping[str, Any]]],
    figures: Measurements,
) -> None:
    name = str(call["resource"])
    step.functions[name] += 1
    for inner in below.get(call["span_id"], ()):
        step.inner[inner["name"]] += inner["duration"] / _MILLISECOND
    billed = figures.durations.get(name.lower(), call["duration"] / _MILLISECOND / 1000)
    memory = figures.memory_size.get(name.lower(), 128)
    step.usd += PRICES["lambda.requests"].of(1) + PRICES["lambda.x86_64"].of(billed * memory / 1024)


def mean(values: list[float]) -> float:
    """Return the mean, or 0.0 for an empty list."""
    return fmean(values) if values else 0.0
