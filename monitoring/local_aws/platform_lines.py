"""The lines that Lambda itself writes around an invocation, in its Text and its JSON log format.

Their form is that of recorded lines; which event of the JSON format appears follows the system log level
INFO, the default: initStart, start and report, and beside them initReport and runtimeDone where they failed.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from monitoring.local_aws.output import Line

LogFormat = Literal["Text", "JSON"]

RUNTIME = re.compile(r"([a-z]+)([\d.]*)")
RUNTIME_ARN = "arn:aws:lambda:{region}::runtime:" + "0" * 64


def runtime_version(runtime: str) -> str:
    """Return how the log names a runtime: `python:3.12.v1` of `python3.12`."""
    match = RUNTIME.match(runtime)
    return f"{match[1]}:{match[2].rstrip('.')}.v1" if match else runtime


@dataclass(frozen=True, slots=True)
class Usage:
    """Describe what an invocation used.

    `init_ms` only on a cold start; `status` where it did not simply return; `error_type` where the process or
    its initialisation failed (an exception of the handler is an error without one, which Text does not tell).
    """

    duration_ms: float
    memory_size_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    status: Literal["", "timeout", "error"] = ""
    error_type: str = ""

    @property
    def billed_ms(self) -> int:
        """Whole milliseconds that are billed: since August 2025 the init of a cold start counts too."""
        return math.ceil(self.duration_ms + (self.init_ms or 0.0))


def iso_time(when: datetime | None = None) -> str:
    """`2026-11-23T10:00:00.123Z`."""
    when = when or datetime.now(UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


class TextLines:
    """Platform lines of a function whose log format is Text."""

    def init_start(self, *, region: str, function: str, stream: str, runtime: str) -> list[Line]:
        """Report a new execution environment; only the text format leaves out `function` and `stream`."""
        del function, stream
        arn = RUNTIME_ARN.format(region=region)
        return [Line(f"INIT_START Runtime Version: {runtime_version(runtime)}\tRuntime Version ARN: {arn}")]

    def init_report(self, phase: str, ms: float, status: str, error_type: str) -> list[Line]:
        """Report a failed initialization; `phase` is `init`, or `invoke` for the second attempt."""
        kind = f"\tError Type: {error_type}" if error_type else ""
        return [Line(f"INIT_REPORT Init Duration: {ms:.2f} ms\tPhase: {phase}\tStatus: {status}{kind}")]

    def start(self, request_id: str, arn: str) -> list[Line]:
        """Report the start of an invocation."""
        del arn
        return [Line(f"START RequestId: {request_id} Version: $LATEST")]

    def timed_out(self, request_id: str, seconds: float) -> list[Line]:
        """Report that the function's time-out ended the invocation."""
        return [Line(f"{iso_time()} {request_id} Task timed out after {seconds:.2f} seconds")]

    def exited(self, request_id: str, why: str) -> list[Line]:
        """Report that the process ended during the invocation."""
        return [Line(f"RequestId: {request_id} Error: {why} Runtime.ExitError")]

    def end(self, request_id: str, usage: Usage) -> list[Line]:
        """END and REPORT."""
        fields = [
            f"Duration: {usage.duration_ms:.2f} ms",
            f"Billed Duration: {usage.billed_ms} ms",
            f"Memory Size: {usage.memory_size_mb} MB",
            f"Max Memory Used: {usage.max_memory_mb} MB",
        ]
        if usage.init_ms is not None:
            fields.append(f"Init Duration: {usage.init_ms:.2f} ms")
        failed = usage.status == "timeout" or usage.error_type
        fields.append(f"Status: {usage.status}" if failed else "")
        if usage.error_type:
            fields.append(f"Error Type: {usage.error_type}")
        return [
            Line(f"END RequestId: {request_id}"),
            Line(f"REPORT RequestId: {request_id}\t" + "\t".join(fields)),
        ]


class JsonLines:
    """Platform events of a function whose log format is JSON."""

    def init_start(self, *, region: str, function: str, stream: str, runtime: str) -> list[Line]:
        """Report a new execution environment."""
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": runtime_version(runtime),
            "runtimeVersionArn": RUNTIME_ARN.format(region=region),
            "functionName": function,
            "functionVersion": "$LATEST",
            "instanceId": stream,
        }
        return [_event("platform.initStart", record)]

    def init_report(self, phase: str, ms: float, status: str, error_type: str) -> list[Line]:
        """Report a failed initialization; `phase` is `init`, or `invoke` for the second attempt."""
        record: dict[str, Any] = {"initializationType": "on-demand", "phase": phase, "status": status}
        record |= {"errorType": error_type} if error_type else {}
        return [_event("platform.initReport", record | {"metrics": {"durationMs": round(ms, 3)}})]

    def start(self, request_id: str, arn: str) -> list[Line]:
        """Report the start of an invocation."""
        return [_event("platform.start", {"requestId": request_id, "functionArn": arn, "version": "$LATEST"})]

    def timed_out(self, request_id: str, seconds: float) -> list[Line]:
        """Report that the function's time-out ended the invocation."""
        del seconds
        return [_event("platform.runtimeDone", {"requestId": request_id, "status": "timeout"})]

    def exited(self, request_id: str, why: str) -> list[Line]:
        """Report that the process ended during the invocation."""
        del why
        record = {"requestId": request_id, "status": "failure", "errorType": "Runtime.ExitError"}
        return [_event("platform.runtimeDone", record)]

    def end(self, request_id: str, usage: Usage) -> list[Line]:
        """Write the report."""
        metrics: dict[str, Any] = {
            "durationMs": round(usage.duration_ms, 3),
            "billedDurationMs": usage.billed_ms,
            "memorySizeMB": usage.memory_size_mb,
            "maxMemoryUsedMB": usage.max_memory_mb,
        }
        if usage.init_ms is not None:
            metrics["initDurationMs"] = round(usage.init_ms, 3)
        record: dict[str, Any] = {
            "requestId": request_id,
            "metrics": metrics,
            "status": usage.status or "success",
        }
        record |= {"errorType": usage.error_type} if usage.error_type else {}
        return [_event("platform.report", record)]


def _event(kind: str, record: dict[str, Any]) -> Line:
    return Line(json.dumps({"time": iso_time(), "type": kind, "record": record}, separators=(",", ":")))


PLATFORM_LINES: dict[str, TextLines | JsonLines] = {"Text": TextLines(), "JSON": JsonLines()}
