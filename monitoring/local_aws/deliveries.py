"""Asynchronous invocations by CloudWatch Logs, EventBridge and invocations of type `Event`.

Waiting log events of one stream for the same function are sent in one delivery. A failed delivery is retried
twice, as by Lambda (after 1 and 2 seconds of state machine time; AWS waits 1 and 2 minutes); after three
failures it is recorded as undelivered. Every dropped event is counted. Deliveries of log events and of
EventBridge's events to a function run one after another, so that one worker receives all events of an
execution, as at low traffic on AWS.
"""

import base64
import gzip
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RETRY_SECONDS = (1.0, 2.0)
LINGER_SECONDS = 0.05
"""Seconds that the first log event of a delivery waits for more events of its stream."""

BATCH_BYTES = 1_000_000
"""The maximum size of a delivery before compression: AWS sends at most 1 MB of log events to a function."""

_THREADS = 2


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A delivery that failed three times, or was pending when the local AWS closed."""

    function: str
    source: str
    events: int
    error: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Counters of asynchronous invocations.

    `events` and `delivered` count each log event, and each other event; `deliveries` are successful attempts,
    `failures` failed attempts; `pending` are events that are waiting or being processed.
    """

    events: int = 0
    delivered: int = 0
    deliveries: int = 0
    failures: int = 0
    pending: int = 0
    undelivered: tuple[Undelivered, ...] = ()


@dataclass(slots=True)
class _Job:
    function: str
    source: str
    payload: Callable[[], bytes]
    in_turn: bool = True
    events: int = 1
    size: int = 0
    attempt: int = 0
    log_events: list[dict[str, Any]] = field(default_factory=list)


