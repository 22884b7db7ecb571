"""One invocation of the forwarder: read what the event brings, send it, say what was done."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from monitoring.forwarder import aws
from monitoring.forwarder.batches import Batch, log_batches, metric_batches, trace_batches
from monitoring.forwarder.digests import InDynamoDb, InMemory
from monitoring.forwarder.enrich import common_tags
from monitoring.forwarder.inputs import Inputs, Redrive, Rest, Spooled, Unit
from monitoring.forwarder.intake import Intake
from monitoring.forwarder.keys import ApiKey
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.redrive import REST, read_rest, read_spooled, redrive, rest_entry, settle
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.self_metrics import own_points, print_summary
from monitoring.forwarder.sender import Limits, Sender, UndeliveredError
from monitoring.forwarder.settings import Settings
from monitoring.forwarder.spool import Entry, make_spool
from monitoring.forwarder.stats import Tally
from monitoring.forwarder.transport import Transport
from monitoring.log_events.telemetry import Telemetry

_FLUSH = 4_000  # points, spans and log entries that are held before they are sent
_RESERVE = 2.0  # seconds of an invocation kept for the spool


@dataclass(frozen=True, slots=True)
class World:
    """What the forwarder does not do itself, so that tests can: boto3's clients, time, sleep and chance."""

    clients: aws.Clients = aws.client
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(slots=True)
class Outcome:
    """What an event came to; `failed` are the message ids that SQS has to bring again."""

    tally: Tally = field(default_factory=Tally)
    safe: bool = True
    failed: list[str] = field(default_factory=list)
    acked: int = 0


class Forwarder:
    """Lives as long as the Lambda environment: connections, keys and memories are kept between
    invocations."""

    def __init__(
        self, settings: Settings, region: str, world: World | None = None, function: str = ""
    ) -> None:
        self.settings = settings
        self._own_tags = _own_tags(settings, function)
        self._world = world or World()
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="send")
        self._key = ApiKey(settings, self._world.clients)
        self._intake = Intake(
            Transport(settings.timeout, settings.proxy), settings.site, settings.url, self._key
        )
        self._tags = ResourceTags(settings, self._world.clients, self._world.monotonic)
        self._reader = PieceReader(settings, region, self._tags, self._world.clock)
        self._inputs = Inputs(self._world.clients)
        self._spool = make_spool(settings, self._world.clients)
        table = settings.digests_table
        self._delivered = InDynamoDb(table, settings.digests_seconds) if table else InMemory()

    def handle(self, event: Any, remaining: float) -> dict[str, Any]:
        """Forward what the event brings, and answer as its service wants it: what was done, or failed
        messages.

        Args:
            remaining: seconds until Lambda ends this invocation.

        Raises:
            UndeliveredError: something is neither with Datadog nor in the spool.
            InputError: there is no usable API key.
        """
        collecting = gc.isenabled()
        gc.disable()  # a fifth of the time, and what is read holds no cycles
        try:
            outcome = self.forward(self._inputs.units(event), remaining)
        finally:
            if collecting:
                gc.enable()
        print_summary(outcome.tally.summary())
        if outcome.failed and len(outcome.failed) < outcome.acked:
            return {"batchItemFailures": [{"itemIdentifier": name} for name in outcome.failed]}
        if not outcome.safe:
            raise UndeliveredError("; ".join(outcome.tally.errors) or "not everything could be delivered")
        return {"batchItemFailures": []} if outcome.acked else outcome.tally.summary()

    def forward(self, units: Iterator[Unit], remaining: float) -> Outcome:
        """Read and send units; one that fails does not stop the others."""
        self._key()  # without one there is nothing to begin
        self._tags.renew()
        outcome = Outcome()
        now = self._world.monotonic()
        end = now + remaining - min(_RESERVE, remaining * 0.4)
        sender = Sender(
            intake=self._intake,
            pool=self._pool,
            tally=outcome.tally,
            limits=Limits(now + self.settings.retry_seconds, end),
            delivered=self._delivered,
            spool=self._spool,
            refresh_key=self._key.refresh,
            clock=self._world.monotonic,
            sleep=self._world.sleep,
            chance=self._world.chance,
        )
        self._inputs.stop = lambda: not sender.time_left()
        for unit in units:
            safe = self._unit(unit, sender, outcome.tally)
            outcome.acked += bool(unit.ack)
            outcome.safe = outcome.safe and safe
            if unit.ack and not safe:
                outcome.failed.append(unit.ack)
        if self.settings.own_metrics:
            self._send_own(outcome.tally, sender)
        return outcome

    def close(self) -> None:
        """End the threads and connections of a process that goes on without the forwarder."""
        self._pool.shutdown()
        self._intake.transport.close()

    def _unit(self, unit: Unit, sender: Sender, tally: Tally) -> bool:
        self._reader.begin_unit()
        found = Telemetry()
        safe = True
        try:
            for piece in unit.pieces:
                if isinstance(piece, Redrive):
                    redrive(self._spool, lambda entry: self._again(entry, sender), sender)
                elif isinstance(piece, Spooled):
                    safe = self._again(read_spooled(self._spool, piece), sender) and safe
                elif isinstance(piece, Rest):
                    self._spool_rest(piece, tally)
                else:
                    _extend(found, self._reader.read(piece, tally))
                    if len(found.points) + len(found.spans) + len(found.logs) >= _FLUSH:
                        self._submit(found, unit.identity, sender)
                        found = Telemetry()
            self._submit(found, unit.identity, sender)
        except Exception as error:  # noqa: BLE001 - one unit's fault costs that unit, which comes again
            tally.error(f"{type(error).__name__}: {error}")
            safe = False
        return sender.finish() and safe

    def _again(self, entry: Entry, sender: Sender) -> bool:
        """Deliver an entry of the spool, and settle it there."""
        if entry.kind == REST:
            rest = read_rest(entry)
            pieces = self._inputs.read_object(rest.bucket, rest.key, rest.skip)
            sent = self._unit(Unit(entry.digest, pieces), sender, sender.tally)
        else:
            sent = sender.deliver_again(entry)
        return settle(self._spool, sender, entry, self.settings.spool_attempts, sent)

    def _spool_rest(self, rest: Rest, tally: Tally) -> None:
        if self._spool is None:
            place = f"s3://{rest.bucket}/{rest.key}"
            raise TimeoutError(f"no time for the rest of {place}, and no spool to keep it in")
        self._spool.put(rest_entry(rest))
        tally.add(tally.spooled, "time is up")

    def _submit(self, found: Telemetry, unit: str, sender: Sender) -> None:
        for batch in self._batches(found, unit):
            sender.submit(batch)

    def _batches(self, found: Telemetry, unit: str) -> Iterator[Batch]:
        yield from log_batches(found.logs, unit)
        yield from trace_batches(found.spans, unit, self.settings.env)
        yield from metric_batches(found.points, unit, self.settings.metrics == "native")

    def _send_own(self, tally: Tally, sender: Sender) -> None:
        """Our own points, last: they are no reason to fail, nor to be waited for."""
        now = self._world.clock()
        points = own_points(tally, now, self._own_tags)
        for batch in metric_batches(points, f"own-{now}"):
            sender.send_once(batch)


def _own_tags(settings: Settings, function: str) -> tuple[str, ...]:
    """The tags of our own points: which forwarder it is, then those of the settings."""
    named = tuple(f"{key}:{function.lower()}" for key in ("function_name", "functionname") if function)
    return (*named, *common_tags(settings))


def _extend(found: Telemetry, more: Telemetry) -> None:
    found.points += more.points
    found.spans += more.spans
    found.logs += more.logs
