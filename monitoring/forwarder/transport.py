"""Send HTTP requests over persistent connections, one per thread and address, without retries.

It uses the standard library's client, not `requests`: 20 ms to import instead of 125, and a response counts
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

_BODY = 65_536  # bytes of a response body that are read; the connection is closed if it is longer
_DRAIN = 1.0  # seconds to read the body of a response


class Transport:
    """Send requests; threads can share it.

    Args:
        timeout: seconds to connect, and to wait for a response's status.
        proxy: `http://host:port` of a proxy that tunnels to the site, "" for none.
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
        """Send a request once; if the server has closed the connection, open another one and repeat it.

        It does not raise exceptions of the network: the response then has status 0 and the error.
        """
        address = urlsplit(url)
        limit = self.timeout if timeout is None else max(0.05, min(timeout, self.timeout))
        connection = self._connections().pop(_key(address), None)
        if connection is not None:
            response = self._once(connection, method, address, headers, body, limit)
            if response.error.partition(":")[0] not in {
                "RemoteDisconnected",
                "BrokenPipeError",
                "CannotSendRequest",
            }:
                return response
        return self._once(None, method, address, headers, body, limit)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _connections(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        kept: dict[tuple[str, str], http.client.HTTPConnection] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        return kept

    def _once(
        self,
        connection: http.client.HTTPConnection | None,
        method: str,
        address: SplitResult,
        headers: Mapping[str, str],
        body: bytes,
        limit: float,
    ) -> IntakeResponse:
        try:
            if connection is None:
                connection = self._open(address, limit)
            elif connection.sock is not None:
                connection.sock.settimeout(limit)
            target = (address.path or "/") + (f"?{address.query}" if address.query else "")
            connection.request(method, target, body=body, headers=dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._forget(connection)
            return IntakeResponse(0, error=f"{type(error).__name__}: {error}")
        lowered = {name.lower(): value for name, value in response.getheaders()}
        if self._drain(connection, response):
            self._connections()[_key(address)] = connection
        else:
            self._forget(connection)
        return IntakeResponse(response.status, lowered)

    def _drain(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> bool:
        """Read and discard the body; return whether the connection can be used again."""
        if response.will_close:
            return False
        deadline = self._clock() + _DRAIN
        remaining_bytes = _BODY
        try:
            while not response.isclosed() and response.length != 0:
                remaining_seconds = deadline - self._clock()
                if remaining_seconds <= 0 or remaining_bytes <= 0:
                    return False
                if connection.sock is not None:
                    connection.sock.settimeout(remaining_seconds)
                remaining_bytes -= len(response.read1(16_384))
        except (OSError, http.client.HTTPException, ValueError):
            return False
        response.close()  # the body is read: the connection can be used again
        return True

    def _open(self, address: SplitResult, limit: float) -> http.client.HTTPConnection:
        host, port = address.hostname or "", address.port
        proxy = self._proxy if address.scheme == "https" else None
        tunnel_host, tunnel_port = (proxy.hostname or "", proxy.port) if proxy else (host, port)
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            connection = http.client.HTTPSConnection(
                tunnel_host, tunnel_port, timeout=limit, context=self._context()
            )
        else:
            connection = http.client.HTTPConnection(tunnel_host, tunnel_port, timeout=limit)
        if proxy:
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


def _key(address: SplitResult) -> tuple[str, str]:
    return address.scheme, address.netloc
