"""Send batches to Datadog in parallel, with retries; spool those that cannot be sent."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from monitoring.forwarder.batches import Batch
from monitoring.forwarder.digests import Delivered, Position
from monitoring.forwarder.intake import Intake
from monitoring.forwarder.retry import IntakeResponse, decide
from monitoring.forwarder.spool import Entry, Result, Spool, TooLargeError
from monitoring.forwarder.stats import ITEMS, Tally


class UndeliveredError(Exception):
    """Raised if a batch could be neither delivered nor spooled: the invocation fails and is retried."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The time for retries: `retry` seconds from a batch's first failure, but not after `end` (monotonic)."""

    retry: float
    end: float


@dataclass(slots=True, kw_only=True)
class Sender:
    """Send the batches of an invocation; `finish` returns whether all of them are safe.

    A batch is safe if it was delivered or spooled.

    Args:
        pool: threads that are kept between invocations, with their connections.
        room: limits the number of batches that are being sent, to bound the memory.
        refresh_key: reads the API key again; returns whether it differs from the rejected key.
    """

    intake: Intake
    pool: ThreadPoolExecutor
    tally: Tally
    limits: Limits
    delivered: Delivered
    spool: Spool | None
    refresh_key: Callable[[str], bool]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    room: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(8))
    down: dict[str, str] = field(default_factory=dict)  # kind -> why no more batches of it are sent
    accepted: dict[str, float] = field(default_factory=dict)  # kind -> when a batch of it was accepted last
    pending: list[Future[bool]] = field(default_factory=list)

    def position(self) -> Position:
        """Return a new record of the accepted batches of a position."""
        return Position(self.delivered)

    def submit(self, batch: Batch, position: Position) -> None:
        """Send a batch in the background; wait while too many are being sent."""
        self.room.acquire()
        position.begin()
        self.pending.append(self.pool.submit(self._safely, batch, position))

    def finish(self) -> bool:
        """Wait for all batches since the last call; return whether each of them was delivered or spooled."""
        return self.detach()()

    def detach(self) -> Callable[[], bool]:
        """Return a function that does what `finish` does for the batches since the last call."""
        pending, self.pending = self.pending, []

        def is_safe() -> bool:
            results = [future.result() for future in pending]
            return all(results)

        return is_safe

    def _safely(self, batch: Batch, position: Position) -> bool:
        try:
            return self.deliver(batch, position)
        except Exception as error:  # noqa: BLE001 - after any error the batch is undelivered
            self.tally.error(f"{type(error).__name__} while sending {batch.kind}: {error}")
            return False
        finally:
            try:
                position.end()
            finally:
                self.room.release()

    def deliver(self, batch: Batch, position: Position) -> bool:
        """Send a batch, in halves if it is too large; return whether it is safe."""
        identity = batch.identity
        if position.known(identity):
            self.tally.settle(batch.kind, "known", batch.items)
            return True
        wire, encoding = batch.wire()
        response = self.send(batch.kind, wire, encoding, position)
        if response.status == 413 and (halves := batch.halves()):
            first, second = halves
            return self.deliver(first, position) & self.deliver(
                second, position
            )  # `&`: send both, even if the first fails
        if 200 <= response.status < 300:
            position.remember(identity)
            self.tally.settle(batch.kind, "sent", batch.items)
            self.tally.add(self.tally.sent_bytes, batch.kind, len(wire))
            return True
        if _refused(response):
            self.tally.error(f"Datadog refused {batch.kind} with {response.status}")
        return self._put_in_spool(batch, wire, encoding, response.reason)

    def deliver_again(self, entry: Entry) -> Result:
        """Send an entry of the spool; return `later` if it failed for a reason other than its content."""
        with Position(self.delivered) as position:
            if any(position.known(name) for name in (entry.digest, entry.whole) if name):
                self.account(entry, "known")
                return "sent"
            response = self.send(entry.kind, entry.wire, entry.encoding, position)
            if not 200 <= response.status < 300:
                self.account(entry, "spooled")
                return "refused" if _refused(response) else "later"
            position.remember(entry.digest)
        self.account(entry, "sent")
        self.tally.add(self.tally.sent_bytes, entry.kind, len(entry.wire))
        return "sent"

    def account(self, entry: Entry, outcome: str) -> None:
        """Count an entry of the spool as read, with its outcome."""
        for part in ("read", outcome):
            self.tally.add(self.tally.items, (ITEMS[entry.kind], part), entry.items)

    def send_once(self, batch: Batch) -> None:
        """Send a batch of the forwarder's own points: one attempt, no spool."""
        if self.time_left() and batch.kind not in self.down:
            self.intake.send(batch.kind, *batch.wire(), min(2.0, self.limits.end - self.clock()))

    def time_left(self) -> bool:
        """Return whether there is time for another request."""
        return self.clock() < self.limits.end

    def send(self, kind: str, wire: bytes, encoding: str, position: Position) -> IntakeResponse:
        """Send until the batch is accepted or refused, or time is up; return the last response.

        The accepted batches of the position are saved before it waits.
        """
        response = IntakeResponse(0, error=self.down.get(kind, "time is up"))
        attempt, refreshed, failed_at = 0, False, 0.0
        while kind not in self.down and self.time_left():
            used = self.intake.key()
            response = self.intake.send(kind, wire, encoding, self.limits.end - self.clock())  # type: ignore[arg-type]
            step, now = decide(response, attempt, self.chance(), time.time()), self.clock()
            if step.action != "accepted":
                position.save()
            failed_at = failed_at or now
            if step.action == "accepted":
                self.accepted[kind] = now
            if step.action == "refresh" and not refreshed and self.refresh_key(used):
                refreshed = True
            elif step.action == "refresh":
                self.down[kind] = f"{response.status}"
                self.tally.error(
                    f"Datadog answers {response.status} to {kind}: check the API key and DD_SITE"
                )
            elif step.action != "wait":
                break
            elif now + step.wait >= min(failed_at + self.limits.retry, self.limits.end):
                self.tally.error(f"{kind} could not be sent: {response.error or response.status}")
                if self.accepted.get(kind, failed_at) <= failed_at:  # no other batch was accepted meanwhile
                    self.down[kind] = response.reason
                break
            else:
                self.sleep(step.wait)
            if kind not in self.down:
                attempt += 1
                self.tally.add(self.tally.retries, response.reason)
        return response

    def _put_in_spool(self, batch: Batch, wire: bytes, encoding: str, reason: str) -> bool:
        """Spool a batch, in halves if it is too large for the spool; return whether it is safe."""
        outcome = "failed"
        try:
            if self.spool is not None:
                fields = (batch.kind, wire, encoding, batch.identity, reason)
                entry = Entry(*fields, items=batch.items, whole=batch.whole)
                self.spool.put(entry, divisible=len(batch.parts) > 1)
                outcome = "spooled"
                self.tally.add(self.tally.spooled, reason)
        except Exception as error:  # noqa: BLE001 - any error of the spool is reported
            halves = batch.halves() if isinstance(error, TooLargeError) else None
            if halves:
                first, second = halves
                return self._put_in_spool(first, *first.wire(), reason) & self._put_in_spool(
                    second, *second.wire(), reason
                )
            self.tally.error(f"the spool refused {batch.kind}: {type(error).__name__}: {error}")
        self.tally.settle(batch.kind, outcome, batch.items)
        return outcome == "spooled"


def _refused(response: IntakeResponse) -> bool:
    """Return whether the response rejects the content of the batch, so that a retry is useless."""
    return decide(response, 0, 0.0, 0.0).action in {"refuse", "split"}
