"""Series and expectations of evaluation, written short."""

import numpy as np

from monitoring.query import SeriesSource, evaluate
from monitoring.series import Series

START = 1_700_000_400
"""A time that every rollup up to 10 minutes divides."""


def series(metric="m", tags="", values=(), every=60, start=START, **rest):
    """Points of one source, `every` seconds apart; None is no point."""
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
    """Values as the points that they are: None is no point."""
    return {at * every: value for at, value in enumerate(values) if value is not None}


__all__ = ["START", "SeriesSource", "ask", "distribution", "line", "points", "row", "series"]
