"""The process that invocations run in: its start, its standard error, and the sizes of payloads."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from json.encoder import (  # type: ignore[attr-defined]
    JSONEncoder,
    c_make_encoder,
    encode_basestring,
    encode_basestring_ascii,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PROACTIVE = 10  # seconds between init and the first invocation, from which on nobody waited for the init


class Process:
    """The life of this process, as far as invocations see it."""

    __slots__ = ("_ready", "called", "init_ms", "started")

    def __init__(self) -> None:
        self.called = False
        self._ready = time.time()
        self.started: float | None = None
        self.init_ms: float | None = None

    def ready(self) -> None:
        """Note that a handler has been decorated: as far as we see, the end of the init phase."""
        self._ready = time.time()

    def first_call(self) -> bool:
        """Return whether this invocation is the first one; measure the init time if it is."""
        if self.called:
            return False
        self.called = True
        self.started = _started()
        if self.started is not None:
            self.init_ms = max(0.0, (self._ready - self.started) * 1000)
        return True

    def init_type(self) -> str:
        """Return how the process was started, in Lambda's words; `proactive` if ready long before."""
        kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        return "proactive" if kind == "on-demand" and time.time() - self._ready > _PROACTIVE else kind


process = Process()


def _started() -> float | None:
    """Return when the kernel started the process, in seconds since the epoch; None but on Linux."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        alive = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.time() - alive


def say(text: str) -> None:
    """Write one line to standard error, for the person who reads the log. Never raises."""
    with suppress(Exception):  # standard error may be closed
        sys.stderr.write(f"monitoring: {text}\n")


def encoder(*, ascii_only: bool) -> Callable[[Any], str]:
    """Return a function that writes compact JSON, by an encoder made once: JSONEncoder makes one a value."""
    plain = JSONEncoder(ensure_ascii=ascii_only, check_circular=False, separators=(",", ":"))
    if c_make_encoder is None:
        return plain.encode
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    chunks = c_make_encoder(None, plain.default, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(chunks(value, 0))


_encode = encoder(ascii_only=False)


def size_of(value: Any) -> int | None:
    """Return the bytes of a value as compact JSON; None for what JSON cannot hold."""
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
