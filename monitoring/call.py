"""One invocation: what it is, what it prints at its start and its end, and the spans in between.

Each public function here may fail on a strange event or context; `monitoring.handler` catches that.
"""

from __future__ import annotations

import sys
import time
from json.encoder import encode_basestring_ascii as quote

from monitoring import current, emit
from monitoring.environment import settings
from monitoring.identity import identity_of
from monitoring.lines import tag_list
from monitoring.process import process
from monitoring.spans import Span, new_id
from monitoring.triggers import DATADOG_NAMES, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any

    from monitoring.environment import Settings
    from monitoring.identity import Identity
    from monitoring.triggers import Trigger

MAX_SPANS = 5_000  # a call; what is beyond is counted, not kept
_HTTP = frozenset({"api-gateway", "function-url", "alb"})
_STREAMS = frozenset({"kinesis", "dynamodb", "kafka"})


class Call:
    """One invocation of one handler.

    `scope` is the text of the tags that every point of the call carries, `tags` the same with those of the
    call's own metrics; `trace_id` has 16 hex digits, `high` is the upper half as Datadog writes it.
    """

    __slots__ = (
        "cold",
        "dropped",
        "fixed",
        "high",
        "identity",
        "open",
        "priority",
        "request_id",
        "root",
        "scope",
        "service",
        "settings",
        "spans",
        "spoken",
        "tags",
        "token",
        "trace_id",
        "trigger",
        "watched",
    )

    def __init__(self, event: Any, context: Any, tags: tuple[Any, ...], name: str) -> None:
        chosen = self.settings = settings()
        self.cold = process.first_call()
        self.trigger: Trigger = describe(event)
        self.identity: Identity | None = identity_of(event) if self.trigger.name == "step-functions" else None
        self.request_id = _text(context, "aws_request_id")
        function = _text(context, "function_name") or chosen.function_name or name
        self.service = chosen.service or function.lower()
        self.spans: list[Span] = []
        self.open: dict[int, Span] = {}
        self.dropped = 0
        self.watched = False  # whether the watchdog knows the deadline
        self.spoken = False  # whether the trace line has gone out, before the deadline
        self.priority = 1
        self.scope = emit.scope_of(tags)
        self.tags = _call_tags(self.scope, self.trigger, self.identity)
        parent, links = self._join_trace(event)
        root = self.root = Span(self, "aws.lambda", function, parent)
        root.type = "serverless"
        root.links = links or None
        self.fixed = _fixed_meta(self, context, function)
        self.token: Token[Span | None] | None = None

    def _join_trace(self, event: Any) -> tuple[str, list[dict[str, Any]]]:
        """Take the trace from Step Functions or from the event's headers, or begin one."""
        if self.identity is not None:
            self.trace_id, self.high = self.identity.trace_id, self.identity.high
            return self.identity.parent_id, []
        if self.trigger.name != "unknown" or _has_headers(event):
            from monitoring.propagation import contexts_of

            found, links = contexts_of(event, self.trigger.name)
            if found is not None:
                self.trace_id, self.high, self.priority = found.trace_id, found.high, found.priority
                return found.span_id, links
        else:
            links = []
        self.trace_id, self.high = new_id(), f"{int(time.time()):08x}00000000"
        return "0" * 16, links

    def opened(self, span: Span) -> None:
        """A child span has begun."""
        self.open[id(span)] = span

    def closed(self, span: Span) -> None:
        """A child span is over."""
        self.open.pop(id(span), None)
        if len(self.spans) < MAX_SPANS:
            self.spans.append(span)
        else:
            self.dropped += 1

    def point(self, kind: str, metric: str, value: str, *more: str) -> None:
        """Print one of the call's own metrics, with its tags and `more` (already normalised)."""
        tags = ",".join((*more, self.tags)) if more else self.tags
        emit.print_point(self.settings, value, f"{kind}|{metric}|#{tags}")

    def begin(self, size: int | None) -> None:
        """Print what is known at the start: a call that is killed has been counted."""
        self.enter()
        self.point("count", "stepscope.invocations", "1")
        if self.cold:
            self.point("count", "stepscope.cold_starts", "1", f"init:{process.init_type()}")
            if process.init_ms is not None:
                self.point("histogram", "stepscope.init_duration", ms_text(process.init_ms))
        if size is not None:
            self.point("histogram", "stepscope.request.size", str(size))
        if self.trigger.oldest is not None:
            self._ages(time.time())

    def _ages(self, now: float) -> None:
        self.point(
            "histogram", "stepscope.event.age", ms_text(max(0.0, (now - (self.trigger.oldest or now)) * 1000))
        )
        if self.trigger.name in _STREAMS and self.trigger.newest is not None:
            self.point(
                "histogram", "stepscope.iterator.age", ms_text(max(0.0, (now - self.trigger.newest) * 1000))
            )

    def enter(self) -> None:
        """The code that runs is part of the call."""
        current.started(self.root)
        self.token = current.enter(self.root)

    def leave(self) -> None:
        """The code that runs is no longer part of the call."""
        current.ended(self.root)
        if self.token is not None:
            current.leave(self.token)
            self.token = None

    def finish(self, result: Any, error: BaseException | None, size: int | None) -> None:
        """Print what is known at the end, and the trace line unless it has gone out before the deadline."""
        root = self.root
        root.end(error)
        if error is not None:
            self.point("count", "stepscope.errors", "1", *tag_list([f"error_type:{type(error).__name__}"]))
        elif type(result) is dict:
            self._look_at(result)
        self.point("histogram", "stepscope.duration", ms_text((root.duration or 0) / 1_000_000))
        if size is not None:
            self.point("histogram", "stepscope.response.size", str(size))
        if not self.spoken:
            self.print_trace()

    def _look_at(self, result: dict[str, Any]) -> None:
        failed = result.get("batchItemFailures")
        if isinstance(failed, list):
            self.point("count", "stepscope.batch.failures", str(len(failed)))
        status = result.get("statusCode")
        if status is not None and self.trigger.name in _HTTP:
            self.root.set("http.status_code", str(status))
            self.root.failed = str(status).startswith("5") and len(str(status)) == 3

    def about_to_be_killed(self) -> None:
        """Print what a killed call cannot: the metric, and the trace line with what is open."""
        self.point("count", "stepscope.timeouts", "1")
        root = self.root
        root.failed = True
        left = "the call was still running shortly before its deadline"
        root.meta = {**(root.meta or {}), "error.type": "Timeout", "error.message": left}
        self.print_trace()

    def print_trace(self) -> None:
        """Write the trace line, or several where one would be too long."""
        if not self.settings.trace or self.priority <= 0:
            return
        from monitoring.trace_line import lines, span_json

        now = time.perf_counter_ns()
        root = self.root
        root.metrics = {"_sampling_priority_v1": self.priority, **(root.metrics or {})}
        if self.dropped:
            root.metrics["spans_dropped"] = self.dropped
        texts = [span_json(root, self, now, self.fixed)]
        if self.spans or self.open:
            child = _child_meta(self)
            texts += [span_json(span, self, now, child) for span in (*self.spans, *list(self.open.values()))]
        for line in lines(texts):
            sys.stdout.write(line + "\n")


