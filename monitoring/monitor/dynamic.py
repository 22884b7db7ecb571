"""Evaluate dynamic thresholds: queries whose values are the thresholds of another query."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.codes import EvaluationResults, Levels, Limits
from monitoring.monitor.definition import Monitor, Thresholds
from monitoring.monitor.metric import Group, Lookup, find
from monitoring.monitor.windows import EvaluationWindow
from monitoring.query import Several, parse
from monitoring.query.monitor_nodes import UNIT_SECONDS
from monitoring.query.names import resolve
from monitoring.query.sources import as_source

if TYPE_CHECKING:
    from monitoring.query.series import Series
    from monitoring.query.sources import Source

Values = NDArray[np.float64]
Dynamic = Mapping[str, Mapping[Group, Values]]
"""critical or critical_recovery -> the tags of a group -> its threshold at every evaluation."""

NOT_DYNAMIC: Dynamic = {}
"""The thresholds of a monitor that has numbers."""

_TEXT = re.compile(
    r'\s*formula\(\s*"(?P<formula>[^"]*)"\s*\)(?:\.rollup\(\s*"(?P<aggregation>avg|sum|min|max)"\s*\))?'
    r'\.last\(\s*"(?P<count>\d+)(?P<unit>mo|[mhdw])"\s*\)\s*',
    re.DOTALL,
)


def thresholds_by_group(
    monitor: Monitor, named: Mapping[str, str], series: "Sequence[Series] | Source", lookup: Lookup
) -> Dynamic:
    """Evaluate options.thresholds.critical_query, and critical_recovery_query, at the monitor's evaluations.

    Each looks at its own window, which ends where the monitor's does. Source: the API's description of
    MonitorThresholds ("query evaluated as a dynamic threshold; cannot be combined with static thresholds").

    Raises:
        InputError: a query cannot be read, or static thresholds stand beside it.
    """
    if monitor.thresholds != Thresholds():
        hint = "remove the numbers, or critical_query"
        raise InputError("a dynamic threshold cannot be combined with static thresholds", hint=hint)
    return {
        level: _values(level, text, named, series, lookup)
        for level, text in monitor.options.threshold_queries.items()
    }


def _values(
    level: str, text: str, named: Mapping[str, str], series: "Sequence[Series] | Source", lookup: Lookup
) -> dict[Group, Values]:
    read = _TEXT.fullmatch(text)
    if read is None:
        hint = 'write formula("2 * query1").rollup("avg").last("1d")'
        raise InputError(f"options.thresholds.{level}_query cannot be read: {text!r}", hint=hint)
    query = resolve(parse(read["formula"]), read["formula"], dict(named), {})
    if isinstance(query, Several):
        raise InputError(f"options.thresholds.{level}_query is a list of queries", hint="write one formula")
    seconds = int(read["count"]) * UNIT_SECONDS[read["unit"]]
    window = EvaluationWindow(seconds, read["unit"])
    own = replace(lookup, window=window, starts=lookup.ends - seconds, full_bucket=None)
    series_by_group = find(query, read["aggregation"] or "avg", as_source(series), own)
    return {tags: line.values for tags, line in series_by_group.items()}


def limits_of(limits: Limits, dynamic: Dynamic, tags: Group, values: EvaluationResults) -> Limits:
    """Return the limits of one group; an ungrouped threshold is that of every group."""
    if not dynamic:
        return limits
    missing = np.full(len(values.values), np.nan)
    levels = {level: by_group.get(tags, by_group.get((), missing)) for level, by_group in dynamic.items()}
    return limits._replace(thresholds=Levels(**levels))


def details_of(limits: Limits) -> dict[int, str]:
    """Return the text of the evidence for each evaluation with a dynamic threshold."""
    critical: Any = limits.thresholds.critical
    if not isinstance(critical, np.ndarray):
        return {}
    parts = (
        "no value of critical_query" if np.isnan(value) else f"critical_query: {value:.12g}"
        for value in critical
    )
    return dict(enumerate(parts))
