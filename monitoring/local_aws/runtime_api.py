"""The server's side of Lambda's Runtime API (version 2018-06-01), for one worker process on loopback.

Nothing here has a thread: whoever waits for the worker reads its sockets, so that an invocation is one loop
over the worker's sockets, its output and its end.
"""

import socket
from dataclasses import dataclass

_REASONS = {200: "OK", 202: "Accepted", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the runtime client; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: "Connection"


class Connection:
    """One connection of the runtime client, kept open from request to request."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self._buffer = b""
        # Without it the kernel holds back the second half of a response for some 40 ms.
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> tuple[list[Request], bool]:
        """Return the requests that are complete now, and whether the peer has closed."""
        try:
            data = self.socket.recv(1 << 18)
        except OSError:
            data = b""
        self._buffer += data
        requests = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests, not data

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a response; a peer that has gone is noticed by whoever waits for it."""
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _next(self) -> Request | None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        first, *fields = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)
        }
        if headers.get("expect", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._buffer = self._buffer.replace(b"xpect:", b"x-answered:", 1)
        body = _body(headers, rest)
        if body is None:
            return None
        self._buffer = body[1]
        return Request(method, path, headers, body[0], self)


def _body(headers: dict[str, str], data: bytes) -> tuple[bytes, bytes] | None:
    """Return the body and what follows it, or None while it is incomplete."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(data)
    size = int(headers.get("content-length") or 0)
    return (data[:size], data[size:]) if len(data) >= size else None


def _chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        length, separator, rest = data.partition(b"\r\n")
        if not separator:
            return None
        size = int(length.split(b";")[0], 16)
        if len(rest) < size + 2:
            return None
        body, data = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, data


def listen() -> socket.socket:
    """Open a listening socket on loopback, at a free port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4)
    listener.setblocking(False)
    return listener
