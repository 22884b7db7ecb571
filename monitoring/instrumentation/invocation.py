"""One invocation: what it is, what it prints at its start and its end, and the spans in between.

What stands here may fail on a strange event or context; `monitoring.instrumentation.decorator` catches that.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as quote

from monitoring.instrumentation import correlation
from monitoring.instrumentation.labels import labels_of, meta_json
from monitoring.instrumentation.metrics import print_point, put
from monitoring.instrumentation.payload import delivered_size, size_of
from monitoring.instrumentation.runtime import process
from monitoring.instrumentation.settings import settings
from monitoring.instrumentation.spans import NO_ID, Span, leave, new_ids, prepare, roots
from monitoring.instrumentation.step_functions import identity_of
from monitoring.instrumentation.triggers import UNKNOWN, describe
from monitoring.lines import tag_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any

    from monitoring.instrumentation.decorator import Options
    from monitoring.instrumentation.settings import Settings
    from monitoring.instrumentation.step_functions import Identity

MAX_SPANS = 5_000  # a call; what is beyond is counted, not kept
_HTTP = frozenset({"api-gateway", "function-url", "alb"})
_STREAMS = frozenset({"kinesis", "dynamodb", "kafka"})
_SECOND = 1_000_000_000  # in nanoseconds
_innermost = prepare()


class Call(Span):
    """One invocation of one handler, and its root span. `high` is the upper half of the trace id, or None."""

    name = "aws.lambda"
    type = "serverless"
    priority = 1
    open: dict[int, Span] | None = None
    dropped = 0

    def __init__(self, event: Any, context: Any, options: Options) -> None:
        # What every call asks for is its own, whatever its value: Python finds that faster than in the class.
        self.high: str | None = None
        self.identity: Identity | None = None
        self.spans: list[Span] | None = None
        self.token: Token[Span | None] | None = None
        self.meta = self.metrics = self.links = None
        self.segment: Any = None  # of X-Ray, where we have opened one
        self.cold = self.failed = False
        self.spoken = False  # whether the trace line has gone out, before the deadline
        self.parent_id = NO_ID
        self.start, self.began = time.time_ns(), time.perf_counter_ns()
        self.context = context
        chosen = settings()
        trigger = self.trigger = describe(event)
        self.trace_id, self.span_id = new_ids(self.start)
        if trigger is not UNKNOWN:
            self._join(event)
        elif getattr(context, "client_context", None) is not None:
            self._join(getattr(context.client_context, "custom", None))
        if not process.called:
            self.cold = process.first_call()
            if chosen.log_ids:
                correlation.install()
        arn = getattr(context, "invoked_function_arn", None)
        labels = options.labels  # of the call before: most calls are of one kind
        if (
            labels is None
            or labels.trigger is not trigger
            or labels.settings is not chosen
            or labels.arn != arn
        ):
            labels = options.labels = labels_of(chosen, options, trigger, self.identity, context)
        self.labels = labels
        self.call = self  # as every span has one; leave() breaks the cycle

    def _join(self, event: Any) -> None:
        """Take the trace from Step Functions, or from the event's headers or attributes, where it has any."""
        if self.trigger.name == "step-functions":
            step = self.identity = identity_of(event)
            if step is not None:
                self.trace_id, self.high, self.parent_id = step.trace_id, step.high, step.parent_id
            return
        from monitoring.instrumentation.propagation import contexts_of

        found, links = contexts_of(event, self.trigger.name)
        if found is not None:
            self.trace_id, self.high, self.parent_id = found.trace_id, found.high, found.span_id
            self.priority = found.priority
        if links:
            self.links = links

    def opened(self, span: Span) -> None:
        """A child span has begun."""
        if self.open is None:
            self.open, self.spans = {}, []
        self.open[id(span)] = span

    def closed(self, span: Span) -> None:
        """A child span is over."""
        if self.open is not None and self.spans is not None:
            self.open.pop(id(span), None)
            if len(self.spans) < MAX_SPANS:
                self.spans.append(span)
            else:
                self.dropped += 1

    def point(self, kind: str, metric: str, value: str, *more: str) -> None:
        """Print one of the call's own metrics, with its tags and `more` (already normalised)."""
        labels = self.labels
        tags = ",".join((*more, labels.tags)) if more else labels.tags
        print_point(labels.settings, value, f"{kind}|{metric}|#{tags}")

    def begin(self, event: Any) -> None:
        """Print what is known at the start: a call that is killed has been counted."""
        self.token = _innermost.set(self)
        roots.add(self)
        labels = self.labels
        chosen = labels.settings
        if chosen.plain:
            put(f"MONITORING|{self.start // _SECOND}|1|{labels.invocations}\n")
        else:
            print_point(chosen, "1", labels.invocations)
        if chosen.sizes_from is not None:
            size = (delivered_size() if chosen.in_lambda else None) or size_of(event)
            if size is not None and size >= chosen.sizes_from:
                print_point(chosen, str(size), labels.request)
        if self.cold:
            self._cold_start()
        if self.trigger.oldest is not None:
            self._ages(time.time(), self.trigger.oldest)

    def _cold_start(self) -> None:
        self.point("count", "stepscope.cold_starts", "1", f"init:{process.init_type()}")
        if process.init_ms is not None:
            self.point("histogram", "stepscope.init_duration", ms_text(process.init_ms))

    def _ages(self, now: float, oldest: float) -> None:
        self.point("histogram", "stepscope.event.age", ms_text(max(0.0, (now - oldest) * 1000)))
        if self.trigger.name in _STREAMS and self.trigger.newest is not None:
            age = max(0.0, (now - self.trigger.newest) * 1000)
            self.point("histogram", "stepscope.iterator.age", ms_text(age))

    def leave(self) -> None:
        """The code that runs is no longer part of the call."""
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
        labels = self.labels
        chosen = labels.settings
        if error is not None:
            self.failed = True
            if chosen.trace and not self.spoken:
                from monitoring.instrumentation.trace_line import error_meta

                self.error = error_meta(error)
            self.point("count", "stepscope.errors", "1", *tag_list([f"error_type:{type(error).__name__}"]))
        elif result is not None:
            self._look_at(result, chosen)
        text = _us_text(took // 1000)
        if chosen.plain:
            put(f"MONITORING|{(self.start + took) // _SECOND}|{text}|{labels.duration}\n")
        else:
            print_point(chosen, text, labels.duration)
        if not self.spoken:
            self.print_trace()

    def _look_at(self, result: Any, chosen: Settings) -> None:
        """Print what the result tells."""
        if type(result) is dict:
            self._look_into(result)
        if chosen.sizes_from is not None:
            size = size_of(result)
            if size is not None and size >= chosen.sizes_from:
                print_point(chosen, str(size), self.labels.response)

    def _look_into(self, result: dict[str, Any]) -> None:
        failed = result.get("batchItemFailures")
        if isinstance(failed, list):
            self.point("count", "stepscope.batch.failures", str(len(failed)))
        status = result.get("statusCode")
        if status is not None and self.trigger.name in _HTTP:
            self.set("http.status_code", str(status))
            self.failed = str(status).startswith("5") and len(str(status)) == 3

    def about_to_be_killed(self) -> None:
        """Print what a killed call cannot: the metric, and the trace line with what is open."""
        self.point("count", "stepscope.timeouts", "1")
        self.failed = True
        message = "the call was still running shortly before its deadline"
        self.meta = {**(self.meta or {}), "error.type": "Timeout", "error.message": message}
        self.print_trace()

    def upper_half(self) -> str:
        """The upper half of the trace id; a trace of our own has the time there, as Datadog's tracers do."""
        return f"{self.start // _SECOND:08x}00000000" if self.high is None else self.high

    def print_trace(self) -> None:
        """Write the trace line, or several where one would be too long."""
        labels = self.labels
        if not labels.settings.trace:
            return
        high, meta = self.high, labels.meta
        if high is None:
            high = f"{self.start // _SECOND:08x}00000000"
        request_id = getattr(self.context, "aws_request_id", None)
        request_id = quote(request_id if type(request_id) is str else str(request_id or ""))
        if self.cold:
            meta = meta.replace('"cold_start":"false"', '"cold_start":"true"', 1)
        if self.identity is not None:
            meta = f"{meta},{meta_json(_step_meta(self.identity))}"
        if self.spans is not None or self.meta or self.metrics or self.links or self.failed or not high:
            tid = f'"_dd.p.tid":"{high}",' if high else ""
            self._print_spans(f'{tid}{meta},"request_id":{request_id}', tid)
            return
        # A call with nothing but its own span, as most are: the same JSON, without a detour.
        put(
            f'{{"traces":[[{{"trace_id":"{self.trace_id}","parent_id":"{self.parent_id}",'
            f'"span_id":"{self.span_id}",{labels.head}"error":0,"start":{self.start},'
            f'"duration":{self.duration},"meta":{{"_dd.p.tid":"{high}",{meta},"request_id":{request_id}}},'
            f'"metrics":{{"_sampling_priority_v1":{self.priority}}},"type":"serverless"}}]]}}\n'
        )

    def _print_spans(self, meta: str, tid: str) -> None:
        from monitoring.instrumentation.trace_line import lines, span_json

        now, service = time.perf_counter_ns(), self.labels.service
        self.resource = self.labels.function
        self.metrics = {"_sampling_priority_v1": self.priority, **(self.metrics or {})}
        if self.dropped:
            self.metrics["spans_dropped"] = self.dropped
        child = f"{tid}{self.labels.child}"
        others = [*(self.spans or ()), *(self.open or {}).values()]
        texts = [span_json(self, service, now, meta)]
        texts += [span_json(span, service, now, child) for span in others]
        for line in lines(texts):
            put(line + "\n")


def ms_text(milliseconds: float) -> str:
    """Milliseconds to the microsecond, as a line writes them."""
    return _us_text(round(milliseconds * 1000))


def _us_text(microseconds: int) -> str:
    return str(microseconds / 1000) if microseconds % 1000 else str(microseconds // 1000)


def _step_meta(identity: Identity) -> dict[str, str]:
    return {
        "stepfunctions.execution_id": identity.execution_id,
        "stepfunctions.execution_name": identity.execution,
        "stepfunctions.state_machine": identity.state_machine,
        "stepfunctions.state": identity.state,
        "stepfunctions.retry_count": str(identity.retry_count),
        "stepfunctions.redrive_count": str(identity.redrive_count),
        "stepfunctions.map_index": "" if identity.map_index is None else str(identity.map_index),
    }
