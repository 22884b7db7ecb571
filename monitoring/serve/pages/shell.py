"""The frame of every page: navigation, the time range, and answers that carry a strict content policy."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse

from monitoring.errors import InputError
from monitoring.preview.page import document
from monitoring.preview.theme import BADGES
from monitoring.query.times import window
from monitoring.serve.pages.script import SCRIPT
from monitoring.values import dataclass

STATES = "".join(f".{name}{{background:{BADGES[name.lower()]}}}" for name in ("OK", "Warn", "Alert"))
"""States on their colours: the same in the dark, where white has to be read on them too."""

NAVIGATION = (
    ("/", "Overview"),
    ("/dashboards", "Dashboards"),
    ("/monitors", "Monitors"),
    ("/executions", "Executions"),
    ("/metrics", "Metrics"),
)
RANGES = (("-15m", "15 minutes"), ("-1h", "1 hour"), ("-4h", "4 hours"), ("-1d", "1 day"), ("-1w", "1 week"))

STYLE = """
nav{display:flex;flex-wrap:wrap;gap:4px 18px;padding:10px 18px;border-bottom:1px solid var(--edge);
background:var(--panel);align-items:center}
nav b{margin-right:8px}nav a{text-decoration:none}nav a[aria-current]{font-weight:600;color:var(--ink)}
form.bar{display:flex;flex-wrap:wrap;gap:6px 12px;align-items:center;margin-left:auto;max-width:100%}
form.bar:has(.combo){flex:1}
.combo{position:relative;flex:1 1 180px;min-width:0}.combo input{width:100%;
font-family:ui-monospace,monospace}
.combo ul{position:absolute;z-index:5;left:0;right:0;top:calc(100% + 3px);max-height:300px;overflow:auto;
margin:0;padding:3px;list-style:none;background:var(--panel);border:1px solid var(--edge);border-radius:5px;
box-shadow:0 6px 18px #0004}.combo ul[hidden]{display:none}
.combo li{padding:3px 8px;border-radius:3px;cursor:pointer;overflow-wrap:anywhere;
font-family:ui-monospace,monospace;font-size:13px}
.combo li:hover{background:var(--grid)}.combo li[aria-selected=true]{background:#2f6fd0;color:#fff}
form.bar label{max-width:100%}
select,input,button{font:inherit;color:var(--ink);background:var(--panel);border:1px solid var(--edge);
border-radius:4px;padding:3px 6px;max-width:100%}
:focus-visible{outline:2px solid var(--link);outline-offset:1px}
table.list{border-collapse:collapse;width:100%;background:var(--panel)}
table.list td,table.list th{text-align:left;padding:6px 10px;border-bottom:1px solid var(--edge);
vertical-align:top;overflow-wrap:anywhere}
table.list th{color:var(--muted);font-weight:500;white-space:nowrap}
table.list td.brief{white-space:nowrap;overflow-wrap:normal;width:1%}
.state{white-space:nowrap;display:inline-block;min-width:64px;
padding:1px 8px;border-radius:3px;color:#fff;text-align:center}
.NoData,.Unknown,.none{background:#5d6776}
.panel{background:var(--panel);border:1px solid var(--edge);border-radius:5px;padding:10px 14px;
margin:0 0 12px}
.panel svg{display:block;width:100%;height:auto}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:12px}
.band{display:flex;height:18px;min-width:160px;border-radius:3px;overflow:hidden;background:var(--grid)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:0 18px}
.columns>section{min-width:0}h2{font-size:16px;margin:14px 0 8px}
.tally{display:flex;flex-wrap:wrap;gap:6px 14px;margin:0 0 12px}.tally b{font-size:20px;margin-right:6px}
.muted{color:var(--muted)}.bad{color:var(--bad)}
.fall summary,.fall .axis{display:grid;grid-template-columns:minmax(140px,30%) 1fr 84px;gap:10px;
align-items:center;padding:3px 6px;cursor:pointer;list-style:none}
.fall .axis{cursor:default;color:var(--muted);font-size:11px}.fall .axis .track{background:none}
.fall .axis i{position:absolute;font-style:normal;white-space:nowrap;padding-left:3px;
border-left:1px solid var(--edge)}
main>p:first-child{margin-top:0}details>summary{cursor:pointer}.panel>pre+details{margin-top:8px}
.fall summary:hover{background:var(--grid)}
.fall .track{position:relative;height:14px;background:var(--grid);border-radius:3px}
.fall .bar{position:absolute;top:0;bottom:0;border-radius:3px;background:#3578d4;min-width:2px}
.fall .bar.error{background:var(--bad)}.fall .bar.retry{background:var(--warn)}
.fall .name{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.fall .time{text-align:right}
.fall .detail{padding:4px 8px 8px 24px;font-size:12px}
.logs summary{display:grid;grid-template-columns:118px minmax(60px,110px) 1fr;gap:10px;padding:3px 8px;
cursor:pointer;list-style:none;border-left:3px solid var(--muted)}
.logs summary:hover{background:var(--grid)}.logs summary span{white-space:nowrap;overflow:hidden;
text-overflow:ellipsis;font-size:12px}
.logs code{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-size:12px;align-self:center}
.logs details+details{border-top:1px solid var(--grid)}.logs pre{padding:6px 12px 10px 20px}
.logs .is-good summary{border-left-color:var(--good)}.logs .is-warn summary{border-left-color:var(--warn)}
.logs .is-bad summary{border-left-color:var(--bad)}.logs .is-info summary{border-left-color:var(--link)}
form.bar select{max-width:min(260px,100%)}
@media(max-width:760px){table.list,table.list tbody{display:block}table.list tr:has(th){display:none}
table.list tr{display:flex;flex-wrap:wrap;gap:2px 12px;padding:7px 10px;border-bottom:1px solid var(--edge)}
table.list td,table.list td.brief{border:0;padding:0;width:auto;min-width:0;max-width:100%;white-space:normal}
td[data-head]:not(:empty)::before{content:attr(data-head) " ";color:var(--muted)}
.logs summary{grid-template-columns:104px 1fr}
.logs summary .muted+.muted{display:none}
form.bar{margin-left:0}.fall summary,.fall .axis{grid-template-columns:42% 1fr 62px;gap:6px}}
"""

DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "script-src": f"'sha256-{DIGEST}'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{key} {value}" for key, value in POLICY.items()),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a page looks at, and how it was asked for."""

    start: int
    end: int
    since: str
    until: str


def span_of(request: Request, now: float, usual: str = "-1h") -> Span:
    """`from` and `to` of the address.

    Raises:
        InputError: one is no time.
    """
    since = request.query_params.get("from") or usual
    until = request.query_params.get("to") or "now"
    return Span(*window(since, until, now), since, until)


def page(request: Request, title: str, main: str, controls: str = "", status: int = 200) -> HTMLResponse:
    """A whole page. Only its own script and style may run, whatever the data says."""
    here = request.url.path
    links = "".join(
        f'<a href="{href}"{" aria-current=page" if _is_here(href, here) else ""}>{name}</a>'
        for href, name in NAVIGATION
    )
    nav = f"<nav><b>stepscope</b>{links}</nav>"
    head = f"<style>{STYLE}{STATES}</style>"
    top = f'<header class="top"><h1>{escape(title)}</h1>{controls}</header>'
    text = document(f"{title} · stepscope", f"{nav}{top}<main>{main}</main>", head=head, script=SCRIPT)
    return HTMLResponse(text, status, HEADERS)


def _is_here(href: str, here: str) -> bool:
    return here == href or (href != "/" and here.startswith(f"{href}/"))


def range_form(span: Span, inner: str = "", hidden: Mapping[str, str] | None = None) -> str:
    """Drop-downs that are sent when they change, and by Enter without a script."""
    ranges = dict(RANGES) if span.since in dict(RANGES) else {span.since: span.since, **dict(RANGES)}
    until = f'<input type="hidden" name="to" value="{escape(span.until, quote=True)}">'
    kept = "".join(
        f'<input type="hidden" name="{escape(k, quote=True)}" value="{escape(v, quote=True)}">'
        for k, v in (hidden or {}).items()
    )
    times = select("from", list(ranges.items()), [span.since], "Time")
    button = "<noscript><button>Show</button></noscript>"
    return f'<form class="bar auto" method="get">{inner}{times}{until}{kept}{button}</form>'


def select(name: str, options: Sequence[tuple[str, str]], chosen: Sequence[str], label: str) -> str:
    """A labelled drop-down."""
    shown = "".join(_option(value, words, value in chosen) for value, words in options)
    field = escape(name, quote=True)
    return f'<label>{escape(label)} <select name="{field}">{shown}</select></label>'


def _option(value: str, words: str, chosen: bool) -> str:
    marked = " selected" if chosen else ""
    return f'<option value="{escape(value, quote=True)}"{marked}>{escape(words)}</option>'


def link(path: str, words: str, query: Mapping[str, str] | None = None) -> str:
    """A link with its words escaped."""
    address = f"{path}?{urlencode(query)}" if query else path
    return f'<a href="{escape(address, quote=True)}">{escape(words)}</a>'


def state_badge(state: str | None, without: str = "–", words: str = "") -> str:
    """A state on its colour; `without` one, those words. `words` say it differently."""
    kind = (state or "none").replace(" ", "")
    return f'<span class="state {kind}">{escape(words or state or without)}</span>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Rows of ready HTML under headings; a sentence where there is no row."""
    if not rows:
        return f'<div class="panel muted">{empty}</div>'
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row, heads))}</tr>" for row in rows)
    return f'<table class="list"><tr>{top}</tr>{body}</table>'


_BRIEF = 24
"""What is no longer is not broken over lines: a time, a state, a number."""
NAMED_ON_PHONES = frozenset({"Points", "Sum", "Duration", "Groups"})
"""Columns of numbers that say nothing without their heading: a phone shows it beside each."""
_TAG = re.compile("<[^>]*>")


def _cell(cell: str, head: str) -> str:
    brief = len(_TAG.sub("", cell)) <= _BRIEF and "<pre" not in cell
    named = f' data-head="{escape(head, quote=True)}"' if head in NAMED_ON_PHONES else ""
    return f"<td{' class=brief' if brief else ''}{named}>{cell}</td>"


def problem_page(error: InputError, request: Request, status: int = 400) -> HTMLResponse:
    """What cannot be shown, and why, instead of a page."""
    said = f'<pre class="panel bad">{escape(str(error))}</pre>'
    return page(request, "Not shown", said, status=status)
