"""HTTP to Datadog over connections that stay open, one a thread and address; no retries, no policy.

The standard library's client rather than `requests`: 20 ms to import instead of 125, and an answer counts
from its status line on, so that a body which is slow, broken or no JSON costs nothing.
"""

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

from monitoring.forwarder.retry import IntakeResponse

_BODY = 65_536  # bytes of an answer that are read; a longer one costs the connection
_DRAIN = 1.0  # seconds for the body of an answer whose status is known


class Transport:
    """Sends requests; safe to share between threads.

    Args:
        timeout: seconds to connect, and to wait for an answer's status.
        proxy: `http://host:port` that tunnels to the site, or an empty string.
    """

    def __init__(
        self, timeout: float = 10.0, proxy: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.timeout = timeout
        self._proxy = urlsplit(proxy) if proxy else None
        self._clock = clock
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float | None = None
    ) -> IntakeResponse:
        """Send once; a connection that the server closed meanwhile is opened anew, once.

        Never raises for what the network does: the answer's status is then 0 and its error says what
        happened.
        """
        place = urlsplit(url)
        limit = self.timeout if timeout is None else max(0.05, min(timeout, self.timeout))
        kept = self._kept().pop(_key(place), None)
        if kept is not None:
            answer = self._once(kept, method, place, headers, body, limit)
            if answer.error.partition(":")[0] not in {
                "RemoteDisconnected",
                "BrokenPipeError",
                "CannotSendRequest",
            }:
                return answer
        return self._once(None, method, place, headers, body, limit)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _kept(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        kept: dict[tuple[str, str], http.client.HTTPConnection] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        return kept

    def _once(
        self,
        connection: http.client.HTTPConnection | None,
        method: str,
        place: SplitResult,
        headers: Mapping[str, str],
        body: bytes,
        limit: float,
    ) -> IntakeResponse:
        try:
            if connection is None:
                connection = self._open(place, limit)
            elif connection.sock is not None:
                connection.sock.settimeout(limit)
            target = (place.path or "/") + (f"?{place.query}" if place.query else "")
            connection.request(method, target, body=body, headers=dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._forget(connection)
            return IntakeResponse(0, error=f"{type(error).__name__}: {error}")
        lowered = {name.lower(): value for name, value in response.getheaders()}
        if self._drain(connection, response):
            self._kept()[_key(place)] = connection
        else:
            self._forget(connection)
        return IntakeResponse(response.status, lowered)

    def _drain(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> bool:
        """Read the body away; whether the connection can be used again."""
        if response.will_close:
            return False
        deadline = self._clock() + _DRAIN
        left = _BODY
        try:
            while not response.isclosed() and response.length != 0:
                rest = deadline - self._clock()
                if rest <= 0 or left <= 0:
                    return False
                if connection.sock is not None:
                    connection.sock.settimeout(rest)
                left -= len(response.read1(16_384))
        except (OSError, http.client.HTTPException, ValueError):
            return False
        response.close()  # at its end: the connection is free again
        return True

    def _open(self, place: SplitResult, limit: float) -> http.client.HTTPConnection:
        host, port = place.hostname or "", place.port
        through = self._proxy if place.scheme == "https" else None
        near, near_port = (through.hostname or "", through.port) if through else (host, port)
        connection: http.client.HTTPConnection
        if place.scheme == "https":
            connection = http.client.HTTPSConnection(near, near_port, timeout=limit, context=self._context())
        else:
            connection = http.client.HTTPConnection(near, near_port, timeout=limit)
        if through:
            connection.set_tunnel(host, port or 443)
        with self._lock:
            self._all.append(connection)
        return connection

    def _forget(self, connection: http.client.HTTPConnection | None) -> None:
        if connection is not None:
            connection.close()
            with self._lock, contextlib.suppress(ValueError):
                self._all.remove(connection)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


def _key(place: SplitResult) -> tuple[str, str]:
    return place.scheme, place.netloc
