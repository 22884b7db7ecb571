"""One invocation of the forwarder: read what the event brings, send it, say what was done."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from monitoring.datadog_api import Intake, Transport
from monitoring.delivery import log_batches, metric_batches, trace_batches
from monitoring.forwarder.enrich import common_tags, describe
from monitoring.forwarder.inputs import LogPayload, Piece, Refusal, Unit, units
from monitoring.forwarder.rules import log_filter
from monitoring.forwarder.sender import Limits, Sender, UndeliveredError
from monitoring.forwarder.settings import Settings
from monitoring.forwarder.tally import Tally
from monitoring.lines import Point
from monitoring.platform.memory import Memory
from monitoring.platform.reader import Reader, Rules
from monitoring.platform.status_change import read_status_change
from monitoring.telemetry import Telemetry

_PAST, _AHEAD = 3600, 600  # seconds: outside of them Datadog ignores a point


class InMemory:
    """Digests of accepted batches for as long as this process lives; the oldest go first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._known: dict[str, None] = {}
        self._limit = limit

    def known(self, digest: str) -> bool:
        """Whether the batch was accepted before."""
        return digest in self._known

    def remember(self, digest: str) -> None:
        """The batch has been accepted."""
        self._known[digest] = None
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]


class Forwarder:
    """Lives as long as the Lambda environment: connections, keys and memories are kept between
    invocations."""

    def __init__(
        self,
        settings: Settings,
        region: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.region = region
        self._clock = clock
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="send")
        transport = Transport(settings.timeout, settings.proxy)
        self._intake = Intake(transport, settings.site, settings.url, lambda: settings.api_key)
        self._delivered = InMemory()
        self._memory = Memory()
        self._rules = Rules(log_filter(settings), settings.log_platform, settings.arch)

    def handle(self, event: Any, remaining: float) -> dict[str, Any]:
        """Forward what the event brings, and say what was done.

        Args:
            remaining: seconds until Lambda ends this invocation.

        Raises:
            UndeliveredError: something is neither with Datadog nor in the spool.
        """
        tally = Tally()
        safe = True
        now = time.monotonic()
        reserve = min(2.0, remaining * 0.4)
        limits = Limits(now + self.settings.retry_seconds, now + remaining - reserve)
        sender = Sender(
            intake=self._intake,
            pool=self._pool,
            tally=tally,
            limits=limits,
            delivered=self._delivered,
            spool=None,
            refresh_key=lambda: False,
        )
        for unit in units(event):
            safe = self._forward(unit, sender, tally) and safe
        summary = tally.summary()
        print(json.dumps({"stepscope.forwarder": summary}, separators=(",", ":")), file=sys.stdout)
        if not safe:
            raise UndeliveredError("; ".join(tally.errors) or "not everything could be delivered")
        return summary

    def _forward(self, unit: Unit, sender: Sender, tally: Tally) -> bool:
        found = Telemetry()
        for piece in unit.pieces:
            read = self._read(piece, tally)
            found.points += read.points
            found.spans += read.spans
            found.logs += read.logs
            found.refused += read.refused
        tally.counts["points"] += len(found.points)
        tally.counts["spans"] += len(found.spans)
        tally.counts["logs"] += len(found.logs)
        for refused in found.refused:
            tally.refused[refused.reason] += 1
        self._count_late(found.points, tally)
        native = self.settings.metrics == "native"
        for batches in (
            log_batches(found.logs, unit.identity),
            trace_batches(found.spans, unit.identity, self.settings.env),
            metric_batches(found.points, unit.identity, native),
        ):
            for batch in batches:
                sender.submit(batch)
        return sender.finish()

    def _read(self, piece: Piece, tally: Tally) -> Telemetry:
        if isinstance(piece, Refusal):
            tally.refused[piece.reason] += 1
            tally.error(f"{piece.where}: {piece.reason}")
            return Telemetry()
        if isinstance(piece, LogPayload):
            return self._read_payload(piece, tally)
        points = read_status_change(piece.event)
        tally.events["status_change"] += 1
        if isinstance(points, str):
            tally.refused[points] += 1
            return Telemetry()
        extra = common_tags(self.settings)
        return Telemetry([point._replace(tags=point.tags + extra) for point in points])

    def _read_payload(self, piece: LogPayload, tally: Tally) -> Telemetry:
        payload = piece.payload
        source = describe(self.settings, self.region, payload.owner, payload.logGroup, payload.logStream)
        reader = Reader(source, self._memory, self._rules)
        read = reader.read
        for line, event in enumerate(payload.logEvents, 1):
            read(event.message, event.timestamp, line)
        tally.events.update(reader.counts)
        for _, reason in piece.wrong:
            tally.refused[reason] += 1
        return reader.out

    def _count_late(self, points: Iterable[Point], tally: Tally) -> None:
        now = self._clock()
        earliest, latest = now - _PAST, now + _AHEAD
        for point in points:
            if not earliest <= point.timestamp <= latest:
                tally.late["too_old" if point.timestamp < earliest else "too_far_ahead"] += 1
