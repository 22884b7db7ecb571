"""Advice on steps: merge, split, make asynchronous, more or less memory; each with evidence and limits."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from monitoring.advise.steps import Machine, Step, mean
from monitoring.cost.measured import Measurements
from monitoring.cost.prices import PRICES

FEW = 20
"""With fewer executions than this, the report warns that the sample is small."""

_SHORT = 500.0  # milliseconds of work
_LONG = 1000.0  # milliseconds of work
_MUCH = 0.3  # of a step's time


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice.

    Attributes:
        action: `merge`, `split`, `asynchronous`, `less memory`, `more memory` or `cold starts`.
        steps: the names of the states concerned.
        evidence: the figures that support it.
        effect: the expected change in time or cost.
        limits: what the figures cannot show.
    """

    action: str
    steps: tuple[str, ...]
    evidence: str
    effect: str
    limits: str

    def as_data(self) -> dict[str, Any]:
        """Return the advice as `--json` prints it."""
        return {**asdict(self), "steps": list(self.steps)}


def advise(machine: Machine, figures: Measurements) -> list[Advice]:
    """Return the advice for one state machine."""
    return [advice for rule in _RULES for advice in rule(machine, figures)]


def _merge(machine: Machine, _figures: Measurements) -> Iterator[Advice]:
    """Advise to merge two short functions that always follow each other."""
    for (before, after), count in sorted(machine.followed.items()):
        first, second = machine.steps[before], machine.steps[after]
        if not first.function or not second.function or not count == first.entered == second.entered:
            continue
        work = first.mean("work") + second.mean("work")
        overhead = sum(step.mean(part) for step in (first, second) for part in ("transition", "cold_start"))
        if max(first.mean("work"), second.mean("work")) > _SHORT or overhead < _MUCH * (work + overhead):
            continue
        saved = PRICES["states.transitions"].of(1) + PRICES["lambda.requests"].of(1)
        yield Advice(
            "merge",
            (before, after),
            f"{before} is always followed by {after} ({count} times); they work {work:.0f} ms, and "
            f"transitions and cold starts take {overhead:.0f} ms",
            f"one transition and one invocation less: {saved * 1e6:.2f} $ for a million executions, up to "
            f"{second.mean('transition') + second.mean('cold_start'):.0f} ms",
            "a retry repeats both; the function needs the permissions of both; one set of metrics says less",
        )


def _split(machine: Machine, _figures: Measurements) -> Iterator[Advice]:
    """Advise to split a step that fails after long work of several kinds."""
    for step in machine.steps.values():
        inner = [(name, spent) for name, spent in _longest(step) if spent >= 0.25 * step.parts["work"]]
        if not step.function or not step.failed or step.mean("work") < _LONG or len(inner) < 2:
            continue
        names = " and ".join(f"{name} ({spent / step.entered:.0f} ms)" for name, spent in inner[:2])
        yield Advice(
            "split",
            (step.name,),
            f"{step.failed} of {step.entered} entries failed; one works {step.mean('work'):.0f} ms: {names}",
            "a retry repeats only the part that failed",
            "one more transition and, when cold, one more initialisation; what one part gives the next has "
            "to fit into 256 KB",
        )


def _asynchronous(machine: Machine, _figures: Measurements) -> Iterator[Advice]:
    """Advise against a polling loop, and against a handler that spends most of its time in one call."""
    for step in machine.steps.values():
        if not step.function:
            continue
        waits = [
            before
            for (before, after), count in machine.followed.items()
            if after == step.name and machine.steps[before].type == "Wait" and count > 0
        ]
        if waits and step.entered > len(waits) and _again(machine, step, waits):
            waiting = sum(machine.steps[name].time for name in waits) / machine.executions
            yield Advice(
                "asynchronous",
                (*waits, step.name),
                f"{step.name} asks again after {', '.join(waits)}: {step.entered} calls in "
                f"{machine.executions} executions, {waiting:.0f} ms of waiting in each",
                "a task that waits for the end (.sync, or .waitForTaskToken with a call back) needs no loop",
                "the service needs an optimised integration or an event when it is done",
            )
        longest = _longest(step)
        if longest and longest[0][1] > 0.7 * step.parts["work"] and step.mean("work") > _LONG:
            name, spent = longest[0]
            yield Advice(
                "asynchronous",
                (step.name,),
                f"{spent / step.entered:.0f} of {step.mean('work'):.0f} ms of work are {name}",
                "if that is waiting, a service integration or a call back needs no function meanwhile",
                "a span does not tell waiting from computing: a model that is loaded is work",
            )


