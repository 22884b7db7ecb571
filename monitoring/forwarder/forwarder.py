"""Run an invocation of the forwarder: read the event, send its telemetry, print a summary."""

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from monitoring.forwarder import aws
from monitoring.forwarder.batches import Batch, log_batches, metric_batches, trace_batches
from monitoring.forwarder.digests import Delivered, InDynamoDb, InMemory
from monitoring.forwarder.enrich import common_tags
from monitoring.forwarder.executions import Executions
from monitoring.forwarder.inputs import Inputs, answer, failed_event, identity
from monitoring.forwarder.intake import Intake
from monitoring.forwarder.keys import ApiKey
from monitoring.forwarder.pieces import Piece, Redrive, Refusal, Rest, Spooled, Unit, count_lines
from monitoring.forwarder.positions import Delivery, Position
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.redrive import read_rest, read_spooled, redrive, rest_entry, settle
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.self_metrics import own_points, print_summary
from monitoring.forwarder.sender import Limits, Sender, UndeliveredError
from monitoring.forwarder.settings import ForwarderSettings, switched_off
from monitoring.forwarder.shared_executions import SharedExecutions
from monitoring.forwarder.spool import EVENT, REST, Entry, Result, TooLargeError, event_entry, make_spool
from monitoring.forwarder.stats import Tally
from monitoring.forwarder.transport import Transport
from monitoring.log_events.codec import load_object
from monitoring.log_events.telemetry import Telemetry

_FLUSH = 4_000  # points, spans and log entries that are buffered before they are sent
_RESERVE = 2.0  # seconds of an invocation that are reserved for writing to the spool


@dataclass(frozen=True, slots=True)
class World:
    """The dependencies that tests replace: boto3's clients, clocks, sleep and random numbers."""

    clients: aws.Clients = aws.client
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(slots=True)
class EventOutcome:
    """The outcome of an event; `failed` are the message ids that SQS must deliver again."""

    tally: Tally = field(default_factory=Tally)
    safe: bool = True
    failed: list[str] = field(default_factory=list)
    acked: int = 0


