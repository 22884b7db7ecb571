"""Call Datadog's API for monitors, dashboards, SLOs and downtimes with the `datadog` library.

The library formats and submits requests; its HTTP client is replaced by a transport that keeps connections
alive for several threads, honours the rate-limit headers, and retries requests.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import urllib3

from monitoring.errors import InputError
from monitoring.forwarder.addresses import SITES, without_password

Body = dict[str, Any]
Rows = list[tuple[str, Body]]

RETRIED = frozenset({408, 500, 502, 503, 504})
REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
IN_PARALLEL = 16


class Route(NamedTuple):
    """The route of a kind of resource, and the format of its responses.

    Args:
        path: below `/api/VERSION/`.
        version: of the API.
        rows: the key of a list's rows; "" if the response is the list.
        wrapped: whether a resource is under `data` in a response.
        page: the parameters of a page's size and start, and the size; () if a list has no pages.
    """

    path: str
    version: str = "v1"
    rows: str = ""
    wrapped: bool = False
    page: tuple[str, str, int] | None = None

    @property
    def json_api(self) -> bool:
        """Return whether bodies are JSON:API attributes and updates are PATCH, as in version 2."""
        return self.version == "v2"


ROUTES = {
    "monitor": Route("monitor"),
    "slo": Route("slo", rows="data", wrapped=True, page=("limit", "offset", 1000)),
    "dashboard": Route("dashboard", rows="dashboards", page=("count", "start", 100)),
    # Version 1 of downtimes is deprecated, and refuses every write once a recurring one has started.
    "downtime": Route("downtime", "v2", "data", wrapped=True, page=("page[limit]", "page[offset]", 100)),
}


class UnansweredError(Exception):
    """Raised if a POST was interrupted, so that it is unknown whether it was executed."""


class RejectedError(Exception):
    """Raised if Datadog returned an error for which a retry is useless.

    `reasons`: id -> the reason why it cannot be deleted, such as references to it.
    """

    def __init__(self, status: int, errors: list[str], reasons: dict[str, str] | None = None) -> None:
        super().__init__("; ".join(errors) or f"HTTP {status}")
        self.status = status
        self.reasons = reasons or {}


class ApiResponse(NamedTuple):
    """A response in the format that the library expects."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]
    reason: str = ""


