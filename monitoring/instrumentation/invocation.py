"""One invocation: its root span, and what it prints at its start and its end.

What stands here may fail on a strange event or context; `lifecycle` catches that.
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
    """The arguments of the decorator that every invocation needs, and the labels of the last one."""

    __slots__ = ("function", "labels", "tags")

    def __init__(self, handler: Any, tags: Any) -> None:
        self.tags = _frozen(tags)
        self.labels: Labels | None = None
        self.function = str(getattr(handler, "__name__", type(handler).__name__))


def _frozen(tags: Any) -> tuple[Any, ...]:
    """Return the tags of the decorator as a tuple, in whatever form they were written."""
    try:
        if tags is None:
            return ()
        if isinstance(tags, dict):
            return tuple(f"{key}:{value}" for key, value in tags.items())
        return (tags,) if isinstance(tags, str) else tuple(tags)
    except Exception as error:  # noqa: BLE001 - a wrong tag must not keep a function from loading
        failed("tags", error)
        return ()


class Labels:
    """The texts of all invocations that share a function, a trigger and a state, made once.

    `scope`: the tags that every point of the invocation carries; `tags`: those of its own metrics. `head`
    and `meta` are members of the root span's JSON, `child` the fixed meta of the other spans. The rest are
    what follows the value in the lines of the metrics that every invocation prints.
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
        self, chosen: Settings, options: Options, event: EventSummary, function: str, arn: Any
    ) -> None:
        trigger, step = event.trigger, event.step
        self.settings, self.trigger, self.arn, self.function = chosen, trigger, arn, function
        tags = [f"trigger:{trigger.name}"]
        if trigger.resource:
            tags.append(f"trigger_resource:{trigger.resource}")
        if step is not None:
            tags += [f"statemachine:{step.state_machine}", f"state:{step.state}"]
        self.scope = ",".join(tag_list([*options.tags, *chosen.tags]))
        self.tags = ",".join([*tag_list(tags), *([self.scope] if self.scope else [])])
        self.invocations = f"count|stepscope.invocations|#{self.tags}"
        self.duration = f"histogram|stepscope.duration|#{self.tags}"
        self.request = f"histogram|stepscope.request.size|#{self.tags}"
        self.response = f"histogram|stepscope.response.size|#{self.tags}"
        self.service = chosen.service or function.lower() or "aws.lambda"
        self.head = f'"service":{quote(self.service)},"resource":{quote(function)},"name":"aws.lambda",'
        parts = arn.split(":") if isinstance(arn, str) else []
        meta = {
            "_dd.origin": "lambda",
            "span.kind": "server",
            "cold_start": "false",
            "env": chosen.env,
            "version": chosen.version,
            "function_arn": ":".join(parts[:7]).lower(),
            "function_version": parts[7] if len(parts) > 7 else "",
            "functionname": function.lower(),
            "trigger": trigger.name,
            "trigger.resource": trigger.resource,
            "function_trigger.event_source": DATADOG_NAMES.get(trigger.name, trigger.name),
            "function_trigger.event_source_arn": trigger.arn,
        }
        self.meta = _members(meta)
        self.child = _members({"_dd.origin": "lambda", "env": chosen.env})


_known: dict[Any, Labels] = {}
_MAX_LABELS = 256


def _labels(chosen: Settings, options: Options, event: EventSummary, context: Any) -> Labels:
    """Return the labels of an invocation; made once for each combination."""
    arn, name = getattr(context, "invoked_function_arn", None), getattr(context, "function_name", None)
    function = (name if isinstance(name, str) else "") or chosen.function_name or options.function
    trigger, step = event.trigger, event.step
    state = (step.state_machine, step.state) if step is not None else None
    key = (chosen, options.tags, trigger.name, trigger.resource, trigger.arn, state, function, arn)
    try:
        labels = _known.get(key)
    except TypeError:  # a tag or an ARN that cannot be hashed
        return Labels(chosen, options, event, function, arn)
    if labels is None:
        if len(_known) >= _MAX_LABELS:
            _known.clear()
        labels = _known[key] = Labels(chosen, options, event, function, arn)
    return labels


