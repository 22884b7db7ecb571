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


@pytest.mark.parametrize(
    ("query", "options", "severity"),
    [
        # of AWS a count is never 0, so that only fewer than the threshold can alert
        (f"sum(last_1h):{STARTED} < 1", {}, "error"),
        (f"sum(last_1h):{STARTED} <= 0", {}, "error"),
        (f"sum(last_1h):{STARTED} < 2", {}, "warning"),
        (f"sum(last_1h):{STARTED} < 100", {}, "warning"),
        (f"sum(last_1h):{STARTED} < 1", {"on_missing_data": "resolve"}, "error"),
        (f"sum(last_1h):{STARTED} < 1", {"on_missing_data": "default"}, None),
        (f"sum(last_1h):{STARTED} < 1", {"notify_no_data": True}, None),
        (f"sum(last_1h):default_zero({STARTED}) < 1", {}, None),
        (f"sum(last_1h):default_zero({STARTED}) + 5 < 1", {}, "error"),
        # a metric of one's own may be sent as 0
        (f"sum(last_10m):{ORDERS} < 1", {}, "warning"),
        (f"sum(last_10m):{ORDERS} < 10", {}, "warning"),
        (f"sum(last_10m):{ORDERS} < 0", {}, "error"),
        (f"sum(last_10m):{ORDERS} > 10", {}, None),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 100", {}, "error"),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 99", {}, None),
        ("sum(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 100", {}, None),
        (
            "avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*}.rollup(sum, 600) > 100",
            {},
            None,
        ),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) > 1", {}, "error"),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) >= 1", {}, None),
    ],
)
def test_a_monitor_is_called_dead_only_if_no_series_alerts(query, options, severity):
    assert [finding.severity for finding in findings(query, **options)] == [severity] * bool(severity)


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
    path = tmp_path / "never.test.yaml"
    path.write_text(finding.case)
    with pytest.raises(SystemExit) as stopped:
        main(["test", str(path)])
    assert "1 passed" in capsys.readouterr().out
    assert not stopped.value.code


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
        path = tmp_path / "idle.test.yaml"
        path.write_text(found[0].case)
        with pytest.raises(SystemExit) as stopped:
            main(["test", str(path)])
        assert "1 passed" in capsys.readouterr().out
        assert not stopped.value.code