@dataclass(slots=True)
class Transport:
    """A pool of connections; each request ends within `deadline` seconds, including waits.

    If the address never responds, a request is given up after `patience` seconds.
    """

    deadline: float = 120.0
    patience: float = 4.0
    timeout: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=IN_PARALLEL, retries=False)
    )

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None,
        data: Any,
        **_: Any,
    ) -> ApiResponse:
        """Return the response; 429 and 5xx are retried.

        Raises:
            UnansweredError: a POST was interrupted.
            InputError: there was no response within the deadline.
        """
        start = self.clock()
        pause = 0.25
        while True:
            answer, problem = self._once(method, url, headers, params, data)
            if answer is not None and answer.status_code != 429 and answer.status_code not in RETRIED:
                return answer
            if method not in REPEATABLE and (answer is None or answer.status_code in RETRIED):
                raise UnansweredError(problem)
            wait = _asked_to_wait(answer, pause)
            limit = self.patience if answer is None else self.deadline
            if self.clock() + wait > start + limit:
                raise InputError(
                    f"no answer to {method} {without_password(url)} within {limit:g} s: {problem}",
                    hint=_no_answer_hint(url),
                )
            self.sleep(wait)
            pause = min(pause * 2, 8.0)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, data: Any
    ) -> tuple[ApiResponse | None, str]:
        wanted = {key: _as_text(value) for key, value in (params or {}).items() if value is not None}
        full = f"{url}?{urlencode(wanted)}" if wanted else url
        try:
            response = self.pool.request(
                method,
                full,
                body=data,
                headers={**headers},
                timeout=urllib3.Timeout(self.timeout),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return None, str(error)
        answer = ApiResponse(response.status, response.data, response.headers, response.reason or "")
        return answer, f"HTTP {response.status}"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _no_answer_hint(url: str) -> str:
    hint = "Check the address (DD_SITE, DD_URL) and the network, and run it again."
    host = urlsplit(url).hostname or ""
    if host.startswith("api.") and host.removeprefix("api.") not in SITES:
        hint += f" Datadog's sites are {', '.join(SITES)}."
    return hint


def _asked_to_wait(answer: ApiResponse | None, otherwise: float) -> float:
    """Return the seconds of the rate-limit headers: https://docs.datadoghq.com/api/latest/rate-limits/."""
    for name in ("X-RateLimit-Reset", "Retry-After"):
        try:
            return max(float(answer.headers[name]), 0.05) if answer is not None else otherwise
        except (KeyError, ValueError):
            continue
    return otherwise


class Client:
    """The resources of an organisation; several threads can use it.

    Args:
        url: `https://api.SITE`, or the address of an embedded Datadog.
        api_key: the API key; it goes into a header, never into an address or a message.
        app_key: the application key, likewise.
        transport: injected by tests.
    """

    def __init__(self, url: str, api_key: str, app_key: str, transport: Transport | None = None) -> None:
        import datadog  # its import takes 0.25 s
        from datadog.api.api_client import APIClient
        from datadog.api.http_client import HTTPClient

        datadog.initialize(
            api_key=api_key,
            app_key=app_key,
            api_host=url.rstrip("/"),
            host_name="stepscope",
            hostname_from_config=False,
            mute=False,
        )
        plugged = transport or Transport()
        http = type("PooledClient", (HTTPClient,), {"request": staticmethod(plugged.request)})
        self._api: Any = type("Resources", (APIClient,), {"_http_client": http})
        self.url = url

    def _submit(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        params: Body | None = None,
        version: str = "v1",
    ) -> Any:
        from datadog.api.exceptions import ApiError

        try:
            # A response 200 of the SLO routes has an empty `errors`, which the library treats as a failure.
            return self._api.submit(
                method,
                path,
                api_version=version,
                body=body,
                suppress_response_errors_on_codes=[200],
                **(params or {}),
            )
        except ApiError as error:
            raise _rejection(error.args[0]) from None
        except ValueError as error:
            raise InputError(
                f"{without_password(self.url)} does not answer like Datadog: {str(error)[:120]}",
                hint="Check DD_SITE or DD_URL.",
            ) from None

    def everything(self, kind: str) -> Rows:
        """Return (id, body) of all resources of a kind; of dashboards only the summary and description."""
        bodies: dict[str, Body] = {}
        try:
            for rows in self._pages(ROUTES[kind]):
                known = len(bodies)
                bodies |= {str(row["id"]): row.get("attributes", row) for row in rows}
                if len(bodies) == known:
                    break
        except RejectedError as error:
            raise InputError(
                f"Datadog does not list its {kind}s: {error}",
                hint="Check DD_SITE or DD_URL, and what the application key may read.",
            ) from None
        return [(id_, body) for id_, body in bodies.items() if not body.get("canceled")]

    def _pages(self, route: Route) -> Iterator[list[Body]]:
        """Yield the pages of a list; the last one is not full."""
        size, start, most = route.page or ("", "", 0)
        at = 0
        while True:
            params = {size: most, start: at} if size else None
            answer = self._submit("GET", route.path, params=params, version=route.version)
            rows: list[Body] = answer[route.rows] if route.rows else answer
            yield rows
            at += len(rows)
            if not size or len(rows) < most:
                return

    def get(self, kind: str, id_: str) -> Body:
        """Return the body of a resource."""
        route = ROUTES[kind]
        return _single(route, self._submit("GET", f"{route.path}/{id_}", version=route.version))[1]

    def create(self, kind: str, body: Body) -> str:
        """Create a resource and return its id.

        Raises:
            UnansweredError: it is unknown whether it was created; search for its marker.
            RejectedError: Datadog does not accept the body.
        """
        route = ROUTES[kind]
        answer = self._submit("POST", route.path, _wrapped(kind, body), version=route.version)
        return _single(route, answer)[0]

    def update(self, kind: str, id_: str, body: Body) -> None:
        """Replace a body."""
        route = ROUTES[kind]
        method = "PATCH" if route.json_api else "PUT"
        self._submit(method, f"{route.path}/{id_}", _wrapped(kind, body, id_), version=route.version)

    def delete(self, kind: str, id_: str) -> None:
        """Delete a resource, if it exists."""
        route = ROUTES[kind]
        try:
            self._submit("DELETE", f"{route.path}/{id_}", version=route.version)
        except RejectedError as error:
            if error.status != 404:
                raise

    def undeletable(self, ids: list[str]) -> dict[str, str]:
        """Return monitor id -> why it cannot be deleted (a composite or an SLO refers to it)."""
        if not ids:
            return {}
        try:
            self._submit("GET", "monitor/can_delete", params={"monitor_ids": ",".join(ids)})
        except RejectedError as error:
            if error.status not in {404, 409}:  # 404: another apply has deleted one of them
                raise
            return error.reasons
        return {}

    def points(self, query: str, start: int, end: int) -> list[Body]:
        """Return the series of `/api/v1/query` between two times in epoch seconds."""
        answer: Body = self._submit("GET", "query", params={"query": query, "from": start, "to": end})
        series: list[Body] = answer.get("series") or []
        return series

    def search(self, kind: str, text: str) -> Rows:
        """Return (id, body) of resources whose name, title or (of downtimes) message contains the text."""
        name = {"dashboard": "title", "downtime": "message"}.get(kind, "name")
        return [row for row in self.everything(kind) if text.lower() in str(row[1].get(name) or "").lower()]


def _single(route: Route, answer: Body) -> tuple[str, Body]:
    """Return the id and the body in the response about a resource."""
    content = answer["data"] if route.wrapped else answer
    body: Body = content[0] if isinstance(content, list) else content
    return str(body["id"]), body["attributes"] if route.json_api else body


def _wrapped(kind: str, body: Body, id_: str = "") -> Body:
    if not ROUTES[kind].json_api:
        return body
    return {"data": {"type": kind, **({"id": id_} if id_ else {}), "attributes": body}}


def _rejection(answer: Body) -> Exception:
    errors = answer.get("errors") or []
    if answer.get("code") == 403 or errors == ["Forbidden"]:
        return InputError(
            "Datadog refuses the keys (403)",
            hint="Check DD_API_KEY, DD_APP_KEY and DD_SITE; a key belongs to one site.",
        )
    if isinstance(errors, dict):  # what is referred to: the reasons by id
        reasons = {
            str(id_): why if isinstance(why, str) else "; ".join(map(str, why)) for id_, why in errors.items()
        }
        return RejectedError(409, list(reasons.values()), reasons)
    texts = [str(item.get("detail", item)) if isinstance(item, Mapping) else str(item) for item in errors]
    missing = any("not found" in text.lower() for text in texts)
    return RejectedError(404 if missing else 400, texts)
