"""A dashboard of fifty widgets over a day of stored points: as a page, as SVG, as PNG; against the bare queries."""

import tempfile
import time
from pathlib import Path
from typing import Any

from measure import is_quick, timed

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

METRICS = (
    "aws.lambda.duration",
    "aws.lambda.duration.maximum",
    "aws.lambda.iterator_age",
    "aws.lambda.duration.p95",
)


def query(number: int) -> str:
    """One of a few metrics, by function."""
    return f"avg:{METRICS[number % len(METRICS)]}{{*}} by {{functionname}}"


def dashboard(size: int) -> dict[str, Any]:
    """Return time series of four lines each."""
    widgets = [
        {"definition": {"type": "timeseries", "title": f"Widget {n}", "requests": [{"q": query(n)}]}}
        for n in range(size)
    ]
    return {"title": "Fifty", "layout_type": "ordered", "widgets": widgets}


def main() -> None:
    """Print the table."""
    size, rounds = (3, 1) if is_quick(__doc__) else (50, 5)
    body = dashboard(size)
    end = int(time.time()) // 60 * 60
    window = (end - 86400, end)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "d.duckdb")) as store:
        series = sample(body, *window, known_metrics())
        store.add_points(series)
        store.flush()
        source = StoreSource(store)
        bare = timed(lambda: [evaluate(query(n), source, *window) for n in range(size)], rounds).clock
        page = timed(lambda: dashboard_page(body, prepared(body, data_of(source, window))), rounds).clock
        board = Resource("dashboard", "board", body)
        drawn = timed(lambda: draw(board, source, window, Monitors()), rounds).clock
        picture = draw(board, source, window, Monitors())
        png = timed(lambda: as_png(picture), rounds).clock
    points = sum(len(one.times) for one in series)
    print(f"{size} widgets over a day, {points:,} points stored")
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
