"""The embedded Datadog behind trouble: latency, a 429 on every n-th call, a request in which the client dies."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn

from monitoring.local_datadog import create_app
from monitoring.store import Store


class Troubled:
    """An ASGI application that delays, refuses and counts before it asks the real one."""

    def __init__(self, app, latency: float = 0.0, refuse_every: int = 0) -> None:
        self.app, self.latency, self.refuse_every = app, latency, refuse_every
        self.calls = self.refused = 0

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.calls += 1
        number = self.calls
        await asyncio.sleep(self.latency)
        if self.refuse_every and number % self.refuse_every == 0:
            self.refused += 1
            headers = [(b"content-type", b"application/json"), (b"x-ratelimit-reset", b"0.05")]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"errors":["Rate limit exceeded"]}'})
            return
        await self.app(scope, receive, send)


class Fatal:
    """An ASGI application in whose n-th request the client is killed: before it is carried out, or after.

    What is `after` has happened, and its answer never arrives.
    """

    def __init__(self, app) -> None:
        self.app = app
        self.calls, self.at, self.after, self.kill = 0, 0, False, lambda: None

    def arm(self, kill, at: int, *, after: bool) -> None:
        """Call `kill` in the `at`-th request from now on."""
        self.calls, self.at, self.after, self.kill = 0, at, after, kill

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.calls += 1
        if self.calls != self.at:
            await self.app(scope, receive, send)
            return
        if self.after:
            await self.app(scope, receive, _unheard)
        self.kill()


async def _unheard(_) -> None:
    """An answer on its way to nobody."""


@contextlib.contextmanager
def troubled(latency: float = 0.0, refuse_every: int = 0) -> Iterator[tuple[str, Troubled]]:
    """Serve on loopback; gives the address and the counters."""
    with Store.open() as store:
        app = Troubled(create_app(store), latency, refuse_every)
        with served(app) as url:
            yield url, app


@contextlib.contextmanager
def fatal() -> Iterator[tuple[str, Fatal]]:
    """Serve on loopback; gives the address, and what kills."""
    with Store.open() as store:
        app = Fatal(create_app(store))
        with served(app) as url:
            yield url, app


@contextlib.contextmanager
def served(app) -> Iterator[str]:
    """An application on loopback, and its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=lambda: server.run([listener]), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()
