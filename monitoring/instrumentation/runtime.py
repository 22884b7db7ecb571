"""Observe the process: its start, and the sizes of requests; write to its standard error."""

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
    from collections.abc import Callable, Iterable
    from typing import Any

_PROACTIVE = 10  # seconds between init and the first invocation from which on the init was proactive


class Process:
    """The start of this process and its first invocation."""

    __slots__ = ("_ready", "called", "init_ms", "started")

    def __init__(self) -> None:
        self.called = False
        self._ready = time.time()
        self.started: float | None = None
        self.init_ms: float | None = None

    def ready(self) -> None:
        """Record the time at which a handler was decorated, as the end of the init phase."""
        request.watch()
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
        """Return the initialization type of Lambda; `proactive` if ready long before the first invocation."""
        kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        return "proactive" if kind == "on-demand" and time.time() - self._ready > _PROACTIVE else kind


process = Process()


class LastRequest:
    """Record the size of the last request body that Lambda's runtime client has read.

    The client's attribute `marshaller` can be replaced (awslambdaric, lambda_runtime_client.py), and the size
    is known there. Otherwise the event must be encoded as JSON again to measure it.
    """

    __slots__ = ("_bytes", "_event")

    def __init__(self) -> None:
        self._event: Any = None
        self._bytes: int | None = None

    def note(self, event: Any, size: int) -> None:
        """Record an event and the size of its body in bytes."""
        self._event, self._bytes = event, size

    def take_size(self, event: Any) -> int | None:
        """Return the size of an event's body in bytes; None for another event, and the second time."""
        size = self._bytes if event is self._event else None
        self._event = self._bytes = None  # an event that a handler passes to another handler has no body
        return size

    def watch(self) -> None:
        """Record all requests from now on, if Lambda's runtime client calls the handlers."""
        module = sys.modules.get("awslambdaric.lambda_runtime_client")
        client = getattr(module, "BaseLambdaRuntimeClient", None)  # since awslambdaric 4
        client = client or getattr(module, "LambdaRuntimeClient", None)
        marshaller = getattr(client, "marshaller", None)
        if marshaller is not None and not isinstance(marshaller, Marshaller):
            client.marshaller = Marshaller(marshaller)  # type: ignore[union-attr]


request = LastRequest()


class Marshaller:
    """Wrap the marshaller of Lambda's runtime client, and record each request."""

    def __init__(self, marshaller: Any) -> None:
        self._marshaller = marshaller

    def unmarshal_request(self, body: bytes, content_type: str = "application/json") -> Any:
        """Return the event of a request's body, as parsed by the wrapped marshaller."""
        event = self._marshaller.unmarshal_request(body, content_type)
        request.note(event, len(body))
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._marshaller, name)


def _started() -> float | None:
    """Return the start of the process in seconds since the epoch; None except on Linux."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        alive = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.time() - alive


def say(text: str) -> None:
    """Write a line to standard error, for a reader of the log. Never raises."""
    with suppress(Exception):  # standard error may be closed
        sys.stderr.write(f"monitoring: {text}\n")


def encode(value: Any) -> str:
    """Encode a value as compact JSON in ASCII."""
    return "".join(_ascii_chunks(value, False))


def size_of(value: Any, smallest: int | None = 0) -> int | None:
    """Return the size of a value as compact JSON in bytes; None below `smallest`, or if it is not JSON.

    The result is also None if `smallest` is None.
    """
    if smallest is None:
        return None
    try:
        text = "".join(_chunks(value, False))
    except (TypeError, ValueError, RecursionError):
        return None
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return size if size >= smallest else None


def request_size(event: Any, smallest: int | None) -> int | None:
    """Return the size of the request of an event in bytes; outside Lambda its size as compact JSON.

    The result is None below `smallest`, if the event is not JSON, and if `smallest` is None.
    """
    size = request.take_size(event)
    if size is None or smallest is None:
        return size_of(event, smallest)
    return size if size >= smallest else None


def _encoder(quote: Any) -> Callable[[Any, bool], Iterable[str]]:
    """Create the standard library's encoder in C once, because JSONEncoder creates one per value."""
    ascii_only = quote is encode_basestring_ascii
    plain = JSONEncoder(ensure_ascii=ascii_only, check_circular=False, separators=(",", ":"))
    if c_make_encoder is None:
        return plain.iterencode
    return c_make_encoder(None, plain.default, quote, None, ":", ",", False, False, True)  # type: ignore[no-any-return]


_ascii_chunks, _chunks = _encoder(encode_basestring_ascii), _encoder(encode_basestring)
