"""The routes of the pages, and the event stream that notifies a browser of changes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from monitoring.errors import InputError
from monitoring.serve.pages import (
    about,
    dashboards,
    execution,
    executions,
    explorer,
    log_search,
    monitor_list,
    monitors,
    overview,
    records,
)
from monitoring.serve.pages.shell import problem_page
from monitoring.serve.pages.site import Site
from monitoring.store import Store

_LOG = logging.getLogger(__name__)
Page = Callable[[Site, Request], Response]
LOOK_EVERY = 0.5
"""Seconds between two checks of the files."""
FIRST_EVALUATION = 60.0
"""The longest time in seconds that a page waits for the first evaluation of the monitors."""
RENEW_EVERY = 4
"""The number of checks between two messages about new data."""

PAGES: tuple[tuple[str, Page], ...] = (
    ("/", overview.overview),
    ("/dashboards", dashboards.listing),
    ("/dashboards/{key}", dashboards.one),
    ("/monitors", monitor_list.listing),
    ("/monitors/manage", monitor_list.listing),
    ("/monitors/downtimes", records.downtimes),
    ("/monitors/{key}", monitors.one),
    ("/executions", executions.listing),
    ("/executions/{key:path}", execution.one),
    ("/machines", about.machines),
    ("/machines/{name:path}", about.machine),
    ("/functions", about.functions),
    ("/functions/{name:path}", about.function),
    ("/metrics", explorer.explore),
    ("/logs", log_search.listing),
    ("/events", records.events),
    ("/slos", records.objectives),
    ("/slos/{key}", records.objective),
    ("/downtimes", records.downtimes),
    # Datadog's own paths, as in messages, notes and custom links
    ("/dashboard/lists", dashboards.listing),
    ("/dashboard/{key}", dashboards.one),
    ("/dashboard/{key}/{slug}", dashboards.one),
    ("/slo", records.objectives),
    ("/slo/manage", records.objectives),
    ("/slo/{key}", records.objective),
    ("/event", records.events),
    ("/event/explorer", records.events),
    ("/event/stream", records.events),
    ("/metric/explorer", explorer.explore),
    ("/metric/summary", explorer.explore),
    ("/apm/traces", executions.listing),
    ("/apm/trace/{key}", execution.one),
)


def page_routes(
    store: Store, root: Path | None = None, clock: Callable[[], float] = time.time
) -> list[Route]:
    """Return the routes of the pages for a store and, optionally, for the files of a project's folder."""
    return site_routes(Site(store, root, clock))


def site_routes(site: Site) -> list[Route]:
    """Return the routes of the pages of a site."""
    routes = [Route(path, _shown(site, make), methods=["GET"]) for path, make in PAGES]
    return [*routes, Route("/live", _live(site), methods=["GET"]), _Missing("/{path:path}", _missing)]


class _Missing(Route):
    """Match requests of a browser without a page; clients of the API do not accept HTML."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return a match for GET with HTML accepted, outside of the API."""
        accepted = Headers(scope=scope).get("accept", "") if scope["type"] == "http" else ""
        is_page = "text/html" in accepted and scope["method"] == "GET"
        if not is_page or scope["path"].startswith(("/api/", "/status")):
            return Match.NONE, {}
        return super().matches(scope)


async def _missing(request: Request) -> Response:
    return problem_page(InputError("There is no such page."), request, 404)


def _shown(site: Site, make: Page) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(_made, make, site, request)
        except InputError as error:
            return problem_page(error, request)
        except Exception as error:  # noqa: BLE001 - said as the bug that it is, and logged
            _LOG.exception("the page %s raised an exception", request.url.path)
            words = f"This page cannot be shown because of a bug: {type(error).__name__}: {error}"
            return problem_page(InputError(words), request, 500)

    return endpoint


def _made(make: Page, site: Site, request: Request) -> Response:
    """Return the page, after the first evaluation of the monitors."""
    if site.watched is not None:
        site.watched.wait(FIRST_EVALUATION)
    return make(site, request)


def _live(site: Site) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        return StreamingResponse(_changes(site, request), media_type="text/event-stream")

    return endpoint


async def _changes(site: Site, request: Request) -> AsyncIterator[str]:
    """Yield a message when a dashboard or monitor file is written, created or removed.

    Yield the event `arrived` when the store has received data, at most once in `RENEW_EVERY` checks.
    """
    yield ": watching\n\n"
    before = await run_in_threadpool(_stamps, site)
    received, looks = site.store.counters.total(), 0
    while not await request.is_disconnected():
        await asyncio.sleep(LOOK_EVERY)
        now, looks = await run_in_threadpool(_stamps, site), looks + 1
        if now != before:
            before = now
            yield "data: changed\n\n"
        if looks >= RENEW_EVERY and site.store.counters.total() != received:
            received, looks = site.store.counters.total(), 0
            yield "event: arrived\ndata: \n\n"


def _stamps(site: Site) -> dict[str, int]:
    stamps = {}
    for kind in ("dashboard", "monitor"):
        for path in site.files(kind):
            try:
                stamps[str(path)] = path.stat().st_mtime_ns
            except OSError:
                continue  # removed in the meantime
    return stamps