def ms_text(milliseconds: float) -> str:
    """Milliseconds to the microsecond, as a line writes them."""
    text = f"{milliseconds:.3f}"
    return text.rstrip("0").rstrip(".")


def _text(context: Any, name: str) -> str:
    found = getattr(context, name, None)
    return found if isinstance(found, str) else ""


def _has_headers(event: Any) -> bool:
    return isinstance(event, dict) and ("headers" in event or "_datadog" in event)


_tags_of: dict[tuple[str, ...], str] = {}


def _call_tags(scope: str, trigger: Trigger, identity: Identity | None) -> str:
    """The tags of the call's own metrics, as one text; kept, because they repeat from call to call."""
    machine, state = (identity.state_machine, identity.state) if identity is not None else ("", "")
    key = (scope, trigger.name, trigger.resource, machine, state)
    known = _tags_of.get(key)
    if known is None:
        tags = [f"trigger:{trigger.name}"]
        tags += [f"trigger_resource:{trigger.resource}"] if trigger.resource else []
        tags += [f"statemachine:{machine}", f"state:{state}"] if identity is not None else []
        if len(_tags_of) >= 256:
            _tags_of.clear()
        known = _tags_of[key] = ",".join([*tag_list(tags), *([scope] if scope else [])])
    return known


def _fixed_meta(call: Call, context: Any, function: str) -> str:
    """The members of the root span's meta, as JSON without the braces."""
    arn = _text(context, "invoked_function_arn")
    key = (arn, function, call.trigger.name, call.trigger.resource, call.trigger.arn)
    fixed = _fixed.get(key)
    if fixed is None or fixed[0] is not call.settings:
        if len(_fixed) >= 256:
            _fixed.clear()
        fixed = _fixed[key] = (call.settings, _meta_json(_described(call, arn, function)))
    cold = "true" if call.cold else "false"
    own = f'"_dd.p.tid":"{call.high}",' if call.high else ""
    identity = "" if call.identity is None else "," + _meta_json(_step_meta(call.identity))
    return f'{own}"request_id":{quote(call.request_id)},"cold_start":"{cold}",{fixed[1]}{identity}'


_fixed: dict[tuple[str, ...], tuple[Settings, str]] = {}


def _meta_json(meta: dict[str, str]) -> str:
    return ",".join(f"{quote(key)}:{quote(value)}" for key, value in meta.items() if value)


def _described(call: Call, arn: str, function: str) -> dict[str, str]:
    trigger = call.trigger
    parts = arn.split(":")
    return {
        "_dd.origin": "lambda",
        "span.kind": "server",
        "env": call.settings.env,
        "version": call.settings.version,
        "function_arn": ":".join(parts[:7]).lower(),
        "function_version": parts[7] if len(parts) > 7 else "",
        "functionname": function.lower(),
        "trigger": trigger.name,
        "trigger.resource": trigger.resource,
        "function_trigger.event_source": DATADOG_NAMES.get(trigger.name, trigger.name),
        "function_trigger.event_source_arn": trigger.arn,
    }


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


def _child_meta(call: Call) -> str:
    high = f'"_dd.p.tid":"{call.high}",' if call.high else ""
    env = f',"env":{quote(call.settings.env)}' if call.settings.env else ""
    return f'{high}"_dd.origin":"lambda"{env}'
