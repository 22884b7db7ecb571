"""How states run: what they take in, do, give out, and which state comes next."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from monitoring.local_aws.platform_lines import iso_time
from monitoring.local_aws.states import choice, text
from monitoring.local_aws.states.attempts import Retries, catcher_of
from monitoring.local_aws.states.errors import EvaluationError, FatalError, StateFailedError
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.history import INCLUDED, Frame, payload
from monitoring.local_aws.states.jsonpath import PathNotFoundError, compile_path
from monitoring.local_aws.states.machine import Machine, StateDefinition
from monitoring.local_aws.states.query import Query
from monitoring.local_aws.states.timestamps import parse_timestamp

Outcome = tuple[Any, str | None]
"""The output of a state and the name of the next one."""
_ABORTABLE = {"Task", "Wait", "Map", "Parallel"}


class StateRun:
    """One state while it runs.

    Attributes:
        raw: the state's input.
        before, entered: the event before the state entered event, and that event.
        query: evaluates its fields.
        next: the name of the next state.
        assigned: the variables that it assigns, seen by the states after it.
        seen: what its fields gave, step by step, for TestState.
        done: the outputs of the branches, iterations or items that have ended, which a redrive leaves out.
        redriven: whether it does its work once more in a redrive.
        map_run: the Map Run of a Distributed Map.
        standing: the event before the one that failed, from which a redrive goes on.
        caught: the failure that a Catch took.
    """

    def __init__(self, execution: Any, state: StateDefinition, frame: Frame, raw: Any) -> None:
        self.execution = execution
        self.state = state
        self.fields = state.fields
        self.frame = frame
        self.raw = raw
        self.next = state.next
        self.assigned: dict[str, Any] = {}
        self.seen: dict[str, Any] = {}
        self.done: dict[int, Any] = {}
        self.standing = 0
        self.caught: StateFailedError | None = None
        self.redriven = False
        self.map_run: Any = None
        self.before = frame.previous
        details = {"name": state.name, "input": text.dumps(raw), "inputDetails": INCLUDED}
        self.entered = frame.add(f"{state.type}StateEntered", details)
        frame.context["State"] = {
            "EnteredTime": iso_time(frame.history.events[-1]["timestamp"]),
            "Name": state.name,
        }
        self.query = Query(state.jsonata, raw, frame.context, frame.variables)

    def effective_input(self) -> Any:
        """Return the state's input after InputPath, and let fields be evaluated on it."""
        if not self.state.jsonata:
            self.query.input = self.seen["afterInputPath"] = self.filtered("InputPath", self.raw)
        return self.query.input

    def filtered(self, name: str, value: Any) -> Any:
        """Return a value after InputPath or OutputPath."""
        path = self.fields.get(name, "$")
        return {} if path is None else value if path == "$" else self.query.path(path, value)

    def assign(self, template: Any, document: Any, field: str = "Assign") -> None:
        """Evaluate an Assign; `document` is what `$` stands for in JSONPath."""
        if template:
            jsonata = self.state.jsonata
            self.assigned = (
                self.query.evaluate(template, field) if jsonata else self.query.template(template, document)
            )

    def finish(self, result: Any) -> Any:
        """Return the output of a state that has a result: Task, Map, Parallel, Pass."""
        self.seen["result"] = result
        if self.state.jsonata:
            self.query.result, self.query.has_result = result, True
            return self.finish_jsonata(result)
        self.assign(self.fields.get("Assign"), result)
        if "ResultSelector" in self.fields:
            result = self.query.template(self.fields["ResultSelector"], result)
        self.seen["afterResultSelector"] = result
        self.seen["afterResultPath"] = self.placed(self.fields.get("ResultPath", "$"), result)
        return self.filtered("OutputPath", self.seen["afterResultPath"])

    def finish_jsonata(self, result: Any) -> Any:
        """Return Output, or `result` where the state has none; evaluate Assign."""
        output = self.query.evaluate(self.fields["Output"], "Output") if "Output" in self.fields else result
        self.assign(self.fields.get("Assign"), None)
        return output

    def placed(self, path: str | None, result: Any) -> Any:
        """Return the raw input with the result at a ResultPath."""
        if path is None:
            return self.raw
        return result if path == "$" else _place(self.raw, compile_path(path).keys(), result)

    def fail(self, failed: EvaluationError) -> StateFailedError:
        """Add the event of an evaluation that failed and return the failure with the state in its cause."""
        cause = self.described(failed.cause or "")
        details = {
            "error": failed.error,
            "cause": cause,
            "location": failed.location,
            "state": self.state.name,
        }
        untouched = self.frame.previous == self.entered and not isinstance(failed, ParsingError)
        self.frame.add(
            "EvaluationFailed",
            {key: value for key, value in details.items() if value is not None},
            previous=self.before if untouched else None,
        )
        return StateFailedError(failed.error, cause)

    def described(self, cause: str) -> str:
        """Return a cause with the state's name and event before it."""
        where = f"'{self.state.name}' (entered at the event id #{self.entered})"
        return f"An error occurred while executing the state {where}. {cause}"


