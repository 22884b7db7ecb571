"""Convert pieces to telemetry with one reader per source and unit, and count all items."""

import json
import time
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from monitoring.forwarder.enrich import (
    centralised_from,
    common_tags,
    describe,
    function_arn,
    group_arn,
    with_object,
)
from monitoring.forwarder.executions import Executions
from monitoring.forwarder.pieces import LinePiece, LogPayload, Piece, Refusal, Skipped, StatusChange
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.rules import log_filter
from monitoring.forwarder.settings import ForwarderSettings, switched_off
from monitoring.forwarder.stats import Tally
from monitoring.lines import Point
from monitoring.log_events.arn import state_machine_of
from monitoring.log_events.codec import Event
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules
from monitoring.log_events.source import function_of
from monitoring.log_events.status_change import read_status_change, resource_of
from monitoring.log_events.telemetry import Log, LogContext, LogFields, SetAside, Telemetry

PAST, AHEAD = 3600, 600  # seconds before and after now in which Datadog accepts points
_READERS = 200  # the largest number of readers at a time
_stamp = itemgetter(2)


class PieceReader:
    """Convert pieces to telemetry; one object per process, because executions and time-outs span payloads.

    Args:
        log_refusals: forward refused lines as log entries, with the reason.
        executions: the events of running executions; by default only those of this process.
    """

    def __init__(
        self,
        settings: ForwarderSettings,
        region: str,
        tags: ResourceTags,
        clock: Callable[[], float] = time.time,
        log_refusals: bool = True,
        executions: Executions | None = None,
    ) -> None:
        self._log_refusals = log_refusals and settings.forward_logs
        self.settings, self.region, self._tags, self._clock = settings, region, tags, clock
        self._memory = Memory()
        self._executions = executions or Executions()
        self._rules = Rules(log_filter(settings), settings.log_platform, settings.arch)
        self._off = switched_off(settings)
        self._readers: dict[tuple[str, ...], Reader] = {}

    def begin_unit(self, identity: str = "") -> None:
        """Begin a unit; a unit that is delivered again has the same identity."""
        self._readers.clear()
        self._memory.unit = identity

    def read(self, piece: Piece, tally: Tally) -> Telemetry:
        """Return the telemetry of a piece; it is empty for a piece without log events."""
        if isinstance(piece, LogPayload):
            out = self._payload(piece, tally)
        elif isinstance(piece, LinePiece):
            out = self._lines(piece, tally)
        elif isinstance(piece, StatusChange):
            out = self._status_change(piece, tally)
        elif not isinstance(piece, Refusal):
            tally.counts["skipped"] += isinstance(piece, Skipped)
            return Telemetry()
        else:
            text = piece.text or piece.body
            out = self._aside(SetAside(piece.reason, piece.where, piece.line, 1, text, "events"), tally)
            tally.error(f"{piece.where}: {piece.reason}")
        if self._off:
            self._exclude(out, tally)
        self._count(out, tally)
        return out

    def _exclude(self, out: Telemetry, tally: Tally) -> None:
        """Remove the points of the metric families that are switched off."""
        included = [point for point in out.points if not point.metric.startswith(self._off)]
        _account(tally, "points", "excluded", len(out.points) - len(included))
        out.points = included

    def _aside(self, refused: SetAside, tally: Tally) -> Telemetry:
        """Return the telemetry of content without a log group that cannot be read: a refusal, and its log."""
        out = Telemetry(refused=[refused])
        if self._log_refusals:
            source = describe(self.settings, self.region, "", "", "")
            source = with_object(source, refused.where, "stepscope", (), "")
            self._log_refused(out, source.log_fields.values, tally)
        return out

    def _payload(self, piece: LogPayload, tally: Tally) -> Telemetry:
        payload = piece.payload
        lines = LinePiece([], piece.where) if piece.where else None
        stream = (payload.owner, payload.logGroup, payload.logStream)
        reader, fields = self._reader(*stream, lines), None
        readers, reasons = {reader: None}, dict(piece.wrong)
        for line, event in enumerate(payload.logEvents, 1):
            if event.extractedFields != fields:
                fields = event.extractedFields
                reader = self._reader(*stream, lines, fields)
                readers[reader] = None
            if line - 1 in reasons:
                self._wrong(reader, event, line, reasons[line - 1], tally)
            else:
                reader.read(event.message, event.timestamp, line)
        if payload.logEvents:
            tally.saw(min(event.timestamp for event in payload.logEvents) / 1000)
        out = Telemetry()
        for other in readers:
            out.extend(self._finish(other, tally))
        return out

    def _wrong(self, reader: Reader, event: Event, line: int, reason: str, tally: Tally) -> None:
        """Read a malformed event; its log entries have the reason."""
        reader.flush()
        before = len(reader.out.logs)
        reader.read(event.message, event.timestamp or round(self._clock() * 1000), line)
        reader.flush()
        for index, entry in enumerate(reader.out.logs[before:], before):
            context = entry.context
            fields = LogFields({**context.fields.values, "status": "warn", "stepscope": {"refused": reason}})
            reader.out.logs[index] = entry._replace(
                context=LogContext(fields, context.request_id, context.trace_id)
            )
            tally.refused[reason] += 1

    def _lines(self, piece: LinePiece, tally: Tally) -> Telemetry:
        reader = self._reader(piece.owner, piece.group, piece.stream, piece)
        now = piece.milliseconds or round(self._clock() * 1000)
        for text, milliseconds, line in piece.lines:
            reader.read(text, milliseconds or now, line)
        return self._finish(reader, tally)

    def _finish(self, reader: Reader, tally: Tally) -> Telemetry:
        """Return the telemetry that the reader has collected, and reset the reader."""
        reader.flush()
        out, reader.out = reader.out, Telemetry()
        tally.events.update(reader.counts)
        _account(tally, "logs", "excluded", reader.counts.get("log_excluded", 0))
        _account(tally, "points", "excluded", reader.counts.get("point_excluded", 0))
        reader.counts.clear()
        if reader.steps:
            steps, reader.steps = reader.steps, []
            settings = self.settings
            for machine in {state_machine_of(step.execution) for step in steps}:
                extra = (*self._tags.of_machine(machine), *reader.source.step_tags)
                machine_steps = [step for step in steps if state_machine_of(step.execution) == machine]
                points, spans = self._executions.take(machine_steps, extra, settings.service, settings.env)
                out.points += points
                out.spans += spans
        if out.refused and self._log_refusals:
            self._log_refused(out, reader.source.log_fields.values, tally)
        return out

    def _log_refused(self, out: Telemetry, source_fields: dict[str, Any], tally: Tally) -> None:
        """Add log entries of the refused lines, with their reasons."""
        now = round(self._clock() * 1000)
        for refused in out.refused:
            text = self._rules.keep(refused.text) if self._rules.keep else refused.text
            if text:
                fields = {**source_fields, "status": "warn", "stepscope": {"refused": refused.reason}}
                out.logs.append(Log(text, now, LogContext(LogFields(fields))))
            elif refused.text:
                _account(tally, "logs", "excluded", 1)

    def _status_change(self, piece: StatusChange, tally: Tally) -> Telemetry:
        tally.events["status_change"] += 1
        points = read_status_change(piece.event)
        if isinstance(points, str):
            text = json.dumps(piece.event, default=str)
            return self._aside(SetAside(points, "status change", 1, 1, text, "events"), tally)
        arn = resource_of(piece.event)
        function = ":".join(arn.split(":")[:7]) if ":function:" in arn else ""
        resource_tags = self._tags.of_function(function) if function else self._tags.of_machine(arn)
        extra = (*resource_tags, *common_tags(self.settings))
        if points:
            tally.saw(points[0].timestamp)
        return Telemetry([point._replace(tags=point.tags + extra) for point in points])

    def _reader(
        self,
        owner: str,
        group: str,
        stream: str,
        lines: LinePiece | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Reader:
        where = lines.where if lines else ""
        account, region = centralised_from(fields) if fields else ("", "")
        account, region = account or owner, region or self.region
        key = (owner, group, stream, where, account, region)
        reader = self._readers.get(key)
        if reader is None:
            function = function_of(group, stream)
            arn = function_arn(region, account, function)
            extra = self._tags.of_function(arn) + self._tags.of_group(group_arn(self.region, owner, group))
            if self._tags.has_extension(arn):
                self._memory.extended.add(function.name)
            source = describe(self.settings, region, account, group, stream, extra, owner)
            if lines:
                source = with_object(source, where, lines.kind, lines.fields, group)
            arch = next(
                (t.partition(":")[2] for t in extra if t.startswith("architecture:")), self.settings.arch
            )
            rules = Rules(self._rules.keep, self._rules.log_platform, arch)
            if len(self._readers) >= _READERS:
                del self._readers[next(iter(self._readers))]
            reader = self._readers[key] = Reader(source, self._memory, rules)
        return reader

    def _count(self, out: Telemetry, tally: Tally) -> None:
        for kind, items in (("points", out.points), ("spans", out.spans), ("logs", out.logs)):
            tally.counts[kind] += len(items)
            tally.add(tally.items, (kind, "read"), len(items))
        for refused in out.refused:
            _account(tally, refused.kind, "refused", 1)
            tally.refused[refused.reason.partition(":")[0][:80]] += 1
        self._count_late(out.points, tally)

    def _count_late(self, points: Iterable[Point], tally: Tally) -> None:
        """Count points outside of the accepted times; they are sent, because of historical ingestion."""
        if not points:
            return
        now = self._clock()
        earliest, latest = now - PAST, now + AHEAD
        if earliest <= min(map(_stamp, points)) and max(map(_stamp, points)) <= latest:
            return
        tally.late["too_old"] += sum(point.timestamp < earliest for point in points)
        tally.late["too_far_ahead"] += sum(point.timestamp > latest for point in points)


def _account(tally: Tally, kind: str, outcome: str, items: int) -> None:
    """Count items that were read and will not be sent, with their outcome."""
    for part in ("read", outcome):
        tally.add(tally.items, (kind, part), items)
