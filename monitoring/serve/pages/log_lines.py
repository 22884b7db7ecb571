"""Render log lines as HTML: each can be expanded to the whole message, and shows its level."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from monitoring.preview.charts.lists import kind_of
from monitoring.serve.step_data import masked

Row = Mapping[str, Any]
_LONGEST = 300
_NAMED = {"bad", "warn"}


def log_row(log: Row) -> str:
    """Return a line that can be expanded to the whole message; JSON is indented, with secrets masked."""
    stamp = float(log.get("timestamp") or 0) / 1000
    moment = f"{datetime.fromtimestamp(stamp, UTC):%b %d %H:%M:%S}.{int(stamp * 1000) % 1000:03d}"
    message = str(masked(str(log.get("message") or "")))
    status = str(log.get("status") or "info")
    kind = kind_of(status)
    level = f'<b class="ink">{escape(status)}</b> ' if kind in _NAMED else ""
    service = f'<span class="muted">{escape(str(log.get("service") or ""))}</span>'
    line = (
        f'<span class="muted">{moment}</span>{service}<code>{level}{escape(gist(message)[:_LONGEST])}</code>'
    )
    full = f"<pre>{escape(laid_out(message))}</pre>"
    return f'<details class="is-{kind}"><summary>{line}</summary>{full}</details>'


def gist(message: str) -> str:
    """Return a summary of a log line: the `message` of JSON, type and state of a Step Functions event."""
    try:
        body = json.loads(message)
    except (ValueError, RecursionError):
        return message
    if not isinstance(body, dict):
        return message
    if isinstance(body.get("message"), str):
        return str(body["message"])
    inner = body.get("details")
    details: Row = inner if isinstance(inner, dict) else {}
    words = [body.get("type"), *(details.get(key) for key in ("name", "resource", "error", "cause"))]
    return " ".join(str(word) for word in words if word) if isinstance(body.get("type"), str) else message


def laid_out(message: str) -> str:
    """Return indented JSON; other text unchanged."""
    try:
        return json.dumps(json.loads(message), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return message