class ParsingError(EvaluationError):
    """The value of an expression is not what the field takes."""


def _place(value: Any, keys: list[str | int], result: Any) -> Any:
    if not keys:
        return result
    key, rest = keys[0], keys[1:]
    if isinstance(key, int) and isinstance(value, list) and 0 <= key < len(value):
        return [*value[:key], _place(value[key], rest, result), *value[key + 1 :]]
    if isinstance(key, str) and isinstance(value, dict):
        return {**value, key: _place(value.get(key, {}), rest, result)}
    raise StateFailedError(
        "States.ResultPathMatchFailure", f'Unable to apply step "{key}" to input {text.dumps(value)}'
    )


# -- running


async def run_machine(
    execution: Any, machine: Machine, frame: Frame, value: Any, start: str | None = None
) -> Any:
    """Run the states of a machine, from its first one or from `start`, and return the last one's output."""
    name: str | None = start or machine.start_at
    while name is not None:
        value, name = await run_state(execution, machine.states[name], frame, value)
    return value


async def run_state(execution: Any, state: StateDefinition, frame: Frame, value: Any) -> Outcome:
    """Run one state.

    Raises:
        StateFailedError: it failed, and nothing caught it.
        FatalError: the execution has to fail.
    """
    run = StateRun(execution, state, frame, value)
    execution.entered(run)
    return await _carried_out(run)


async def resume_state(execution: Any, machine: Machine, failed: StateRun) -> Any:
    """Do the work of a failed state once more, without entering it again, and run the states after it."""
    frame = failed.frame
    frame.previous = frame.last = failed.standing or failed.entered
    frame.open.clear()
    failed.redriven = True
    value, name = await _carried_out(failed)
    return value if name is None else await run_machine(execution, machine, frame, value, name)


async def _carried_out(run: StateRun) -> Outcome:
    state, frame = run.state, run.frame
    if state.type in _ABORTABLE:
        frame.open.append((state.type, []))
    try:
        output = await HANDLERS[state.type](run)
        _check_size(state, output)
    except EvaluationError as failed:
        raise run.fail(failed) from None
    except StateFailedError as failed:
        if failed.error in {"States.IntrinsicFailure", "States.ResultPathMatchFailure"}:
            raise StateFailedError(failed.error, run.described(failed.cause or "")) from None
        raise
    except FatalError as fatal:
        if fatal.previous is None:
            fatal.previous, fatal.cause = frame.last, run.described(fatal.cause)
        raise
    if state.type in _ABORTABLE:
        frame.open.pop()
    exited = {"name": state.name, **payload(output)}
    if run.assigned:
        frame.variables = {**frame.variables, **run.assigned}
        exited["assignedVariables"] = {name: text.dumps(assigned) for name, assigned in run.assigned.items()}
        exited["assignedVariablesDetails"] = INCLUDED
    frame.add(f"{state.type}StateExited", exited)
    return output, run.next


