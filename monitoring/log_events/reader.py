"""Convert the log events of a source to telemetry; the first characters or root keys determine the kind.

A known message becomes points or spans, any other one a log entry. The parsers of a line of text are
selected by its first characters, those of a JSON object by its root keys; if a parser does not recognize it,
the next one is tried.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from monitoring.log_events import json_lines, report_lines
from monitoring.log_events.codec import encode, load_object
from monitoring.log_events.invocations import Invocations
from monitoring.log_events.json_lines import Root
from monitoring.log_events.memory import Memory
from monitoring.log_events.metric_reader import MetricReader
from monitoring.log_events.source import LogSource
from monitoring.log_events.step_events import StepEvent, is_step_event, read_step_event
from monitoring.log_events.telemetry import Log, LogContext, SpanRecord
from monitoring.log_events.traces import read_trace_line, read_traces

_LOGGED = frozenset({"extension", "imageError"})  # platform lines with a reason are logs, too
_MARKS = ("MONITORING|", '"m"', '"traces"', '"_aws"', "REPORT RequestId: ", "START RequestId: ")
_BRACES = (
    "}\n",
    "}",
    "{\n",
    "{",
    "}\r\n",
    "{\r\n",
    "} ",
    "}\n\n",
)  # the ends of texts that may contain an object
_Parser = Callable[[dict[str, Any], str, int], bool]
_Table = tuple[tuple[frozenset[str], _Parser], ...]


class Rules(NamedTuple):
    """The rules for forwarding logs.

    Args:
        keep: returns a log message scrubbed, or None to exclude it.
        log_platform: forward platform lines and Step Functions events as logs, too.
    """

    keep: Callable[[str], str | None] | None = None
    log_platform: bool = False
    arch: str = "x86_64"


class Reader(MetricReader):
    """Read the events of a source in order; the result is in `out`."""

    def __init__(self, source: LogSource, memory: Memory, rules: Rules) -> None:
        super().__init__(source)
        self.memory = memory
        self.rules = rules
        self.steps: list[StepEvent] = []
        self._invocations = Invocations(source, memory, rules.arch)
        self._buffered: list[tuple[str, int, int]] = []  # the lines of a pretty-printed object so far
        self._heads: dict[str, Callable[[str, int], bool]] = {
            "MONITO": self._metric,
            '{"trac': self._traces,
            '{"id":': self._step_line,
            "REPORT": self._report,
            "START ": self._start,
            "END Re": self._end,
            "Reques": self._runtime_error,
            **{f'{{"{key}":{c}': self._metric_json for key in "mvet" for c in '" [-0123456789'},
            **dict.fromkeys(report_lines.TEXT_HEADS, self._platform_text),
        }
        # Root keys and parsers of objects that a function prints, alone or within a log entry.
        self._printed: _Table = (
            (frozenset({"_aws"}), self._emf),
            (frozenset({"traces"}), self._trace_record),
            (frozenset({"m", "v", "e"}), self._metric_record),
        )
        # AWS's objects are alone on their line; within a log entry they are only quoted.
        self._objects: _Table = (
            *self._printed,
            (frozenset({"execution_arn", "event_timestamp", "type"}), self._step),
            (frozenset({"type", "record"}), self._platform_json),
        )

    def read(self, message: str, timestamp: int, line: int = 0) -> None:
        """Read an event.

        Args:
            timestamp: milliseconds since the epoch.
            line: its line number in the source, for refusals.
        """
        if self._buffered and self._joined(message, timestamp, line):
            return
        self._line = line
        handler = self._heads.get(message[:6])
        if (
            handler is not None
            and ("\n" not in message[:-1] or "\nXRAY TraceId: " in message)  # a REPORT's second line
            and handler(message, timestamp)
        ):
            return
        if (
            "{" in message
            and (message[0] == "{" or message.endswith(_BRACES))
            and self._json(message, timestamp, line)
        ):
            return
        if "\n" in message[:-1] and any(mark in message for mark in _MARKS):
            self._lines(message, timestamp)
        elif "MONITORING|" not in message or not self._metric(message, timestamp):
            self._plain(message, timestamp)

    def flush(self) -> None:
        """Read the buffered lines of a pretty-printed object without an end."""
        buffered, self._buffered = self._buffered, []
        for message, timestamp, line in buffered[:1]:
            self._line = line
            self._plain(message, timestamp)
        for event in buffered[1:]:
            self.read(*event)

    def _joined(self, message: str, timestamp: int, line: int) -> bool:
        """Buffer a line of a pretty-printed object, or read the object at its last line."""
        if json_lines.goes_on(message):
            self._buffered.append((message, timestamp, line))
            return True
        text = "\n".join(event[0].rstrip("\n") for event in self._buffered) + "\n}"
        self._line = self._buffered[0][2]
        if message.rstrip() == "}" and self._prefixed(text, timestamp):
            self._buffered.clear()
            return True
        self.flush()
        return False

    def _lines(self, message: str, timestamp: int) -> None:
        """Read an event line by line; the lines that are logs become a single entry."""
        texts = list(json_lines.joined(message.split("\n")))
        logs = [text for text in texts if not self._known(text, timestamp)]
        remaining = "\n".join(logs).strip() if len(logs) < len(texts) else message
        if remaining:
            self._plain(remaining, timestamp)

    def _known(self, text: str, timestamp: int) -> bool:
        if not any(mark in text for mark in _MARKS):
            return False
        handler = self._heads.get(text[:6])
        if handler is not None and handler(text, timestamp):
            return True
        if "{" in text and self._prefixed(text, timestamp):
            return True
        return text[:1] != "{" and "MONITORING|" in text and self._metric(text, timestamp)

    # JSON objects

    def _json(self, message: str, timestamp: int, line: int) -> bool:
        """Read a message that is a JSON object, with or without a prefix, or the first line of one."""
        if message[0] != "{":
            if self._prefixed(message, timestamp):
                return True
        elif (root := json_lines.read_root(message)) is not None:
            if root.is_plain() or not self._root(root, message, message, timestamp, self._objects):
                self._entry(root, message, timestamp)
            return True
        begins = json_lines.begins(message)
        if begins:
            self._buffered.append((message, timestamp, line))
        return begins

    def _prefixed(self, message: str, timestamp: int) -> bool:
        """Read JSON that a function prints, with or without a prefix of its runtime or logger."""
        document = json_lines.document_of(message)
        return document is not None and self._root(*document, message, timestamp, self._printed)

    def _root(
        self, root: Root, source: str | dict[str, Any], message: str, timestamp: int, table: _Table
    ) -> bool:
        """Read the telemetry of a JSON object, or of the message of a log entry; return False for a log.

        Args:
            source: the object, or its text.
            message: the whole event, for refusals.
            table: the parsers of the outermost object.
        """
        while True:
            record = source if isinstance(source, dict) else None
            if root.marked():
                record = record or load_object(str(source)) or {}
                if self._record(record, message, timestamp, table):
                    return True
            content = root.message if root.message is not None else root.pascal_message
            if type(content) is str and "{" not in content and "MONITORING|" not in content:
                return False
            if not json_lines.is_entry(record or load_object(str(source)) or {}):
                return False
            if isinstance(content, dict):
                root, source = msgspec.convert(content, Root), content
            elif not isinstance(content, str):
                return False
            elif (document := json_lines.document_of(content)) is not None:
                root, source = document
            else:
                return "MONITORING|" in content and self._metric(content, timestamp)
            table = self._printed

    def _record(self, record: dict[str, Any], message: str, timestamp: int, table: _Table) -> bool:
        keys = record.keys()
        return any(parse(record, message, timestamp) for marks, parse in table if marks <= keys)

    # traces

    def _traces(self, message: str, timestamp: int) -> bool:
        spans = read_trace_line(message)
        if spans is None:
            return False
        self._add_spans(spans)
        return True

    def _trace_record(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        read = read_traces(record)
        if read is None:
            return False
        spans, wrong = read
        for reason in wrong:
            self._refuse(reason, message[:200], kind="spans")
        self._add_spans(spans)
        return True

    def _add_spans(self, spans: list[SpanRecord]) -> None:
        self.counts["trace"] += 1
        if spans:
            meta = spans[0].meta
            for key, value in self.source.span_meta.items():
                meta.setdefault(key, value)
            self._join_logs(spans[0])
            self.out.spans.extend(spans)

    def _join_logs(self, root: SpanRecord) -> None:
        context = self._invocations.context
        request = root.meta.get("request_id")
        if request and request != context.request_id:
            context = self._invocations.of(request)
        if context.request_id:
            high = root.meta.get("_dd.p.tid", "")
            low = root.trace_id
            context.trace_id = high.rjust(16, "0") + low if high else str(int(low, 16))

    # Lambda's platform lines

    def _here(self) -> Invocations:
        self._invocations.line = self._line
        return self._invocations

    def _start(self, message: str, timestamp: int) -> bool:
        if not message.startswith("START RequestId: "):
            return False
        self._invocations.start(message[17:].partition(" ")[0].strip(), timestamp)
        return self._platform("start", message, timestamp)

    def _end(self, message: str, timestamp: int) -> bool:
        if not message.startswith("END RequestId: "):
            return False
        request = message[15:].strip()
        if request != self._invocations.context.request_id:
            self._invocations.context_of(request)
        return self._platform("end", message, timestamp)

    def _platform(self, kind: str, message: str, timestamp: int, context: LogContext | None = None) -> bool:
        self.counts[kind] += 1
        if self.rules.log_platform:
            self._log(message, timestamp, context)
        return True

    def _report(self, message: str, timestamp: int) -> bool:
        report = report_lines.read_report(message) if message.startswith("REPORT RequestId: ") else None
        if report is None:
            return False
        self.out.points += self._here().report(report, timestamp)
        return self._platform("report", message, timestamp)

    def _platform_text(self, message: str, timestamp: int) -> bool:
        line = report_lines.read_platform_text(message)
        if line is None:
            return False
        self.out.points += self._here().platform(line, timestamp)
        self._platform(message.split(None, 1)[0].lower(), message, timestamp)
        if (line.status or line.error) and line.kind in _LOGGED and not self.rules.log_platform:
            self._log(message, timestamp)
        return True

    def _runtime_error(self, message: str, timestamp: int) -> bool:
        """Read `RequestId: X Error: Runtime exited …` as a log, and as a point if it is about memory."""
        if not message.startswith("RequestId: "):
            return False
        request = self._ended_badly(message, timestamp, "")
        self.counts["runtime_error"] += 1
        self._log(message, timestamp, self._invocations.named(request) if request else None)
        return True

    def _step_line(self, message: str, timestamp: int) -> bool:
        record = load_object(message)
        if record is None or "_aws" in record or "traces" in record:
            return False
        return self._step(record, message, timestamp)

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
        if not isinstance(kind, str) or not isinstance(body, (dict, str)):
            return False
        if kind in {"function", "extension"} and "time" in record:  # a log in the format of the Telemetry API
            self.read(body if isinstance(body, str) else encode(body).decode(), timestamp, self._line)
            return True
        if not kind.startswith("platform."):
            return False
        if isinstance(body, str):  # platform.fault
            self._log_entry(message, timestamp, self._ended_badly(body, timestamp, ""))
            return True
        line = report_lines.read_platform_record(kind[9:], body)
        if line.kind == "report":
            report = report_lines.report_from_json(body)
            if report is None:
                self._refuse("the metrics of platform.report are not numbers", message)
            else:
                self.out.points += self._here().report(report, timestamp)
        else:
            self.out.points += self._here().platform(line, timestamp)
        context = self._invocations.of(line.request_id) if line.request_id else None
        return self._platform(kind, message, timestamp, context)

    def _plain(self, message: str, timestamp: int) -> None:
        context = self._invocations.context
        ended = "Task timed out after " in message or "emory" in message or "signal: killed" in message
        if context.request_id and not ended and self.rules.keep is None:
            self.counts["log"] += 1
            self.out.logs.append(Log(message, timestamp, context))
            return
        request = "" if context.request_id else report_lines.request_of_prefix(message)
        if ended:
            request = self._ended_badly(message, timestamp, request)
        self._log_entry(message, timestamp, request)

    def _entry(self, root: Root, message: str, timestamp: int) -> None:
        """Add the log entry of a JSON object."""
        request, context = root.request(), self._invocations.context
        ended = "Task timed out after " in message or "emory" in message
        same = request is None or request == context.request_id
        if same and context.request_id and not ended and self.rules.keep is None:
            self.counts["log"] += 1
            self.out.logs.append(Log(message, timestamp, context))
            return
        record = {} if same and not ended else load_object(message) or {}
        if not same and not (json_lines.is_entry(record) and "timestamp" in record and type(request) is str):
            request = ""
        if ended:
            is_out_of_memory = report_lines.tells_out_of_memory(record)
            self._ended_badly(message, timestamp, request or "", is_out_of_memory)
        self._log_entry(message, timestamp, request or "")

    def _log_entry(self, message: str, timestamp: int, request: str) -> None:
        self.counts["log"] += 1
        context = self._invocations.named(request) if request else None
        if context is not None and self.rules.keep is None:
            self.out.logs.append(Log(message, timestamp, context))
        else:
            self._log(message, timestamp, context)

    def _ended_badly(
        self, message: str, timestamp: int, request: str, out_of_memory: bool | None = None
    ) -> str:
        """Count a time-out or out-of-memory that a log reports; return the request id in the log.

        Args:
            out_of_memory: whether the log reports it; None to examine its text.
        """
        context = self._here()
        request = report_lines.request_of_error(message) or request
        if "Task timed out after " in message:
            timed_out = report_lines.TIMED_OUT.search(message)
            named = timed_out[1] if timed_out else request
            self.out.points += context.timed_out(named, timestamp) if named else []
        if out_of_memory is None:
            out_of_memory = report_lines.is_out_of_memory(message)
        # A log that no invocation is known to have written may only quote the words.
        if out_of_memory and (request or self.source.function or context.context.request_id):
            self.out.points += context.out_of_memory(request, timestamp)
        return request

    def _log(self, message: str, timestamp: int, context: LogContext | None = None) -> None:
        keep = self.rules.keep
        if keep is not None:
            scrubbed = keep(message)
            if scrubbed is None:
                self.counts["log_excluded"] += 1
                return
            message = scrubbed
        if context is None:
            context = self._invocations.running(timestamp)
        self.out.logs.append(Log(message, timestamp, context))
