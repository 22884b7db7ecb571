"""Implement an invocation: its root span, and the metrics that are printed at its start and end.

The functions may raise exceptions for unexpected events or contexts; `lifecycle` handles them.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as quote

from monitoring.instrumentation import correlation
from monitoring.instrumentation.event import read_event
from monitoring.instrumentation.output import failed, print_point, put, tag_list
from monitoring.instrumentation.runtime import encode, process, size_of
from monitoring.instrumentation.settings import settings
from monitoring.instrumentation.spans import NO_ID, RootSpan, leave, new_ids, prepare, roots
from monitoring.instrumentation.triggers import DATADOG_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any

    from monitoring.instrumentation.event import EventSummary
    from monitoring.instrumentation.settings import Settings
    from monitoring.instrumentation.spans import Span
    from monitoring.instrumentation.step_functions import Identity

_HTTP = frozenset({"api-gateway", "function-url", "alb"})
_STREAMS = frozenset({"kinesis", "dynamodb", "kafka"})
_SECOND = 1_000_000_000  # in nanoseconds
_innermost = prepare()


class Options:
    """The arguments of the decorator, and the labels of the last invocation."""

    __slots__ = ("function", "labels", "tags")

    def __init__(self, handler: Any, tags: Any) -> None:
        self.tags = _frozen(tags)
        self.labels: Labels | None = None
        self.function = str(getattr(handler, "__name__", type(handler).__name__))


def _frozen(tags: Any) -> tuple[Any, ...]:
    """Return the tags of the decorator (a list, mapping, string or None) as a tuple."""
    try:
        if tags is None:
            return ()
        if isinstance(tags, dict):
            return tuple(f"{key}:{value}" for key, value in tags.items())
        return (tags,) if isinstance(tags, str) else tuple(tags)
    except Exception as error:  # noqa: BLE001 - a function must load in spite of invalid tags
        failed("tags", error)
        return ()


class Labels:
    """The texts that all invocations with the same function, trigger and state share.

    `scope` are the tags of every point of the invocation, `tags` those of its own metrics. `head` and `meta`
    are members of the root span's JSON, `child` the fixed meta of the other spans. The others are the part
    after the value in the lines of the invocation's metrics.
    """

    __slots__ = (
        "arn",
        "child",
        "duration",
        "function",
        "head",
        "invocations",
        "meta",
        "request",
        "response",
        "scope",
        "service",
        "settings",
        "tags",
        "trigger",
    )

    def __init__(
        self, settings: Settings, options: Options, event: EventSummary, function: str, arn: Any
    ) -> None:
        trigger, step = event.trigger, event.step
        self.settings, self.trigger, self.arn, self.function = settings, trigger, arn, function
        tags = [f"trigger:{trigger.name}"]
        if trigger.resource:
            tags.append(f"trigger_resource:{trigger.resource}")
        if step is not None:
            tags += [f"statemachine:{step.state_machine}", f"state:{step.state}"]
        self.scope = ",".join(tag_list([*options.tags, *settings.tags]))
        self.tags = ",".join([*tag_list(tags), *([self.scope] if self.scope else [])])
        self.invocations = f"count|stepscope.invocations|#{self.tags}"
        self.duration = f"histogram|stepscope.duration|#{self.tags}"
        self.request = f"histogram|stepscope.request.size|#{self.tags}"
        self.response = f"histogram|stepscope.response.size|#{self.tags}"
        self.service = settings.service or function.lower() or "aws.lambda"
        self.head = f'"service":{quote(self.service)},"resource":{quote(function)},"name":"aws.lambda",'
        parts = arn.split(":") if isinstance(arn, str) else []
        meta = {
            "_dd.origin": "lambda",
            "span.kind": "server",
            "cold_start": "false",
            "env": settings.env,
            "version": settings.version,
            "function_arn": ":".join(parts[:7]).lower(),
            "function_version": parts[7] if len(parts) > 7 else "",
            "functionname": function.lower(),
            "trigger": trigger.name,
            "trigger.resource": trigger.resource,
            "function_trigger.event_source": DATADOG_NAMES.get(trigger.name, trigger.name),
            "function_trigger.event_source_arn": trigger.arn,
        }
        self.meta = _members(meta)
        self.child = _members({"_dd.origin": "lambda", "env": settings.env})


_labels_cache: dict[Any, Labels] = {}
_MAX_LABELS = 256


def _labels(settings: Settings, options: Options, event: EventSummary, context: Any) -> Labels:
    """Return the labels of an invocation, which are cached."""
    arn, name = getattr(context, "invoked_function_arn", None), getattr(context, "function_name", None)
    function = (name if isinstance(name, str) else "") or settings.function_name or options.function
    trigger, step = event.trigger, event.step
    state = (step.state_machine, step.state) if step is not None else None
    key = (settings, options.tags, trigger.name, trigger.resource, trigger.arn, state, function, arn)
    try:
        labels = _labels_cache.get(key)
    except TypeError:  # a tag or an ARN that cannot be hashed
        return Labels(settings, options, event, function, arn)
    if labels is None:
        if len(_labels_cache) >= _MAX_LABELS:
            _labels_cache.clear()
        labels = _labels_cache[key] = Labels(settings, options, event, function, arn)
    return labels


def _members(meta: dict[str, str]) -> str:
    """Return the members of a JSON object without its braces; empty values are omitted."""
    return encode({key: value for key, value in meta.items() if value})[1:-1]


class Invocation(RootSpan):
    """An invocation of a handler, and its root span."""

    name = "aws.lambda"
    type = "serverless"

    def __init__(self, event: Any, context: Any, options: Options) -> None:
        # Set on the instance even if equal to the class default: on 3.11 and 3.12 instance lookup is faster.
        self.spans: list[Span] | None = None
        self.token: Token[Span | None] | None = None
        self.meta = self.metrics = self.links = None
        self.segment: Any = None  # the X-Ray subsegment that was opened, if any
        self.cold = self.failed = False
        self.reported = False  # whether the trace was printed before the deadline
        self.start, self.began = time.time_ns(), time.perf_counter_ns()
        self.context = context
        chosen = self.settings = settings()
        event = self.event = read_event(event, context, chosen.sizes_from)
        self.trace_id, self.span_id = new_ids(self.start)
        parent = event.parent
        if parent is None:  # the upper half of a new id is the time, as in Datadog's tracers
            self.high = f"{hex(self.start // _SECOND | 1 << 32)[3:]}00000000"  # faster than a format
            self.parent_id, self.priority = NO_ID, 1
        else:
            self.trace_id, self.high, self.parent_id = parent.trace_id, parent.high, parent.span_id
            self.priority, self.links = parent.priority, event.links or None
        if not process.called:
            self.cold = process.first_call()
            if chosen.log_ids:
                correlation.install()
        labels = options.labels  # of the last invocation: most have the same labels
        if (
            labels is None
            or labels.trigger is not event.trigger
            or labels.settings is not chosen
            or labels.arn != getattr(context, "invoked_function_arn", None)
        ):
            labels = options.labels = _labels(chosen, options, event, context)
        self.labels, self.scope = labels, labels.scope
        self.call = self  # every span has a call; leave() removes the reference cycle

    def point(self, kind: str, metric: str, value: str, *more: str) -> None:
        """Print a metric of the invocation, with its tags and `more` (tags that are already normalized)."""
        tags = ",".join((*more, self.labels.tags)) if more else self.labels.tags
        print_point(self.settings, int(time.time()), value, f"{kind}|{metric}|#{tags}")

    def begin(self) -> None:
        """Print the metrics of the start, so that a killed invocation is counted, too."""
        self.token = _innermost.set(self)
        roots.add(self)
        labels, event = self.labels, self.event
        print_point(self.settings, self.start // _SECOND, "1", labels.invocations)
        if event.size is not None:
            print_point(self.settings, int(time.time()), str(event.size), labels.request)
        if self.cold:
            self._cold_start()
        if event.trigger.oldest is not None:
            self._ages(time.time(), event.trigger.oldest)

    def _cold_start(self) -> None:
        self.point("count", "stepscope.cold_starts", "1", f"init:{process.init_type()}")
        if process.init_ms is not None:
            self.point("histogram", "stepscope.init_duration", _ms_text(process.init_ms))

    def _ages(self, now: float, oldest: float) -> None:
        self.point("histogram", "stepscope.event.age", _ms_text(max(0.0, (now - oldest) * 1000)))
        trigger = self.event.trigger
        if trigger.name in _STREAMS and trigger.newest is not None:
            age = max(0.0, (now - trigger.newest) * 1000)
            self.point("histogram", "stepscope.iterator.age", _ms_text(age))

    def leave(self) -> None:
        """Reset the innermost span, so that later code does not belong to the invocation."""
        roots.discard(self)
        token = self.token
        if token is not None:
            self.token = None
            try:
                _innermost.reset(token)
            except ValueError:
                leave(token)
        self.call = None

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Print the metrics of the end, and the trace line unless it was printed before the deadline."""
        duration = time.perf_counter_ns() - self.began
        self.duration = duration = duration if duration > 0 else 0  # noqa: FURB136 - max() costs three times as much
        if error is not None:
            self.failed = True
            if self.settings.trace and not self.reported:
                from monitoring.instrumentation.trace_line import error_meta

                self.error = error_meta(error)
            self.point("count", "stepscope.errors", "1", *tag_list([f"error_type:{type(error).__name__}"]))
        elif result is not None:
            if type(result) is dict:
                self._read_result(result)
            size = size_of(result, self.settings.sizes_from)
            if size is not None:
                print_point(self.settings, int(time.time()), str(size), self.labels.response)
        now = (self.start + duration) // _SECOND
        print_point(self.settings, now, _us_text(duration // 1000), self.labels.duration)
        if not self.reported:
            self.print_trace()

    def _read_result(self, result: dict[str, Any]) -> None:
        """Print the number of failed items of a batch, and read the status of an HTTP response."""
        failures = result.get("batchItemFailures")
        if isinstance(failures, list):
            self.point("count", "stepscope.batch.failures", str(len(failures)))
        status = result.get("statusCode")
        if status is not None and self.event.trigger.name in _HTTP:
            self.set("http.status_code", str(status))
            self.failed = str(status).startswith("5") and len(str(status)) == 3

    def report_timeout(self) -> None:
        """Print the time-out metric, and the trace line with the open spans, before the time-out."""
        self.reported = True
        self.point("count", "stepscope.timeouts", "1")
        self.failed = True
        message = "the invocation was still running shortly before its deadline"
        self.meta = {**(self.meta or {}), "error.type": "Timeout", "error.message": message}
        self.print_trace()

    def print_trace(self) -> None:
        """Print the trace line, or several if one would be too long."""
        labels = self.labels
        if not self.settings.trace:
            return
        high, meta = self.high, labels.meta
        request_id = getattr(self.context, "aws_request_id", None)
        request_id = quote(request_id if type(request_id) is str else str(request_id or ""))
        if self.cold:
            meta = meta.replace('"cold_start":"false"', '"cold_start":"true"', 1)
        if self.event.step is not None:
            meta = f"{meta},{_step_members(self.event.step)}"
        if self.spans is not None or self.meta or self.metrics or self.links or self.failed or not high:
            tid = f'"_dd.p.tid":"{high}",' if high else ""
            self._print_spans(f'{tid}{meta},"request_id":{request_id}', f"{tid}{labels.child}")
            return
        # Most invocations have only their root span: its JSON is written directly.
        put(
            f'{{"traces":[[{{"trace_id":"{self.trace_id}","parent_id":"{self.parent_id}",'
            f'"span_id":"{self.span_id}",{labels.head}"error":0,"start":{self.start},'
            f'"duration":{self.duration},"meta":{{"_dd.p.tid":"{high}",{meta},"request_id":{request_id}}},'
            f'"metrics":{{"_sampling_priority_v1":{self.priority}}},"type":"serverless"}}]]}}\n'
        )

    def _print_spans(self, meta: str, child: str) -> None:
        from monitoring.instrumentation.trace_line import trace_lines

        now, service = time.perf_counter_ns(), self.labels.service
        self.resource = self.labels.function
        self.metrics = {"_sampling_priority_v1": self.priority, **(self.metrics or {})}
        if self.dropped:
            self.metrics["spans_dropped"] = self.dropped
        inside = [*(self.spans or ()), *(self.open or {}).values()]
        texts = [self.to_json(service, now, meta), *(span.to_json(service, now, child) for span in inside)]
        for line in trace_lines(texts):
            put(line)


def _ms_text(milliseconds: float) -> str:
    """Format milliseconds with microsecond precision."""
    return _us_text(round(milliseconds * 1000))


def _us_text(microseconds: int) -> str:
    return str(microseconds / 1000) if microseconds % 1000 else str(microseconds // 1000)


def _step_members(step: Identity) -> str:
    """Return the members of `meta` about the execution and its state."""
    pairs = (
        ("execution_id", step.execution_id),
        ("execution_name", step.execution),
        ("state_machine", step.state_machine),
        ("state", step.state),
        ("retry_count", str(step.retry_count)),
        ("redrive_count", str(step.redrive_count)),
        ("map_index", "" if step.map_index is None else str(step.map_index)),
    )
    return ",".join([f'"stepfunctions.{key}":{quote(text)}' for key, text in pairs if text])
