"""A dashboard of fifty widgets over a day of stored points: as a page, as SVG, as PNG; against the bare queries."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitoring.preview.monitors import Monitors
from monitoring.preview.page import dashboard_page
from monitoring.preview.picture import as_png, prepared
from monitoring.preview.render import data_of, draw
from monitoring.preview.sample import sample
from monitoring.query import evaluate
from monitoring.resources.catalogue import known_metrics
from monitoring.resources.resource import Resource
from monitoring.store import Store
from monitoring.store.query_source import StoreSource

WIDGETS = 50
METRICS = (
    "aws.lambda.duration",
    "aws.lambda.duration.maximum",
    "aws.lambda.iterator_age",
    "aws.lambda.duration.p95",
)


def query(number: int) -> str:
    """One of a few metrics, by function."""
    return f"avg:{METRICS[number % len(METRICS)]}{{*}} by {{functionname}}"


def dashboard() -> dict[str, Any]:
    """Fifty time series of four lines each."""
    widgets = [
        {"definition": {"type": "timeseries", "title": f"Widget {n}", "requests": [{"q": query(n)}]}}
        for n in range(WIDGETS)
    ]
    return {"title": "Fifty", "layout_type": "ordered", "widgets": widgets}


def timed(act: Callable[[], Any], rounds: int = 5) -> tuple[float, Any]:
    """The median of several rounds, in seconds, and what the act gave."""
    taken, found = [], None
    for _ in range(rounds):
        began = time.perf_counter()
        found = act()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[rounds // 2], found


def main() -> None:
    """Print the table."""
    body = dashboard()
    end = int(time.time()) // 60 * 60
    window = (end - 86400, end)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "d.duckdb")) as store:
        series = sample(body, *window, known_metrics())
        store.add_points(series)
        store.flush()
        source = StoreSource(store)
        bare, _ = timed(lambda: [evaluate(query(n), source, *window) for n in range(WIDGETS)])
        page, _ = timed(lambda: dashboard_page(body, prepared(body, data_of(source, window))))
        drawn, picture = timed(lambda: draw(Resource("dashboard", "fifty", body), source, window, Monitors()))
        png, _ = timed(lambda: as_png(picture), 3)
    points = sum(len(one.times) for one in series)
    print(f"{WIDGETS} widgets over a day, {points:,} points stored")
    rows = (
        ("the bare queries", bare),
        ("as a page", page),
        ("as SVG", drawn),
        ("as PNG, SVG included", drawn + png),
    )
    for name, seconds in rows:
        print(f"  {name:<24}{seconds:6.2f} s   {seconds / bare:5.2f} x")


if __name__ == "__main__":
    main()
