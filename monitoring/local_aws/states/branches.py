"""Parallel, and Map in inline mode: several machines at once within one execution."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import EvaluationError, StateFailedError
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.history import Frame
from monitoring.local_aws.states.interpreter import HANDLERS, StateRun, attempt, run_machine
from monitoring.local_aws.states.limits import tolerance, whole_number
from monitoring.local_aws.states.machine import Machine

INLINE_CONCURRENCY = 40
"""The most iterations of an inline Map that AWS runs at a time."""


async def _parallel(run: StateRun) -> Any:
    value = run.effective_input()
    return await attempt(run, lambda: _branches(run, value), "ParallelStateFailed")


async def _branches(run: StateRun, value: Any) -> list[Any]:
    argument = argument_of(run, value)
    started = run.frame.previous if run.redriven else run.frame.add("ParallelStateStarted")
    left = [number for number in range(len(run.state.branches)) if number not in run.done]
    frames = [run.frame.inner(started) for _ in left]
    run.frame.open[-1][1][:] = frames

    async def branch(number: int, frame: Frame) -> None:
        run.done[number] = await run_machine(run.execution, run.state.branches[number], frame, argument)

    await _together(run.frame, frames, [branch(*pair) for pair in zip(left, frames, strict=True)])
    outputs = [run.done[number] for number in range(len(run.state.branches))]
    run.frame.previous = max([started, *(frame.previous for frame in frames)])
    run.frame.add("ParallelStateSucceeded", aside=True)
    return outputs


def argument_of(run: StateRun, value: Any) -> Any:
    """Return what a Parallel or Task works on: Arguments or Parameters, else the input."""
    name = "Arguments" if run.state.jsonata else "Parameters"
    if name in run.fields:
        template = run.fields[name]
        value = (
            run.query.evaluate(template, name) if run.state.jsonata else run.query.template(template, value)
        )
        run.seen[f"after{name}"] = value
    return value


async def _together(parent: Frame, frames: list[Frame], work: list[Any]) -> None:
    """Wait for all of the work; when one fails, cut off the rest and add the events of that."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        await asyncio.gather(*tasks)
    except StateFailedError:
        await cancel(tasks)
        failed = next(
            n
            for n, task in enumerate(tasks)
            if not task.cancelled() and isinstance(task.exception(), StateFailedError)
        )
        failing = parent.previous = frames[failed].previous
        for number, frame in enumerate(frames):
            frame.abort(failing, failed=number == failed)
        raise
    finally:
        await cancel(tasks)


async def cancel(tasks: list[Any]) -> None:
    """Cancel what still runs, and wait until all has ended; what it raised is known already."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- Map


async def _map(run: StateRun) -> Any:
    value = run.effective_input()
    mode = MODES[run.state.distributed]

    async def work() -> Any:
        return await mode(run, value, whole_number(run, "MaxConcurrency", value) or 0)

    return await attempt(run, work, "MapStateFailed")


def items_of(run: StateRun, value: Any) -> list[Any]:
    """Return the array that a Map iterates over.

    Raises:
        EvaluationError: it is not an array.
    """
    if run.state.jsonata:
        items = run.query.evaluate(run.fields["Items"], "Items") if "Items" in run.fields else value
        if (
            not isinstance(items, list)
            and "Items" in run.fields
            and expression_of(run.fields["Items"]) is not None
        ):
            run.query.typed(run.fields["Items"], "Items", "array", list)
    else:
        path = run.fields.get("ItemsPath", "$")
        items = value if path == "$" else run.query.path(path, value)
    if not isinstance(items, list):
        raise EvaluationError(f"Map state input must be an array but was: {text.dumps(items)}")
    return items


def selected(run: StateRun, frame: Frame, item: Any, index: int, value: Any) -> Any:
    """Return the input of an iteration, and put the item into its context object."""
    frame.context["Map"] = {"Item": {"Index": index, "Value": item}}
    selector = run.fields.get("ItemSelector", run.fields.get("Parameters"))
    if selector is None:
        return item
    run.query.context = frame.context
    try:
        if run.state.jsonata:
            return run.query.evaluate(selector, "ItemSelector")
        return run.query.template(selector, value)
    finally:
        run.query.context = run.frame.context


async def _iterations(run: StateRun, value: Any, concurrency: int) -> list[Any]:
    items = items_of(run, value)
    started = run.frame.previous if run.redriven else run.frame.add("MapStateStarted", {"length": len(items)})
    tolerance(run, value)  # an inline Map has none, but a wrong value fails
    machine: Any = run.state.processor
    run.frame.open[-1][1].clear()
    slots = min(len(items), concurrency or INLINE_CONCURRENCY, INLINE_CONCURRENCY)
    waiting = iter([index for index in range(len(items)) if index not in run.done])
    running: dict[asyncio.Task[Any], tuple[int, Frame]] = {}
    finished = started

    def begin(index: int, previous: int) -> None:
        frame = run.frame.inner(previous)
        argument = selected(run, frame, items[index], index, value)
        frame.iteration = {"name": run.state.name, "index": index}
        frame.add("MapIterationStarted", frame.iteration)
        run.frame.open[-1][1].append(frame)
        task = asyncio.create_task(_iteration(run.execution, machine, frame, argument))
        running[task] = (index, frame)

    try:
        for index in itertools.islice(waiting, slots):
            begin(index, started)
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda ended: running[ended][0]):
                index, frame = running.pop(task)
                if isinstance(task.exception(), StateFailedError):
                    await _die(run, list(running), frame)
                run.done[index] = task.result()
                run.frame.open[-1][1].remove(frame)
                finished = max(finished, frame.last)
                following = next(waiting, None)
                if following is not None:
                    begin(following, frame.previous)
    finally:
        await cancel(list(running))
    run.frame.previous = finished
    run.frame.add("MapStateSucceeded", aside=True)
    return [run.done[index] for index in range(len(items))]


async def _iteration(execution: Any, machine: Machine, frame: Frame, argument: Any) -> Any:
    output = await run_machine(execution, machine, frame, argument)
    frame.add("MapIterationSucceeded", frame.iteration, aside=True)
    frame.iteration = None
    return output


async def _die(run: StateRun, running: list[Any], failed: Frame) -> None:
    """Add the events of a Map that one iteration ended: the iteration failed, the others are cut off."""
    await cancel(running)
    failing = run.frame.previous = failed.previous
    failed.add("MapIterationFailed", failed.iteration, aside=True)
    open_frames = run.frame.open[-1][1]
    for frame in open_frames:
        if frame is not failed:
            frame.abort(failing)
    failed.abort(failing, failed=True)
    open_frames.clear()


MODES: dict[bool, Callable[[StateRun, Any, int], Awaitable[Any]]] = {False: _iterations}
"""How a Map runs, by whether it is distributed; `distributed` adds its own."""
HANDLERS["Parallel"] = _parallel
HANDLERS["Map"] = _map
