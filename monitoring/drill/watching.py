"""Evaluate monitors over the simulated hours: their alerts and recoveries."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeGuard

from monitoring.errors import InputError
from monitoring.lint.scopes import terms
from monitoring.local_aws.cloudwatch import is_polled
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.notify import preview
from monitoring.monitor.states import Rule, State
from monitoring.query import CompositeMonitor, Metric, MetricMonitor, parse_monitor, walk
from monitoring.query.monitors import format_monitor
from monitoring.query.nodes import Tag
from monitoring.query.sources import SeriesSource
from monitoring.testing.project import Folder
from monitoring.testing.references import metric_names

LEAD_MINUTES = 60
"""Minutes before the fault from which monitors are evaluated."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """A monitor of the project, adapted to late data.

    Attributes:
        key: the name of its file.
        monitor: the monitor; its `evaluation_delay` is at least the delay of its data.
        members: the members of a composite, by number.
        metrics: the metrics of its query, including those of members.
        tells: whether it notifies somebody; false if it is only a member of a composite.
    """

    key: str
    monitor: Monitor
    members: Mapping[int, Monitor] = field(default_factory=dict)
    metrics: frozenset[str] = frozenset()
    tells: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """The evaluation of a monitor in one drill; times in minutes from the onset, None if there is none.

    Attributes:
        alert: the time of the first alert that notifies somebody.
        held_back: whether new_group_delay postponed the evaluation of a new group.
        untold: the time of the first alert, if no alert has a handle, so that nobody is notified.
        warn: the time of the first warning.
        recovered: the time from which no group alerts.
        alerts: the number of alerts of all groups.
        before: whether it alerted before the fault.
        handles: the handles in the notification of the first alert.
    """

    key: str
    alert: float | None = None
    warn: float | None = None
    recovered: float | None = None
    alerts: int = 0
    before: bool = False
    untold: float | None = None
    held_back: bool = False
    handles: tuple[str, ...] = ()


def load(folder: Folder, delay: int) -> tuple[list[Watcher], dict[str, str]]:
    """Load the monitors of a folder; return them, and those that cannot be drilled with the reason.

    Args:
        folder: `monitors/`.
        delay: seconds until a point of CloudWatch is in Datadog.

    Raises:
        InputError: there is no monitor, or a file cannot be read.
    """
    keys = folder.keys()
    if not keys:
        raise InputError(
            f"there is no monitor in {folder.path}",
            hint="go to the project's folder, give --monitors DIR, or start a project: stepscope init",
        )
    watchers, left_out = [], {}
    inner = {name for key in keys for name in folder.monitor(key).members.values()}
    for key in keys:
        loaded = folder.monitor(key)
        members = {number: folder.monitor(name).monitor for number, name in loaded.members.items()}
        parts = [loaded.monitor, *members.values()]
        if reason := next((why for part in parts if (why := unfit(part))), ""):
            left_out[key] = reason
            continue
        metrics = frozenset(name for part in parts for name in metric_names(parse_monitor(part.query)))
        tells = key not in inner or "@" in loaded.monitor.message
        late = {number: as_seen(part, delay) for number, part in members.items()}
        watchers.append(Watcher(key, as_seen(loaded.monitor, delay), late, metrics, tells))
    return watchers, left_out


def scoped(watcher: Watcher) -> Iterator[tuple[str, str]]:
    """Yield (metric, tag) for each exact tag in the scopes of a monitor and its members."""
    for monitor in (watcher.monitor, *watcher.members.values()):
        node = parse_monitor(monitor.query)
        if not isinstance(node, MetricMonitor):
            continue
        for metric in walk(node.query):
            if isinstance(metric, Metric):
                for term, negated in terms(metric.scope):
                    if _is_name(term) and not negated:
                        yield metric.name, f"{term.key}:{term.value}"


def _is_name(term: object) -> TypeGuard[Tag]:
    """Return whether a term is one exact tag, but not a flag such as cold_start:true."""
    return isinstance(term, Tag) and term.key is not None and not _PATTERN_OR_FLAG.search(term.value)


_PATTERN_OR_FLAG = re.compile(r"\*|^(true|false)$")


def unfit(monitor: Monitor) -> str:
    """Return the reason why a monitor cannot be drilled; "" if it can."""
    node = parse_monitor(monitor.query)
    if isinstance(node, CompositeMonitor):
        return ""
    if not isinstance(node, MetricMonitor):
        return f"a monitor of type {node.kind} evaluates data that the drill does not produce"
    if node.kind not in {"metric", "change", "outlier"}:
        return f"{node.kind}() cannot be evaluated offline"
    return ""


def as_seen(monitor: Monitor, delay: int) -> Monitor:
    """Return a monitor that evaluates complete data as the original evaluates late data.

    A monitor over CloudWatch's metrics whose evaluation delay is shorter than their delay gets only the older
    part of its window. This equals a monitor with the longer delay and a window that is shorter by the
    difference.
    """
    node = parse_monitor(monitor.query)
    missing = delay - monitor.options.evaluation_delay
    if not isinstance(node, MetricMonitor) or not any(map(is_polled, metric_names(node))) or missing <= 0:
        return monitor
    length = node.window.seconds - missing
    options = replace(monitor.options, evaluation_delay=delay)
    if length < 60:  # no point of the window has arrived at the evaluation
        options = replace(monitor.options, evaluation_delay=monitor.options.evaluation_delay + 10**8)
        return monitor._replace(options=options)
    if node.window.tense != "last":
        return monitor._replace(options=options)
    window = parse_monitor(f"avg(last_{length // 60}m):a{{*}} > 0").window  # type: ignore[union-attr]
    return monitor._replace(query=format_monitor(replace(node, window=window)), options=options)


def watch(watcher: Watcher, source: SeriesSource, onset: int, end: int) -> Seen:
    """Evaluate a monitor from an hour before the onset to the end.

    Raises:
        InputError: the monitor cannot be evaluated.
    """
    setting = Setting(members=watcher.members, known_groups=True, new_groups_after=onset, texts=False)
    start = onset - 60 * LEAD_MINUTES
    history = evaluate_monitor(watcher.monitor, Data(source), start, end, setting)
    return seen(watcher.key, history, onset)


def seen(key: str, history: History, onset: int) -> Seen:
    """Return the alerts of a history, in minutes from the onset."""
    silent = history.monitor.options.notify_no_data or (
        history.monitor.options.on_missing_data == "show_and_notify_no_data"
    )
    bad = {State.ALERT, State.NO_DATA} if silent else {State.ALERT}
    alerts = sorted(_spans(history, bad))
    warns = sorted(_spans(history, {State.WARN}))
    every = [span for span in alerts if span[0] >= onset]
    after = [span for span in every if preview(history, span[2], history.index(span[0])).handles]
    last = max((end for _, end, _ in after), default=None)
    ended = last is not None and last <= int(history.times[-1])
    return Seen(
        key,
        alert=(after[0][0] - onset) / 60 if after else None,
        warn=next(((begin - onset) / 60 for begin, _, _ in warns if begin >= onset), None),
        recovered=(last - onset) / 60 if last is not None and ended else None,
        alerts=len(after),
        before=any(begin < onset for begin, _, _ in alerts),
        handles=tuple(preview(history, after[0][2], history.index(after[0][0])).handles) if after else (),
        untold=(every[0][0] - onset) / 60 if every and not after else None,
        held_back=any(
            segment.rule is Rule.SKIPPED_NEW
            for group in history.groups.values()
            for segment in group.segments
        ),
    )


def _spans(history: History, states: set[State]) -> Iterator[tuple[int, float, str]]:
    """Yield (begin, end, group) of each period in one of the states; an open period ends at infinity."""
    times = history.times
    for name, group in history.groups.items():
        for first, last, state in group.spans():
            if state in states:
                end = int(times[last]) if last < len(times) else inf
                yield int(times[first]), end, name
