"""Assign the lines of a log stream to invocations, and convert Lambda's platform lines to points.

Lambda reports the same fact in several lines, some without a request id, which may be in different payloads:
time-outs and out-of-memory are counted once per invocation, by the first line that reports them.
"""

from monitoring.lines import Point
from monitoring.log_events.arn import qualifier_tags
from monitoring.log_events.memory import Memory
from monitoring.log_events.report_lines import PlatformLine, Report, is_out_of_memory_type, report_points
from monitoring.log_events.source import LogSource
from monitoring.log_events.telemetry import LogContext

_CONTEXTS = 1_000  # the largest number of invocations whose traces are expected
_OURS = "stepscope.lambda."
_EXTENSION_RUNS = ("extension", "datadog-agent", "")
"""Kind, name and status of the platform line that reports the start of Datadog's extension."""
_COUNTS = {"extension": "extension_errors", "initReport": "init_errors", "restoreReport": "restore_errors"}


class Invocations:
    """Track the invocations of a source; the methods return the points of a line.

    `context` is that of the invocation to which lines without a request id belong. `line` is the number of
    the current line.
    """

    def __init__(self, source: LogSource, memory: Memory, arch: str) -> None:
        self._source, self._memory, self._arch = source, memory, arch
        self._stream = memory.stream(source.where)
        self._contexts: dict[str, LogContext] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._report_tags: dict[tuple[int | None, bool], tuple[str, ...]] = {}
        self._open: dict[str, None] = {}
        self._textual = False
        self.context = LogContext(source.log_fields)
        self.line = 0

    def of(self, request: str) -> LogContext:
        """Return the context of an invocation's log entries."""
        context = self._contexts.get(request)
        if context is None:
            context = self._contexts[request] = LogContext(self._source.log_fields, request)
            if len(self._contexts) > 2 * _CONTEXTS:  # rarely, because this runs for each START
                for old in list(self._contexts)[:_CONTEXTS]:
                    del self._contexts[old]
                    self._aliases.pop(old, None)
        return context

    def start(self, request: str, time: int, textual: bool = True) -> None:
        """Begin an invocation, to which later lines without a request id belong.

        Args:
            textual: whether the line is one of the text format, not of JSON.
        """
        self.context = self.of(request)
        self._textual = textual
        self._open = {} if textual else {request: None}
        self._stream.started(request, time)
        if self._stream.pending:
            self._claim(request)

    def running(self, time: int) -> LogContext:
        """Return the context of a line without a request id: of the last invocation begun in this payload,
        or of the one that was running at the time according to another payload of the stream."""
        if self.context.request_id or self._open:
            return self.context
        request = self._stream.at(time)
        return self.of(request) if request else self.context

    def context_of(self, request: str) -> LogContext:
        """Return the context of the invocation with the request id of a line."""
        self._stream.heard(request)
        if self._stream.pending:
            self._claim(request)
        return self.of(request)

    def named(self, request: str) -> LogContext | None:
        """Return the context of the request id in a log; None if the id is not that of an invocation.

        In the text format START has the request id; any other id in a log is not a request id of Lambda.
        """
        context = self._contexts.get(request)
        return None if context is None and self._textual else context or self.context_of(request)

    def report(self, report: Report, time: int) -> list[Point]:
        """Return the points of a REPORT: Datadog's enhanced metrics, and how the invocation ended."""
        key = (report.memory, report.init is not None)
        tags = self._report_tags.get(key)
        if tags is None:
            memory_tags = (f"memorysize:{report.memory}",) if report.memory is not None else ()
            cold = f"cold_start:{'true' if report.init is not None else 'false'}"
            tags = self._report_tags[key] = self._source.add_tags((*memory_tags, cold))
        request = report.request_id
        points = self._enhanced(report, time, tags + self._aliases.get(request, ()))
        self._stream.ended(request, time)
        if self._stream.pending:
            self._claim(request)
        if self._open:
            self._open.pop(request, None)
            if len(self._open) == 1:
                self.context = self.of(next(iter(self._open)))
        if report.restore is not None:
            points += self._restored(report.restore, time)
        full = report.full
        if not full and not report.status and not report.error:
            return points
        if full:
            self._memory.first(self._fact("full", request), self._place(time))
        if report.timed_out:
            points += self._once("timeouts", request, time)
        has_reason = full or report.error
        if has_reason and (
            report.out_of_memory or (full and self._memory.knows(self._fact("timeouts", request)))
        ):
            points += self.out_of_memory(request, time)
        return points

    def _enhanced(self, report: Report, time: int, tags: tuple[str, ...]) -> list[Point]:
        """Return the enhanced metrics of a REPORT; [] if Datadog's extension sends them."""
        if self._source.function in self._memory.extended:
            return []
        return report_points(report, time // 1000, tags, self._arch)

    def platform(self, line: PlatformLine, time: int) -> list[Point]:
        """Return the points of another platform line."""
        kind, request, status, name = line.kind, line.request_id, line.status, line.name
        if kind == "start":
            running = self._open
            self.start(request, time, textual=False)
            if running.keys() - {request}:  # a Managed Instance runs several invocations at a time
                self._open |= running
                self.context = LogContext(self._source.log_fields)
            tags = qualifier_tags(self._source.function.lower(), *name.split(":")[7:8])
            self._aliases[request] = tuple(tag for tag in tags if tag.startswith("resource:"))
        elif request:
            self.context_of(request)
        if (kind, name, status) == _EXTENSION_RUNS and self._source.function:
            self._memory.extended.add(self._source.function)
        return self._faults(line, time)

    def _faults(self, line: PlatformLine, time: int) -> list[Point]:
        """Return the points of a platform line about a fault or a restore."""
        kind, request, status, error, name, phase, number = line
        points: list[Point] = []
        if kind in _COUNTS and status:
            named = {"status": status, "phase": phase, "extension": name, "error_type": error.lower()}
            points = self._count(_COUNTS[kind], 1.0, time, named)
        elif kind == "imageError":
            points = self._count("image_errors", 1.0, time, {})
        elif kind == "logsDropped" and number:
            points = self._count("logs_dropped", number, time, {})
        elif kind == "runtimeDone":
            points = self._once("timeouts", request, time) if status == "timeout" else []
            full = points and self._memory.knows(self._fact("full", request))
            if full or is_out_of_memory_type(error):
                points += self.out_of_memory(request, time)
        if kind == "restoreReport" and number is not None:
            points = self._restored(number, time) + points
        return points

    def out_of_memory(self, request: str, time: int) -> list[Point]:
        """Return the point of an invocation that ran out of memory, unless an earlier line reported it.

        Args:
            request: "" for a line without a request id, which is about the invocation that was running, or
                about the next one with a request id.
        """
        line_key = self._place(time)
        if request:
            self.context_of(request)
        else:
            request = self._stream.resolved.get(line_key) or self._stream.at(time)
        if not request:
            self._stream.pending.append(line_key)
            return self._once("out_of_memory", f"{self._source.where}:{line_key}", time)
        self._stream.resolved[line_key] = request
        if len(self._stream.resolved) > 100:
            del self._stream.resolved[next(iter(self._stream.resolved))]
        return self._once("out_of_memory", request, time)

    def timed_out(self, request: str, time: int) -> list[Point]:
        """Return the point of a `Task timed out` line."""
        self.context_of(request)
        points = self._once("timeouts", request, time)
        if self._memory.knows(self._fact("full", request)):
            points += self.out_of_memory(request, time)
        return points

    def _claim(self, request: str) -> None:
        """Assign what was counted without a request id to the next invocation with a request id."""
        for line_key in self._stream.pending:
            self._memory.first(self._fact("out_of_memory", request), line_key)
            self._stream.resolved[line_key] = request
        self._stream.pending.clear()

    def _restored(self, milliseconds: float, time: int) -> list[Point]:
        """Return the point of a restore; RESTORE_REPORT and the next REPORT are about the same restore."""
        fact = ("restore", self._source.where, milliseconds)
        if not self._memory.first(fact, self._place(time)):
            return []
        tags = self._source.add_tags(())
        return [Point(_OURS + "restore_duration", milliseconds / 1000, time // 1000, "distribution", tags)]

    def _once(self, name: str, request: str, time: int) -> list[Point]:
        if not self._memory.first(self._fact(name, request), self._place(time)):
            return []
        if self._source.function in self._memory.extended:
            return []
        tags = self._source.add_tags(self._aliases.get(request, ()))
        return [Point(f"aws.lambda.enhanced.{name}", 1.0, time // 1000, "distribution", tags)]

    def _count(self, name: str, value: float, time: int, named: dict[str, str]) -> list[Point]:
        extra_tags = tuple(f"{key}:{text}" for key, text in named.items() if text)
        return [Point(_OURS + name, value, time // 1000, "count", self._source.add_tags(extra_tags))]

    def _fact(self, name: str, request: str) -> tuple[str, str, str]:
        return name, request, self._source.function

    def _place(self, time: int) -> str:
        return f"{self._memory.unit}:{time}:{self.line}"