def _check_size(state: StateDefinition, output: Any) -> None:
    if text.too_large(text.dumps(output)):
        raise StateFailedError(
            "States.DataLimitExceeded",
            text.TOO_LARGE.format(state.name),
        )


async def attempt(run: StateRun, work: Callable[[], Awaitable[Any]], failed_event: str | None = None) -> Any:
    """Do the work of a Task, Map or Parallel, as often as Retry allows, and return the output of the state.

    Args:
        run: the state.
        work: makes one attempt and returns the result.
        failed_event: added where the last attempt failed.
    """
    retries = Retries(run.fields.get("Retry", ()))
    _count_retry(run, 0)
    while True:
        try:
            run.standing = run.frame.previous
            return run.finish(await work())
        except StateFailedError as failure:
            failed = run.fail(failure) if isinstance(failure, EvaluationError) else failure
        delay = retries.delay(failed)
        if delay is None:
            return _caught(run, failed, failed_event)
        await run.execution.clock.sleep(delay)
        run.done.clear()
        run.redriven = False
        _count_retry(run, run.frame.context["State"]["RetryCount"] + 1)


def _count_retry(run: StateRun, count: int) -> None:
    run.frame.context["State"] = {**run.frame.context["State"], "RetryCount": count}


def _caught(run: StateRun, failed: StateFailedError, failed_event: str | None) -> Any:
    """Return the output of a Catch, or raise the failure where none takes it."""
    standing = run.frame.previous
    if failed_event:
        run.frame.add(failed_event)
    catchers = run.fields.get("Catch", ())
    number = catcher_of(catchers, failed)
    if number is None:
        raise failed
    catcher, output = catchers[number], failed.output()
    run.next, run.caught = catcher["Next"], failed
    if not run.state.jsonata:
        run.assign(catcher.get("Assign"), output)
        return run.placed(catcher.get("ResultPath", "$"), output)
    run.query.error_output = output
    try:
        run.assign(catcher.get("Assign"), None, f"Catch[{number}]/Assign")
        return (
            run.query.evaluate(catcher["Output"], f"Catch[{number}]/Output")
            if "Output" in catcher
            else output
        )
    except EvaluationError as again:
        run.frame.previous = standing
        second = run.fail(again)
        if failed_event:
            run.frame.add(failed_event)
        raise second from None


# -- the states that do no work


async def _pass(run: StateRun) -> Any:
    value = run.effective_input()
    if run.state.jsonata:
        return run.finish_jsonata(value)
    if "Parameters" in run.fields:
        value = run.query.template(run.fields["Parameters"], value)
    return run.finish(run.fields.get("Result", value))


async def _succeed(run: StateRun) -> Any:
    run.next = None
    value = run.effective_input()
    return run.finish_jsonata(value) if run.state.jsonata else run.filtered("OutputPath", value)


async def _fail(run: StateRun) -> Any:
    texts = [_told(run, name) for name in ("Error", "Cause")]
    raise StateFailedError(*texts)


def _told(run: StateRun, name: str) -> str | None:
    """Return the Error or Cause of a Fail state."""
    value = run.fields.get(name)
    if run.state.jsonata:
        return None if value is None else str(run.query.typed(value, name, "string", str))
    path = run.fields.get(f"{name}Path")
    if path is None:
        return value
    value = run.query.field(f"{name}Path", path, run.raw)
    if not isinstance(value, str):
        raise FatalError(
            f"The {name}Path parameter does not reference a string: {path} == {text.dumps(value)}"
        )
    return value


