"""Parse printed metrics: MONITORING lines, Datadog's JSON lines, and EMF documents.

The part of a MONITORING line after the value, and the name and tags of a metric in JSON, are cached with
their normalized form.
"""

import re
from collections import defaultdict
from typing import Any

import msgspec

from monitoring.lines import Point, read_line
from monitoring.log_events.emf import left_out, read_emf
from monitoring.log_events.metric_json import MetricLine, epoch_seconds, read_exact, read_metric_json
from monitoring.log_events.source import LogSource
from monitoring.log_events.tags import normal_point
from monitoring.log_events.telemetry import SetAside, Telemetry

_HEAD = re.compile(r"MONITORING\|(\d{10})\|(-?\d{1,15}(?:\.\d{1,15})?)\|")
_TAILS = 10_000  # cached metrics of each kind
_LATEST = 10**12  # seconds
_INVOCATIONS = "aws.lambda.enhanced.invocations"
"""A metric that Datadog's library prints without the extension; the invocation's REPORT has it, too."""


class MetricReader:
    """Convert the metrics of a source to points; the result is in `out`.

    A method returns whether the line or object is a metric of its kind.
    """

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.out = Telemetry()
        self.counts: dict[str, int] = defaultdict(int)
        self._line = 0
        self._tails: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        self._json_tails: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}

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
        self.counts["metric"] += 1
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
            return False
        known = self._json_tails.get((exact.m, exact.t))
        if known is None or not 0 <= exact.e < 1e11:
            self._add_metric(exact, message)
        else:
            self.counts["metric_json"] += 1
            self.out.points.append(Point(known[0], exact.v, exact.e, "distribution", known[1]))
        return True

    def _metric_record(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        point = read_metric_json(record)
        if isinstance(point, MetricLine):
            self._add_metric(point, message)
        elif point is not None:
            self.counts["metric_json"] += 1
            self._refuse(point, message)
        return point is not None

    def _add_metric(self, line: MetricLine, message: str) -> None:
        self.counts["metric_json"] += 1
        if line.m == _INVOCATIONS:
            self.counts["point_excluded"] += 1
            return
        known = self._json_tails.get((line.m, line.t)) or self._learn(line.m, line.t)
        seconds = epoch_seconds(line.e)
        if not 0 <= seconds < _LATEST:  # it would cost the whole batch
            self._refuse("the time `e` is not a number of seconds since the epoch", message)
        elif isinstance(known, str):
            self._refuse(known, message)
        else:
            self.out.points.append(Point(known[0], line.v, seconds, "distribution", known[1]))

    def _learn(self, name: str, tags: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | str:
        """Return the normalized name and tags, with the source's tags, or the reason why they are invalid."""
        point = normal_point(Point(name, 0.0, 0, tags=tags))
        if isinstance(point, str):
            return point
        known = point.metric, self.source.add_tags(point.tags)
        if len(self._json_tails) < _TAILS:
            self._json_tails[name, tags] = known
        return known

    def _emf(self, record: dict[str, Any], message: str, timestamp: int) -> bool:
        read = read_emf(record)
        if read is None:
            return False
        self.counts["emf"] += 1
        seconds, metrics, wrong = read
        points = self.out.points
        for name, kind, dimensions, values in metrics:
            known = self._json_tails.get((name, dimensions)) or self._learn(name, dimensions)
            if isinstance(known, str):
                wrong.append(known)
                continue
            metric, all_tags = known
            for value, times in values:
                point = Point(metric, value, seconds, kind, all_tags)
                if times == 1:
                    points.append(point)
                else:
                    points += [point] * times
        if wrong:
            self._refuse(left_out(wrong), message)
        return True

    def _add(self, point: Point) -> None:
        if not 0 <= point.timestamp < _LATEST:  # it would cost the whole batch
            self._refuse("the timestamp is not a number of seconds since the epoch", str(point.timestamp))
            return
        self.out.points.append(point._replace(tags=self.source.add_tags(point.tags)))

    def _refuse(self, reason: str, text: str, start: int = 0, kind: str = "points") -> None:
        self.counts["refused"] += 1
        self.out.refused.append(SetAside(reason, self.source.where, self._line, start + 1, text, kind))
