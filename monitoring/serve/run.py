"""Serving until told to stop: the server in its thread, the monitors once a minute in this one."""

import contextlib
import gc
import os
import resource
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog, Settings
from monitoring.serve.pages.routes import site_routes
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import standings
from monitoring.serve.sinks import Sink, Webhook
from monitoring.serve.watch import CADENCE, Watch
from monitoring.store import Store

AFTER = 5
"""Seconds past the minute at which monitors are evaluated, so that the minute's points have arrived."""
_FILES = 65_536


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Describe what is served, and where.

    Attributes:
        database: the DuckDB file.
        host: the address to listen on.
        port: 0 takes a free one.
        settings: who may ask, and what is taken.
        project: the folder whose dashboards/ and monitors/ the pages show.
        with_demo: fill a new database by running the demo first.
        evaluate: whether monitors are evaluated.
    """

    database: Path
    host: str = "127.0.0.1"
    port: int = 8126
    settings: Settings = field(default_factory=Settings)
    project: Path | None = None
    with_demo: bool = False
    evaluate: bool = True


class Stop:
    """Told to stop, by a signal handler at any moment, and twice.

    The lock of a `threading.Event` could wait for itself there.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def set(self, *_: object) -> None:
        """Stop; fits as a signal handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether it is set."""
        return bool(select.select([self._read], [], [], max(0.0, seconds))[0])


def run(options: ServeOptions, sinks: Sequence[Sink], say: Callable[[str], None], stop: Stop) -> None:
    """Serve until `stop` is set.

    Raises:
        InputError: the database, the address or the demo cannot be used.
    """
    if options.with_demo:
        fill_with_demo(options.database, say)
    _allow_many_connections()
    sites: list[Site] = []

    def pages(store: Store) -> list[Route]:
        sites.append(Site(store, options.project))
        return site_routes(sites[-1])

    server = LocalDatadog(
        options.database,
        options.port,
        host=options.host,
        settings=options.settings,
        pages=pages,
    )
    with server, _tuned():
        say(f"Datadog, embedded: {server.url} (database {options.database})")
        watch = Watch(server.store, sinks, say)
        for _ in _minutes(stop):
            if options.evaluate:
                watch.look()
                standings(sites[-1])  # of the monitors in files, so that no page has to evaluate them
            for sink in sinks:
                if isinstance(sink, Webhook):
                    sink.retry()
            if server.store.trouble:
                say(f"the database could not be written: {server.store.trouble}")


def _minutes(stop: Stop) -> Iterator[None]:
    """Once at the start, then a little after every full minute, until stopped."""
    while not stop.wait(0):
        yield
        now = time.time()
        stop.wait((now // CADENCE + 1) * CADENCE + AFTER - now)


def fill_with_demo(database: Path, say: Callable[[str], None]) -> None:
    """Run the demo and put its database where the server will look; an existing one stays as it is.

    Raises:
        InputError: the demo cannot be run here.
    """
    if database.exists():
        say(f"{database} exists: it is served as it is, the demo is not run again")
        return
    from monitoring.demo import DemoOptions, run_demo

    say("Running the demo first; it takes about a minute")
    with tempfile.TemporaryDirectory(prefix="stepscope-") as folder:
        result = run_demo(DemoOptions(Path(folder)))
        if not result.fine:
            say("the demo did not balance: `stepscope demo` shows where")
        with _explained(database):
            shutil.move(str(Path(folder) / "datadog.duckdb"), database)


@contextlib.contextmanager
def _explained(database: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the database cannot be put there ({error.strerror})",
            where=str(database),
            hint="Give another --database.",
        ) from error


def _allow_many_connections() -> None:
    """Idle connections cost a file each; the soft limit of most systems is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_FILES, hard) if hard != resource.RLIM_INFINITY else _FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Tune this process as a server: freeze what is loaded, and switch threads sooner."""
    gc.collect()
    gc.freeze()
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()  # DuckDB's module says so at the end where its objects are still there
