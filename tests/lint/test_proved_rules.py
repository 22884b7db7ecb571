"""A rule about what a monitor does speaks only where the evaluator shows it, with a case that runs."""

import json

import pytest

from monitoring.cli import main
from monitoring.lint.engine import lint_text

STARTED = "sum:aws.states.executions_started{*} by {statemachinearn}.as_count()"
ORDERS = "sum:shop.orders{*} by {region}.as_count()"


def findings(query, rule="never-fires", **options):
    critical = float(query.rsplit(" ", 1)[1])
    body = {"name": "m", "type": "query alert", "query": query, "message": "@a"}
    body["options"] = {"thresholds": {"critical": critical}, **options}
    return lint_text("monitors/m.json", json.dumps(body), frozenset({rule})).findings


def passes(case, count, tmp_path, capsys):
    path = tmp_path / "shown.test.yaml"
    path.write_text(case)
    with pytest.raises(SystemExit) as stopped:
        main(["test", str(path)])
    assert f"{count} passed" in capsys.readouterr().out
    assert not stopped.value.code


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        # of AWS a count is never 0, so that only fewer than the threshold can alert
        (f"sum(last_1h):{STARTED} < 1", {}, "never"),
        (f"sum(last_1h):{STARTED} <= 0", {}, "never"),
        (f"sum(last_1h):{STARTED} < 2", {}, "alerts while it is low"),
        (f"sum(last_1h):{STARTED} < 100", {}, "alerts while it is low"),
        (f"sum(last_1h):{STARTED} < 1", {"on_missing_data": "resolve"}, "never"),
        (f"sum(last_1h):{STARTED} < 1", {"on_missing_data": "default"}, None),
        (f"sum(last_1h):{STARTED} < 1", {"notify_no_data": True}, None),
        (f"sum(last_1h):default_zero({STARTED}) < 1", {}, None),
        (f"sum(last_1h):default_zero({STARTED}) + 5 < 1", {}, "never"),
        # a metric of one's own may be sent as 0
        (f"sum(last_10m):{ORDERS} < 1", {}, "alerts while it is low"),
        (f"sum(last_10m):{ORDERS} < 10", {}, "alerts while it is low"),
        (f"sum(last_10m):{ORDERS} < 0", {}, "never"),
        (f"sum(last_10m):{ORDERS} > 10", {}, None),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 100", {}, "never"),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 99", {}, None),
        ("sum(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 100", {}, None),
        (
            "avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*}.rollup(sum, 600) > 100",
            {},
            None,
        ),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) > 1", {}, "never"),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) >= 1", {}, None),
    ],
)
def test_a_monitor_is_called_dead_only_if_no_series_alerts(query, options, words):
    found = findings(query, **options)
    assert [words in finding.message for finding in found] == [True] * bool(words)
    assert all(finding.severity == "warning" for finding in found)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"sum(last_1h):{STARTED} < 1", "never alerts"),
        (f"sum(last_10m):{ORDERS} < 10", "alerts while it is low"),
    ],
)
def test_the_case_of_a_finding_is_a_test_that_passes(query, said, tmp_path, capsys):
    (finding,) = findings(query)
    assert said in finding.message
    passes(finding.case, 1, tmp_path, capsys)


DURATION = "avg:aws.lambda.duration{*} by {functionname}"


@pytest.mark.parametrize(
    ("query", "options", "speaks"),
    [
        (f"sum(last_1h):{STARTED} < 1", {"notify_no_data": True}, True),
        (f"avg(last_15m):{DURATION} > 5000", {"notify_no_data": True}, True),
        (f"avg(last_15m):{DURATION} > 5000", {"on_missing_data": "show_and_notify_no_data"}, True),
        # a function that is silent for longer than the test can look is not notified by then
        (f"avg(last_15m):{DURATION} > 5000", {"notify_no_data": True, "no_data_timeframe": 1440}, False),
        # silence is 0, and 0 is evaluated
        (f"sum(last_15m):default_zero({STARTED}) < 1", {"notify_no_data": True}, False),
        (f"avg(last_15m):{DURATION} > 5000", {"on_missing_data": "show_no_data"}, False),
        (f"avg(last_15m):{ORDERS} > 5000", {"notify_no_data": True}, False),
    ],
)
def test_a_monitor_pages_when_idle_only_if_the_evaluator_notifies(query, options, speaks, tmp_path, capsys):
    found = findings(query, rule="pages-when-idle", **options)
    assert bool(found) == speaks
    if speaks:
        passes(found[0].case, 1, tmp_path, capsys)


