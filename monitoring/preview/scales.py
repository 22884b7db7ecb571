"""Compute axes: round ticks for values and times, and format numbers with their units."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MINUTE, HOUR, DAY = 60, 3600, 86400
TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(count * MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * HOUR for count in (1, 2, 3, 6, 12)),
    *(count * DAY for count in (1, 2, 7, 14, 30)),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; a scale without extent returns its start."""
        if self.high == self.low:
            return self.start
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


DURATION_STEPS = tuple(float(step) for step in TIME_STEPS if step <= DAY)
"""Steps of a second and longer; shorter steps are decimal."""


def value_ticks(low: float, high: float, count: int = 4, unit: str = "") -> list[float]:
    """Return about `count` numbers that enclose low and high, and are round in their unit."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        high, low = (low + 1, low) if math.isfinite(low) else (1.0, 0.0)
    factor, show = UNITS.get(unit, (1.0, _count))
    step = _step((high - low) / max(count, 1) * factor, show) / factor
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _step(rough: float, show: Callable[[float], str]) -> float:
    """Return the next round step: 1, 2, 2.5 or 5 times a power of ten; round bytes and times likewise."""
    if show is BYTES and rough > 512:
        return 2.0 ** math.ceil(math.log2(rough * 0.999))
    if show is TIMES and rough > 1:
        if rough <= DURATION_STEPS[-1]:
            return next(step for step in DURATION_STEPS if step >= rough * 0.999)
        return DAY * _decimal(rough / DAY)
    return _decimal(rough)


def _decimal(rough: float) -> float:
    magnitude = float(10.0 ** math.floor(math.log10(rough)))
    return next(step * magnitude for step in STEPS if step * magnitude >= rough * 0.999)


def time_ticks(start: float, end: float, count: int = 6) -> list[tuple[int, str]]:
    """Return (seconds since the epoch, label) at round UTC times, with labels as precise as the interval."""
    span = max(end - start, 1)
    step = next((size for size in TIME_STEPS if span / size <= count), TIME_STEPS[-1])
    first = math.ceil(start / step) * step
    return [(tick, time_label(tick, step)) for tick in range(int(first), int(end) + 1, step)]


def time_label(seconds: int, step: int) -> str:
    """Return `14:05`, `14:05:30`, or `Mar 3` for steps of days."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    if step >= 86400 or (step >= 3600 and seconds % 86400 == 0):
        return f"{moment:%b} {moment.day}"
    return f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"


def plain(value: float) -> str:
    """Format a number with three significant digits and without an exponent."""
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    shown = f"{value:.{min(digits, 6)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _scaled(factors: tuple[tuple[float, str], ...]) -> Callable[[float], str]:
    def show(value: float) -> str:
        for factor, suffix in factors:
            if abs(value) >= factor * 0.9995:  # what rounds to 1 s is not 1000 ms
                return plain(value / factor) + suffix
        factor, suffix = factors[-1]
        return plain(value / factor) + suffix

    return show


COUNTS = _scaled(((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")))
TIMES = _scaled(
    ((86400, " d"), (3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns"))
)
BYTES = _scaled(
    (
        *((2.0**60, " EiB"), (2.0**50, " PiB"), (2.0**40, " TiB")),
        *((2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"), (1, " B")),
    )
)
BITS = _scaled(((1e12, " Tb"), (1e9, " Gb"), (1e6, " Mb"), (1e3, " kb"), (1, " b")))


def _count(value: float) -> str:
    return COUNTS(value) if abs(value) >= 1 else plain(value)


def _percent(value: float) -> str:
    return f"{plain(value)} %"


UNITS: dict[str, tuple[float, Callable[[float], str]]] = {
    "nanosecond": (1e-9, TIMES),
    "microsecond": (1e-6, TIMES),
    "millisecond": (1e-3, TIMES),
    "second": (1.0, TIMES),
    "minute": (60.0, TIMES),
    "hour": (3600.0, TIMES),
    "day": (86400.0, TIMES),
    "week": (604800.0, TIMES),
    "bit": (1.0, BITS),
    "byte": (1.0, BYTES),
    "kilobyte": (1e3, BYTES),
    "megabyte": (1e6, BYTES),
    "gigabyte": (1e9, BYTES),
    "kibibyte": (2.0**10, BYTES),
    "mebibyte": (2.0**20, BYTES),
    "gibibyte": (2.0**30, BYTES),
    "tebibyte": (2.0**40, BYTES),
    "pebibyte": (2.0**50, BYTES),
    "exbibyte": (2.0**60, BYTES),
    "percent_nano": (1e-7, _percent),
    "percent": (1.0, _percent),
    "fraction": (100.0, _percent),
    "dollar": (1.0, lambda value: f"${plain(value)}"),
}
"""Datadog's name of a unit -> (factor, function that formats it)."""


def format_value(value: float | None, unit: str = "", precision: int | None = None) -> str:
    """Format a value in its unit, with `precision` decimals; a missing value is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    factor, show = UNITS.get(unit, (1.0, _count))
    plainly = show in {_count, _percent} and abs(value * factor) < 1000
    if plainly and precision is not None:
        return f"{value * factor:.{precision}f}{' %' if show is _percent else ''}"
    return show(value * factor) if value else show(0.0).replace("0 ns", "0").replace("0 B", "0")
