"""Run one invocation of a function: send the event to its worker, and return result and log lines."""

import json
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from monitoring.local_aws.output import Line
from monitoring.local_aws.platform_lines import PLATFORM_LINES, Usage
from monitoring.local_aws.runtime_clients import PYTHON
from monitoring.local_aws.sandbox import Outcome, Sandbox

INIT_SECONDS = 10.0
"""Lambda's limit for the initialisation; Lambda then initialises again, within the function's time-out."""

RESPONSE_BYTES = 6_291_556
"""The largest response that Lambda accepts, in bytes."""

PutLines = Callable[[str, str, list[Line]], None]
"""`(log_group, log_stream, lines)`: writes to CloudWatch Logs."""


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """The settings of a deployed function; sandboxes with other settings are not reused."""

    name: str
    arn: str
    handler: str
    code: Path
    timeout: float = 3.0
    memory_mb: int = 128
    environment: tuple[tuple[str, str], ...] = ()
    log_format: str = "Text"
    region: str = "us-east-1"
    concurrency: int | None = None  # reserved concurrency
    custom_log_group: str = ""
    runtime: str = PYTHON
    access_key: str = ""  # of the role's session; "" is the shared one
    revision: int = 0
    """A number that changes with the code, so that no worker with older code is reused."""

    @property
    def log_group(self) -> str:
        """The log group of the function."""
        return self.custom_log_group or f"/aws/lambda/{self.name}"

    def new_log_stream(self) -> str:
        """Return the name of a new log stream, with the function's name if the group is a custom one."""
        shared = self.name if self.custom_log_group not in {"", f"/aws/lambda/{self.name}"} else ""
        return f"{datetime.now(UTC):%Y/%m/%d}/{shared}[$LATEST]{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation's result; `function_error` is `Unhandled`, as in Lambda's response, or "".

    `began` in seconds since the epoch; `init_ms` is set if a new environment was initialised.
    """

    request_id: str
    payload: bytes
    function_error: str
    log_stream: str
    log_tail: str
    began: float = 0.0
    duration_ms: float = 0.0
    init_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation for CloudWatch's metrics; `began` in seconds since the epoch.

    A throttled invocation has no duration, because no handler ran.
    """

    function: str
    began: float
    duration_ms: float = 0.0
    init_ms: float | None = None
    failed: bool = False
    throttled: bool = False


class Exchange(NamedTuple):
    """The event and the result of a call, as JSON."""

    event: bytes
    result: bytes


class ThrottledError(Exception):
    """An invocation was throttled, because the function's reserved concurrency is 0."""

    kind = "TooManyRequestsException"
    message = "Rate Exceeded."

    def __init__(self, function: str) -> None:
        super().__init__(f"{self.kind}: {self.message} ({function})")


class InvocationError(Exception):
    """An invoked function failed; `payload` is Lambda's response: `errorType`, `errorMessage`, …"""

    def __init__(self, function: str, payload: Any) -> None:
        self.payload = payload
        details = payload if isinstance(payload, dict) else {}
        super().__init__(
            f"{function}: {details.get('errorType', 'error')}: {details.get('errorMessage', payload)}"
        )


