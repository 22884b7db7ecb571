"""Emit the time-out metric and the trace shortly before the invocation's deadline, at most once.

One daemon thread serves all invocations. An invocation only writes down how much time it was given, and
removes that at its end; the thread sleeps until the earliest deadline, and looks again when it wakes. So an
invocation costs two dictionary operations. A process that Lambda freezes between invocations has nothing to
report when it is thawed, whatever its clocks did meanwhile: the entry went with its invocation, and the
context of a running one is asked how much time is left.
"""

from __future__ import annotations

import os
import threading
import time

from monitoring.instrumentation.output import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.invocation import Invocation


_CLOCK = (time.monotonic,)  # in a tuple, so that a test that freezes the clock does not stop the thread
_FOREVER = float("inf")
_LONGEST = 3600.0  # seconds of one sleep
_LONGEST_MS = 3_600_000 * 24 * 400  # durable functions run for up to a year
_MARGIN_MS = 250
_SLACK = 0.005  # seconds


class _Watchdog:
    """The invocations that run now, and the thread that waits for the earliest deadline."""

    def __init__(self) -> None:
        self.watched: dict[Invocation, float] = {}  # and the milliseconds that each was given
        self.bell = threading.Event()
        self.reporting = threading.Lock()  # held to report, and to set when to wake
        self.thread: threading.Thread | None = None
        self.process = 0
        self.sleep_on()

    def sleep_on(self) -> None:
        """Sleep until an invocation rings."""
        self.wakes, self.serves = _FOREVER, _FOREVER

    def wake(self, at: float, margin: float) -> bool:
        """Wake at this time of the clock, unless that is planned, or nearly; return whether the plan changed.

        A deadline from `serves` on is served by it: a quarter of the margin is not worth another waking.
        """
        with self.reporting:
            if at + margin / 4 >= self.wakes:
                return False
            self.wakes, self.serves = at, at + margin * 3 / 4
            return True

    def ring(self, call: Invocation, remaining: float) -> None:
        """Wake for an invocation whose deadline may be earlier than the thread wakes."""
        if self.thread is None:
            self.start()
        margin = _margin(call, remaining)
        if self.wake(_CLOCK[0]() + remaining / 1000 - margin, margin):
            self.bell.set()

    def start(self) -> None:
        """Start the thread; a forked process, which has none, starts its own."""
        if self.process != os.getpid():
            self.process = os.getpid()
            os.register_at_fork(after_in_child=self.forget)
        self.thread = threading.Thread(target=self.run, name="monitoring-watchdog", daemon=True)
        self.thread.start()

    def forget(self) -> None:
        """Begin anew in a forked process: no thread, no invocations, and locks that nobody holds."""
        self.thread, self.watched = None, {}
        self.bell, self.reporting = threading.Event(), threading.Lock()
        self.sleep_on()

    def run(self) -> None:
        """Sleep until the earliest deadline, report the invocations that have reached theirs, begin again.

        An invocation that ends does not wake the thread, and the next one only if its deadline is earlier: so
        the thread wakes about once in the time that a function may take, however many invocations there are.
        """
        while True:
            try:
                self.bell.wait(max(0.0, min(self.wakes - _CLOCK[0](), _LONGEST)))
                if self.bell.is_set():  # an invocation has left an earlier deadline
                    self.bell.clear()
                    continue
                self.sleep_on()  # first, so that an invocation that begins now rings
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread must live on
                failed("watchdog", error)
                time.sleep(1)

    def look(self) -> None:
        """Report each invocation that is close to its deadline by its own context; wake for the others."""
        for call in list(self.watched):
            remaining = self.watched.get(call)
            if remaining is None:  # it has ended in the meantime
                continue
            try:
                self.look_at(call, remaining)
            except Exception as error:  # noqa: BLE001 - a context may be anything; the others are not to suffer
                self.watched.pop(call, None)
                failed("watchdog", error)

    def look_at(self, call: Invocation, remaining: float) -> None:
        """Report the invocation if it is close to its deadline, or wake for it."""
        margin = _margin(call, remaining)
        left = call.context.get_remaining_time_in_millis() / 1000 - margin
        if left > _SLACK:  # it began later, or the process was frozen, or the clock was set
            self.wake(_CLOCK[0]() + left, margin)
            return
        with self.reporting:
            if self.watched.pop(call, None) is not None:
                call.report_timeout()


_watchdog = _Watchdog()


def watch(call: Invocation, context: Any) -> None:
    """Report the invocation before the deadline of its context; one without a deadline is not watched."""
    try:
        remaining = context.get_remaining_time_in_millis()
    except AttributeError:
        return
    if (type(remaining) is not int and type(remaining) is not float) or not 0 < remaining < _LONGEST_MS:
        return
    dog = _watchdog
    dog.watched[call] = remaining
    if _CLOCK[0]() + remaining / 1000 < dog.serves:
        dog.ring(call, remaining)


def unwatch(call: Invocation) -> None:
    """Stop watching an invocation that is over. If it is being reported at this moment, wait for that."""
    if _watchdog.watched.pop(call, None) is None:
        with _watchdog.reporting:
            pass


def _margin(call: Invocation, remaining: float) -> float:
    """Return how many seconds before its deadline to report: a tenth of its time at most, unless set."""
    return (call.settings.margin_ms or min(_MARGIN_MS, remaining / 10)) / 1000
