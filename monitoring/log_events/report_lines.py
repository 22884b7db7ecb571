"""Parse Lambda's platform lines, of the text and the JSON format, to a `Report` or a `PlatformLine`."""

import math
import re
from typing import Any, NamedTuple

from monitoring.lines import Point

GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
"""Dollars per gigabyte-second, by architecture. Source: AWS's price list, first tier, us-east-1."""
REQUEST = 0.0000002
_PREFIX = "aws.lambda.enhanced."
_INVOCATIONS, _DURATION, _BILLED = _PREFIX + "invocations", _PREFIX + "duration", _PREFIX + "billed_duration"
_INIT, _USED, _MEMORY = _PREFIX + "init_duration", _PREFIX + "max_memory_used", _PREFIX + "memorysize"
_COST = _PREFIX + "estimated_cost"
_point = Point._make  # twice as fast as calling the class, six times per invocation
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
_RUNTIME_ERROR = re.compile(r"(?:^|\s)RequestId: (\S+) (?:Error: |Process exited )")
_OUT_OF_MEMORY = re.compile(
    r"Runtime exited with error: signal: killed"
    r"|(?:^|Error: |Error Type: )Runtime\.OutOfMemory(?=\s*$|[\t:])"
    r"|^\[ERROR\]\s+(?:\w*MemoryError|OSError: \[Errno 12\])(?=[:\s]|$)"  # Python, not caught
    r"|(?:^|[\s.:])(?:java\.lang\.OutOfMemoryError|System\.OutOfMemoryException)(?=:|\s*$| thrown from)"
    r"|insufficient memory for the Java Runtime Environment"
    r"|(?:^|FATAL ERROR: .*|- )JavaScript heap out of memory|Fatal (?:JavaScript|process) out of memory: "
    r"|(?:^|\s)fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory)"  # Go
    r"|failed to allocate memory \(NoMemoryError\)"  # Ruby
    r"|^memory allocation of \d+ bytes failed"  # Rust
    r"|^Out of memory\.\s*$|^Process is terminating due to OutOfMemoryException\.",  # .NET
    re.MULTILINE,
)
_OUT_OF_MEMORY_TYPE = re.compile(r"(?:.*[.<])?\w*(?:OutOfMemory(?:Error|Exception)?|MemoryError)>?")
TIMED_OUT = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\s+Task timed out after ([0-9.]+) seconds")
_LOG_PREFIX = re.compile(r"(?:\[\w+\]\t)?\d{4}-\d\d-\d\dT[\d:.]+Z\t([0-9a-f-]{36})\t")
_ERROR_LEVELS = frozenset({"ERROR", "FATAL", "CRITICAL"})


def is_out_of_memory(text: str) -> bool:
    """Return whether a text is a runtime's message about exhausted memory.

    A text that only mentions it is not one: the words must be where the runtime prints them.
    """
    return _OUT_OF_MEMORY.search(text) is not None


def is_out_of_memory_type(error: Any) -> bool:
    """Return whether an error type, of Lambda or of a runtime, says that memory was exhausted."""
    return isinstance(error, str) and _OUT_OF_MEMORY_TYPE.fullmatch(error) is not None


def tells_out_of_memory(record: dict[str, Any]) -> bool:
    """Return whether a JSON line is a runtime's report of an uncaught out-of-memory error."""
    content = record.get("message")
    error = content if isinstance(content, dict) else record
    if "errorMessage" in error and is_out_of_memory_type(error.get("errorType")):
        return True
    level = str(record.get("level") or record.get("log_level")).upper()
    return level in _ERROR_LEVELS and isinstance(content, str) and is_out_of_memory(content)


class Report(NamedTuple):
    """Lambda's report of an invocation, in milliseconds and MB; a missing value is None."""

    request_id: str
    duration: float | None = None
    billed: float | None = None
    memory: int | None = None
    used: float | None = None
    init: float | None = None
    status: str = ""
    error: str = ""

    restore: float | None = None

    @property
    def timed_out(self) -> bool:
        """Return whether the invocation was ended by its time-out."""
        return self.status == "timeout"

    @property
    def full(self) -> bool:
        """Return whether the invocation used all of its memory."""
        return self.memory is not None and self.used is not None and self.used >= self.memory

    @property
    def out_of_memory(self) -> bool:
        """Return whether the invocation ran out of memory."""
        ended = self.timed_out or self.error == "Runtime.ExitError"
        return is_out_of_memory_type(self.error) or (self.full and ended)


class PlatformLine(NamedTuple):
    """Another platform line of Lambda, of the text or the JSON format.

    `kind` is the type of the JSON line without `platform.`; `status` is "" for a success; `name` is that of
    an extension, or the function's ARN; `number` is in milliseconds, or the number of dropped records.
    """

    kind: str
    request_id: str = ""
    status: str = ""
    error: str = ""
    name: str = ""
    phase: str = ""
    number: float | None = None


