"""A reader of printed lines, written from the specification alone; it shares no code with `monitoring`.

It is strict: it takes the canonical forms only, and raises AssertionError on anything that departs from them.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_EVENT = 256 * 1024  # CloudWatch splits or drops what is longer


@dataclass(frozen=True)
class PrintedPoint:
    """One MONITORING line, as printed: the value is exact."""

    metric: str
    value: Decimal
    timestamp: int
    type: str
    tags: tuple[str, ...]


def printed_point(line: str) -> PrintedPoint:
    """The point of one canonical MONITORING line (without its newline)."""
    fields = line.split("|")
    assert len(fields) == 6, f"six fields, not {len(fields)}: {line!r}"
    word, seconds, value, kind, metric, tags = fields
    assert word == "MONITORING", line
    assert seconds.isascii() and seconds.isdecimal() and len(seconds) <= 11, f"whole seconds: {line!r}"
    assert "e" not in value.lower() and Decimal(value).is_finite(), f"a plain decimal: {line!r}"
    assert kind in {"count", "gauge", "histogram", "check"}, f"a published type: {line!r}"
    check_name(metric)
    assert tags == "" or tags.startswith("#"), f"tags are introduced by '#': {line!r}"
    found = tuple(tags[1:].split(",")) if tags else ()
    for tag in found:
        check_tag(tag)
    return PrintedPoint(metric, Decimal(value), int(seconds), kind, found)


def check_name(name: str) -> None:
    assert name[:1].isalpha() and len(name) <= 200, f"metric name {name!r}"
    assert all(c.isascii() and (c.isalnum() or c in "_.") for c in name), f"metric name {name!r}"


def check_tag(tag: str) -> None:
    assert tag[:1].isalpha() and len(tag) <= 200, f"tag {tag!r}"
    assert tag == tag.lower(), f"tag {tag!r} is lower case"
    assert all(c.isalpha() or c.isdecimal() or c in "_-:./" for c in tag), f"tag {tag!r}"


def printed_spans(line: str) -> list[dict[str, Any]]:
    """The spans of one trace line; every hard rule of the line is checked."""
    assert len(line.encode()) < MAX_EVENT, "a line under 256 KB"
    body = json.loads(line, parse_constant=_no_constant)
    assert set(body) == {"traces"}, sorted(body)
    spans = [span for trace in body["traces"] for span in trace]
    assert spans, "a trace line holds spans"
    for span in spans:
        check_span(span)
    return spans


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} has no place in a trace line")


def check_span(span: dict[str, Any]) -> None:
    for key in ("trace_id", "span_id", "parent_id"):
        assert isinstance(span[key], str) and len(span[key]) == 16 and int(span[key], 16) >= 0, (key, span)
        assert span[key] == span[key].lower()
    for key in ("start", "duration", "error"):
        assert type(span[key]) is int and span[key] >= 0, (key, span)
    assert span["error"] in {0, 1}
    for key in ("name", "service", "resource", "type"):
        assert isinstance(span[key], str), (key, span)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in span["meta"].items()), span
    assert all(type(value) in {int, float} for value in span.get("metrics", {}).values()), span


def read_output(text: str) -> tuple[list[PrintedPoint], list[list[dict[str, Any]]], list[str]]:
    """Points, span lists (one a trace line) and all other lines of what was printed."""
    points, traces, others = [], [], []
    for line in text.splitlines():
        if line.startswith("MONITORING|"):
            points.append(printed_point(line))
        elif line.startswith('{"traces":'):
            traces.append(printed_spans(line))
        else:
            others.append(line)
    return points, traces, others
