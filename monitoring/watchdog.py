"""A call that will be killed still speaks: shortly before its deadline, once, and never in a later call.

One daemon thread serves all calls. A call only leaves its deadline behind and takes it away again; the thread
sleeps until the earliest deadline it knows, and looks anew when it wakes. So a call costs two dictionary
operations. A process that Lambda freezes between calls finds nothing to speak for when it is thawed, whatever
its clocks did meanwhile: the deadline left with the call, and the time left is asked of the context again.
"""

from __future__ import annotations

import os
import threading
import time

from monitoring.emit import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.call import Call


_CLOCK = (time.monotonic,)  # in a tuple, so that a test that freezes the clock does not stop the thread
_FOREVER = float("inf")
_LONGEST = 3600.0  # seconds of one sleep
_SLACK_MS = 5


class _Watchdog:
    """The calls that run now, with their deadlines, and the thread that waits for the earliest."""

    def __init__(self) -> None:
        self.watched: dict[Call, bool] = {}  # in the order of their beginning; used as a set
        self.sleeps_until = _FOREVER
        self.bell = threading.Event()
        self.speaking = threading.Lock()
        self.thread: threading.Thread | None = None
        self.process = 0

    def start(self) -> None:
        """Start the thread; a forked process, which has none, starts its own."""
        if self.process != os.getpid():
            self.process = os.getpid()
            os.register_at_fork(after_in_child=self.forget)
        self.bell, self.speaking = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self.run, name="monitoring-watchdog", daemon=True)
        self.thread.start()

    def forget(self) -> None:
        """In a forked process: no thread, no calls."""
        self.thread, self.watched, self.sleeps_until = None, {}, _FOREVER
        self.speaking = threading.Lock()  # the old one may have been held when the process was forked

    def run(self) -> None:
        """Sleep until the deadline left by a call, speak for the calls that have reached theirs, begin again.

        A call that ends does not wake the thread, and the next one only if its deadline is earlier: so the
        thread wakes about once in the time that a function may take, however many calls there are.
        """
        while True:
            try:
                self.bell.wait(max(0.0, min(self.sleeps_until - _CLOCK[0](), _LONGEST)))
                if self.bell.is_set():  # a call has left an earlier deadline
                    self.bell.clear()
                    continue
                self.sleeps_until = _FOREVER  # first, so that a call that comes now rings
                self.look()
                earliest = min((call.speak_at for call in list(self.watched)), default=_FOREVER)
                self.sleeps_until = min(self.sleeps_until, earliest)
            except Exception as error:  # noqa: BLE001 - the thread must live on
                failed("watchdog", error)
                time.sleep(1)

    def look(self) -> None:
        """Speak for each call that is close to its deadline, by the clock and by its own context."""
        for call in list(self.watched):
            if call.speak_at > _CLOCK[0]():
                continue
            left = call.context.get_remaining_time_in_millis() - call.margin
            if left > _SLACK_MS:  # the process was frozen, or the clock was set: wait for the rest
                call.speak_at = _CLOCK[0]() + left / 1000
                continue
            with self.speaking:
                if self.watched.pop(call, None) is not None:
                    _speak(call)


_watchdog = _Watchdog()


def watch(call: Call, context: Any) -> None:
    """Speak for the call before the deadline that the context tells; a context without one is not watched."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    left = remaining() if remaining is not None else None
    if (type(left) is not int and type(left) is not float) or not 0 < left < _LONGEST_MS:
        return
    dog = _watchdog
    margin = call.labels.settings.margin_ms or (_MARGIN_MS if left > 10 * _MARGIN_MS else left / 10)
    call.margin = margin
    call.speak_at = at = _CLOCK[0]() + (left - margin) / 1000
    dog.watched[call] = True
    if at + margin / 4000 < dog.sleeps_until:  # a quarter of the margin is not worth waking the thread
        dog.sleeps_until = at
        dog.bell.set()
    if dog.thread is None:
        dog.start()


_MARGIN_MS = 250  # a tenth of the call's time, but no more than this
_LONGEST_MS = 3_600_000 * 24 * 400  # durable functions run for up to a year


def unwatch(call: Call) -> None:
    """The call is over. If the thread is speaking for it at this moment, wait until it has."""
    if call.margin and _watchdog.watched.pop(call, None) is None:
        call.spoken = True
        with _watchdog.speaking:
            pass


def _speak(call: Call) -> None:
    try:
        call.about_to_be_killed()
    except Exception as error:  # noqa: BLE001
        failed("watchdog", error)