def read_fields(text: str) -> dict[str, str]:
    """Return the `Name: value` pairs of a platform line, which are separated by tabs or spaces."""
    return dict(_FIELD.findall(text))


def request_id(text: str) -> str:
    """Return the id after `RequestId: `, or ""."""
    match = _REQUEST_ID.search(text)
    return match[1] if match else ""


def request_of_error(text: str) -> str:
    """Return the id of `RequestId: … Error: …`, the report of a runtime's exit; "" for other texts."""
    match = _RUNTIME_ERROR.search(text)
    return match[1] if match else ""


def request_of_prefix(text: str) -> str:
    """Return the id that the runtimes of Python, Node.js and .NET print before a log's text, or ""."""
    match = _LOG_PREFIX.match(text)
    return match[1] if match else ""


def read_report(text: str) -> Report | None:
    """Parse `REPORT RequestId: …\\tDuration: …`; return None if the line is not a REPORT."""
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
            _float(fields.get("Restore Duration")),
        )
    except ValueError:
        return None


_TEXTS = {
    "INIT_START ": "initStart",
    "INIT_REPORT ": "initReport",
    "RESTORE_START ": "restoreStart",
    "RESTORE_REPORT ": "restoreReport",
    "EXTENSION Name: ": "extension",
    "TELEMETRY Name: ": "telemetrySubscription",
    "LOGS Name: ": "logsSubscription",
    "IMAGE Launch error: ": "imageError",
}
TEXT_HEADS = frozenset(head[:6].replace(" ", tab) for head in _TEXTS for tab in " \t")
"""The first six characters of the lines that `read_platform_text` parses; tabs may be spaces."""
_DURATIONS = ("Init Duration", "Restore Duration")
_IMAGE_ERROR = re.compile(r"IMAGE\sLaunch error: (.*?)(?:\sEntrypoint: |$)", re.MULTILINE)
_EXTENSION = re.compile(r"Name: (.*?)\s+State: (\S+)")


def read_platform_text(text: str) -> PlatformLine | None:
    """Parse a platform line other than START, END and REPORT; return None for any other text."""
    start = text[:40].replace("\t", " ")
    kind = next((kind for head, kind in _TEXTS.items() if start.startswith(head)), "")
    if not kind:
        return None
    fields = read_fields(text)
    match = _EXTENSION.search(text)
    name, state = match.groups() if match else ("", "")
    image = _IMAGE_ERROR.match(text)
    return PlatformLine(
        kind,
        status=_failed(fields.get("Status", "") or _extension_status(state, fields.get("Error Type", ""))),
        error=image[1] if image else fields.get("Error Type", ""),
        name=name,
        phase=fields.get("Phase", ""),
        number=next((_number(fields[field]) for field in _DURATIONS if field in fields), None),
    )


def read_platform_record(kind: str, record: dict[str, Any]) -> PlatformLine:
    """Parse the record of a JSON line; `kind` is its type without `platform.`."""
    metrics, error = record.get("metrics"), str(record.get("errorType") or "")
    number = metrics.get("durationMs") if isinstance(metrics, dict) else record.get("droppedRecords")
    status = _status(record)
    if kind == "extension":
        status = _extension_status(str(record.get("state") or ""), error)
    name = record.get("functionArn") if kind == "start" else record.get("name")
    phase = str(record.get("phase") or "")
    return PlatformLine(
        kind, str(record.get("requestId") or ""), status, error, str(name or ""), phase, _number(number)
    )


def _status(record: dict[str, Any]) -> str:
    return _failed(str(record.get("status") or ""))


def _failed(status: str) -> str:
    return "" if status == "success" else status


def _extension_status(state: str, error: str) -> str:
    """Return the state of a failed extension; "" for `Registered`, `Ready` and `Subscribed`."""
    return state if error or state.endswith("Error") else ""


def report_from_json(record: dict[str, Any]) -> Report | None:
    """Parse the record of a `platform.report`; return None if its metrics are not numbers."""
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
            _status(record),
            str(record.get("errorType") or ""),
            _float(metrics.get("restoreDurationMs")),
        )
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _float(value: Any) -> float | None:
    number = None if value is None else float(value)
    if number is not None and not math.isfinite(number):
        raise ValueError(value)
    return number


def report_points(report: Report, timestamp: int, tags: tuple[str, ...], arch: str = "x86_64") -> list[Point]:
    """Return Datadog's enhanced metrics of an invocation, without time-outs and out-of-memory.

    Args:
        timestamp: seconds since the epoch.
        tags: tags of the function; those of memory and cold start are added.
        arch: `x86_64` or `arm64`, for the price.
    """
    _, duration, billed, memory, used, init, status, _, _ = report
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


def _number(value: Any) -> float | None:
    """Convert a text or a number to a finite number, or return None."""
    try:
        return _float(value)
    except (TypeError, ValueError, OverflowError):
        return None
