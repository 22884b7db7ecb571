"""The ASGI application: the families of routes over one store, with access control."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitoring.errors import InputError
from monitoring.local_datadog.context import Context, Family
from monitoring.local_datadog.dashboard_lists import DashboardLists
from monitoring.local_datadog.dashboards import Dashboards
from monitoring.local_datadog.downtimes import Downtimes
from monitoring.local_datadog.downtimes_v2 import DowntimesV2
from monitoring.local_datadog.events import Events
from monitoring.local_datadog.events_v2 import EventsV2
from monitoring.local_datadog.guard import Access, Guard, Outage
from monitoring.local_datadog.hosts import Hosts
from monitoring.local_datadog.intake import Intake
from monitoring.local_datadog.metric_tags import MetricTags
from monitoring.local_datadog.metrics_meta import MetricsMeta
from monitoring.local_datadog.monitors import Monitors
from monitoring.local_datadog.queries import Queries
from monitoring.local_datadog.rate_limits import Limit, RateLimited, RateLimits
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.local_datadog.slo_corrections import SloCorrections
from monitoring.local_datadog.slos import Slos
from monitoring.store import Store

FAMILIES: tuple[Callable[[Context], Family], ...] = (
    *(Monitors, DashboardLists, Dashboards, SloCorrections, Slos, Downtimes, DowntimesV2),
    *(Events, EventsV2, MetricsMeta, MetricTags, Hosts, Queries),
)
"""The families of routes; lists come before dashboards, whose id would match their path."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the embedded Datadog.

    Attributes:
        access: access control; by default loopback with any key.
        historical: whether to accept points older than an hour (historical metrics ingestion).
        rate_limits: name -> enforced limit (`monitoring.local_datadog.rate_limits`); by default there are
            only the headers.
        clock: returns seconds since the epoch.
        closed: while it is set, the API responds with 503.
    """

    access: Access = field(default_factory=Access)
    historical: bool = False
    rate_limits: Mapping[str, Limit] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    closed: threading.Event = field(default_factory=threading.Event)


def create_app(
    store: Store, *, routes: Sequence[BaseRoute] = (), settings: Settings | None = None
) -> Starlette:
    """Return Datadog's API over a store as an ASGI application.

    Args:
        store: contains all data.
        routes: additional routes (pages), which take precedence.
        settings: access control and limits of requests.
    """
    chosen = settings or Settings()
    context = Context(store, chosen.clock)

    async def validate(_request: Request) -> Response:
        return reply({"valid": True})

    async def status(_request: Request) -> Response:
        return reply({"counters": dict(store.counters), "trouble": store.trouble})

    families: list[BaseRoute] = [
        *routes,
        Route("/api/v1/validate", validate),
        Route("/status", status),
        *Intake(store, historical=chosen.historical, clock=chosen.clock).routes(),
        *(route for family in FAMILIES for route in family(context).routes()),
    ]
    app = Starlette(
        routes=families,
        middleware=[
            Middleware(Outage, closed=chosen.closed),
            Middleware(Guard, access=chosen.access),
            Middleware(RateLimited, limits=RateLimits(chosen.clock, chosen.rate_limits)),
        ],
        exception_handlers={
            HTTPException: _http_error,  # type: ignore[dict-item]
            ApiError: _api_error,  # type: ignore[dict-item]
            InputError: _not_valid,  # type: ignore[dict-item]
            OSError: _not_written,  # type: ignore[dict-item]
            Exception: _bug,
        },
    )
    app.state.store = store
    return app


async def _http_error(_request: Request, error: HTTPException) -> Response:
    return reply({"errors": [error.detail]}, error.status_code)


async def _api_error(_request: Request, error: ApiError) -> Response:
    return error.response()


async def _not_valid(_request: Request, error: InputError) -> Response:
    return reply({"errors": [str(error)]}, 400)


async def _not_written(_request: Request, error: OSError) -> Response:
    """Respond with 503 if the journal cannot be written: nothing was acknowledged, and clients retry."""
    return reply({"errors": [f"not stored: {error.strerror or error}"]}, 503)


async def _bug(_request: Request, error: Exception) -> Response:
    return reply({"errors": [f"Internal error: {type(error).__name__}: {error}"]}, 500)
