"""Compare all printed log events with all points, spans and log entries in the embedded Datadog.

The lines are parsed here by separate code, written from the published formats: a mistake that the emitter and
the forwarder share would otherwise go undetected.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from monitoring.demo.result import Accounting
from monitoring.log_events.telemetry import LogEvent
from monitoring.store import Store

_METRIC_LINE = re.compile(
    r"MONITORING\|(?P<time>\d+)\|(?P<value>-?[\d.]+(?:e[+-]?\d+)?)\|(?P<type>count|gauge|histogram)"
    r"\|(?P<metric>[A-Za-z][\w.]*)(?:\|(?:#[^|]*)?)?"
)
_PLATFORM = re.compile(
    r"(START|END|REPORT) RequestId: \S+|INIT_START |INIT_REPORT |RequestId: \S+ Error: "
    r"|\S+ [0-9a-f-]{36} Task timed out after "
)
DERIVED = ("aws.lambda.enhanced.", "aws.states.enhanced.", "stepscope.")
"""Metrics that no function prints: the forwarder derives them from other lines, or emits them itself."""
DERIVED_SPANS = "aws.stepfunctions"
"""Spans of executions and states, which the forwarder creates from the state machine's log."""
SHOWN = 5
_VALIDATION = "log_stream_created_by_aws_to_validate"
"""The stream in which Step Functions tests its permission to write; it is older than any subscription."""

Sample = tuple[str, int, float]
"""Metric, second and value."""


def kind_of(event: LogEvent, unsubscribed: Callable[[str], bool]) -> str:
    """Return the kind of a log event from its text."""
    text = event.message.rstrip("\n")
    if event.log_stream.startswith(_VALIDATION):
        return "validation"
    if unsubscribed(event.log_group):
        return "not subscribed"
    if _METRIC_LINE.fullmatch(text):
        return "metric line"
    if text.startswith('{"traces":'):
        return "trace line"
    if event.log_group.startswith("/aws/vendedlogs/states/"):
        return "state machine"
    return "platform" if _PLATFORM.match(text) else "log"


def printed_samples(messages: Iterable[str]) -> Counter[Sample]:
    """Return the samples of MONITORING lines."""
    samples: Counter[Sample] = Counter()
    for message in messages:
        if line := _METRIC_LINE.fullmatch(message.rstrip("\n")):
            samples[line["metric"], int(line["time"]), float(line["value"])] += 1
    return samples


def printed_spans(messages: Iterable[str]) -> Counter[str]:
    """Span ids of trace lines."""
    lines = (json.loads(message) for message in messages)
    return Counter(str(span["span_id"]) for line in lines for trace in line["traces"] for span in trace)


def balance(
    events: Sequence[LogEvent], store: Store, unsubscribed: Callable[[str], bool], executions: int = 0
) -> Accounting:
    """Compare printed and stored telemetry of one demo.

    Args:
        events: all log events in CloudWatch Logs.
        unsubscribed: returns whether a log group has no subscription: the forwarder's own, and CodeBuild's.
        executions: the number of executions that have started and ended.
    """
    kinds = {event.id: kind_of(event, unsubscribed) for event in events}

    def messages(*selected: str) -> list[str]:
        return [event.message for event in events if kinds[event.id] in selected]

    samples, spans = printed_samples(messages("metric line")), printed_spans(messages("trace line"))
    stored, derived = _stored_samples(store, {name for name, _, _ in samples})
    stored_spans, derived_spans = _stored_spans(store)
    texts = messages("log", "platform", "state machine")
    logs = Counter(str(log["message"]).rstrip("\n") for log in store.logs())
    differences = [
        *_difference("point", samples, stored),
        *_difference("span", spans, stored_spans),
        *_difference("log entry", Counter(text.rstrip("\n") for text in texts), logs),
        *(f"metric {name}: nobody printed it" for name in derived if not name.startswith(DERIVED)),
        *_reports(texts, derived),
        *_statuses(executions, derived),
    ]
    return Accounting(
        metric_lines_printed=samples.total(),
        points_stored=stored.total(),
        points_derived=derived.total(),
        span_lines_printed=len(messages("trace line")),
        spans_printed=spans.total(),
        spans_stored=stored_spans.total(),
        spans_derived=derived_spans,
        log_events=len(events),
        logs_stored=logs.total(),
        kinds=dict(sorted(Counter(kinds.values()).items())),
        unexplained=len(differences),
        differences=tuple(differences[:SHOWN]),
    )


def _stored_samples(store: Store, printed: set[str]) -> tuple[Counter[Sample], Counter[str]]:
    """Return the stored points of printed metrics, and the number of points of every other metric."""
    own: Counter[Sample] = Counter()
    derived: Counter[str] = Counter()
    for series in store.series():
        if series.metric not in printed:
            derived[series.metric] += len(series.times)
            continue
        for time, value in zip(series.times.tolist(), series.values.tolist(), strict=True):
            own[series.metric, int(time), float(value)] += 1
    return own, derived


def _stored_spans(store: Store) -> tuple[Counter[str], int]:
    """Return the ids of the handlers' spans, and the number of spans that the forwarder created."""
    own = Counter(str(s["span_id"]) for s in store.spans() if not s["name"].startswith(DERIVED_SPANS))
    return own, len(store.spans()) - own.total()


def _difference(kind: str, printed: Counter[Any], stored: Counter[Any]) -> list[str]:
    missing = [f"{kind} printed but not stored: {_brief(item)}" for item in (printed - stored).elements()]
    extra = [f"{kind} stored but not printed: {_brief(item)}" for item in (stored - printed).elements()]
    return missing + extra


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def _statuses(executions: int, derived: Counter[str]) -> list[str]:
    """Return a difference unless Datadog has one start and one end event for each execution."""
    ends = ("succeeded", "failed", "timed_out", "aborted")
    counts = {
        "starts": derived["stepscope.execution.started"],
        "ends": sum(derived[f"stepscope.execution.{end}"] for end in ends),
    }
    return [
        f"{executions} executions, but {count} {kind} in Datadog"
        for kind, count in counts.items()
        if count != executions
    ]


def _reports(messages: Iterable[str], derived: Counter[str]) -> list[str]:
    """Return a difference unless Datadog has one invocation for each REPORT line."""
    reports = sum(message.startswith("REPORT RequestId: ") for message in messages)
    counted = derived["aws.lambda.enhanced.invocations"]
    return [] if reports == counted else [f"{reports} REPORT lines, but {counted} invocations in Datadog"]
