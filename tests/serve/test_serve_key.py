"""With a key of its own, the server shows and takes nothing without it, on any route that it has."""

import asyncio
import base64
import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from monitoring.local_datadog import Access, Settings, create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store

KEY = "secret"


@pytest.fixture
def app() -> Iterator[Starlette]:
    with Store.open() as store:
        yield create_app(store, routes=page_routes(store), settings=Settings(Access(KEY)))


def basic(password: str, user: str = "me") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def requests_of(app: Starlette) -> list[tuple[str, str]]:
    """Every method of every route, with something in place of its parameters."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes)
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path))
        for route in routes
        for method in sorted(route.methods or ())
    ]


def ask(app: Starlette, requests: list[tuple[str, str]], headers: dict[str, str]) -> list[int]:
    async def answers() -> list[int]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [
                (await asyncio.wait_for(client.request(method, path, headers=headers), 30)).status_code
                for method, path in requests
            ]

    return asyncio.run(answers())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"DD-API-KEY": "other"},
        basic("other"),
        basic(""),
        {"Authorization": "Basic !"},
        {"Authorization": "Basic /w=="},
        {"Authorization": basic(KEY)["Authorization"].replace("Basic", "Bearer")},
        {"Authorization": "Basic"},
    ],
)
def test_no_route_answers_without_the_key(app: Starlette, headers: dict[str, str]) -> None:
    requests = requests_of(app)
    assert ("GET", "/status") in requests
    assert ("GET", "/live") in requests
    assert len(requests) > 100
    statuses = ask(app, requests, headers)
    assert [request for request, code in zip(requests, statuses, strict=True) if code not in {401, 403}] == []


@pytest.mark.parametrize("headers", [{"DD-API-KEY": KEY}, basic(KEY), basic(KEY, "")])
def test_every_route_answers_with_the_key(app: Starlette, headers: dict[str, str]) -> None:
    requests = [
        (method, path.replace("/v1/input/1", f"/v1/input/{KEY}"))  # the key is a part of this path
        for method, path in requests_of(app)
        if path != "/live"  # which never ends
    ]
    statuses = ask(app, requests, headers)
    assert [request for request, code in zip(requests, statuses, strict=True) if code in {401, 403}] == []


def test_a_browser_is_asked_for_the_key_and_a_client_of_datadog_is_not(app: Starlette) -> None:
    async def answers() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/status"), await client.get("/api/v1/monitor")

    page, api = asyncio.run(answers())
    assert (page.status_code, page.headers["www-authenticate"].partition(" ")[0]) == (401, "Basic")
    assert (api.status_code, "www-authenticate" in api.headers) == (403, False)