class Forwarder:
    """Forward events; connections, keys and caches are kept between invocations."""

    def __init__(
        self, settings: ForwarderSettings, region: str, world: World | None = None, function: str = ""
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
        self._shared = _shared_executions(settings, self._world)
        executions = Executions(shared=self._shared)
        self._reader = PieceReader(settings, region, self._tags, self._world.clock, executions=executions)
        self._inputs = Inputs(self._world.clients)
        self._spool = make_spool(settings, self._world.clients)
        self._destination = _destination(settings)
        self._buffer = _Buffer(Position(""))
        table = settings.digests_table
        memory = (table, settings.digests_seconds, self._world.clients, self._world.clock)
        self._delivered: Delivered = InDynamoDb(*memory) if table else InMemory()

    def handle(self, event: Any, remaining: float) -> dict[str, Any]:
        """Forward an event, and return the response that its service expects: failed messages, or a summary.

        Args:
            remaining: seconds until the invocation's time-out.

        Raises:
            UndeliveredError: a batch could be neither delivered nor spooled.
            InputError: there is no valid API key.
        """
        collecting = gc.isenabled()
        gc.disable()  # saves a fifth of the time; telemetry has no reference cycles
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
        return {"batchItemFailures": []} if outcome.acked else answer(event) or outcome.tally.summary()

    def forward(self, units: Iterator[Unit], remaining: float) -> EventOutcome:
        """Read and send units; the failure of one does not stop the others."""
        self._key()  # raises InputError without a valid one
        self._tags.renew()
        outcome = EventOutcome()
        now = self._world.monotonic()
        end = now + remaining - min(_RESERVE, remaining * 0.4)
        sender = Sender(
            intake=self._intake,
            pool=self._pool,
            tally=outcome.tally,
            limits=Limits(self.settings.retry_seconds, end),
            delivered=self._delivered,
            spool=self._spool,
            refresh_key=self._key.refresh,
            clock=self._world.monotonic,
            sleep=self._world.sleep,
            chance=self._world.chance,
        )
        # only with an empty buffer: the rest is then divided into the same batches as without a stop
        self._inputs.stop = lambda: not (sender.time_left() or self._buffer.items)
        before = self._failures()
        for unit, safe in self._outcomes(units, sender, outcome.tally):
            ack = "" if unit.stream and not self.settings.partial_batches else unit.ack
            outcome.acked += bool(ack)
            outcome.safe = outcome.safe and safe
            if ack and not safe:
                outcome.failed.append(ack)
        for error, failed in (self._failures() - before).items():
            outcome.tally.error(f"{failed} calls to {error}")
        if self.settings.own_metrics:
            self._send_own(outcome.tally, sender)
        return outcome

    def _failures(self) -> Counter[str]:
        """Return the number of failed calls to the tables, by a message about the consequence."""
        shared = 0 if self._shared is None else self._shared.failures
        return Counter(
            {
                "MONITORING_DIGESTS_TABLE failed: a batch may arrive twice": self._delivered.failures,
                "MONITORING_EXECUTIONS_TABLE failed: states that span payloads may have no duration": shared,
            }
        )

    def close(self) -> None:
        """Stop the threads and close the connections."""
        self._pool.shutdown()
        self._intake.transport.close()

    def _outcomes(self, units: Iterator[Unit], sender: Sender, tally: Tally) -> Iterator[tuple[Unit, bool]]:
        """Yield each unit with whether it is safe; those of a stream are sent in parallel, and come last."""
        waiting: list[tuple[Unit, bool, Callable[[], bool]]] = []
        before = tally.gap()
        for unit in units:
            if unit.stream:
                waiting.append((unit, self._read_unit(unit, sender, tally), sender.detach()))
            else:
                yield unit, self._unit(unit, sender, tally)
        results = [(unit, finish() and safe) for unit, safe, finish in waiting]
        is_balanced = not all(safe for _, safe in results) or _is_balanced(tally, before)
        yield from ((unit, safe and is_balanced) for unit, safe in results)

    def _unit(self, unit: Unit, sender: Sender, tally: Tally) -> bool:
        """Read and send one unit; return whether every item was delivered, spooled, refused or excluded."""
        before = tally.gap()
        safe = self._read_unit(unit, sender, tally)
        safe = sender.finish() and safe
        return safe and _is_balanced(tally, before)

    def _read_unit(self, unit: Unit, sender: Sender, tally: Tally) -> bool:
        """Read a unit and submit its batches; return whether it could be read completely."""
        self._reader.begin_unit(unit.identity)
        outer, self._buffer = self._buffer, _Buffer(Position(unit.identity, self._destination))
        safe = True
        try:
            for piece in unit.pieces:
                safe = self._piece(piece, sender, tally) and safe
            self._submit(sender)
        except Exception as error:  # noqa: BLE001 - only this unit fails, and is delivered again
            tally.error(f"{type(error).__name__}: {error}")
            self._buffer.fail(tally)
            safe = False
        self._buffer = outer
        return safe

    def _piece(self, piece: Piece, sender: Sender, tally: Tally) -> bool:
        buffer = self._buffer
        if isinstance(piece, Delivery):
            if piece.separate:
                self._submit(sender)
            buffer.position.begin(piece)
        elif isinstance(piece, Redrive):
            settled = sender.finish()
            redrive(self._spool, lambda entry: self._deliver_entry(entry, sender), sender)
            return settled
        elif isinstance(piece, Spooled):
            return self._deliver_entry(read_spooled(self._spool, piece), sender)
        elif isinstance(piece, Rest):
            self._spool_rest(piece, tally)
        elif isinstance(piece, Refusal) and piece.again:
            tally.error(f"{piece.where}: {piece.reason}")
            buffer.fail(tally)
            buffer.take()
            return False
        else:
            if isinstance(piece, Refusal) and piece.body:
                piece = self._spool_event(piece, tally)
            buffer.position.add(count_lines(piece))
            buffer.extend(self._reader.read(piece, tally))
            if buffer.items >= _FLUSH:
                self._submit(sender)
        return True

    def _deliver_entry(self, entry: Entry, sender: Sender) -> bool:
        """Deliver an entry of the spool, then delete it or count its failure."""
        result: Result
        if entry.kind == REST:
            unit = Unit(entry.digest, self._inputs.read_object(read_rest(entry)))
            result = self._read_again(unit, sender)
        elif entry.kind == EVENT:
            event = load_object(entry.wire.decode("utf-8", "replace"))
            pieces = list(self._inputs.pieces(event, "spool"))
            if any(isinstance(piece, Refusal) for piece in pieces):
                result = "refused"
                sender.account(entry, "spooled")
            else:
                failed = failed_event(
                    event or {}
                )  # batches that it delivered before it failed are not sent again
                delivery = entry.digest if failed is None else identity(failed)
                result = self._read_again(Unit(delivery, iter(pieces)), sender)
        else:
            result = sender.deliver_again(entry)
        return settle(self._spool, sender, entry, self.settings.spool_attempts, result)

    def _read_again(self, unit: Unit, sender: Sender) -> Result:
        if self._unit(unit, sender, sender.tally):
            return "sent"
        return "later" if sender.down or not sender.time_left() else "refused"

    def _spool_event(self, piece: Refusal, tally: Tally) -> Refusal:
        """Spool an event that cannot be read; return the refusal with the text of its log entry.

        The text is an excerpt, or the whole event if it could not be spooled.
        """
        try:
            if self._spool is None:
                return piece._replace(text=piece.body)
            self._spool.put(event_entry(piece.body, piece.reason))
        except TooLargeError:
            return piece._replace(text=piece.body)
        tally.add(tally.spooled, "unreadable")
        tally.add(tally.items, ("events", "spooled"))
        tally.add(tally.items, ("events", "refused"), -1)  # counted when the refusal is read
        return piece._replace(text=piece.text or piece.body[:200])

    def _spool_rest(self, rest: Rest, tally: Tally) -> None:
        if self._spool is None:
            address = f"s3://{rest.bucket}/{rest.key}"
            raise TimeoutError(f"no time left for the rest of {address}, and no spool is configured")
        self._spool.put(rest_entry(rest))
        tally.add(tally.spooled, "time is up")

    def _submit(self, sender: Sender) -> None:
        telemetry, batch_position = self._buffer.take()
        with sender.position() as position:
            for batch in self._batches(telemetry, batch_position):
                sender.submit(batch, position)

    def _batches(self, telemetry: Telemetry, position: str) -> Iterator[Batch]:
        yield from log_batches(telemetry.logs, position)
        yield from trace_batches(telemetry.spans, position, self.settings.env)
        yield from metric_batches(telemetry.points, position, self.settings.metrics == "native")

    def _send_own(self, tally: Tally, sender: Sender) -> None:
        """Send the forwarder's own points last, once: their failure does not fail the invocation."""
        now = self._world.clock()
        points = own_points(tally, now, self._own_tags)
        for batch in metric_batches(points, f"own-{now}"):
            sender.send_once(batch)


def _is_balanced(tally: Tally, before: dict[str, int]) -> bool:
    """Return whether all items read since `before` are accounted for; otherwise add an error to the tally."""
    gap = {kind: count - before[kind] for kind, count in tally.gap().items() if count != before[kind]}
    if gap:
        tally.error(f"read but not accounted for: {gap}")
    return not gap


def _own_tags(settings: ForwarderSettings, function: str) -> tuple[str, ...]:
    """Return the tags of the forwarder's own points: its identity, then those of the settings."""
    function_tags = tuple(
        f"{key}:{function.lower()}" for key in ("function_name", "functionname") if function
    )
    return (*function_tags, *common_tags(settings))


def _shared_executions(settings: ForwarderSettings, world: World) -> SharedExecutions | None:
    """Return the table that shares running executions with other environments, None if none is set."""
    table = settings.executions_table
    return SharedExecutions(table, world.clients, world.clock) if table else None


def _destination(settings: ForwarderSettings) -> str:
    """Return the destination of batches and the filters of their items; identities depend on them."""
    where = (settings.site, settings.url, settings.api_key_secret, settings.api_key_parameter)
    which = (settings.forward_logs, settings.log_platform, settings.include, settings.exclude)
    return repr((where, (*which, *switched_off(settings)), settings.metrics))


class _Buffer:
    """Telemetry that is not in batches yet, and its position."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self._telemetry = Telemetry()

    def _kinds(self) -> tuple[tuple[str, int], ...]:
        telemetry = self._telemetry
        return (
            ("points", len(telemetry.points)),
            ("spans", len(telemetry.spans)),
            ("logs", len(telemetry.logs)),
        )

    @property
    def items(self) -> int:
        """The number of items in the buffer."""
        return sum(count for _, count in self._kinds())

    def extend(self, more: Telemetry) -> None:
        """Add telemetry."""
        self._telemetry.extend(more)

    def fail(self, tally: Tally) -> None:
        """Count the items as failed."""
        for kind, count in self._kinds():
            tally.add(tally.items, (kind, "failed"), count)

    def take(self) -> tuple[Telemetry, str]:
        """Return the telemetry and its position, and empty the buffer."""
        telemetry, self._telemetry = self._telemetry, Telemetry()
        return telemetry, self.position.take()
