"""`percentile(window):p95:…` compares the percentile of all values of the window, or of its points."""

from dataclasses import replace

import numpy as np
import pytest
from monitor_helpers import START

from monitoring.errors import InputError
from monitoring.monitor.metric import Lookup, find
from monitoring.monitor.switches import Switches
from monitoring.monitor.windows import EvaluationWindow, evaluation_times
from monitoring.query import parse_monitor
from monitoring.query.series import Series
from monitoring.query.sources import SeriesSource

MINUTES = np.array([0, 0, 0, 60, 120, 120], dtype=np.int64)
LATENCY = Series("d", ("g:x",), START + MINUTES, np.array([1.0, 2, 3, 50, 9, 9]), "distribution")


def values(query, switches, data=LATENCY):
    times = evaluation_times(START + 180, START + 300, 60)
    window = EvaluationWindow(180, "m")
    asked = Lookup(window, times, window.starts(times), times, switches, None, silence=False)
    monitor = parse_monitor(query)
    found = find(monitor.query, monitor.aggregation, SeriesSource([data]), asked)
    return {group: [None if np.isnan(each) else each for each in one.values] for group, one in found.items()}


def test_the_percentile_is_that_of_all_values_of_the_window():
    found = values("percentile(last_3m):p50:d{*} by {g} > 5", Switches())
    assert [each[:2] for each in found.values()] == [[3, 9]]


def test_it_is_that_of_the_points_where_the_switch_says_so():
    switches = replace(Switches(), percentile_monitor="share", monitor_bucket=60)
    found = values("percentile(last_3m):p50:d{*} by {g} > 5", switches)
    assert [each[:2] for each in found.values()] == [[9, 9]]


def test_a_percentile_of_an_average_is_refused():
    with pytest.raises(InputError, match="takes one query of a percentile"):
        values("percentile(last_3m):avg:d{*} by {g} > 5", Switches())
