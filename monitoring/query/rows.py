"""Implement the functions of single lines: changes, running sums, smoothing, trends."""

from collections.abc import Callable

import numpy as np

from monitoring.query.sources import Floats, Times

RowFunction = Callable[[Floats, Times], Floats]
"""(values[row, time], times) -> values; NaN for no value."""


def steps(values: Floats, times: Times) -> tuple[Floats, Floats]:
    """Return for every point the change and the seconds since the previous point; NaN for the first."""
    has_value = np.isfinite(values)
    place = np.where(has_value, np.arange(values.shape[1]), -1)
    before = np.maximum.accumulate(place, axis=1)
    before = np.concatenate([np.full((len(values), 1), -1), before[:, :-1]], axis=1)
    has_previous = has_value & (before >= 0)
    at = np.where(has_previous, before, 0)
    delta = np.where(has_previous, values - np.take_along_axis(values, at, axis=1), np.nan)
    seconds = np.where(has_previous, times[None, :] - times[at], np.nan).astype(np.float64)
    return delta, seconds


def changes(per: float | None, negative: str) -> RowFunction:
    """Return a function for diff (`per` None), or for the change per `per` seconds."""

    def change(values: Floats, times: Times) -> Floats:
        if not values.size:
            return values
        delta, seconds = steps(values, times)
        if negative != "keep":
            delta = np.where(delta < 0, np.nan if negative == "drop" else 0.0, delta)
        return delta if per is None else delta / seconds * per

    return change


def cumulative(values: Floats, times: Times) -> Floats:
    """Return the running sum; NaN where a point is missing."""
    return np.where(np.isfinite(values), np.nancumsum(values, axis=1), np.nan)


def integral(of: str) -> RowFunction:
    """Return a function for the running sum of seconds times the change of the value, or times the value."""

    def run(values: Floats, times: Times) -> Floats:
        if not values.size:
            return values
        delta, seconds = steps(values, times)
        return cumulative(
            np.where(
                np.isfinite(values), np.nan_to_num(seconds * (delta if of == "delta" else values)), np.nan
            ),
            times,
        )

    return run


def by_points(function: Callable[[Floats], Floats]) -> RowFunction:
    """Convert a function of the points of a line, without gaps, to a function of rows."""

    def run(values: Floats, times: Times) -> Floats:
        result = np.full(values.shape, np.nan)
        for row, line in enumerate(values):
            has_value = np.isfinite(line)
            if has_value.any():
                result[row, has_value] = function(line[has_value])
        return result

    return run


def ewma(span: int) -> RowFunction:
    """Return a function for y = a x + (1 - a) y, a = 2 / (span + 1), from the first point on."""

    def run(points: Floats) -> Floats:
        share = 2 / (span + 1)
        result = points.copy()
        for at in range(1, len(points)):
            result[at] = share * points[at] + (1 - share) * result[at - 1]
        return result

    return by_points(run)


def trailing(span: int, reducer: Callable[[Floats], float]) -> RowFunction:
    """Return a function that aggregates the last `span` points, including the present one."""
    return by_points(
        lambda points: np.array(
            [reducer(points[max(0, at + 1 - span) : at + 1]) for at in range(len(points))]
        )
    )


def trend_line(values: Floats, times: Times) -> Floats:
    """Return the linear regression of the points by least squares."""
    return _fitted(values, times, lambda x, y: _line(x, y, np.ones(len(x))))


def robust_trend(values: Floats, times: Times) -> Floats:
    """Return the linear regression by Huber loss (threshold: 1.345 scales of the residuals)."""

    def fit(x: Floats, y: Floats) -> Floats:
        line = _line(x, y, np.ones(len(x)))
        for _ in range(50):
            away = np.abs(y - line)
            bound = max(1.345 * 1.4826 * float(np.median(away)), 1e-12)
            line = _line(x, y, np.minimum(1.0, bound / np.maximum(away, 1e-12)))
        return line

    return _fitted(values, times, fit)


def _fitted(values: Floats, times: Times, fit: Callable[[Floats, Floats], Floats]) -> Floats:
    result = np.full(values.shape, np.nan)
    for row, line in enumerate(values):
        has_value = np.isfinite(line)
        if has_value.any():
            result[row, has_value] = fit((times[has_value] - times[0]).astype(np.float64), line[has_value])
    return result


def _line(x: Floats, y: Floats, weight: Floats) -> Floats:
    middle_x, middle_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = (weight * (x - middle_x) ** 2).sum()
    slope = (weight * (x - middle_x) * (y - middle_y)).sum() / spread if spread else 0.0
    line: Floats = middle_y + slope * (x - middle_x)
    return line


def autosmooth(points: Floats) -> Floats:
    """Return the smoothest moving average, over at most a tenth of the points, that preserves outliers.

    Smoothest means the smallest deviation of the differences; outliers are preserved if the kurtosis is not
    lower. Source: ASAP (Rong and Bailis, 2017), here with an exhaustive search.
    """
    best, roughness, wanted = (
        points,
        float(np.std(np.diff(points))) if len(points) > 1 else 0.0,
        _kurtosis(points),
    )
    for width in range(2, max(2, len(points) // 10) + 1):
        smooth = np.convolve(points, np.ones(width) / width, mode="valid")
        rough = float(np.std(np.diff(smooth))) if len(smooth) > 1 else roughness
        if rough < roughness and _kurtosis(smooth) >= wanted:
            best, roughness = np.concatenate([np.full(width - 1, np.nan), smooth]), rough
    return best


def _kurtosis(points: Floats) -> float:
    away = points - points.mean()
    variance = float((away**2).mean())
    return float((away**4).mean()) / variance**2 if variance else float("inf")
