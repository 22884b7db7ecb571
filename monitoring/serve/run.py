"""Run the server until it is stopped: requests in another thread, monitors once a minute in this one."""

import contextlib
import gc
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Route

from monitoring.deploy.start import shipped
from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog, Settings
from monitoring.resources.files import paths_of
from monitoring.serve.pages.routes import site_routes
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import standings
from monitoring.serve.sinks import Sink, Webhook
from monitoring.serve.watch import CADENCE, Watch
from monitoring.store import Store
from monitoring.store.parquet_source import ParquetSource, open_partitions

if TYPE_CHECKING:
    from monitoring.demo.day import Demonstration

AFTER = 5
"""Seconds after the full minute at which monitors are evaluated, so that the minute's points have arrived."""
_FILES = 65_536


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of the server.

    Attributes:
        database: the DuckDB file.
        host: the address to listen on.
        port: the port; 0 uses a free one.
        settings: access control and limits of requests.
        project: the folder whose dashboards/ and monitors/ the pages show.
        with_demo: whether to fill a new database with a day of the example, and to continue it.
        evaluate: whether monitors are evaluated.
        replay: the folder or `s3://BUCKET/PREFIX` of a replay, read beside the database; "" for none.
    """

    database: Path
    host: str = "127.0.0.1"
    port: int = 8126
    settings: Settings = field(default_factory=Settings)
    project: Path | None = None
    with_demo: bool = False
    evaluate: bool = True
    replay: str = ""


class Stop:
    """A flag that a signal handler may set at any moment, also twice.

    A `threading.Event` could deadlock there, because its lock is not reentrant.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def set(self, *_: object) -> None:
        """Set the flag; the signature fits a signal handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether the flag is set."""
        return bool(select.select([self._read], [], [], max(0.0, seconds))[0])


def run(options: ServeOptions, sinks: Sequence[Sink], say: Callable[[str], None], stop: Stop) -> None:
    """Serve until `stop` is set.

    Raises:
        InputError: the database, the address or the replay cannot be used.
    """
    new = not options.database.exists()
    _allow_many_connections()
    sites: list[Site] = []

    def pages(store: Store) -> list[Route]:
        watched = threading.Event() if options.evaluate else None
        sites.append(Site(store, _project(options), watched=watched))
        return site_routes(sites[-1])

    with contextlib.ExitStack() as stack:
        server = LocalDatadog(
            options.database,
            options.port,
            host=options.host,
            settings=options.settings,
            pages=pages,
            history=_history(options.replay, stack),
        )
        stack.enter_context(server)
        stack.enter_context(_tuned())
        example = _demonstration(server.store, options, say, new=new)
        beside = f" and the replay in {options.replay}" if options.replay else ""
        say(f"Datadog, embedded: {server.url} (database {options.database}{beside})")
        watch = Watch(server.store, sinks, say)
        for _ in _minutes(stop):
            if example:
                example.go_on(int(time.time()))
            if options.evaluate:
                watch.look()
                _evaluate_files(sites[-1])
            for sink in sinks:
                if isinstance(sink, Webhook):
                    sink.retry()
            if server.store.trouble:
                say(f"the database could not be written: {server.store.trouble}")


def _history(place: str, stack: contextlib.ExitStack) -> ParquetSource | None:
    """Open the files of a replay until the stack is closed.

    Raises:
        InputError: the place holds no such files, or also counts and gauges.
    """
    if not place:
        return None
    partitions = open_partitions(place)
    if partitions is None:
        raise InputError(
            "no Parquet files of a replay, or also files of counts and gauges",
            where=place,
            hint="Give the `out` of `stepscope replay --to parquet` without MONITORING_METRICS=native.",
        )
    stack.enter_context(contextlib.closing(partitions))
    return ParquetSource(partitions)


def _minutes(stop: Stop) -> Iterator[None]:
    """Yield once at the start, then shortly after every full minute, until stopped."""
    while not stop.wait(0):
        yield
        now = time.time()
        stop.wait((now // CADENCE + 1) * CADENCE + AFTER - now)


def _evaluate_files(site: Site) -> None:
    """Evaluate the monitors in files for all pages; after the first time, waiting pages continue."""
    try:
        standings(site, renew=True)
    finally:
        if site.watched is not None:
            site.watched.set()


def _demonstration(
    store: Store, options: ServeOptions, say: Callable[[str], None], *, new: bool
) -> "Demonstration | None":
    """Generate a day of the example in a new database; an existing one is not changed."""
    if not options.with_demo:
        return None
    if not new:
        say(f"{options.database} exists: it is served as it is, without the example's day")
        return None
    from monitoring.demo.day import Demonstration

    example = Demonstration.begin(store, int(time.time()))
    say("The example's last 24 hours are laid out; its executions go on while the server runs")
    return example


def _project(options: ServeOptions) -> Path | None:
    """Return the folder of dashboards and monitors; with the demo, the shipped ones if there are none."""
    root = options.project
    if options.with_demo and (root is None or not (paths_of(root, "dashboard") or paths_of(root, "monitor"))):
        return shipped("dashboards").parent
    return root


def _allow_many_connections() -> None:
    """Raise the limit of open files: each idle connection needs one, and the usual soft limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = min(_FILES, hard) if hard != resource.RLIM_INFINITY else _FILES
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Tune this process as a server: freeze loaded objects for the collector, and switch threads sooner."""
    gc.collect()
    gc.freeze()
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()  # otherwise DuckDB's module complains at exit about its remaining objects