def _longest(step: Step) -> list[tuple[str, float]]:
    """Return the spans inside the handler as (name, milliseconds), longest first."""
    return sorted(step.inner.items(), key=lambda entry: -entry[1])


def _again(machine: Machine, step: Step, waits: list[str]) -> bool:
    """Return whether the step is in a loop with one of the Wait states that precede it."""
    reached, following = set(), {step.name}
    while following:
        reached |= following
        following = {after for before, after in machine.followed if before in following} - reached
        if following & set(waits):
            return True
    return False


def _memory(machine: Machine, figures: Measurements) -> Iterator[Advice]:
    for step in machine.steps.values():
        name = step.function.lower()
        size, used = figures.memory_size.get(name, 0), figures.memory_used.get(name, 0.0)
        if not size or not used:
            continue
        enough = max(128, 64 * math.ceil(used * 1.5 / 64))
        evidence = (
            f"{used:.0f} of {size} MB were used at most in {figures.invocations.get(name, 0)} invocations"
        )
        if used >= 0.9 * size:
            yield Advice(
                "more memory",
                (step.name,),
                evidence,
                f"{enough} MB leave a third free",
                "a larger input may need more than was measured",
            )
        elif enough <= size / 2:
            seconds = figures.durations.get(name, 0.0)
            saved = PRICES["lambda.x86_64"].of(seconds * (size - enough) / 1024)
            yield Advice(
                "less memory",
                (step.name,),
                evidence,
                f"{enough} MB: {saved * 1e6:.2f} $ less for a million invocations that take no longer",
                "processor time comes with memory: work that computes takes longer with less: measure both; "
                "memory of child processes counts too",
            )


def _cold_starts(machine: Machine, figures: Measurements) -> Iterator[Advice]:
    for step in machine.steps.values():
        cold, name = step.parts["cold_start"], step.function.lower()
        if step.time and cold > _MUCH * step.time and cold / step.entered > 100:
            count = figures.cold_starts.get(name, 0)
            milliseconds = 1000 * figures.init_durations.get(name, 0.0)
            yield Advice(
                "cold starts",
                (step.name,),
                f"{100 * cold / step.time:.0f}% of its time are initialisations: {count} of "
                f"{figures.invocations.get(name, 0)} invocations, {milliseconds:.0f} ms each",
                "import less, or do the work in a function that is warm",
                "the share falls with more executions a minute: a few that come together start more "
                "environments than a steady stream",
            )


_RULES: tuple[Callable[[Machine, Measurements], Iterator[Advice]], ...] = (
    _merge,
    _split,
    _asynchronous,
    _memory,
    _cold_starts,
)


def step_data(machine: Machine, step: Step, figures: Measurements) -> dict[str, Any]:
    """Return a step's figures as `--json` prints them: means per entry, shares of the machine's totals."""
    name = step.function.lower()
    return {
        "step": step.name,
        "type": step.type,
        "function": step.function,
        "entered": step.entered,
        "failed": step.failed,
        "mean_ms": round(mean(step.durations), 3),
        "share_of_time": round(step.time / machine.time, 4) if machine.time else 0.0,
        **{f"{part}_ms": round(step.mean(part), 3) for part in step.parts},
        "usd_per_million": round(step.usd / machine.executions * 1e6, 4) if machine.executions else 0.0,
        "share_of_cost": round(step.usd / machine.usd, 4) if machine.usd else 0.0,
        "memory_mb": figures.memory_size.get(name),
        "memory_used_mb": figures.memory_used.get(name),
    }
