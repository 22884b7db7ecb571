"""A loopback server that takes what the forwarder sends, decodes it by the published formats, and
misbehaves on demand.

It shares no code with the forwarder: its protobuf reader is written from the message definitions.
"""

import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


Script = Callable[[int, str], "tuple[int, dict[str, str], bytes] | str | None"]
"""(number of the request from 0, path) -> (status, headers, body), the name of a misdeed, or None for 202."""


@dataclass
class Intake:
    """What arrived, and how to answer. Only bodies answered with 2xx count as arrived."""

    script: Script | None = None
    received: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    slow: float = 3.0
    current: bytes = b""  # what is being answered, for the script
    current_key: str = ""

    def accepted(self, path: str) -> list[bytes]:
        return [r.body for r in self.received if r.path == path and r.status < 300]

    def points(self) -> list[tuple[str, int, float, tuple[str, ...]]]:
        found = []
        for body in self.accepted("/api/v1/distribution_points"):
            for series in json.loads(body)["series"]:
                for second, values in series["points"]:
                    found += [(series["metric"], second, v, tuple(series["tags"])) for v in values]
        return found

    def values(self, metric: str) -> list[float]:
        return [value for name, _, value, _ in self.points() if name == metric]

    def series(self) -> list[dict]:
        return [s for body in self.accepted("/api/v1/series") for s in json.loads(body)["series"]]

    def logs(self) -> list[dict]:
        return [entry for body in self.accepted("/api/v2/logs") for entry in json.loads(body)]

    def spans(self) -> list[dict]:
        return [s for body in self.accepted("/api/v0.2/traces") for s in decode_payload(body)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        intake: Intake = self.server.intake  # type: ignore[attr-defined]
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with intake.lock:
            number = len(intake.received)
            body = _decoded(raw, self.headers.get("Content-Encoding", "identity"))
            intake.current, intake.current_key = body, self.headers.get("DD-API-KEY", "")
            answer = intake.script(number, self.path) if intake.script else None
            status = answer[0] if isinstance(answer, tuple) else 202 if answer in (None, *_AFTER) else 599
            intake.received.append(
                Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body, status)
            )
        if isinstance(answer, str):
            self._misbehave(answer, intake)
        else:
            self._answer(*(answer or (202, {}, b'{"status":"ok"}')))

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _misbehave(self, misdeed: str, intake: Intake) -> None:
        self.close_connection = True
        if misdeed == "silence":
            time.sleep(intake.slow)
        elif misdeed == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif misdeed == "reset in the answer":
            self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{")
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif misdeed == "slow answer":
            self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n")
            self.wfile.flush()
            time.sleep(intake.slow)
        elif misdeed == "invalid JSON":
            self.close_connection = False
            self._answer(202, {}, b"<html>{not json")
        elif misdeed == "no HTTP":
            self.wfile.write(b"220 mail.example.org ESMTP\r\n")

    def log_message(self, *_: object) -> None: ...


_AFTER = ("reset in the answer", "slow answer", "invalid JSON")  # the status was 202 before the misdeed


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None: ...


class running:
    """`with running(intake) as url:`"""

    def __init__(self, intake: Intake) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.intake = intake  # type: ignore[attr-defined]

    def __enter__(self) -> str:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _decoded(body: bytes, encoding: str) -> bytes:
    return {"gzip": gzip.decompress, "deflate": zlib.decompress, "identity": bytes}[encoding](body)


# The trace payload, from the published message definitions


def _fields(body: bytes):
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(body, at)
        elif wire == 1:
            value, at = struct.unpack_from("<d", body, at)[0], at + 8
        elif wire == 2:
            size, at = _varint(body, at)
            value, at = body[at : at + size], at + size
            assert len(value) == size
        else:
            raise AssertionError(f"wire type {wire}")
        yield number, value


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


_NAMES = {1: "service", 2: "name", 3: "resource", 4: "trace_id", 5: "span_id", 6: "parent_id", 7: "start"}
_NAMES |= {8: "duration", 9: "error", 12: "type"}


def decode_payload(body: bytes) -> list[dict]:
    spans = []
    for number, trace in _fields(body):
        if number != 3:
            continue
        chunk = [_span(value) for field_, value in _fields(trace) if field_ == 2]
        assert {s["trace_id"] for s in chunk} == {v for f, v in _fields(trace) if f == 1}
        spans += chunk
    return spans


def _span(body: bytes) -> dict:
    span: dict = {"meta": {}, "metrics": {}, "parent_id": 0, "error": 0}
    for number, value in _fields(body):
        if number in (10, 11):
            entry = dict(_fields(value))
            key = entry[1].decode()
            span["meta" if number == 10 else "metrics"][key] = entry[2].decode() if number == 10 else entry[2]
        else:
            span[_NAMES[number]] = value.decode() if isinstance(value, bytes) else value
    return span
