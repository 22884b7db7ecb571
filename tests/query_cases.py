"""Series and expectations of evaluation, written short."""

import numpy as np
import pytest

from monitoring.query import SeriesSource, evaluate
from monitoring.query.series import Series

START = 1_700_000_400
"""A time that every rollup up to 10 minutes divides."""


def series(metric="m", tags="", values=(), every=60, start=START, **rest):
    """Points of one source, `every` seconds apart; None is not a point."""
    points = [(start + at * every, value) for at, value in enumerate(values) if value is not None]
    return Series(
        metric,
        tuple(tags.split()),
        np.array([time for time, _ in points], dtype=np.int64),
        np.array([value for _, value in points], dtype=np.float64),
        **rest,
    )


def distribution(metric, tags, values, time=START):
    """All of the values of a distribution at one time."""
    times = np.full(len(values), time, dtype=np.int64)
    return Series(metric, tuple(tags.split()), times, np.array(values, dtype=np.float64), "distribution")


def points(answer, start=START):
    """An answer as {seconds after the start: value}."""
    return {
        int(time) - start: round(float(value), 9)
        for time, value in zip(answer.times, answer.values, strict=True)
    }


def ask(query, data, seconds=300, interval=60, start=START, **rest):
    """The answers of a window from the start, as {group tags: points}."""
    found = evaluate(query, data, start, start + seconds - 1, interval, **rest)
    return {" ".join(answer.tag_set): points(answer, start) for answer in found}


def line(query, data, seconds=300, interval=60, start=START, **rest):
    """The points of the one line that the query answers."""
    found = ask(query, data, seconds, interval, start, **rest)
    assert len(found) <= 1, found
    return next(iter(found.values()), {})


def row(values, every=60):
    """Values as the points that they are: None is not a point."""
    return {at * every: value for at, value in enumerate(values) if value is not None}


def wanted(expected):
    """The expectation as what `ask` gives."""
    return {
        tags: {time: pytest.approx(value, abs=1e-8) for time, value in row(values).items()}
        for tags, values in expected.items()
    }


_ = None
GAUGE = [series(values=[1, 2, _, 4, -8])]
COUNTER = [series(values=[10, 14, _, 20, 5])]
HOSTS = [
    series(tags="host:a env:prod", values=[1, 2, 3, 4, 5]),
    series(tags="host:b env:prod", values=[10, 20, 30, 40, 50]),
    series(tags="host:c env:dev", values=[100, 0, _, _, 0]),
]
COUNTS = [series("c", values=[6, _, 12, 0, 6], type="count", interval=60)]
RATES = [series("r", values=[0.5, 1, _, 0.25, 2], type="rate", interval=10, every=60)]
SPREAD = [distribution("d", "host:a", [1, 2, 3, 4]), distribution("d", "host:b", [5, 5, 5, 9])]

__all__ = [
    "COUNTER",
    "COUNTS",
    "GAUGE",
    "HOSTS",
    "RATES",
    "SPREAD",
    "START",
    "SeriesSource",
    "ask",
    "distribution",
    "line",
    "points",
    "row",
    "series",
    "wanted",
]
