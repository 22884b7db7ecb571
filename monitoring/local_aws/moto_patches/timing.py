"""Patches of moto's Step Functions: waits, retries and time-outs in state machine time."""

import threading
import time
from types import SimpleNamespace
from typing import Any

from monitoring.local_aws.clock import Clock, Interrupted
from monitoring.local_aws.moto_patches.patch import Host, Patch

_ASL = "moto.stepfunctions.parser.asl"


def clock_of(env: Any) -> Clock:
    """The clock of the execution that an environment or frame belongs to: they share one event manager."""
    clock: Clock = env.event_manager.clock
    return clock


class StateSeconds(int):
    """A number of seconds that knows whose state machine time it is; copies are plain numbers."""

    clock: Clock
    env: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, (int(self),))

    def __deepcopy__(self, _: Any) -> int:
        return int(self)


class TaskEvent:
    """The event that a task sets when it is done; waiting for it is in state machine time."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """The task is done."""
        self._event.set()

    def wait(self, timeout: StateSeconds) -> bool:
        """Whether the task was done in time."""
        return timeout.clock.wait(timeout, self._event.wait, timeout.env.is_running)


def _timeout_eval(_: Any, host: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        seconds = StateSeconds(self._eval_seconds(env=env))
        seconds.clock, seconds.env = clock_of(env), env
        env.stack.append(seconds)

    return _eval_body


def _wait_interval(_: Any, host: Host) -> Any:
    def wait_interval(self: Any, env: Any, wait_seconds: float) -> None:
        def came(seconds: float) -> bool:
            env.program_state_event.wait(seconds)
            return False

        clock_of(env).wait(wait_seconds, came, env.is_running)

    return wait_interval


_retrying = threading.local()


def _retrier_eval(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        _retrying.env = env
        original(self, env)

    return _eval_body


def _retrier_time(_: Any, host: Host) -> Any:
    def sleep(seconds: float) -> None:
        _wait_interval(None, host)(None, _retrying.env, seconds)

    return SimpleNamespace(sleep=sleep, time=time.time)


def _program_eval(_: Any, host: Host) -> Any:
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent

    def evaluate(self: Any, env: Any) -> None:
        env.next_state_name = self.start_at.start_at_name
        worker = threading.Thread(target=EvalComponent.eval, args=(self, env), daemon=True)
        worker.start()
        if self.timeout_seconds is not None and not env.is_frame():
            clock, seconds = clock_of(env), self.timeout_seconds.timeout_seconds

            def ended(left: float) -> bool:
                worker.join(left)
                return not worker.is_alive()

            if not clock.wait(seconds, ended, lambda: True):
                env.set_timed_out()
        worker.join()

    return evaluate


def _program_body(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except Interrupted:
            original(self, env)  # nothing runs any more: it only writes how the execution ended

    return _eval_body


def _heartbeat(original: Any, host: Host) -> Any:
    def setup_heartbeat_endpoint(self: Any, heartbeat_seconds: float) -> Any:
        return original(self, heartbeat_seconds / host.speed)

    return setup_heartbeat_endpoint


PATCHES = (
    Patch(
        f"{_ASL}.component.common.timeouts.timeout:Timeout._eval_body",
        "moto times out in wall clock seconds; TimeoutSeconds has to be state machine time",
        _timeout_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.state.exec.execute_state:threading",
        "a task of an execution that was stopped or timed out goes on until it returns, and the execution "
        "with it; on AWS the execution ends at once",
        lambda _, __: SimpleNamespace(Event=TaskEvent),
    ),
    Patch(
        f"{_ASL}.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval",
        "moto waits in wall clock seconds, rounded",
        _wait_interval,
        ("self", "env", "wait_seconds"),
    ),
    Patch(
        f"{_ASL}.component.common.retry.retrier_decl:RetrierDecl._eval_body",
        "the sleep before a retry has to know its execution",
        _retrier_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.common.retry.retrier_decl:time",
        "moto sleeps in wall clock seconds before a retry, and cannot be stopped meanwhile",
        _retrier_time,
    ),
    Patch(
        f"{_ASL}.component.program.program:Program.eval",
        "an execution's TimeoutSeconds has to be state machine time, and ExecutionTimedOut to be in the "
        "history when the status says TIMED_OUT",
        _program_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.program.program:Program._eval_body",
        "ends the history of an execution whose task was interrupted",
        _program_body,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.eval.callback.callback:CallbackEndpoint.setup_heartbeat_endpoint",
        "moto counts HeartbeatSeconds in wall clock seconds",
        _heartbeat,
        ("self", "heartbeat_seconds"),
    ),
)
