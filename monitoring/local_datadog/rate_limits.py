"""Rate limits: Datadog's headers on every response, and optional real limits.

Periods are aligned to the calendar, as Datadog's. By default no request is rejected, because a limit of 1,600
queries an hour is not useful on one's own machine. `Remaining` is then at least 1, so that clients do not
wait.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitoring.errors import InputError
from monitoring.local_datadog.replies import reply


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of requests in a period of seconds."""

    name: str
    requests: int
    period: int


_GLOBAL = Limit("global_org", 12_000, 60)
_TABLE: tuple[tuple[str, str, Limit], ...] = (
    ("GET", r"/api/v1/monitor/can_delete", Limit("can_delete", 12_000, 60)),
    ("POST", r"/api/v1/monitor(/[^/]+)?/validate", _GLOBAL),
    ("GET", r"/api/v1/monitor", Limit("list_monitors", 1000, 10)),
    ("GET", r"/api/v1/monitor/[^/]+", Limit("get_monitors", 3000, 10)),
    ("POST", r"/api/v1/monitor", Limit("post_monitors", 500, 10)),
    ("PUT", r"/api/v1/monitor/[^/]+", Limit("put_monitors", 500, 10)),
    ("DELETE", r"/api/v1/monitor/[^/]+", _GLOBAL),
    (".*", r"/api/v[12]/dashboard.*", _GLOBAL),
    ("GET", r"/api/v1/events.*", _GLOBAL),
    ("POST", r"/api/v1/events", Limit("post_events", 500_000, 3600)),
    ("GET", r"/api/v1/query", Limit("batch_query", 1600, 3600)),
    ("POST", r"/api/v2/query/(timeseries|scalar)", Limit("query", 1600, 3600)),
    ("GET", r"/api/v1/metrics", Limit("active_metrics", 1000, 3600)),
    ("PUT", r"/api/v1/metrics/[^/]+", Limit("put_metrics", 2000, 60)),
    (".*", r"/api/v[12]/(slo|downtime)(/.*)?", _GLOBAL),
)
_PATTERNS = tuple((re.compile(method), re.compile(path), limit) for method, path, limit in _TABLE)
NAMES = tuple(dict.fromkeys(limit.name for _, _, limit in _TABLE))


@dataclass(slots=True)
class RateLimits:
    """Count the requests in the current period of each limit.

    Args:
        clock: returns seconds since the epoch.
        enforced: name -> enforced limit; `recorded()` returns Datadog's own.
    """

    clock: Callable[[], float]
    enforced: Mapping[str, Limit] = field(default_factory=dict)
    _counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def count(self, method: str, path: str) -> tuple[dict[str, str], bool]:
        """Count a request; return the headers of its response, and whether it exceeds an enforced limit."""
        matched = next(
            (limit for m, p, limit in _PATTERNS if m.fullmatch(method) and p.fullmatch(path)), None
        )
        if matched is None:
            return {}, False
        limit = self.enforced.get(matched.name, matched)
        now = self.clock()
        window = int(now // limit.period)
        last, count = self._counts.get(limit.name, (window, 0))
        count = count + 1 if last == window else 1
        self._counts[limit.name] = (window, count)
        kept = limit.name in self.enforced
        remaining = max(0 if kept else 1, limit.requests - count)
        headers = {
            "X-RateLimit-Limit": str(limit.requests),
            "X-RateLimit-Period": str(limit.period),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(max(1, int((window + 1) * limit.period - now + 0.999))),
            "X-RateLimit-Name": limit.name,
        }
        return headers, kept and count > limit.requests


def recorded() -> dict[str, Limit]:
    """Return Datadog's own limits, by name."""
    return {limit.name: limit for _, _, limit in _TABLE}


def read(texts: tuple[str, ...]) -> dict[str, Limit]:
    """Parse limits of the command line: `datadog` for the recorded ones, or `NAME=REQUESTS/SECONDS`.

    Raises:
        InputError: a value has another form, or an unknown name.
    """
    limits: dict[str, Limit] = {}
    for text in texts:
        if text == "datadog":
            limits |= recorded()
            continue
        match = re.fullmatch(r"([a-z_]+)=(\d+)/(\d+)", text)
        if match is None or match[1] not in NAMES or not int(match[2]) or not int(match[3]):
            raise InputError(
                f"{text!r} is not a rate limit",
                hint=f"Write datadog, or NAME=REQUESTS/SECONDS with one of {', '.join(NAMES)}.",
            )
        limits[match[1]] = Limit(match[1], int(match[2]), int(match[3]))
    return limits


class RateLimited:
    """ASGI middleware: counts requests, adds the headers, and responds with 429 over a limit."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, over = self._limits.count(scope["method"], scope["path"])
        if over:
            await _too_many(headers)(scope, receive, send)
        elif not headers:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _adding(headers, send))


def _too_many(headers: dict[str, str]) -> Response:
    requests, period = headers["X-RateLimit-Limit"], headers["X-RateLimit-Period"]
    text = f"Rate limit of {requests} requests in {period} seconds reached. Please try again later."
    response = reply({"errors": [text]}, 429)
    response.headers.update(headers)
    return response


def _adding(headers: dict[str, str], send: Send) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return adding
