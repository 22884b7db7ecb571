"""Emit the time-out metric and the trace shortly before the invocation's deadline, at most once.

A single daemon thread serves all invocations. An invocation only adds its remaining time to a dictionary and
removes it at its end, which costs two dictionary operations; the thread sleeps until the earliest deadline
and then checks the remaining time of each invocation's context. So a process that Lambda has frozen between
invocations has nothing to report when it continues, whatever its clocks have done in the meantime.
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


_CLOCK = (time.monotonic,)  # in a tuple, so that a test that replaces time.monotonic does not stop the thread
_FOREVER = float("inf")
_LONGEST = 3600.0  # seconds of the longest sleep
_LONGEST_MS = 3_600_000 * 24 * 400  # durable functions run for up to a year
_MARGIN_MS = 250
_SLACK = 0.005  # seconds


class _Watchdog:
    """The running invocations, and the thread that waits for the earliest deadline."""

    def __init__(self) -> None:
        self.watched: dict[
            Invocation, float
        ] = {}  # invocation -> its remaining time at the start, in milliseconds
        self.bell = threading.Event()
        self.reporting = threading.Lock()  # locked while reporting and while setting the time to wake
        self.thread: threading.Thread | None = None
        self.process = 0
        self.sleep_on()

    def sleep_on(self) -> None:
        """Sleep until an invocation sets the event `bell`."""
        self.wakes, self.serves = _FOREVER, _FOREVER

    def wake(self, at: float, margin: float) -> bool:
        """Schedule a wake-up at a time, unless one is scheduled near it; return whether the schedule changed.

        A wake-up also serves deadlines from `serves` on, at most a quarter of the margin later.
        """
        with self.reporting:
            if at + margin / 4 >= self.wakes:
                return False
            self.wakes, self.serves = at, at + margin * 3 / 4
            return True

    def ring(self, call: Invocation, remaining: float) -> None:
        """Schedule a wake-up for an invocation whose deadline may be earlier than the next one."""
        if self.thread is None:
            self.start()
        margin = _margin(call, remaining)
        if self.wake(_CLOCK[0]() + remaining / 1000 - margin, margin):
            self.bell.set()

    def start(self) -> None:
        """Start the thread, in a forked process again."""
        if self.process != os.getpid():
            self.process = os.getpid()
            os.register_at_fork(after_in_child=self.forget)
        self.thread = threading.Thread(target=self.run, name="monitoring-watchdog", daemon=True)
        self.thread.start()

    def forget(self) -> None:
        """Reset the state in a forked process: no thread, no invocations, and new locks."""
        self.thread, self.watched = None, {}
        self.bell, self.reporting = threading.Event(), threading.Lock()
        self.sleep_on()

    def run(self) -> None:
        """Repeat: sleep until the earliest deadline, and report the invocations that have reached theirs.

        An invocation that ends does not wake the thread, and the next one only if its deadline is earlier. So
        the thread wakes about once per time-out of the function, whatever the number of invocations.
        """
        while True:
            try:
                self.bell.wait(max(0.0, min(self.wakes - _CLOCK[0](), _LONGEST)))
                if self.bell.is_set():  # an invocation has an earlier deadline
                    self.bell.clear()
                    continue
                self.sleep_on()  # first, so that an invocation that begins now sets `bell`
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread must continue
                failed("watchdog", error)
                time.sleep(1)

    def look(self) -> None:
        """Report each invocation that is close to the deadline of its context; schedule the others."""
        for call in list(self.watched):
            remaining = self.watched.get(call)
            if remaining is None:  # it has ended in the meantime
                continue
            try:
                self.check_call(call, remaining)
            except Exception as error:  # noqa: BLE001 - a context may be anything; the others are still checked
                self.watched.pop(call, None)
                failed("watchdog", error)

    def check_call(self, call: Invocation, remaining: float) -> None:
        """Report the invocation if it is close to its deadline, otherwise schedule a wake-up."""
        margin = _margin(call, remaining)
        remaining_seconds = call.context.get_remaining_time_in_millis() / 1000 - margin
        if remaining_seconds > _SLACK:  # it began later, or the process was frozen, or the clock was set
            self.wake(_CLOCK[0]() + remaining_seconds, margin)
            return
        with self.reporting:
            if self.watched.pop(call, None) is not None:
                call.report_timeout()


_watchdog = _Watchdog()


def watch(call: Invocation, context: Any) -> None:
    """Watch an invocation, to report it before the deadline of its context, if it has one."""
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
    """Stop watching an invocation that has ended; wait if it is being reported."""
    if _watchdog.watched.pop(call, None) is None:
        with _watchdog.reporting:
            pass


def _margin(call: Invocation, remaining: float) -> float:
    """Return how many seconds before the deadline to report: the setting, or a tenth of the time at most."""
    return (call.settings.margin_ms or min(_MARGIN_MS, remaining / 10)) / 1000
