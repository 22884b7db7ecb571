"""A user's own application on the drill's stage: its executions, and what is broken in it, one at a time."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.drill.lane import PATIENCE, Run
from monitoring.drill.stage import SPEED
from monitoring.local_aws import moto_backends
from monitoring.local_aws.invocation import Exchange
from monitoring.local_aws.refusals import Kind
from monitoring.local_aws.states.errors import ApiError
from monitoring.local_pipeline import Pipeline

INJECTED_CODE = Path(__file__).parent / "injected_code"
HANG_SECONDS, SLOW_SECONDS = 2, 3
"""Real seconds of a function's time-out while it hangs, and while it is slow: its own may be minutes."""
IDLE_SECONDS, LOOK_SECONDS = 12.0, 0.25
"""Real seconds without a working handler after which an execution is not waited for: ten of its minutes."""
LARGEST_MEMORY = 512
"""Megabytes of a function that eats its memory; its own may be more than this machine has."""
_WAIT = "DrillWait"
_WARM = {"slow", "claims-falsely"}
"""Faults of a warm function: what it prints and takes then is the fault, a cold start is not."""


@dataclass(slots=True)
class Bench:
    """One state machine of the application, and its executions that count.

    Attributes:
        pipeline: the application.
        machine: the logical id of the state machine.
        value: the input of its executions.
        runs: the executions since the last `clear`.
        stretched: function -> how many times as long as here its calls would take: as its own time-out is to
            the one that it has while it is broken.
        speed: how many times faster than here its executions' time is told.
    """

    pipeline: Pipeline
    machine: str
    value: Any
    runs: list[Run] = field(default_factory=list)
    stretched: dict[str, float] = field(default_factory=dict)
    speed: float = SPEED
    _free: float = 0.0

    @property
    def arn(self) -> str:
        """The state machine's ARN."""
        return self.pipeline.deployment.state_machines[self.machine]

    @property
    def express(self) -> bool:
        """Return whether its executions are Express ones, which nobody can stop."""
        return bool(self.pipeline.aws.host.states.state_machines[self.arn].kind == "EXPRESS")

    def clear(self) -> None:
        """Forget the executions so far."""
        self.runs, self.stretched, self.speed = [], {}, SPEED

    def start(self) -> tuple[str, float]:
        """Start an execution at the start of a second that has no other execution's points."""
        time.sleep(max(0.0, self._free - time.time()))
        began = time.time()
        return self.pipeline.aws.start(self.arn, self.value), began

    def run(self) -> None:
        """Run an execution to its end and wait for all that it causes; stop one that waits for nothing."""
        execution, began = self.start()
        self._await_end(execution)
        self.pipeline.aws.drain(PATIENCE)
        self.record(execution, began)
        if self.runs[-1].status == "RUNNING":
            time.sleep(max(0.0, self.runs[-1].until - time.time()))
            self._stop_all()

    def _stop_all(self) -> None:
        host = self.pipeline.aws.host
        for described, _ in host.executions_since(time.time()):
            with contextlib.suppress(ApiError):  # an Express execution ends with its machine's time-out
                host.answer_states("StopExecution", {"executionArn": described["executionArn"]})

    def _await_end(self, execution: str) -> None:
        """Wait for an execution's end, and for those that it has started; no longer than anything goes on."""
        host = self.pipeline.aws.host
        deadline, idle = time.monotonic() + PATIENCE, 0.0
        while time.monotonic() < deadline and idle < IDLE_SECONDS:
            if host.wait_ended(execution, LOOK_SECONDS) and not host.executions_since(time.time()):
                return
            idle = idle + LOOK_SECONDS if host.idle() else 0.0

    def record(self, execution: str, began: float) -> None:
        """Record what an execution is now; one that still runs is never going to end."""
        described, history = self.pipeline.aws.host.execution(execution)
        self._free = float(int(time.time()) + 1)
        status, error = str(described["status"]), str(described.get("error") or "")
        self.runs.append(Run(began, self._free, status, error, self.arn, tuple(history)))

    def warm_up(self, name: str, event: bytes) -> None:
        """Call a function once; what it says of that call is in Datadog, and is part of no execution."""
        self.pipeline.aws.host.invoke_function(moto_backends.function(self.pipeline.aws.region, name), event)
        self.pipeline.aws.drain(PATIENCE)
        self._free = float(int(time.time()) + 1)


# -- what is broken


Break = Callable[[Bench], None]
"""Brings a fault about, records what came of it, and undoes it again."""


