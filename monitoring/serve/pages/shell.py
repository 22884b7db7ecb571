"""The frame of every page: navigation, time range, and a strict content security policy."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse

from monitoring.errors import InputError
from monitoring.preview.page import POLICY as FILE_POLICY
from monitoring.preview.page import document
from monitoring.preview.theme import BADGES
from monitoring.query.times import window

STATES = "".join(f".{name}{{background:{BADGES[name.lower()]}}}" for name in ("OK", "Warn", "Alert"))
"""Background colours of states: the same in both themes, because the text on them is white."""

NAVIGATION = (
    ("/", "Overview"),
    ("/dashboards", "Dashboards"),
    ("/monitors", "Monitors"),
    ("/executions", "Executions"),
    ("/machines", "State machines"),
    ("/functions", "Functions"),
    ("/logs", "Logs"),
    ("/metrics", "Metrics"),
    ("/slos", "SLOs"),
    ("/events", "Events"),
    ("/run", "Run"),
)
"""Pages in the order of the navigation; pages that a server does not have are left out."""
RANGES = (
    ("-15m", "15 minutes"),
    ("-1h", "1 hour"),
    ("-4h", "4 hours"),
    ("-1d", "1 day"),
    ("-2d", "2 days"),
    ("-1w", "1 week"),
    ("-30d", "30 days"),
)
_OF_TIME = frozenset({"from", "to", "from_ts", "to_ts", "live"})
"""The parameters of an address for the time range."""

SCRIPT = "".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("charts.js", "live.js", "pages.js")
)
STYLE = Path(__file__).with_name("pages.css").read_text(encoding="utf-8")
_TO = ".."
"""The separator between start and end of a range in one value."""

DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = {
    **FILE_POLICY,
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "script-src": f"'sha256-{DIGEST}'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{key} {value}" for key, value in POLICY.items()),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The time range of a page, with the original parameters."""

    start: int
    end: int
    since: str
    until: str
    others: tuple[tuple[str, str], ...] = ()
    """The other parameters of the address, which the form of a custom range keeps."""

    @property
    def value(self) -> str:
        """Return the range as one value of an address."""
        return self.since if self.until == "now" else f"{self.since}{_TO}{self.until}"

    @property
    def words(self) -> str:
        """Return the range as text."""
        if self.until == "now":
            return f"since {_clock(self.start)}" if self.since[:1].isdigit() else self.since
        return f"{_clock(self.start)} to {_clock(self.end)}"


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M}"


def span_of(request: Request, now: float, usual: str = "-1h") -> TimeRange:
    """Return the time range of an address: `from` and `to`, `from=START..END`, or `from_ts` and `to_ts`.

    Raises:
        InputError: a value is not a valid time.
    """
    query = request.query_params
    since, _, until = (query.get("from") or query.get("from_ts") or usual).partition(_TO)
    until = until or query.get("to") or query.get("to_ts") or "now"
    others = tuple((key, value) for key, value in query.multi_items() if key not in _OF_TIME)
    return TimeRange(*window(since, until, now), since, until, others)


def page(request: Request, title: str, main: str, controls: str = "", status: int = 200) -> HTMLResponse:
    """Return a complete page, which allows only its own script and style."""
    here = request.url.path
    there = {getattr(route, "path", "") for route in request.app.routes}
    links = "".join(
        f'<a href="{href}"{" aria-current=page" if _is_here(href, here) else ""}>{name}</a>'
        for href, name in NAVIGATION
        if href in there
    )
    nav = f"<nav><b>stepscope</b>{links}</nav>"
    head = f"<style>{STYLE}{STATES}</style>"
    top = f'<header class="top"><h1>{escape(title)}</h1>{controls}</header>'
    text = document(f"{title} · stepscope", f"{nav}{top}<main>{main}</main>", head=head, script=SCRIPT)
    return HTMLResponse(text, status, HEADERS)


def _is_here(href: str, here: str) -> bool:
    return here == href or (href != "/" and here.startswith(f"{href}/"))


def range_form(span: TimeRange, inner: str = "", hidden: Mapping[str, str] | None = None) -> str:
    """Return a form of drop-downs that is submitted on a change (without a script: by its button).

    A range with an explicit end is an additional choice, so that a preset replaces both start and end.
    """
    chosen = span.value
    ranges = dict(RANGES) if chosen in dict(RANGES) else {chosen: span.words, **dict(RANGES)}
    kept = "".join(
        f'<input type="hidden" name="{escape(k, quote=True)}" value="{escape(v, quote=True)}">'
        for k, v in (hidden or {}).items()
    )
    times = select("from", list(ranges.items()), [chosen], "Time")
    button = "<noscript><button>Show</button></noscript>"
    form = f'<form class="bar auto" method="get">{inner}{times}{kept}{button}</form>'
    return f'<div class="times">{form}{_custom(span)}{_switches(span)}</div>'