class Activity:
    """The number of running activities; `drain` waits until it is 0."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        self.change(1)

    def __exit__(self, *_: object) -> None:
        self.change(-1)

    def change(self, by: int) -> None:
        """Add to the counter at the start of an activity, and subtract at its end, including its effects."""
        with self._condition:
            self._count += by
            self._condition.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until the counter is 0; return False after `seconds`."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count == 0, seconds)


class AsyncInvoker:
    """The queue of asynchronous invocations.

    Args:
        invoke: runs a function on a payload and returns its error, "" on success.
        activity: counts pending jobs.
        owner: the account id in payloads.
        speed: retries wait for `RETRY_SECONDS / speed`.
    """

    def __init__(
        self, invoke: Callable[[str, bytes], str], activity: Activity, owner: str, speed: float = 1.0
    ) -> None:
        self._invoke = invoke
        self._activity = activity
        self._owner = owner
        self._speed = speed
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._open: dict[tuple[str, str, str, str], _Job] = {}
        self._serving: set[str] = set()
        self._sum = {"events": 0, "delivered": 0, "deliveries": 0, "failures": 0, "pending": 0}
        self._undelivered: list[Undelivered] = []
        self._newest: dict[str, _Job] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"async invocations {n}", daemon=True)
            for n in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, function: str, payload: bytes, source: str, *, in_turn: bool = True) -> None:
        """Queue an event for a function (name or ARN); `in_turn`: not in parallel with other such events."""
        self._add(_Job(function, source, lambda: payload, in_turn), delay=0.0)

    def send_log_events(
        self, function: str, filter_name: str, log_group: str, log_stream: str, events: list[dict[str, Any]]
    ) -> None:
        """Queue log events (`id`, `timestamp`, `message`) for a subscriber, with others of their stream."""
        key = (function, filter_name, log_group, log_stream)
        size = sum(len(event["message"]) + 26 for event in events)
        with self._changed:
            job = self._open.get(key)
            if job is not None and job.size + size <= BATCH_BYTES:
                job.log_events.extend(events)
                job.size += size
                job.events += len(events)
                self._sum["events"] += len(events)
                self._sum["pending"] += len(events)
                return
            source = f"log group {log_group}"
            job = _Job(function, source, bytes, events=len(events), size=size, log_events=list(events))
            job.payload = lambda: self._log_payload(filter_name, log_group, log_stream, job.log_events)
            self._open[key] = job
            self._add(job, LINGER_SECONDS)

    def send_again(self) -> int:
        """Queue the newest delivered log events of each function again; return the number of deliveries."""
        with self._changed:
            jobs = list(self._newest.values())
        for job in jobs:
            self.send(job.function, job.payload(), f"{job.source}, delivered again")
        return len(jobs)

    def wait_idle(self, function: str, seconds: float) -> bool:
        """Wait until no ordered delivery to a function (its ARN) is pending; return False after `seconds`."""

        def idle() -> bool:
            return function not in self._serving and all(
                job.function != function for _, _, job in self._queue
            )

        with self._changed:
            return self._changed.wait_for(idle, seconds)

    def counters(self) -> Deliveries:
        """Return the counts of deliveries."""
        with self._changed:
            return Deliveries(**self._sum, undelivered=tuple(self._undelivered))

    def close(self) -> None:
        """Stop the threads; waiting deliveries count as undelivered."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, []
            for _, _, job in waiting:
                self._give_up(job, "the embedded AWS was closed")
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _log_payload(self, filter_name: str, group: str, stream: str, events: list[dict[str, Any]]) -> bytes:
        data = {
            "messageType": "DATA_MESSAGE",
            "owner": self._owner,
            "logGroup": group,
            "logStream": stream,
            "subscriptionFilters": [filter_name],
            "logEvents": events,
        }
        text = json.dumps(data, separators=(",", ":")).encode()
        packed = gzip.compress(text, compresslevel=1, mtime=0)  # each attempt has the same bytes
        return json.dumps({"awslogs": {"data": base64.b64encode(packed).decode()}}).encode()

    def _add(self, job: _Job, delay: float) -> None:
        self._activity.change(1)
        with self._changed:
            self._sum["events"] += job.events
            self._sum["pending"] += job.events
            if self._closed:
                self._give_up(job, "the embedded AWS was closed")
            else:
                self._push(job, delay)

    def _push(self, job: _Job, delay: float) -> None:
        self._queue.append((time.monotonic() + delay, next(self._order), job))
        self._changed.notify()

    def _work(self) -> None:
        while (job := self._take()) is not None:
            error = self._invoke(job.function, job.payload())
            with self._changed:
                if job.in_turn:
                    self._serving.discard(job.function)
                    self._changed.notify_all()
                self._sum["failures" if error else "deliveries"] += 1
                if not error:
                    self._sum["delivered"] += job.events
                    if job.log_events:
                        self._newest[job.function] = job
                    self._done(job)
                elif job.attempt < len(RETRY_SECONDS) and not self._closed:
                    self._push(job, RETRY_SECONDS[job.attempt] / self._speed)
                    job.attempt += 1
                else:
                    self._give_up(job, error)
                self._changed.notify_all()

    def _take(self) -> _Job | None:
        """Return the next due job; None when closed."""
        with self._changed:
            while not self._closed:
                now, left = time.monotonic(), None
                for entry in sorted(self._queue):
                    due, _, job = entry
                    if due > now:
                        left = due - now
                        break
                    if not (job.in_turn and job.function in self._serving):
                        self._begin(entry)
                        return job
                self._changed.wait(left)
        return None

    def _begin(self, entry: tuple[float, int, _Job]) -> None:
        job = entry[2]
        self._queue.remove(entry)
        self._open = {key: other for key, other in self._open.items() if other is not job}
        if job.in_turn:
            self._serving.add(job.function)

    def _give_up(self, job: _Job, error: str) -> None:
        self._undelivered.append(Undelivered(job.function, job.source, job.events, error))
        self._done(job)

    def _done(self, job: _Job) -> None:
        self._sum["pending"] -= job.events
        self._activity.change(-1)