async def _choice(run: StateRun) -> Any:
    value = run.effective_input()
    rule, number = _first_rule(run, value)
    run.next = rule["Next"] if rule is not None else run.fields.get("Default")
    if run.next is None:
        cause = "Failed to transition out of the state. The state does not point to a next state."
        raise StateFailedError("States.NoChoiceMatched", run.described(cause))
    source, field = (rule, f"Choices[{number}]/") if rule is not None else (run.fields, "")
    if not run.state.jsonata:
        run.assign(source.get("Assign"), value)
        return run.filtered("OutputPath", value)
    run.assign(source.get("Assign"), None, f"{field}Assign")
    return run.query.evaluate(source["Output"], f"{field}Output") if "Output" in source else value


def _first_rule(run: StateRun, value: Any) -> tuple[dict[str, Any] | None, int]:
    for number, rule in enumerate(run.fields["Choices"]):
        if run.state.jsonata:
            true = run.query.typed(rule["Condition"], f"Choices[{number}]/Condition", "boolean", bool)
        else:
            true = choice.holds(rule, lambda path: _compared(run, path, value), FatalError)
        if true:
            return rule, number
    return None, 0


def _compared(run: StateRun, path: str, value: Any) -> Any:
    try:
        return run.query.read(path, value, strict=True)
    except PathNotFoundError:
        cause = f"Invalid path '{path}': The choice state's condition path references an invalid value."
        raise FatalError(cause) from None


async def _wait(run: StateRun) -> Any:
    value = run.effective_input()
    seconds = _seconds(run, value) if {"Seconds", "SecondsPath"} & run.fields.keys() else _until(run, value)
    await run.execution.clock.sleep(seconds)
    if run.state.jsonata:
        return run.finish_jsonata(value)
    run.assign(run.fields.get("Assign"), value)
    return run.filtered("OutputPath", value)


def _seconds(run: StateRun, value: Any) -> float:
    if "SecondsPath" not in run.fields:
        seconds = run.fields["Seconds"]
        if expression_of(seconds) is not None:
            seconds = run.query.typed(seconds, "Seconds", "number", (int, float))
            if seconds < 0 or seconds != int(seconds):
                raise ParsingError(
                    f"The Seconds field must be a non-negative integer, but was: {text.dumps(seconds)}",
                    "Seconds",
                )
        return float(seconds)
    path = run.fields["SecondsPath"]
    try:
        seconds = run.query.read(path, value)
    except PathNotFoundError:
        raise FatalError(f"The SecondsPath parameter does not reference an input value: {path}") from None
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        shown = seconds if isinstance(seconds, str) else text.dumps(seconds)
        raise FatalError(f"The SecondsPath parameter cannot be parsed as a long value: {path} == {shown}")
    if seconds < 0:
        raise FatalError(f"The SecondsPath parameter references a negative value: {path} == {seconds}")
    return float(seconds)


def _until(run: StateRun, value: Any) -> float:
    """Return the seconds until the Timestamp of a Wait."""
    if "TimestampPath" in run.fields:
        path = run.fields["TimestampPath"]
        try:
            when = run.query.read(path, value)
        except PathNotFoundError:
            raise FatalError(
                f"The TimestampPath parameter does not reference an input value: {path}"
            ) from None
        moment = parse_timestamp(when)
        if moment is None:
            shown = when if isinstance(when, str) else text.dumps(when)
            raise FatalError(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time "
                f"format string: {path} == {shown}"
            )
    else:
        when = run.fields["Timestamp"]
        if expression_of(when) is not None:
            when = run.query.typed(when, "Timestamp", "string", str)
        moment = parse_timestamp(when)
        if moment is None:
            cause = (
                "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format "
                f"string: {when}"
            )
            raise ParsingError(cause, "Timestamp")
    return max(0.0, moment.epoch() - time.time())


HANDLERS: dict[str, Callable[[StateRun], Awaitable[Any]]] = {
    "Pass": _pass,
    "Succeed": _succeed,
    "Fail": _fail,
    "Choice": _choice,
    "Wait": _wait,
}
"""How each type of state runs; `branches`, `distributed` and `tasks` add theirs."""
