"""The process that the calls run in: whether a call is its first, and how long it took to become ready."""

from __future__ import annotations

import os
import time


class Process:
    """The life of this process, as far as calls see it."""

    __slots__ = ("_ready", "called", "init_ms", "started")

    def __init__(self) -> None:
        self.called = False
        self._ready = time.time()
        self.started: float | None = None
        self.init_ms: float | None = None

    def ready(self) -> None:
        """A handler has been decorated: as far as we see, the end of the init phase."""
        self._ready = time.time()

    def first_call(self) -> bool:
        """Whether this call is the first one; measures the init time if it is."""
        if self.called:
            return False
        self.called = True
        self.started = _started()
        if self.started is not None:
            self.init_ms = max(0.0, (self._ready - self.started) * 1000)
        return True

    def init_type(self) -> str:
        """How the process was started, in Lambda's words; `proactive` if ready long before the call."""
        kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        return "proactive" if kind == "on-demand" and time.time() - self._ready > _PROACTIVE else kind


_PROACTIVE = 10  # seconds between init and the first call, from which on nobody waited for the init

process = Process()


def _started() -> float | None:
    """When the process began, in seconds since the epoch, from the kernel; None elsewhere than on Linux."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        alive = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.time() - alive