@dataclass(slots=True)
class Environment:
    """An execution environment: its log stream, its process, and the lines of the current invocation."""

    settings: FunctionSettings
    log_stream: str
    put: PutLines
    sandbox: Sandbox | None = None
    lines: list[Line] = field(default_factory=list)

    def write(self, lines: list[Line]) -> None:
        """Write to the environment's log stream."""
        self.lines.extend(lines)
        self.put(self.settings.log_group, self.log_stream, lines)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The report of an outcome: for the caller (`payload`), in REPORT, and as a line (`log_text`)."""

    payload: bytes
    status: Literal["", "timeout", "error"] = ""
    error_type: str = ""
    log_text: str = ""


def invoke(
    environment: Environment, event: bytes, open_sandbox: Callable[[Environment], Sandbox]
) -> Invocation:
    """Run the handler once; `open_sandbox` starts a process for an environment that has none."""
    settings, request_id = environment.settings, str(uuid.uuid4())
    lines = PLATFORM_LINES[settings.log_format]
    init_ms, failed = (None, None) if environment.sandbox else _initialise(environment, open_sandbox)
    sandbox = environment.sandbox
    assert sandbox is not None  # noqa: S101  for the type checker: _initialise opened it
    began = time.time()
    environment.write(lines.start(request_id, settings.arn))
    outcome, duration_ms = (failed, 0.0) if failed else _run(sandbox, settings, request_id, event)
    verdict = _verdict(outcome, request_id, settings.timeout)
    if outcome.kind not in {"response", "error"}:
        sandbox.kill()
    if outcome.kind == "timeout":
        duration_ms = settings.timeout * 1000
        environment.write(lines.timed_out(request_id, settings.timeout))
    if verdict.log_text:
        environment.write(lines.exited(request_id, verdict.log_text))
    peak = settings.memory_mb if outcome.kind == "memory" else min(sandbox.peak_mb, settings.memory_mb)
    usage = Usage(duration_ms, settings.memory_mb, peak, init_ms, verdict.status, verdict.error_type)
    environment.write(lines.end(request_id, usage))
    error = "Unhandled" if verdict.status else ""
    tail = "\n".join(line.message for line in environment.lines)[-4096:]
    stream = environment.log_stream
    return Invocation(request_id, verdict.payload, error, stream, tail, began, duration_ms, init_ms)


def _initialise(
    environment: Environment, open_sandbox: Callable[[Environment], Sandbox]
) -> tuple[float | None, Outcome | None]:
    """Return the init time of a cold start, or its failed outcome after two attempts, as on AWS."""
    settings, lines = environment.settings, PLATFORM_LINES[environment.settings.log_format]
    environment.write(
        lines.init_start(
            region=settings.region,
            function=settings.name,
            stream=environment.log_stream,
            runtime=settings.runtime,
        )
    )
    outcome = Outcome("exit")
    for phase, seconds in (("init", INIT_SECONDS), ("invoke", settings.timeout)):
        if environment.sandbox is not None:
            environment.sandbox.close()
        began = time.perf_counter()
        outcome = open_sandbox(environment).wait(seconds)
        init_ms = (time.perf_counter() - began) * 1000
        if outcome.kind == "next":
            return init_ms, None
        verdict = _verdict(outcome, "", seconds)
        environment.write(lines.init_report(phase, init_ms, verdict.status, verdict.error_type))
    return None, outcome


def _run(
    sandbox: Sandbox, settings: FunctionSettings, request_id: str, event: bytes
) -> tuple[Outcome, float]:
    """Return the handler's outcome, and its duration in milliseconds."""
    trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
    headers = {
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + settings.timeout) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": settings.arn,
        "Lambda-Runtime-Trace-Id": trace,
    }
    began = time.perf_counter()
    sandbox.send(event, headers)
    outcome = sandbox.wait(settings.timeout)
    duration_ms = (time.perf_counter() - began) * 1000
    if outcome.kind in {"response", "error"}:
        # The worker is reusable once the runtime client has requested the next event.
        sandbox.wait(1.0)
    return outcome, duration_ms


def _verdict(outcome: Outcome, request_id: str, timeout: float) -> _Verdict:
    if outcome.kind == "response" and len(outcome.body) <= RESPONSE_BYTES:
        return _Verdict(outcome.body)
    if outcome.kind == "response":
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
        return _Verdict(
            _error("Function.ResponseSizeTooLarge", message), "error", "Function.ResponseSizeTooLarge"
        )
    if outcome.kind == "error":
        return _Verdict(outcome.body, "error")
    if outcome.kind == "init_error":
        return _Verdict(outcome.body, "error", outcome.error_type)
    if outcome.kind == "timeout":
        message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        return _Verdict(_error("Sandbox.Timedout", message), "timeout")
    why = _why(outcome)
    payload = _error("Runtime.ExitError", f"RequestId: {request_id} Error: {why}")
    kind = "Runtime.OutOfMemory" if outcome.kind == "memory" else "Runtime.ExitError"
    return _Verdict(payload, "error", kind, why)


def _why(outcome: Outcome) -> str:
    code = -signal.SIGKILL if outcome.kind == "memory" else outcome.exit_code
    if code == 0:
        return "Runtime exited without providing a reason"
    how = f"exit status {code}" if code > 0 else f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"Runtime exited with error: {how}"


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode()
