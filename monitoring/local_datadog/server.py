"""Run the embedded Datadog with uvicorn in a thread of this process, on loopback by default."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import uvicorn
from starlette.routing import BaseRoute

from monitoring.errors import InputError
from monitoring.local_datadog.app import Settings, create_app
from monitoring.store import Store
from monitoring.store.parquet_source import ParquetSource

KEEP_ALIVE = 75
"""Seconds. With a shorter time than the client's own, its next POST could use a connection that is being
closed.
"""
_LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "localhost", "::1"})


class LocalDatadog:
    """Serve a store while the `with` block runs.

    Args:
        path: the DuckDB file; None keeps the data in memory.
        port: the port; 0 uses a free one, see `.url`.
        host: the address to listen on; an address other than loopback needs an `access` with an `api_key`.
        settings: access control and limits; the address itself is an allowed host.
        pages: returns additional routes for the store.
        history: points of a replay, which are read beside those of the database.

    Raises:
        InputError: on entry, if the port is in use, the database cannot be opened, or a key is missing.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        settings: Settings | None = None,
        pages: Callable[[Store], Sequence[BaseRoute]] | None = None,
        history: ParquetSource | None = None,
    ) -> None:
        self._path, self._port, self._host = path, port, host
        chosen = settings or Settings()
        self._settings = replace(
            chosen, access=replace(chosen.access, hosts=chosen.access.hosts | {host.lower()})
        )
        self._pages, self._history = pages, history
        self.url = ""
        self.store: Store

    def __enter__(self) -> Self:
        refuse_open_address(self._host, self._settings.access.api_key)
        listener = listen(self._host, self._port)
        try:
            self.store = Store.open(self._path)
        except BaseException:
            listener.close()
            raise
        self.store.history = self._history
        routes = self._pages(self.store) if self._pages else ()
        app = create_app(self.store, routes=routes, settings=self._settings)
        self._listener = listener
        self._server = uvicorn.Server(config(app))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="stepscope-datadog", daemon=True
        )
        self._thread.start()
        self.url = address(listener)
        return self

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Respond to every request of the API with 503 while the block runs."""
        self._settings.closed.set()
        try:
            yield
        finally:
            self._settings.closed.clear()

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self.store.close()


def config(app: object) -> uvicorn.Config:
    """Return uvicorn's configuration for the application."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=2,
        backlog=4096,
    )


def refuse_open_address(host: str, api_key: str | None) -> None:
    """Check that an address other than loopback has a key.

    Raises:
        InputError: the address is not loopback, and there is no key.
    """
    if host.lower() not in _LOOPBACK_ADDRESSES and not api_key:
        raise InputError(
            f"{host} can be reached from other machines, so a key is needed",
            hint="Give --api-key KEY (or DD_API_KEY), or listen on 127.0.0.1.",
        )


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        InputError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol asyncio disables Nagle's algorithm; otherwise every response takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(4096)
    except (OSError, OverflowError) as error:
        with contextlib.suppress(OSError):
            listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen on {host} port {port} ({reason})",
            hint="Give another --port (0 takes a free one), or stop the process that uses it.",
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