def _members(meta: dict[str, str]) -> str:
    """Return the members of a JSON object, without its braces; empty values are left out."""
    return encode({key: value for key, value in meta.items() if value})[1:-1]


class Invocation(RootSpan):
    """One invocation of one handler, and its root span."""

    name = "aws.lambda"
    type = "serverless"

    def __init__(self, event: Any, context: Any, options: Options) -> None:
        # Set on the instance even where it equals the class default: 3.11 and 3.12 find it there faster.
        self.spans: list[Span] | None = None
        self.token: Token[Span | None] | None = None
        self.meta = self.metrics = self.links = None
        self.segment: Any = None  # of X-Ray, where we have opened one
        self.cold = self.failed = False
        self.reported = False  # whether the trace line has gone out, before the deadline
        self.start, self.began = time.time_ns(), time.perf_counter_ns()
        self.context = context
        chosen = self.settings = settings()
        event = self.event = read_event(event, context, chosen.sizes_from)
        self.trace_id, self.span_id = new_ids(self.start)
        parent = event.parent
        if parent is None:  # the upper half of an id of our own is the time, as in Datadog's tracers
            self.high = f"{hex(self.start // _SECOND | 1 << 32)[3:]}00000000"  # faster than a format
            self.parent_id, self.priority = NO_ID, 1
        else:
            self.trace_id, self.high, self.parent_id = parent.trace_id, parent.high, parent.span_id
            self.priority, self.links = parent.priority, event.links or None
        if not process.called:
            self.cold = process.first_call()
            if chosen.log_ids:
                correlation.install()
        labels = options.labels  # of the invocation before: most are of one kind
        if (
            labels is None
            or labels.trigger is not event.trigger
            or labels.settings is not chosen
            or labels.arn != getattr(context, "invoked_function_arn", None)
        ):
            labels = options.labels = _labels(chosen, options, event, context)
        self.labels, self.scope = labels, labels.scope
        self.call = self  # as every span has one; leave() breaks the cycle

    def point(self, kind: str, metric: str, value: str, *more: str) -> None:
        """Print one of the invocation's own metrics, with its tags and `more` (already normalised)."""
        tags = ",".join((*more, self.labels.tags)) if more else self.labels.tags
        print_point(self.settings, int(time.time()), value, f"{kind}|{metric}|#{tags}")

    def begin(self) -> None:
        """Print what is known at the start: an invocation that is killed has been counted."""
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
        """Take the running code out of the invocation."""
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
        """Print what is known at the end, and the trace line unless it has gone out before the deadline."""
        took = time.perf_counter_ns() - self.began
        self.duration = took = took if took > 0 else 0  # noqa: FURB136 - max() costs three times as much
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
        now = (self.start + took) // _SECOND
        print_point(self.settings, now, _us_text(took // 1000), self.labels.duration)
        if not self.reported:
            self.print_trace()

    def _read_result(self, result: dict[str, Any]) -> None:
        """Print the failed items of a batch; take the status of an HTTP response."""
        failures = result.get("batchItemFailures")
        if isinstance(failures, list):
            self.point("count", "stepscope.batch.failures", str(len(failures)))
        status = result.get("statusCode")
        if status is not None and self.event.trigger.name in _HTTP:
            self.set("http.status_code", str(status))
            self.failed = str(status).startswith("5") and len(str(status)) == 3

    def report_timeout(self) -> None:
        """Print what a killed invocation cannot: the metric, and the trace line with its open spans."""
        self.reported = True
        self.point("count", "stepscope.timeouts", "1")
        self.failed = True
        message = "the call was still running shortly before its deadline"
        self.meta = {**(self.meta or {}), "error.type": "Timeout", "error.message": message}
        self.print_trace()

    def print_trace(self) -> None:
        """Write the trace line, or several where one would be too long."""
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
        # Most invocations have nothing but their own span: the same JSON, without a detour.
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
    """Return milliseconds to the microsecond, as a line writes them."""
    return _us_text(round(milliseconds * 1000))


def _us_text(microseconds: int) -> str:
    return str(microseconds / 1000) if microseconds % 1000 else str(microseconds // 1000)


def _step_members(step: Identity) -> str:
    """Return the members of `meta` that name an execution and its state."""
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