FAILED = "aws.states.executions_failed"
EVENTS = "sum:shop.orders{*}.as_count()"
ALL = "sum:shop.requests{*}.as_count()"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        # the average of a bucket is not the number of the window
        (f"avg(last_15m):{EVENTS} > 3", 1),
        (f"max(last_15m):{EVENTS} > 3", 1),
        (f"min(last_15m):sum:{FAILED}{{*}} by {{statemachinearn}}.as_count() > 3", 1),
        (f"sum(last_15m):{EVENTS} > 3", 0),
        # one bucket is the whole window: the evaluator comes to the same
        (f"avg(last_15m):{EVENTS[:-1]}.rollup(sum, 900) > 3".replace("as_count(.", "as_count()."), 0),
        ("avg(last_15m):sum:shop.orders{*}.as_rate() > 3", 0),
        ("avg(last_2d):sum:shop.orders{*}.as_count() > 3", 0),
        # of two sources, and over a day
        (f"sum(last_15m):avg:{FAILED}{{*}}.as_count() > 3", 1),
        (f"sum(last_15m):{FAILED}{{*}} > 3", 1),
        (f"sum(last_15m):sum:{FAILED}{{*}} > 3", 1),
        (f"sum(last_15m):sum:{FAILED}{{*}}.rollup(sum, 60) > 3", 0),
        (f"sum(last_15m):sum:{FAILED}{{*}}.as_count() > 3", 0),
        (f"avg(last_15m):avg:{FAILED}{{*}} > 3", 2),
    ],
)
def test_a_count_is_called_averaged_only_if_the_sum_is_another_value(query, count, tmp_path, capsys):
    found = findings(query, rule="count-with-avg")
    assert len(found) == count
    for finding in found:
        passes(finding.case, 2, tmp_path, capsys)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (f"avg(last_15m):default_zero({EVENTS}) / {ALL} > 3", 1),
        (f"avg(last_15m):100 * (default_zero({EVENTS}) / {ALL}) > 3", 1),
        (f"avg(last_15m):{EVENTS} / default_zero({ALL}) > 3", 1),
        (f"avg(last_15m):default_zero({EVENTS}) / (default_zero({ALL}) + {ALL}) > 3", 2),
        (f"avg(last_15m):default_zero(default_zero({EVENTS})) / {ALL} > 3", 2),
        # the value is the same, whichever path is taken
        (f"avg(last_15m):default_zero({EVENTS}) / default_zero({ALL}) > 3", 0),
        (f"sum(last_15m):default_zero({EVENTS}) / {ALL} > 3", 0),
        (f"avg(last_15m):default_zero({EVENTS} / {ALL}) > 3", 0),
        (f"avg(last_15m):default_zero({EVENTS}) > 3", 0),
        (f"avg(last_15m):{EVENTS} / {ALL} > 3", 0),
    ],
)
def test_default_zero_is_named_only_if_the_ratio_is_another_without_it(query, count, tmp_path, capsys):
    found = findings(query, rule="default-zero-ratio")
    assert len(found) == count
    for finding in found:
        passes(finding.case, 2, tmp_path, capsys)


@pytest.mark.parametrize(
    ("operator", "thresholds", "count"),
    [
        (">", {"critical": 5, "critical_recovery": 8}, 1),
        (">=", {"critical": 5, "critical_recovery": 5.5}, 1),
        ("<", {"critical": 5, "critical_recovery": 2}, 1),
        ("<=", {"critical": 5, "critical_recovery": -2.5}, 1),
        (">", {"critical": 5, "warning": 3, "warning_recovery": 4}, 1),
        (">", {"critical": 5, "warning": 3, "warning_recovery": 4, "critical_recovery": 6}, 2),
        (">", {"critical": 5, "critical_recovery": 5}, 0),
        (">=", {"critical": 5, "critical_recovery": 5}, 0),
        ("<", {"critical": 5, "critical_recovery": 7}, 0),
    ],
)
@pytest.mark.parametrize(
    "asked", ["avg(last_5m):avg:system.load.1{*}", 'logs("*").rollup("count").last("5m")']
)
def test_an_overlap_is_shown_by_a_value_at_which_both_hold(
    operator, thresholds, count, asked, tmp_path, capsys
):
    body = {"name": "m", "type": "query alert" if "load" in asked else "log alert", "message": "@a"}
    body |= {"query": f"{asked} {operator} 5", "options": {"thresholds": thresholds}}
    found = lint_text("monitors/m.json", json.dumps(body), frozenset({"recovery-overlap"})).findings
    assert len(found) == count
    for finding in found:
        passes(finding.case, 2, tmp_path, capsys)


def test_a_dashboard_shows_a_case_too(tmp_path, capsys):
    widget = {"definition": {"type": "timeseries", "requests": [{"q": f"sum:{FAILED}{{$env}} by {{a}}"}]}}
    body = {"title": "A", "layout_type": "ordered", "widgets": [widget]}
    (finding,) = lint_text("dashboards/m.json", json.dumps(body), frozenset({"count-with-avg"})).findings
    passes(finding.case, 2, tmp_path, capsys)