def _custom(span: TimeRange) -> str:
    """Return the form of a custom time range; without a script its times are in UTC."""
    kept = "".join(
        f'<input type="hidden" name="{escape(key, quote=True)}" value="{escape(value, quote=True)}">'
        for key, value in span.others
    )
    fields = "".join(
        f'<label>{words} <input type="datetime-local" name="{name}" data-t="{seconds}"'
        f' value="{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M}" required></label>'
        for name, words, seconds in (("from", "From", span.start), ("to", "To", span.end))
    )
    inside = f'{fields}<span class="zone">UTC</span>{kept}<button>Show</button>'
    form = f'<form class="custom" method="get">{inside}</form>'
    return f'<details class="range"><summary>Custom</summary>{form}</details>'


def _switches(span: TimeRange) -> str:
    """Return the buttons for the local time zone and, if the range ends now, for live updates."""
    live = '<button type="button" id="live" aria-pressed="false">Live</button>' if span.until == "now" else ""
    news = '<button type="button" id="arrived" hidden>New data: show</button>'
    zone = '<button type="button" id="zone" aria-pressed="false">Local time</button>'
    return f'<span class="switches">{zone}{live}{news}</span>'


def select(name: str, options: Sequence[tuple[str, str]], chosen: Sequence[str], label: str) -> str:
    """Return a labelled drop-down."""
    shown = "".join(_option(value, words, value in chosen) for value, words in options)
    field = escape(name, quote=True)
    return f'<label>{escape(label)} <select name="{field}">{shown}</select></label>'


def _option(value: str, words: str, chosen: bool) -> str:
    marked = " selected" if chosen else ""
    return f'<option value="{escape(value, quote=True)}"{marked}>{escape(words)}</option>'


def link(path: str, words: str, query: Mapping[str, str] | None = None) -> str:
    """Return a link with escaped text."""
    address = f"{path}?{urlencode(query)}" if query else path
    return f'<a href="{escape(address, quote=True)}">{escape(words)}</a>'


def item_link(kind: str, key: str, words: str, query: Mapping[str, str] | None = None) -> str:
    """Return a link to the page of a monitor, state machine and the like, whatever is in its key."""
    return link(f"/{kind}/{quote(key, safe='')}", words, query)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def state_badge(state: str | None, without: str = "–", words: str = "") -> str:
    """Return a state as a coloured badge; `words` replaces its name, `without` is the text for no state."""
    kind = (state or "none").replace(" ", "")
    return f'<span class="state {kind}">{escape(words or state or without)}</span>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Return a table of rows (HTML) with headings, or the sentence `empty` if there is no row."""
    if not rows:
        return f'<div class="panel muted">{empty}</div>'
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row, heads))}</tr>" for row in rows)
    return f'<table class="list"><tr>{top}</tr>{body}</table>'


def field(name: str, value: str, label: str, size: int = 16, hint: str = "") -> str:
    """Return a labelled text field."""
    marks = f'name="{escape(name, quote=True)}" value="{escape(value, quote=True)}" size="{size}"'
    shown = f' placeholder="{escape(hint, quote=True)}"' if hint else ""
    return f"<label>{escape(label)} <input {marks}{shown}></label>"


def page_number(query: Mapping[str, str], name: str = "page") -> int:
    """Return the page number in an address, from 1."""
    text = query.get(name, "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


def pager(number: int, size: int, total: int, what: str, address: Callable[[int], str]) -> str:
    """Return the shown range and links to the pages; "" if everything is on one page."""
    if total <= size:
        return ""
    pages = -(-total // size)
    first, last = (number - 1) * size + 1, min(number * size, total)
    position = f"{first:,} to {last:,} of {total:,}" if first <= total else f"none of {total:,}"
    ways = [
        f'<a href="{escape(address(to), quote=True)}">{words}</a>'
        for to, words in ((number - 1, "Previous"), (number + 1, "Next"))
        if 1 <= to <= pages
    ]
    return f'<p class="pager">{position} {escape(what)} {" ".join(ways)}</p>'


_BRIEF = 24
"""The maximum length of cells without line breaks: times, states, numbers."""
NAMED_ON_PHONES = frozenset(
    {
        *("Points", "Sum", "Duration", "Groups", "Executions", "Entered", "Failed", "Retries", "p50", "p95"),
        *("Cost of a million", "Share", "Times", "Calls", "After"),
    }
)
"""Columns of numbers that need their heading; on a phone it is shown next to each number."""
_TAG = re.compile("<[^>]*>")


def _cell(cell: str, head: str) -> str:
    brief = len(_TAG.sub("", cell)) <= _BRIEF and "<pre" not in cell
    named = f' data-head="{escape(head, quote=True)}"' if head in NAMED_ON_PHONES else ""
    return f"<td{' class=brief' if brief else ''}{named}>{cell}</td>"


def problem_page(error: InputError, request: Request, status: int = 400) -> HTMLResponse:
    """Return a page with the reason why something cannot be shown."""
    reason = f'<pre class="panel bad">{escape(str(error))}</pre>'
    again = f"<p>{link(request.url.path, 'Show this page with its usual settings')}</p>"
    return page(request, "Not shown", reason + (again if request.url.query else ""), status=status)
