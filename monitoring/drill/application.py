"""Run the executions of a user's application in the drill, and inject one fault at a time."""

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
"""A function's time-out in real seconds during the faults `hangs` and `slow`, instead of its own."""
IDLE_SECONDS, LOOK_SECONDS = 12.0, 0.25
"""Stop waiting for an execution after 12 real seconds without a running handler (ten simulated minutes)."""
LARGEST_MEMORY = 512
"""The memory in megabytes during the fault `out-of-memory`; the function's own may exceed this machine's."""
_WAIT = "DrillWait"
_WARM = {"slow", "claims-falsely"}
"""Faults for which the function must be warm, because a cold start would change its output and duration."""


@dataclass(slots=True)
class Bench:
    """One state machine of the application, and its recorded executions.

    Attributes:
        pipeline: the application.
        machine: the logical id of the state machine.
        value: the input of its executions.
        runs: the executions since the last `clear`.
        stretched: function -> factor for the durations of its calls: its own time-out divided by the one
            during the fault.
        speed: the factor by which waits are shortened.
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
        """Return whether its executions are Express executions, which cannot be stopped."""
        return bool(self.pipeline.aws.host.states.state_machines[self.arn].kind == "EXPRESS")

    def clear(self) -> None:
        """Forget the executions so far."""
        self.runs, self.stretched, self.speed = [], {}, SPEED

    def start(self) -> tuple[str, float]:
        """Start an execution at the beginning of a second without points of other executions."""
        time.sleep(max(0.0, self._free - time.time()))
        began = time.time()
        return self.pipeline.aws.start(self.arn, self.value), began

    def run(self) -> None:
        """Run an execution to its end and wait for its telemetry; stop it if it makes no progress."""
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
        """Wait until an execution and those that it has started end, or until nothing runs any more."""
        host = self.pipeline.aws.host
        deadline, idle = time.monotonic() + PATIENCE, 0.0
        while time.monotonic() < deadline and idle < IDLE_SECONDS:
            if host.wait_ended(execution, LOOK_SECONDS) and not host.executions_since(time.time()):
                return
            idle = idle + LOOK_SECONDS if host.idle() else 0.0

    def record(self, execution: str, began: float) -> None:
        """Record the current state of an execution; one that is still running counts as never ending."""
        described, history = self.pipeline.aws.host.execution(execution)
        self._free = float(int(time.time()) + 1)
        status, error = str(described["status"]), str(described.get("error") or "")
        self.runs.append(Run(began, self._free, status, error, self.arn, tuple(history)))

    def warm_up(self, name: str, event: bytes) -> None:
        """Invoke a function once; the telemetry of this call belongs to no execution."""
        self.pipeline.aws.host.invoke_function(moto_backends.function(self.pipeline.aws.region, name), event)
        self.pipeline.aws.drain(PATIENCE)
        self._free = float(int(time.time()) + 1)


# -- what is broken


Break = Callable[[Bench], None]
"""Inject a fault, record its executions, and remove the fault."""


@contextlib.contextmanager
def changed_function(bench: Bench, name: str, **settings: Any) -> Iterator[None]:
    """Change the settings of a function while the block runs; `code` is a folder, `environment` is added."""
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
        with host.functions.set_aside(name):  # keep its warm environments for the time after the fault
            yield
    finally:
        host.code[name] = code
        for key, value in before.items():
            setattr(function, key, value)


_FUNCTION_KEYS = ("handler", "timeout", "memory_size", "environment_vars", "reserved_concurrency")


def broken_handler(name: str, fault: str, exchange: Exchange | None = None, **settings: Any) -> Break:
    """Inject a fault into the innermost function of a handler.

    Args:
        name: the function's name.
        fault: a fault of `injected_code/fault_handler.py`.
        exchange: event and result of a successful call. The event warms up the function if a cold start is
            not part of the fault; `claims-falsely` returns the result.
        settings: other settings of the function during the fault.
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
    """Deny or throttle every call to a resource while the block runs."""
    resources = bench.pipeline.aws.host.broken
    resources.break_(arn, kind)
    try:
        yield
    finally:
        resources.mend(arn)


def changed(name: str, **settings: Any) -> Break:
    """Return a fault that changes the settings of a function."""

    def broken(bench: Bench) -> None:
        with changed_function(bench, name, **settings):
            bench.run()

    return broken


@contextlib.contextmanager
def changed_definition(bench: Bench, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the definition of the state machine while the block runs."""
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
    """Add a Wait before the first state, and set or remove the execution's time-out."""

    def change(definition: dict[str, Any]) -> None:
        first = definition["StartAt"]
        definition["States"][_WAIT] = {"Type": "Wait", "Seconds": seconds, "Next": first}
        definition["StartAt"] = _WAIT
        definition.pop("TimeoutSeconds", None)
        if timeout:
            definition["TimeoutSeconds"] = timeout

    return change


def timed_out(bench: Bench) -> None:
    """Make the execution wait longer than its time-out."""
    with changed_definition(bench, waiting(600, timeout=40)):
        bench.run()


def aborted(bench: Bench) -> None:
    """Stop the execution as soon as it has started, so that its duration does not depend on this machine."""
    bench.speed = 1.0
    with changed_definition(bench, waiting(600)):
        execution, began = bench.start()
        _await_state(bench, execution)
        bench.pipeline.aws.stop(execution)
        bench.pipeline.aws.host.wait_ended(execution, PATIENCE)
        bench.record(execution, began)


def stuck(bench: Bench) -> None:
    """Make the execution wait without an end."""
    with changed_definition(bench, waiting(10**6)):
        execution, began = bench.start()
        _await_state(bench, execution)
        time.sleep(0.5)  # until the forwarder has sent the telemetry
        bench.record(execution, began)
        time.sleep(max(0.0, bench.runs[-1].until - time.time()))
        bench.pipeline.aws.stop(execution)


def never_started(bench: Bench) -> None:
    """Start no execution."""


def _await_state(bench: Bench, execution: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        _, history = bench.pipeline.aws.host.execution(execution)
        if any(event["type"] == "WaitStateEntered" for event in history):
            return
        time.sleep(0.05)
