"""The page of all logs: a search in Datadog's syntax, by time, level and service, the newest first."""

from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from monitoring.monitor.search import compile_search
from monitoring.serve.pages.log_lines import log_row
from monitoring.serve.pages.shell import field, link, page, page_number, range_form, select, span_of
from monitoring.serve.pages.site import Site
from monitoring.store.facts import newest_logs

PAGE = 200
LEVELS = ("error", "warn", "info", "debug")
_SAME_LEVEL = {
    "error": "(status:error OR status:critical OR status:alert OR status:emergency)",
    "info": "(status:info OR status:notice OR status:ok)",
}
_FACETS = """
    SELECT status, service, count(*) FROM logs WHERE time >= $start AND time < $end GROUP BY ALL"""


def listing(site: Site, request: Request) -> Response:
    """Return the logs that match a search in Datadog's syntax.

    Raises:
        InputError: the search or a time is not valid.
    """
    span = span_of(request, site.clock(), "-4h")
    query = {key: value.strip() for key, value in request.query_params.items() if value.strip()}
    search = query.get("query") or query.get("q") or ""
    level, service, number = query.get("level", ""), query.get("service", ""), page_number(query)
    parts = [f"({search})" if search else "", _SAME_LEVEL.get(level, f"status:{level}") if level else ""]
    parts.append(f'service:"{service}"' if service else "")
    test = compile_search(" ".join(part for part in parts if part) or "*")
    records = newest_logs(site.store, span.start, span.end + 1, test, number * PAGE + 1)
    shown = records[(number - 1) * PAGE : number * PAGE]
    rows = "".join(log_row(record.attributes) for record in shown)
    none = '<div class="panel muted">No log line fits in this time.</div>'
    ways = _ways(number, len(records), query)
    body = f'{ways}<div class="panel logs">{rows}</div>{ways}' if rows else none
    hidden = {key: value for key, value in query.items() if key in {"query", "q", "level", "service"}}
    form = _form(site, (span.start, span.end), query, search)
    return page(request, "Logs", f"{form}{body}", range_form(span, hidden=hidden))


def _form(site: Site, window: tuple[int, int], query: Mapping[str, str], search: str) -> str:
    """Return the search form, with the number of lines of each level and service."""
    levels, services = _facets(site, *window)
    named = [(name, f"{name} ({levels[name]:,})") for name in LEVELS]
    offered = [(name, f"{name} ({count:,})") for name, count in services.most_common(100) if name]
    times = "".join(
        f'<input type="hidden" name="{key}" value="{escape(query[key], quote=True)}">'
        for key in ("from", "to", "from_ts", "to_ts")
        if key in query
    )
    fields = (
        field("query", search, "Search", 40, "service:orders @http.status_code:>=500 timeout"),
        select("level", [("", "all"), *named], [query.get("level", "")], "Level"),
        select("service", [("", "all"), *offered], [query.get("service", "")], "Service"),
    )
    return f'<form class="filters panel" method="get">{"".join(fields)}{times}<button>Search</button></form>'


def _facets(site: Site, start: int, end: int) -> tuple[Counter[str], Counter[str]]:
    from monitoring.preview.charts.lists import kind_of

    levels: Counter[str] = Counter()
    services: Counter[str] = Counter()
    names = {"bad": "error", "warn": "warn", "info": "info", "good": "info"}
    with site.store.reading() as cursor:
        values: dict[str, Any] = {"start": start * 1000, "end": (end + 1) * 1000}
        for status, service, count in cursor.execute(_FACETS, values).fetchall():
            levels[names.get(kind_of(status), status)] += count
            services[service] += count
    return levels, services


def _ways(number: int, total: int, query: dict[str, str]) -> str:
    """Return the range of shown lines, counted from the newest, and links to older and newer ones."""
    first, last = (number - 1) * PAGE + 1, min(total, number * PAGE)
    more = total > number * PAGE
    ways = [
        link(f"?{urlencode({**query, 'page': str(to)})}", words)
        for to, words in ((number - 1, "Newer"), (number + 1, "Older"))
        if to and (to < number or more)
    ]
    words = f"{first:,} to {last:,}, the newest first" + ("; there are older ones" if more else "")
    return f'<p class="pager">{words} {" ".join(ways)}</p>'
