"""The application: the families of routes over one store, behind the guard."""

import time
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitoring.local_datadog.guard import Access, Guard
from monitoring.local_datadog.intake import Intake
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.store import Store


def create_app(
    store: Store,
    *,
    routes: Sequence[BaseRoute] = (),
    access: Access | None = None,
    historical: bool = False,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Datadog's API over a store.

    Args:
        store: where everything lies.
        routes: further routes (pages); they are asked first.
        access: who may ask; loopback with any key by default.
        historical: take points older than an hour, Datadog's historical metrics ingestion.
        clock: seconds since the epoch.
    """

    async def validate(_request: Request) -> Response:
        return reply({"valid": True})

    async def status(_request: Request) -> Response:
        return reply({"counters": dict(store.counters), "trouble": store.trouble})

    families: list[BaseRoute] = [
        *routes,
        Route("/api/v1/validate", validate),
        Route("/status", status),
        *Intake(store, historical=historical, clock=clock).routes(),
    ]
    app = Starlette(
        routes=families,
        middleware=[Middleware(Guard, access=access or Access())],
        exception_handlers={HTTPException: _http_error, ApiError: _api_error},  # type: ignore[dict-item]
    )
    app.state.store = store
    return app


async def _http_error(_request: Request, error: HTTPException) -> Response:
    return reply({"errors": [error.detail]}, error.status_code)


async def _api_error(_request: Request, error: ApiError) -> Response:
    return error.response()
