"""Report the forwarder's own metrics, and print a summary line per invocation."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from monitoring.forwarder.stats import Tally
from monitoring.lines import Point

_PREFIX = "stepscope.forwarder."


def own_points(tally: Tally, now: float, tags: tuple[str, ...]) -> list[Point]:
    """Return the statistics as points; `docs/forwarder-metrics.md` lists them."""
    points = [
        Point(f"{_PREFIX}{name}", float(value), now, "count", (*tags, *extra))
        for name, value, extra in _counted(tally)
        if value
    ]
    if tally.oldest:
        points.append(Point(f"{_PREFIX}lag", max(0.0, now - tally.oldest), now, "distribution", tags))
    return points


def _counted(tally: Tally) -> Iterator[tuple[str, float, tuple[str, ...]]]:
    for name, value in tally.counts.items():
        yield name, value, ()
    for name, key, counter in (
        ("events", "kind", tally.events),
        ("points_late", "reason", tally.late),
        ("refused", "reason", tally.refused),
        ("retries", "reason", tally.retries),
        ("spooled", "reason", tally.spooled),
        ("bytes", "kind", tally.sent_bytes),
    ):
        for label, value in counter.items():
            yield name, value, (f"{key}:{_label(label)}",)
    for (kind, outcome), value in tally.batches.items():
        yield "batches", value, (f"kind:{kind}", f"outcome:{outcome}")


def _label(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in text.lower())[:100]


def print_summary(summary: dict[str, Any]) -> None:
    """Print the line `{"stepscope.forwarder": {…}}` with a single write."""
    sys.stdout.write(json.dumps({"stepscope.forwarder": summary}, separators=(",", ":"), default=str) + "\n")
    sys.stdout.flush()
