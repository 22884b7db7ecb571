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
    from collections.abc import Callable
    from typing import Any

    from monitoring.call import Call


class _Watchdog:
    """The calls that run now, with their deadlines, and the thread that waits for the earliest."""

    def __init__(self) -> None:
        self.watched: dict[Call, _Watch] = {}
        self.sleeps_until = 0.0
        self.bell = threading.Event()
        self.speaking = threading.Lock()
        self.thread: threading.Thread | None = None
        self.process = 0

    def start(self) -> None:
        """Start the thread; in a forked process again."""
        self.process = os.getpid()
        self.bell, self.speaking = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self.run, name="monitoring-watchdog", daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Sleep until the earliest deadline, speak for the calls that have reached theirs, begin again."""
        while True:
            try:
                self.sleeps_until = _FOREVER  # first, so that a call that comes now rings the bell
                self.sleeps_until = min((watch.at for watch in list(self.watched.values())), default=_FOREVER)
                self.bell.wait(max(0.0, min(self.sleeps_until - _CLOCK[0](), 3600.0)))
                self.bell.clear()
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread must live on
                failed("watchdog", error)
                time.sleep(1)

    def look(self) -> None:
        """Speak for each call that is close to its deadline, by the clock and by its own context."""
        for call, watch in list(self.watched.items()):
            if watch.at > _CLOCK[0]():
                continue
            left = watch.remaining() - watch.margin
            if left > _SLACK_MS:  # the process was frozen, or the clock was set: wait for the rest
                watch.at = _CLOCK[0]() + left / 1000
                continue
            with self.speaking:
                if self.watched.pop(call, None) is not None:
                    _speak(call)


class _Watch:
    __slots__ = ("at", "margin", "remaining")

    def __init__(self, at: float, margin: float, remaining: Callable[[], float]) -> None:
        self.at, self.margin, self.remaining = at, margin, remaining


_CLOCK = (time.monotonic,)  # in a tuple, so that a test that freezes the clock does not stop the thread
_FOREVER = float("inf")
_SLACK_MS = 5
_watchdog = _Watchdog()


def watch(call: Call, context: Any) -> None:
    """Speak for the call before the deadline that the context tells; a context without one is not watched."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return
    left = remaining()
    if (type(left) is not int and type(left) is not float) or not 0 < left < _LONGEST_MS:
        return
    dog = _watchdog
    margin = call.settings.margin_ms or min(_MARGIN_MS, left / 10)
    at = _CLOCK[0]() + (left - margin) / 1000
    dog.watched[call] = _Watch(at, margin, remaining)
    call.watched = True
    if dog.thread is None or dog.process != os.getpid():
        dog.start()
    elif at < dog.sleeps_until:
        dog.bell.set()


_MARGIN_MS = 250  # a tenth of the call's time, but no more than this
_LONGEST_MS = 3_600_000 * 24 * 400  # durable functions run for up to a year


def unwatch(call: Call) -> None:
    """The call is over. If the thread is speaking for it at this moment, wait until it has."""
    if call.watched and _watchdog.watched.pop(call, None) is None:
        call.spoken = True
        with _watchdog.speaking:
            pass


def _speak(call: Call) -> None:
    try:
        call.about_to_be_killed()
    except Exception as error:  # noqa: BLE001
        failed("watchdog", error)