@contextlib.contextmanager
def changed_function(bench: Bench, name: str, **settings: Any) -> Iterator[None]:
    """Let a function have other settings while the block runs; `code` is a folder, `environment` is added."""
    host = bench.pipeline.aws.host
    function = moto_backends.function(bench.pipeline.aws.region, name)
    code = host.code[name]
    before = {key: getattr(function, key) for key in _FUNCTION_KEYS}
    environment = {**function.environment_vars, **settings.pop("environment", {})}
    folder = settings.pop("code", code[0])
    try:
        for key, value in {**settings, "environment_vars": environment}.items():
            setattr(function, key, value)
        host.code[name] = (folder, code[1])
        bench.stretched[name] = max(1.0, int(before["timeout"]) / int(function.timeout))
        with host.functions.set_aside(name):  # it is warm again when it is mended
            yield
    finally:
        host.code[name] = code
        for key, value in before.items():
            setattr(function, key, value)


_FUNCTION_KEYS = ("handler", "timeout", "memory_size", "environment_vars", "reserved_concurrency")


def broken_handler(name: str, fault: str, exchange: Exchange | None = None, **settings: Any) -> Break:
    """Put a fault into the innermost function of a handler.

    Args:
        name: the function's name.
        fault: one that `injected_code/fault_handler.py` knows.
        exchange: a call in health: with its event the function is warmed up where a cold start is not part
            of the fault, and it claims its result.
        settings: further ones that the function has meanwhile.
    """
    event, result = exchange or (b"{}", b"null")

    def broken(bench: Bench) -> None:
        function = moto_backends.function(bench.pipeline.aws.region, name)
        file = bench.pipeline.aws.home / f"{name}.result.json"  # it may be larger than a variable can be
        file.write_bytes(result)
        environment = {
            "DRILL_FAULT": fault,
            "DRILL_HANDLER": function.handler,
            "DRILL_CODE": str(bench.pipeline.aws.host.code[name][0]),
            "DRILL_RESULT": str(file),
        }
        changes = {"memory_size": min(int(function.memory_size), LARGEST_MEMORY), **settings}
        with changed_function(
            bench,
            name,
            handler="fault_handler.handler",
            code=INJECTED_CODE,
            environment=environment,
            **(changes if fault == "out-of-memory" else settings),
        ):
            if fault in _WARM and exchange:
                bench.warm_up(name, event)
            bench.run()

    return broken


@contextlib.contextmanager
def refused(bench: Bench, arn: str, kind: Kind) -> Iterator[None]:
    """Let a resource refuse every call while the block runs."""
    resources = bench.pipeline.aws.host.broken
    resources.break_(arn, kind)
    try:
        yield
    finally:
        resources.mend(arn)


def changed(name: str, **settings: Any) -> Break:
    """Give a function other settings."""

    def broken(bench: Bench) -> None:
        with changed_function(bench, name, **settings):
            bench.run()

    return broken


@contextlib.contextmanager
def changed_definition(bench: Bench, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Let the state machine have another definition while the block runs."""
    host = bench.pipeline.aws.host
    described = host.answer_states("DescribeStateMachine", {"stateMachineArn": bench.arn})
    definition = json.loads(described["definition"])
    change(definition)
    update = {"stateMachineArn": bench.arn, "definition": json.dumps(definition)}
    host.answer_states("UpdateStateMachine", update)
    try:
        yield
    finally:
        host.answer_states("UpdateStateMachine", {**update, "definition": described["definition"]})


def waiting(seconds: int, timeout: int | None = None) -> Callable[[dict[str, Any]], None]:
    """Put a Wait before the first state, and set the execution's time-out, or take it away."""

    def change(definition: dict[str, Any]) -> None:
        first = definition["StartAt"]
        definition["States"][_WAIT] = {"Type": "Wait", "Seconds": seconds, "Next": first}
        definition["StartAt"] = _WAIT
        definition.pop("TimeoutSeconds", None)
        if timeout:
            definition["TimeoutSeconds"] = timeout

    return change


def timed_out(bench: Bench) -> None:
    """Let the execution wait for longer than its time-out."""
    with changed_definition(bench, waiting(600, timeout=40)):
        bench.run()


def aborted(bench: Bench) -> None:
    """Stop the execution, as soon as it has begun: how long this machine takes is not told as its time."""
    bench.speed = 1.0
    with changed_definition(bench, waiting(600)):
        execution, began = bench.start()
        _await_state(bench, execution)
        bench.pipeline.aws.stop(execution)
        bench.pipeline.aws.host.wait_ended(execution, PATIENCE)
        bench.record(execution, began)


def stuck(bench: Bench) -> None:
    """Let the execution wait for something that never comes."""
    with changed_definition(bench, waiting(10**6)):
        execution, began = bench.start()
        _await_state(bench, execution)
        time.sleep(0.5)  # what the forwarder has to tell of it is on its way
        bench.record(execution, began)
        time.sleep(max(0.0, bench.runs[-1].until - time.time()))
        bench.pipeline.aws.stop(execution)


def never_started(bench: Bench) -> None:
    """Start nothing."""


def _await_state(bench: Bench, execution: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        _, history = bench.pipeline.aws.host.execution(execution)
        if any(event["type"] == "WaitStateEntered" for event in history):
            return
        time.sleep(0.05)
