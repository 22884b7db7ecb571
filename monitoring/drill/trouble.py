"""A proxy of the embedded Datadog that passes requests on, and rejects some on demand."""

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "server", "date"})


class Trouble:
    """Serve on loopback while the `with` block runs; `.url` is the address.

    `refusals` maps the prefix of a path to the status of the response; 0 closes the connection without a
    response.
    """

    def __init__(self, behind: str) -> None:
        self.refusals: dict[str, int] = {}
        self._behind = urlsplit(behind).netloc

    def __enter__(self) -> Self:
        trouble = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                trouble._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Nothing: what it serves is in the embedded Datadog."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, name="trouble", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        refusal = next(
            (status for path, status in self.refusals.items() if request.path.startswith(path)), None
        )
        if refusal == 0:
            request.close_connection = True
            return
        status, answer = (refusal, b'{"errors":["refused"]}') if refusal else self._forwarded(request, body)
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _forwarded(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        connection = http.client.HTTPConnection(self._behind, timeout=30)
        try:
            connection.request("POST", request.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
