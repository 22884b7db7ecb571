"""moto's HTTP server on loopback, at a free port or a given one, quiet, and gone when closed."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from monitoring.errors import InputError


class _Handler(MotoRequestHandler):  # type: ignore[misc]  # moto has no types here
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        """Log nothing: what happens is in the local AWS's own logs."""


class Server:
    """Answers AWS's API; `url` is what boto3 takes as endpoint_url."""

    def __init__(self, port: int = 0, gate: Callable[[Any], Any] = lambda application: application) -> None:
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except OSError as failed:
            raise InputError(
                f"cannot listen on 127.0.0.1:{port}: {failed.strerror}",
                hint="another program has this port; choose another one, or 0 for any that is free",
            ) from failed
        with listener:
            self.port = listener.getsockname()[1]
            application = gate(DomainDispatcherApplication(create_backend_app))
            self._server = make_server(
                "127.0.0.1", self.port, application, True, request_handler=_Handler, fd=listener.fileno()
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="embedded AWS", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; requests in progress are answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
