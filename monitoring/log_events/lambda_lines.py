"""Lambda's platform lines, as text and as JSON, into one value each: `Report`, `Init` or `Restore`."""

import math
import re
from typing import Any, NamedTuple

from monitoring.lines import Point

GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
"""Dollars a gigabyte-second, by architecture: AWS's price list, first tier, us-east-1."""
REQUEST = 0.0000002
_PREFIX = "aws.lambda.enhanced."
_INVOCATIONS, _DURATION, _BILLED = _PREFIX + "invocations", _PREFIX + "duration", _PREFIX + "billed_duration"
_INIT, _USED, _MEMORY = _PREFIX + "init_duration", _PREFIX + "max_memory_used", _PREFIX + "memorysize"
_COST = _PREFIX + "estimated_cost"
_point = Point._make  # half the time of calling the class, six times an invocation
_ERRORS = frozenset({"error", "timeout", "failure"})

_FIELD = re.compile(
    r"(Billed Restore Duration|Restore Duration|Billed Duration|Init Duration|Duration"
    r"|Memory Size|Max Memory Used|Status|Error Type|Phase): (\S+)"
)
_USUAL = re.compile(
    r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB"
    r"\tMax Memory Used: (\d+) MB(?:\tInit Duration: ([\d.]+) ms)?\s*(?:XRAY TraceId: .*)?"
)
_REQUEST_ID = re.compile(r"RequestId: (\S+)")
OUT_OF_MEMORY_LINES = (
    "Runtime exited with error: signal: killed",
    "Runtime.OutOfMemory",
    "JavaScript heap out of memory",
    "java.lang.OutOfMemoryError",
    "fatal error: runtime: out of memory",
    "failed to allocate memory (NoMemoryError)",
)
"""What a process that dies for want of memory leaves behind, by runtime."""
TIMED_OUT = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\s+Task timed out after ([0-9.]+) seconds")


class Report(NamedTuple):
    """What Lambda says of one invocation: times in milliseconds, memory in MB, None where it says nothing."""

    request_id: str
    duration: float | None = None
    billed: float | None = None
    memory: int | None = None
    used: float | None = None
    init: float | None = None
    status: str = ""
    error: str = ""

    @property
    def timed_out(self) -> bool:
        """The invocation was ended by its time-out."""
        return self.status == "timeout"

    @property
    def out_of_memory(self) -> bool:
        """The invocation was ended for want of memory."""
        return self.error == "Runtime.OutOfMemory"


def read_fields(text: str) -> dict[str, str]:
    """`Name: value` pairs of a platform line, whether tabs or spaces stand between them."""
    return dict(_FIELD.findall(text))


def request_id(text: str) -> str:
    """The id after `RequestId: `, or an empty string."""
    found = _REQUEST_ID.search(text)
    return found[1] if found else ""


def read_report(text: str) -> Report | None:
    """`REPORT RequestId: …\\tDuration: …`; None where the line is no REPORT."""
    usual = _USUAL.fullmatch(text)
    if usual:
        identity, duration, billed, memory, used, init = usual.groups()
        return Report(
            identity, float(duration), float(billed), int(memory), float(used), float(init) if init else None
        )
    identity = request_id(text)
    fields = read_fields(text)
    if not identity or "Duration" not in fields:
        return None
    try:
        return Report(
            identity,
            float(fields["Duration"]),
            _float(fields.get("Billed Duration")),
            int(float(fields["Memory Size"])) if "Memory Size" in fields else None,
            _float(fields.get("Max Memory Used")),
            _float(fields.get("Init Duration")),
            fields.get("Status", ""),
            fields.get("Error Type", ""),
        )
    except ValueError:
        return None


def report_from_json(record: dict[str, Any]) -> Report | None:
    """The record of a `platform.report`; None where its metrics are no numbers."""
    metrics = record.get("metrics") or {}
    try:
        memory = metrics.get("memorySizeMB")
        return Report(
            str(record.get("requestId", "")),
            _float(metrics.get("durationMs")),
            _float(metrics.get("billedDurationMs")),
            None if memory is None else int(memory),
            _float(metrics.get("maxMemoryUsedMB")),
            _float(metrics.get("initDurationMs")),
            "" if record.get("status") == "success" else str(record.get("status") or ""),
            str(record.get("errorType") or ""),
        )
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _float(value: Any) -> float | None:
    number = None if value is None else float(value)
    if number is not None and not math.isfinite(number):
        raise ValueError(value)
    return number


def report_points(report: Report, timestamp: int, tags: tuple[str, ...], arch: str = "x86_64") -> list[Point]:
    """Datadog's enhanced metrics of one invocation, without its time-out and out-of-memory.

    Args:
        timestamp: seconds since the epoch.
        tags: those of the function; memory and cold start are added here.
        arch: `x86_64` or `arm64`, for the price.
    """
    _, duration, billed, memory, used, init, status, _ = report
    points = [_point((_INVOCATIONS, 1.0, timestamp, "distribution", tags))]
    if duration is not None:
        points.append(_point((_DURATION, duration / 1000, timestamp, "distribution", tags)))
    if billed is not None:
        points.append(_point((_BILLED, billed / 1000, timestamp, "distribution", tags)))
    if init is not None:
        points.append(_point((_INIT, init / 1000, timestamp, "distribution", tags)))
    if used is not None:
        points.append(_point((_USED, used, timestamp, "distribution", tags)))
    if memory is not None:
        points.append(_point((_MEMORY, float(memory), timestamp, "distribution", tags)))
    if billed is not None and memory is not None:
        cost = billed / 1000 * memory / 1024 * GB_SECOND.get(arch, GB_SECOND["x86_64"]) + REQUEST
        points.append(_point((_COST, cost, timestamp, "distribution", tags)))
    if status in _ERRORS:
        points.append(Point(_PREFIX + "errors", 1.0, timestamp, "distribution", tags))
    return points


def seconds(milliseconds: object) -> float | None:
    """Seconds from a count of milliseconds given as text or number, or None."""
    try:
        return None if milliseconds is None else _float(milliseconds) / 1000  # type: ignore[operator]
    except (TypeError, ValueError):
        return None
