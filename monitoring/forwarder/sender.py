"""Brings batches to Datadog: in parallel, again where that helps, into the spool where it does not."""

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
    """Something could neither be delivered nor spooled: the invocation has to fail, so that it is tried
    again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The time for retries: `retry` seconds from a batch's first failure, not beyond `end` (monotonic)."""

    retry: float
    end: float


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends the batches of one invocation; `finish` says whether all of them are safe.

    Args:
        pool: threads that outlive the invocation, and with them their connections.
        room: bounds how many batches wait for a thread, so that memory stays flat.
        refresh_key: reads the API key again; whether it is another one than the given, which was refused.
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
    down: dict[str, str] = field(default_factory=dict)  # kind -> why no more of it is tried
    accepted: dict[str, float] = field(default_factory=dict)  # kind -> when something of it was accepted last
    pending: list[Future[bool]] = field(default_factory=list)

    def position(self) -> Position:
        """Return what remembers the batches of one position together."""
        return Position(self.delivered)

    def submit(self, batch: Batch, position: Position) -> None:
        """Send a batch in the background; waits while too many are under way."""
        self.room.acquire()
        position.begin()
        self.pending.append(self.pool.submit(self._safely, batch, position))

    def finish(self) -> bool:
        """Wait for all batches since the last call; whether each of them was delivered or spooled."""
        return self.detach()()

    def detach(self) -> Callable[[], bool]:
        """Return what waits for the batches since the last call, as `finish` does, while others are sent."""
        pending, self.pending = self.pending, []

        def is_safe() -> bool:
            results = [future.result() for future in pending]
            return all(results)

        return is_safe

    def _safely(self, batch: Batch, position: Position) -> bool:
        try:
            return self.deliver(batch, position)
        except Exception as error:  # noqa: BLE001 - a fault of ours must count as undelivered, not as sent
            self.tally.error(f"{type(error).__name__} while sending {batch.kind}: {error}")
            return False
        finally:
            try:
                position.end()
            finally:
                self.room.release()

    def deliver(self, batch: Batch, position: Position) -> bool:
        """Send one batch, in halves if it is too large; whether it is safe."""
        identity = batch.identity
        if position.known(identity):
            self.tally.settle(batch.kind, "known", batch.items)
            return True
        wire, encoding = batch.wire()
        answer = self.send(batch.kind, wire, encoding, position)
        if answer.status == 413 and (halves := batch.halves()):
            first, second = halves
            return self.deliver(first, position) & self.deliver(second, position)  # both, whatever the first
        if 200 <= answer.status < 300:
            position.remember(identity)
            self.tally.settle(batch.kind, "sent", batch.items)
            self.tally.add(self.tally.sent_bytes, batch.kind, len(wire))
            return True
        if _refused(answer):
            self.tally.error(f"Datadog refused {batch.kind} with {answer.status}")
        return self._keep(batch, wire, encoding, answer.reason)

    def deliver_again(self, entry: Entry) -> Result:
        """Send an entry of the spool; `later` where it failed for a reason other than its content."""
        with Position(self.delivered) as position:
            if any(position.known(name) for name in (entry.digest, entry.whole) if name):
                self.account(entry, "known")
                return "sent"
            answer = self.send(entry.kind, entry.wire, entry.encoding, position)
            if not 200 <= answer.status < 300:
                self.account(entry, "spooled")
                return "refused" if _refused(answer) else "later"
            position.remember(entry.digest)
        self.account(entry, "sent")
        self.tally.add(self.tally.sent_bytes, entry.kind, len(entry.wire))
        return "sent"

    def account(self, entry: Entry, outcome: str) -> None:
        """Count an entry of the spool as read, with its outcome."""
        for part in ("read", outcome):
            self.tally.add(self.tally.items, (ITEMS[entry.kind], part), entry.items)

    def send_once(self, batch: Batch) -> None:
        """Send what nobody waits for: our own points; one try, no spool."""
        if self.time_left() and batch.kind not in self.down:
            self.intake.send(batch.kind, *batch.wire(), min(2.0, self.limits.end - self.clock()))

    def time_left(self) -> bool:
        """Return whether there is time for another request."""
        return self.clock() < self.limits.end

    def send(self, kind: str, wire: bytes, encoding: str, position: Position) -> IntakeResponse:
        """Send until it is accepted, refused, or time is up; the last answer.

        What was accepted of the position is written before anything waits.
        """
        answer = IntakeResponse(0, error=self.down.get(kind, "time is up"))
        attempt, refreshed, failed_at = 0, False, 0.0
        while kind not in self.down and self.time_left():
            used = self.intake.key()
            answer = self.intake.send(kind, wire, encoding, self.limits.end - self.clock())  # type: ignore[arg-type]
            step, now = decide(answer, attempt, self.chance(), time.time()), self.clock()
            if step.action != "accepted":
                position.save()
            failed_at = failed_at or now
            if step.action == "accepted":
                self.accepted[kind] = now
            if step.action == "refresh" and not refreshed and self.refresh_key(used):
                refreshed = True
            elif step.action == "refresh":
                self.down[kind] = f"{answer.status}"
                self.tally.error(f"Datadog answers {answer.status} to {kind}: check the API key and DD_SITE")
            elif step.action != "wait":
                break
            elif now + step.wait >= min(failed_at + self.limits.retry, self.limits.end):
                self.tally.error(f"{kind} could not be sent: {answer.error or answer.status}")
                if self.accepted.get(kind, failed_at) <= failed_at:  # no other batch was accepted meanwhile
                    self.down[kind] = answer.reason
                break
            else:
                self.sleep(step.wait)
            if kind not in self.down:
                attempt += 1
                self.tally.add(self.tally.retries, answer.reason)
        return answer

    def _keep(self, batch: Batch, wire: bytes, encoding: str, reason: str) -> bool:
        """Spool a batch, in halves where it is too large for the spool; return whether it is safe."""
        outcome = "failed"
        try:
            if self.spool is not None:
                kept = (batch.kind, wire, encoding, batch.identity, reason)
                entry = Entry(*kept, items=batch.items, whole=batch.whole)
                self.spool.put(entry, divisible=len(batch.parts) > 1)
                outcome = "spooled"
                self.tally.add(self.tally.spooled, reason)
        except Exception as error:  # noqa: BLE001 - whatever the spool's trouble is, the invocation has to know
            halves = batch.halves() if isinstance(error, TooLargeError) else None
            if halves:
                first, second = halves
                return self._keep(first, *first.wire(), reason) & self._keep(second, *second.wire(), reason)
            self.tally.error(f"the spool refused {batch.kind}: {type(error).__name__}: {error}")
        self.tally.settle(batch.kind, outcome, batch.items)
        return outcome == "spooled"


def _refused(answer: IntakeResponse) -> bool:
    """Return whether the answer is about the content of the batch, so that another attempt is in vain."""
    return decide(answer, 0, 0.0, 0.0).action in {"refuse", "split"}
