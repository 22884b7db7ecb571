"""Compute thresholds from the measured durations of functions and executions."""

import math
from collections import defaultdict
from pathlib import Path

from monitoring.errors import InputError

SPARE = 1.5
"""Factor of the measured 95th percentile; slower invocations should be investigated."""

FEWEST = 10
"""The smallest number of values for a meaningful percentile."""

_DURATIONS = (
    ("aws.lambda.enhanced.duration", "functionname", 1e3),
    ("aws.states.enhanced.execution.execution_time", "statemachinename", 1e-6),
)
"""Metric, the tag with the name, and the factor to milliseconds."""


def read_measured(path: Path) -> dict[str, dict[str, int]]:
    """Return name of a function or state machine -> values for its monitors: `slow_ms`.

    Args:
        path: the database that `stepscope up`, `demo --keep` or `serve` left, or the folder with it.

    Raises:
        InputError: there is none.
    """
    from monitoring.store import Store

    database = path / "datadog.duckdb" if path.is_dir() else path
    if not database.is_file():
        raise InputError(
            "there is no such database", where=str(database), hint="Make one: stepscope demo --keep DIR."
        )
    values: dict[str, list[float]] = defaultdict(list)
    with Store.open(database, read_only=True) as store:
        for metric, key, factor in _DURATIONS:
            for series in store.series(metric):
                names = [tag.partition(":")[2] for tag in series.tags if tag.startswith(f"{key}:")]
                for name in names:
                    values[name] += [float(value) * factor for value in series.values]
    return {name: {"slow_ms": _slow(own)} for name, own in values.items() if len(own) >= FEWEST}


def _slow(milliseconds: list[float]) -> int:
    """Return the 95th percentile times the factor, at least a second."""
    ordered = sorted(milliseconds)
    return max(1000, math.ceil(ordered[math.ceil(0.95 * len(ordered)) - 1] * SPARE))
