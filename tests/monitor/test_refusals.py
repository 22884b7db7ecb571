"""What cannot be evaluated offline says so by name, before any data is looked at; what can be, is."""

import pytest
from monitor_helpers import START, monitor

from monitoring.errors import InputError
from monitoring.monitor.evaluation import Data, evaluate_monitor
from monitoring.monitor.search import Record

REFUSED = [
    ("slo alert", 'error_budget("abc").over("7d") > 75', "cannot be evaluated offline"),
    (
        "slo alert",
        'burn_rate("abc").over("7d").long_window("1h").short_window("5m") > 14.4',
        "cannot be evaluated",
    ),
    (
        "error-tracking alert",
        'error-tracking("service:x").source("all").new().rollup("count").last("5m") > 1',
        ".source(), .new() of a search cannot be evaluated offline",
    ),
    (
        "log alert",
        'logs("x").index("main").rollup("stddev","@d").last("5m") > 3',
        "rollup('stddev') cannot be",
    ),
    (
        "log alert",
        'logs("x").index("main").rollup("latest","@d").last("5m") > 3',
        "rollup('latest') cannot be",
    ),
    ("query alert", "avg(last_5m):avg:a{*} > threshold", "a threshold that the options do not have"),
    ("query alert", "avg(last_1h):anomalies(avg:a{*}, 'basic', 2) >= 1", "not published"),
    ("query alert", "min(next_1d):forecast(avg:a{*}, 'linear', 1) <= 0", "not published"),
]


@pytest.mark.parametrize(("type", "query", "says"), REFUSED, ids=[query for _, query, _ in REFUSED])
def test_what_cannot_be_evaluated_offline_says_so(type, query, says):
    number = query.rsplit(" ", 1)[1]
    thresholds = {} if number == "threshold" else {"critical": float(number)}
    with pytest.raises(InputError) as caught:
        evaluate_monitor(monitor(query, type=type, thresholds=thresholds), Data(), START, START + 600)
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.where == "m"


@pytest.mark.parametrize(
    ("rollup", "value"),
    [
        ('"median","@d"', 3),
        ('"pc90","@d"', 4),
        ('"p90","@d"', 4),
        ('"cardinality","@d"', 4),
        ('"avg","@d"', 3.25),
        ('"max","@d"', 6),
        ('"count"', 4),
    ],
)
def test_every_aggregation_of_log_monitors_is_evaluated(rollup, value):
    records = [Record(START + 60 + at, "x", (), {"d": number}) for at, number in enumerate((0, 3, 4, 6))]
    watched = monitor(f'logs("x").index("main").rollup({rollup}).last("5m") > 99', type="log alert")
    found = evaluate_monitor(watched, Data(records=records), START, START + 300)
    assert found.verdict("*", 5).value == value
