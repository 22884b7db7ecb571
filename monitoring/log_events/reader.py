"""Reads the log events of one source into telemetry: what a message is, told from how it begins.

A message that is understood becomes points or spans; every other one is a log entry. The reader looks at
the first characters only, remembers what it has read of a metric line behind its value, and parses nothing
twice: it stands in the way of every event.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from monitoring.lines import Point, read_line
from monitoring.log_events import lambda_lines
from monitoring.log_events.codec import load_object
from monitoring.log_events.lambda_lines import Report
from monitoring.log_events.memory import Memory
from monitoring.log_events.metric_json import epoch_seconds, read_emf, read_exact, read_metric_json
from monitoring.log_events.source import Source
from monitoring.log_events.step_events import StepEvent, is_step_event, read_step_event
from monitoring.log_events.tags import normal_point
from monitoring.log_events.telemetry import Log, LogContext, SetAside, SpanRecord, Telemetry
from monitoring.log_events.traces import read_trace_line
from monitoring.values import dataclass

_HEAD = re.compile(r"MONITORING\|(\d{10})\|(-?\d{1,15}(?:\.\d{1,15})?)\|")
_TAILS = (
    10_000  # metric lines that differ only in time and value are read once; so many different ones are kept
)
_LATEST = 10**12  # seconds
_MARKS = ("MONITORING|", '{"m":', '{"traces":', '"_aws"', "REPORT RequestId: ", "START RequestId: ")


@dataclass(frozen=True, slots=True)
class Rules:
    """What becomes of understood lines and of logs.

    Args:
        keep: takes a log message, gives it back scrubbed, or None where it is not to be forwarded.
        log_platform: platform lines and Step Functions events are forwarded as logs too.
    """

    keep: Callable[[str], str | None] | None = None
    log_platform: bool = False
    arch: str = "x86_64"


class Reader:
    """Reads the events of one source, in their order; the result is in `out`."""

    def __init__(self, source: Source, memory: Memory, rules: Rules) -> None:
        self.source = source
        self.memory = memory
        self.rules = rules
        self.out = Telemetry()
        self.steps: list[StepEvent] = []
        self.counts: dict[str, int] = defaultdict(int)
        self._context = LogContext(source.log_fields)
        self._tails: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        self._json_tails: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}
        self._report_tags: dict[tuple[int | None, bool], tuple[str, ...]] = {}
        self._line = 0
        self._heads: dict[str, Callable[[str, int], bool]] = {
            "MONITO": self._metric,
            '{"m":"': self._metric_json,
            '{"m": ': self._metric_json,
            '{"trac': self._traces,
            "REPORT": self._report,
            "START ": self._start,
            "END Re": self._end,
            "INIT_S": self._init_start,
            "INIT_R": self._init_report,
            "RESTOR": self._restore,
            "Reques": self._runtime_error,
        }

    def read(self, message: str, timestamp: int, line: int = 0) -> None:
        """One event; `timestamp` in milliseconds, `line` its place in the source, for what is set aside."""
        self._line = line
        handler = self._heads.get(message[:6])
        whole = "\n" not in message[:-1] or "\nXRAY TraceId: " in message  # a REPORT's second line
        if handler is not None and whole and handler(message, timestamp):
            return
        if message[:1] == "{":
            if self._object(message, timestamp):
                return
        elif "\n" in message[:-1] and any(mark in message for mark in _MARKS):
            self._lines(message, timestamp)
            return
        if "MONITORING|" not in message or not self._metric(message, timestamp):
            self._plain(message, timestamp)

    def _one(self, message: str, timestamp: int) -> None:
        handler = self._heads.get(message[:6])
        if handler is not None and handler(message, timestamp):
            return
        if message[:1] == "{" and self._object(message, timestamp):
            return
        if "MONITORING|" in message and self._metric(message, timestamp):
            return
        self._plain(message, timestamp)

    def _lines(self, message: str, timestamp: int) -> None:
        """A multi-line event line by line; lines that are no metric stay together as one log entry."""
        rest: list[str] = []
        for text in message.split("\n"):
            if any(mark in text for mark in _MARKS):
                self._one(text, timestamp)
            else:
                rest.append(text)
        left = "\n".join(rest).strip()
        if left:
            self._plain(left, timestamp)

    # MONITORING and JSON metric lines

    def _metric(self, message: str, timestamp: int) -> bool:
        head = _HEAD.match(message)
        if head:
            tail = message[head.end() :]
            known = self._tails.get(tail)
            if known is not None:
                kind, metric, tags = known
                self.out.points.append(Point(metric, float(head[2]), int(head[1]), kind, tags))
                self.counts["metric"] += 1
                return True
        return self._read_line(message, head)

    def _read_line(self, message: str, head: re.Match[str] | None) -> bool:
        reading = read_line(message.rstrip("\r\n"))
        if not reading.points and not reading.refused:
            return False
        self._count("metric")
        for refused in reading.refused:
            self._refuse(refused.reason, message[refused.start : refused.end] or message, refused.start)
        for point in reading.points:
            self._add(point)
        if head and len(reading.points) == 1 and not reading.refused and len(self._tails) < _TAILS:
            point = self.out.points[-1]
            self._tails[message[head.end() :]] = (point.type, point.metric, point.tags)
        return True

    def _metric_json(self, message: str, timestamp: int) -> bool:
        try:
            exact = read_exact(message)
        except (msgspec.DecodeError, UnicodeError):
            return self._odd_metric_json(message)
        self.counts["metric_json"] += 1
        known = self._json_tails.get((exact.m, exact.t))
        if known is not None and 0 <= exact.e < 1e11:
            metric, tags = known
            self.out.points.append(Point(metric, exact.v, exact.e, "distribution", tags))
            return True
        before = len(self.out.points)
        self._add_or_refuse(Point(exact.m, exact.v, epoch_seconds(exact.e), "distribution", exact.t), message)
        if len(self.out.points) > before and len(self._json_tails) < _TAILS:
            point = self.out.points[-1]
            self._json_tails[exact.m, exact.t] = (point.metric, point.tags)
        return True

    def _odd_metric_json(self, message: str) -> bool:
        record = load_object(message)
        if record is None or "m" not in record or "v" not in record:
            return False
        self._count("metric_json")
        self._add_or_refuse(read_metric_json(record), message)
        return True

    def _emf(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        self._count("emf")
        points, wrong = read_emf(record)
        for point in points:
            self._add_or_refuse(point, message)
        for reason in wrong:
            self._refuse(reason, message)
        return True

    def _add_or_refuse(self, point: Point | str, message: str) -> None:
        normal = normal_point(point) if isinstance(point, Point) else point
        if isinstance(normal, str):
            self._refuse(normal, message)
        else:
            self._add(normal)

    def _add(self, point: Point) -> None:
        if not 0 <= point.timestamp < _LATEST:  # it would cost the whole batch
            self._refuse("the time is no time", str(point.timestamp))
            return
        self.out.points.append(point._replace(tags=self.source.add_tags(point.tags)))

    # traces

    def _traces(self, message: str, timestamp: int) -> bool:
        if not message.startswith('{"traces"'):
            return False
        read = read_trace_line(message)
        if read is None:
            return False
        self._count("trace")
        spans, wrong = read
        for reason in wrong:
            self._refuse(reason, message[:200], kind="spans")
        if not spans:
            return True
        meta = spans[0].meta
        for key, value in self.source.span_meta.items():
            meta.setdefault(key, value)
        self._join_logs(spans[0])
        self.out.spans.extend(spans)
        return True

    def _join_logs(self, root: SpanRecord) -> None:
        meta = root.meta
        if self._context.request_id and meta.get("request_id") in {None, self._context.request_id}:
            high = meta.get("_dd.p.tid", "")
            low = root.trace_id
            self._context.trace_id = high.rjust(16, "0") + low if high else str(int(low, 16))

    # Lambda's platform lines

    def _start(self, message: str, timestamp: int) -> bool:
        if not message.startswith("START RequestId: "):
            return False
        self._context = LogContext(self.source.log_fields, message[17:].partition(" ")[0].strip())
        return self._platform("start", message, timestamp)

    def _end(self, message: str, timestamp: int) -> bool:
        if not message.startswith("END RequestId: "):
            return False
        return self._platform("end", message, timestamp)

    def _platform(self, kind: str, message: str, timestamp: int) -> bool:
        self.counts[kind] += 1
        if self.rules.log_platform:
            self._log(message, timestamp)
        return True

    def _report(self, message: str, timestamp: int) -> bool:
        report = lambda_lines.read_report(message) if message.startswith("REPORT RequestId: ") else None
        if report is None:
            return False
        self._add_report(report, timestamp)
        return self._platform("report", message, timestamp)

    def _add_report(self, report: Report, timestamp: int) -> None:
        key = (report.memory, report.init is not None)
        tags = self._report_tags.get(key)
        if tags is None:
            own = (f"memorysize:{report.memory}",) if report.memory is not None else ()
            cold = f"cold_start:{'true' if report.init is not None else 'false'}"
            tags = self._report_tags[key] = self.source.add_tags((*own, cold))
        points = lambda_lines.report_points(report, timestamp // 1000, tags, self.rules.arch)
        self.out.points.extend(points)
        if report.timed_out:
            self._once("timeouts", report.request_id, timestamp)
        if report.out_of_memory:
            self._once("out_of_memory", report.request_id, timestamp)

    def _once(self, name: str, request_id: str, timestamp: int) -> None:
        """One time-out or out-of-memory an invocation, in however many lines Lambda says it."""
        place = f"{timestamp}:{self._line}"
        if self.memory.first((name, request_id, self.source.function), place):
            tags = self.source.add_tags(())
            self.out.points.append(
                Point(f"aws.lambda.enhanced.{name}", 1.0, timestamp // 1000, "distribution", tags)
            )

    def _init_start(self, message: str, timestamp: int) -> bool:
        return message.startswith("INIT_START ") and self._platform("init_start", message, timestamp)

    def _init_report(self, message: str, timestamp: int) -> bool:
        if not message.startswith("INIT_REPORT "):
            return False
        fields = lambda_lines.read_fields(message)
        self._init_ended(
            fields.get("Status", ""), fields.get("Phase", ""), fields.get("Error Type", ""), timestamp
        )
        return self._platform("init_report", message, timestamp)

    def _init_ended(self, status: str, phase: str, error: str, timestamp: int) -> None:
        if status and status != "success":
            own = [f"status:{status}", f"phase:{phase}"] + ([f"error_type:{error.lower()}"] if error else [])
            self._add(Point("stepscope.lambda.init_errors", 1.0, timestamp // 1000, "count", tuple(own)))

    def _restore(self, message: str, timestamp: int) -> bool:
        if message.startswith("RESTORE_START "):
            return self._platform("restore_start", message, timestamp)
        if not message.startswith("RESTORE_REPORT "):
            return False
        fields = lambda_lines.read_fields(message)
        self._restored(
            fields.get("Restore Duration"), fields.get("Status", ""), fields.get("Error Type", ""), timestamp
        )
        return self._platform("restore_report", message, timestamp)

    def _restored(self, milliseconds: Any, status: str, error: str, timestamp: int) -> None:
        seconds = lambda_lines.seconds(milliseconds)
        if seconds is not None:
            self._add(
                Point("stepscope.lambda.restore_duration", seconds, timestamp // 1000, "distribution", ())
            )
        if status and status != "success":
            own = [f"status:{status}"] + ([f"error_type:{error.lower()}"] if error else [])
            self._add(Point("stepscope.lambda.restore_errors", 1.0, timestamp // 1000, "count", tuple(own)))

    def _runtime_error(self, message: str, timestamp: int) -> bool:
        """`RequestId: X Error: Runtime exited …`: counted where it tells of memory, and always a log
        entry."""
        if not message.startswith("RequestId: "):
            return False
        self._ended_badly(message, timestamp)
        self._count("runtime_error")
        self._log(message, timestamp)
        return True

    # JSON that is none of ours, and text

    def _object(self, message: str, timestamp: int) -> bool:
        if '"platform.' in message:
            kind = self._platform_json
        elif '"execution_arn"' in message:
            kind = self._step
        elif '"_aws"' in message:
            kind = self._emf
        elif '"m"' in message[:8]:
            return self._metric_json(message, timestamp)
        elif '"traces"' in message[:16]:
            return self._traces('{"traces"' + message.partition('"traces"')[2], timestamp)
        else:
            return False
        record = load_object(message)
        return record is not None and kind(record, message, timestamp)

    def _step(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        if not is_step_event(record):
            return False
        event = read_step_event(record)
        if isinstance(event, str):
            self._refuse(event, message)
        else:
            self.steps.append(event)
        return self._platform("step", message, timestamp)

    def _platform_json(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        kind, body = record.get("type"), record.get("record")
        if not isinstance(kind, str) or not kind.startswith("platform.") or not isinstance(body, dict):
            return False
        identity = str(body.get("requestId") or "")
        if kind == "platform.start":
            self._context = LogContext(self.source.log_fields, identity)
        elif kind == "platform.report":
            report = lambda_lines.report_from_json(body)
            if report is None:
                self._refuse("the metrics of platform.report are no numbers", message)
            else:
                self._add_report(report, timestamp)
        elif kind == "platform.initReport":
            error = str(body.get("errorType") or "")
            self._init_ended(str(body.get("status") or ""), str(body.get("phase") or ""), error, timestamp)
        elif kind == "platform.restoreReport":
            metrics = body.get("metrics")
            taken = metrics.get("durationMs") if isinstance(metrics, dict) else None
            self._restored(taken, str(body.get("status") or ""), str(body.get("errorType") or ""), timestamp)
        elif kind == "platform.runtimeDone" and body.get("status") == "timeout":
            self._once("timeouts", identity, timestamp)
        return self._platform(kind, message, timestamp)

    def _plain(self, message: str, timestamp: int) -> None:
        if "Task timed out after " in message or "emory" in message or "signal: killed" in message:
            self._ended_badly(message, timestamp)
        self.counts["log"] += 1
        if self.rules.keep is None:
            self.out.logs.append(Log(message, timestamp, self._context))
        else:
            self._log(message, timestamp)

    def _ended_badly(self, message: str, timestamp: int) -> None:
        timed_out = lambda_lines.TIMED_OUT.search(message)
        if timed_out:
            self._once("timeouts", timed_out[1], timestamp)
        ours = self.source.function or message.startswith(
            "RequestId: "
        )  # a word of somebody's log is no proof
        if ours and any(mark in message for mark in lambda_lines.OUT_OF_MEMORY_LINES):
            identity = lambda_lines.request_id(message) or self._context.request_id
            self._once("out_of_memory", identity, timestamp)

    def _log(self, message: str, timestamp: int) -> None:
        keep = self.rules.keep
        if keep is not None:
            kept = keep(message)
            if kept is None:
                self._count("log_excluded")
                return
            message = kept
        self.out.logs.append(Log(message, timestamp, self._context))

    def _count(self, kind: str) -> None:
        self.counts[kind] += 1

    def _refuse(self, reason: str, text: str, start: int = 0, kind: str = "points") -> None:
        self._count("refused")
        self.out.refused.append(SetAside(reason, self.source.where, self._line, start + 1, text, kind))
