"""The list of executions: running ones, and a search over finished ones, page by page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.preview.scales import format_value
from monitoring.serve.executions import (
    ORDERS,
    Listed,
    Search,
    machines_of,
    milliseconds,
    running,
    search_ended,
)
from monitoring.serve.pages.shell import (
    counted,
    field,
    link,
    page,
    page_number,
    pager,
    range_form,
    select,
    span_of,
    state_badge,
    table,
)
from monitoring.serve.pages.site import Site

PAGE = 200
STATUSES = ("running", "succeeded", "failed", "timed_out", "aborted")
HEADS = ("Started", "Execution", "Status", "Duration")
NOT_SEEN = "No execution has been seen in this time."


def listing(site: Site, request: Request) -> Response:
    """Return the page of the executions of a search, the newest first; of other traces if there is none.

    Raises:
        InputError: a time or a duration of the search is not valid.
    """
    span = span_of(request, site.clock(), "-1d")
    query = {key: value.strip() for key, value in request.query_params.items() if value.strip()}
    search = search_of(query, span.start, span.end)
    number = page_number(query)
    parts = [running_rows(site, search)]
    if search.status.lower() not in {"running", "stuck"}:
        parts.append(_ended(site, search, query, number))
    body = _filters(site, search, query) + "".join(parts)
    kept = {key: value for key, value in query.items() if key not in {"from", "to", "page"}}
    return page(request, "Executions", body, range_form(span, hidden=kept))


def search_of(query: dict[str, str], start: int, end: int) -> Search:
    """Read a search from the parameters of an address.

    Raises:
        InputError: a duration is not valid.
    """
    try:
        shortest, longest = (milliseconds(query.get(name, "")) for name in ("shortest", "longest"))
    except ValueError as error:
        raise InputError(str(error)) from None
    texts = {name: query.get(name, "") for name in ("machine", "status", "tag")}
    text = query.get("q") or query.get("text") or ""
    order = query.get("order", "newest")
    return Search(start, end, text=text, shortest=shortest, longest=longest, order=order, **texts)


def _ended(site: Site, search: Search, query: dict[str, str], number: int) -> str:
    rows, total = search_ended(site.store, search, PAGE, (number - 1) * PAGE)
    if not rows and number > 1:  # after the last page
        return f'<div class="panel muted">{link("/executions", "There is no such page.")}</div>'
    count = f'<p class="muted">{counted(total, "execution")}</p>' if 0 < total <= PAGE else ""
    pages = pager(number, PAGE, total, "executions", lambda to: f"?{urlencode({**query, 'page': str(to)})}")
    return f"{count}{pages}{execution_table(rows, NOT_SEEN)}{pages}"


def execution_table(rows: Sequence[Listed], empty: str) -> str:
    """Return finished executions as a table."""
    return table(HEADS, [row(execution) for execution in rows], empty)


def running_rows(site: Site, search: Search) -> str:
    """Return running executions as a table with their current states; "" if there is none."""
    now = site.clock()
    rows = [
        (
            moment(execution.start * 1_000_000),
            _name(execution),
            status_badge(execution.status, failed=execution.status == "stuck"),
            _in_states(execution, now),
        )
        for execution in running(site.store, search, now)
    ]
    heads = ("Started", "Execution", "Status", "State")
    return f"<h2>Running: {len(rows)}</h2>{table(heads, rows, '')}<h2>Ended</h2>" if rows else ""


def _in_states(execution: Listed, now: float) -> str:
    states = ", ".join(execution.states) or "between states"
    silent = format_value(now - execution.heard / 1000, "second")
    return f"in {escape(states)} · no event for {silent}"


def _filters(site: Site, search: Search, query: dict[str, str]) -> str:
    machines = machines_of(site.store)
    times = "".join(
        f'<input type="hidden" name="{key}" value="{escape(query[key], quote=True)}">'
        for key in ("from", "to")
        if key in query
    )
    fields = (
        select("machine", [("", "all"), *((name, name) for name in machines)], [search.machine], "Machine"),
        select(
            "status", [("", "all"), *((name, name) for name in STATUSES)], [search.status.lower()], "Status"
        ),
        field("q", search.text, "Text", 18, "name, error, input"),
        field("tag", search.tag, "Tag", 12, "env:prod"),
        field("shortest", query.get("shortest", ""), "From", 6, "500ms"),
        field("longest", query.get("longest", ""), "to", 6, "2min"),
        select("order", [(name, name) for name in ORDERS], [search.order], "Order"),
    )
    return f'<form class="filters panel" method="get">{"".join(fields)}{times}<button>Search</button></form>'


def latest(site: Site, start: int, end: int, most: int, empty: str) -> str:
    """Return the newest executions as a table, after the running ones."""
    search = Search(start, end)
    rows, _ = search_ended(site.store, search, most)
    return running_rows(site, search) + execution_table(rows, empty)


def row(execution: Listed) -> tuple[str, str, str, str]:
    """Return the cells of a finished execution."""
    failed = execution.status not in {"succeeded", "running"}
    return (
        moment(execution.start * 1_000_000),
        _name(execution),
        status_badge(execution.status, failed=failed)
        + (f' <span class="muted">{escape(execution.error)}</span>' if execution.error else ""),
        format_value(float(execution.duration), "millisecond"),
    )


def _name(execution: Listed) -> str:
    machine, name = execution.machine, execution.name
    words = f"{machine} · {name}" if name and name != machine else machine
    return link(f"/executions/{execution.key}", words)


def status_badge(status: str, *, failed: bool) -> str:
    """Return a status as a coloured badge."""
    kind = "Alert" if failed else "Warn" if status == "running" else "OK"
    return state_badge(kind, words=status)


def moment(nanoseconds: int) -> str:
    """Return a time as text, in UTC."""
    return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%b %d %H:%M:%S}"
