"""Access control for every route (Host, Origin, key), and errors in Datadog's format.

A page of another site can send requests to a server on this machine, and by DNS rebinding even read the
responses. So a request with another `Host`, or from another site according to the browser, is rejected
first.
"""

import base64
import binascii
import hmac
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from monitoring.local_datadog.replies import ApiError, forbidden

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_API = ("/api/", "/v1/input")


@dataclass(frozen=True, slots=True)
class Access:
    """The access rules.

    Without an `api_key` the API accepts any key, and the pages need none. With an `api_key`, every route
    needs it: in the header or query of Datadog's clients, or as the password of a browser (RFC 7617).
    """

    api_key: str | None = None
    hosts: frozenset[str] = LOOPBACK

    def refusal(self, path: str, headers: Headers, query: str) -> Response | None:
        """Return the response to a request that is not allowed, or None."""
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            return Response("This server answers only to its own address.\n", 403, media_type="text/plain")
        if _from_elsewhere(headers, host) and not _opens_page(headers, path):
            return Response("Requests from another site's pages are refused.\n", 403, media_type="text/plain")
        key = headers.get("dd-api-key") or _key_in(query, path) or _password(headers)
        if not path.startswith(_API):
            return None if self.api_key is None or self._is_own(key) else _ask_for_password()
        if not key and path == "/api/v1/validate":
            return ApiError(403, "API key required").response()
        return None if key and (self.api_key is None or self._is_own(key)) else forbidden()

    def _is_own(self, key: str) -> bool:
        return hmac.compare_digest(key.encode("utf-8", "replace"), (self.api_key or "").encode())


class Outage:
    """ASGI middleware: while `closed` is set, the API responds with 503, as in an outage."""

    def __init__(self, app: ASGIApp, closed: threading.Event) -> None:
        self._app = app
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._closed.is_set() and scope["type"] == "http" and scope["path"].startswith(_API):
            answer = ApiError(503, "Service Unavailable").response()
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Guard:
    """ASGI middleware: checks `Access`, and converts an `ApiError` to its response."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._access.refusal(
            scope["path"], Headers(scope=scope), scope["query_string"].decode("latin-1")
        )
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ApiError as error:
            await error.response()(scope, receive, send)


def _ask_for_password() -> Response:
    """Return the response for which a browser asks for a password (the key) and any user name."""
    challenge = {"WWW-Authenticate": 'Basic realm="stepscope: the API key is the password", charset="UTF-8"'}
    text = "The API key is needed: as the password, with any user name, or as the header DD-API-KEY.\n"
    return Response(text, 401, headers=challenge, media_type="text/plain")


def _password(headers: Headers) -> str:
    """Return the password of HTTP Basic authentication, or ""."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _name(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower()


def _from_elsewhere(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        return True
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _opens_page(headers: Headers, path: str) -> bool:
    """Return whether the request is a navigation to a page, whose response the other site cannot read."""
    fetch = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return fetch == ("navigate", "document") and "origin" not in headers and not path.startswith(_API)


def _key_in(query: str, path: str) -> str:
    """Return the key in the query string (old clients) or in the path (the oldest logs intake)."""
    if "api_key=" in query:
        return parse_qs(query).get("api_key", [""])[0]
    return path.removeprefix("/v1/input/") if path.startswith("/v1/input/") else ""
