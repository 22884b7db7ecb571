"""Whole cases: what passes, what fails and how it is explained, and what is an error."""

import json
import textwrap

import pytest

from monitoring.testing import Folder, explain, loads, run_case

BODY = {
    "type": "query alert",
    "name": "failed on {{statemachinearn.name}}",
    "query": "sum(last_5m):sum:failed{env:prod} by {statemachinearn}.as_count() > 0",
    "message": "{{#is_alert}}{{statemachinearn.name}} failed {{value}} times @pagerduty-x{{/is_alert}}"
    "{{#is_recovery}}fine again @slack-y{{/is_recovery}}",
    "options": {"thresholds": {"critical": 0}, "on_missing_data": "default"},
}
SERIES = """\
start: 2026-03-01T00:00:00Z
series:
  - metric: failed
    type: count
    tags: [statemachinearn:slides, env:prod]
    values: 0x9 3 0x19
expect:
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "failed.json").write_text(json.dumps(BODY))
    return Folder(tmp_path)


def run(folder, expect, series=SERIES, key="failed"):
    (case,) = loads(series + textwrap.indent(textwrap.dedent(expect), "  "), "failed.test.yaml", key)
    return run_case(case, folder)


HOLDS = [
    "- at: 10m\n  state: OK",
    "- at: 11m\n  state: Alert\n  value: 3\n  notified: true\n  rule: critical",
    "- at: 11m\n  message: slides failed 3.0 times\n  title: '[Triggered on {statemachinearn:slides}] failed on slides'",
    "- at: 11m..15m\n  state: Alert\n  handles: [pagerduty-x]",
    "- at: 16m\n  state: OK\n  handles: ['@slack-y']\n  not_message: failed",
    "- at: 12m\n  notified: false",
    "- at: 0m\n  state: absent",
    "- alerts_within: 1m\n  of: 10m",
    "- recovers_by: 16m",
    "- never: Warn",
    "- never: Alert\n  to: 10m",
    "- always: OK\n  to: 10m",
    "- always: Alert\n  from: 11m\n  to: 15m\n  group: statemachinearn:slides",
    "- notifications: 2",
    "- notifications: 1\n  of: recovery",
]


@pytest.mark.parametrize("expect", HOLDS)
def test_an_expectation_that_holds_passes(folder, expect):
    result = run(folder, expect)
    assert explain(result) == ""
    assert result.status == "passed"


FAILS = [
    ("- at: 11m\n  state: OK", "expected  OK at 11m of statemachinearn:slides", "got       Alert"),
    ("- at: 11m\n  value: 4", "value 4", "value 3"),
    ("- at: 11m\n  message: eight", "a message with 'eight'", "slides failed 3.0 times"),
    ("- at: 11m\n  handles: [slack-y]", "handles @slack-y", "handles @pagerduty-x"),
    ("- at: 12m\n  notified: true", "a notification at 12m", "none"),
    ("- never: Alert", "never Alert", "Alert at 11m"),
    ("- always: OK", "always OK", "Alert at 11m"),
    ("- alerts_within: 5m\n  of: 2m", "within 5m of 2m", "only at 11m"),
    ("- alerts_within: 5m\n  of: 12m", "within 5m of 12m", "already at 12m"),
    ("- warns_within: 5m\n  of: 2m", "Warn", "never after"),
    ("- recovers_by: 12m", "recovery", "Alert at 12m"),
    ("- recovers_by: 5m", "recovery", "never in Warn, Alert or No Data"),
    ("- notifications: 1", "1 notifications", "2: 11m alert; 16m recovery"),
]


@pytest.mark.parametrize(("expect", "expected", "got"), FAILS)
def test_an_expectation_that_does_not_hold_is_explained_with_its_place(folder, expect, expected, got):
    result = run(folder, expect)
    assert result.status == "failed"
    report = explain(result)
    assert report.startswith("FAILED failed.test.yaml:8:5")
    assert expected in report
    assert got in report


def test_a_failure_shows_the_evidence_and_the_values_around_it(folder):
    report = explain(run(folder, "- at: 12m\n  state: OK"))
    assert "critical threshold: 3 in the window 7m to 12m" in report
    assert "state" in report
    assert "AAAAA" in report


ERRORS = [
    ("- at: 11m\n  group: statemachinearn:slide\n  state: OK", {}, "never exists", "statemachinearn:slides"),
    (
        "- {at: 2h, state: OK}",
        {"start:": "until: 1h\nstart:"},
        "the case ends at 1h, before 2h",
        "write until: 2h",
    ),
    (
        "- {alerts_within: 2h, of: 10m}",
        {"start:": "until: 1h\nstart:"},
        "ends at 1h, before 2h10m",
        "until: 2h10m",
    ),
    ("- {never: Alert, from: 3h}", {}, "the case ends at 31m, before 3h", "write until: 3h"),
    ("- {never: Alert, from: 9m, to: 5m}", {}, "nothing is evaluated from 9m to 5m", "other moments"),
    ("- {always: OK, to: 0m}", {}, "nothing is evaluated from 0m to 0m", "other moments"),
    ("- never: Warn", {"start:": "members: {1: failed}\nstart:"}, "members is for composites", "remove"),
    ("- never: Warn", {"start:": "stand_in: {anomalies: x}\nstart:"}, "has no anomalies()", "remove"),
    ("- never: Alert", {"metric: failed": "metric: faild"}, "never looks at the metric 'faild'", "failed"),
    ("- never: Alert", {"env:prod": "env:dev"}, "no group is ever evaluated", "statemachinearn"),
]


@pytest.mark.parametrize(("expect", "change", "says", "hint"), ERRORS)
def test_a_case_that_would_test_nothing_is_an_error(folder, expect, change, says, hint):
    series = SERIES
    for before, after in change.items():
        series = series.replace(before, after)
    result = run(folder, expect, series)
    assert result.status == "error"
    assert says in result.problems[0].message
    assert hint in result.problems[0].hint


def test_an_unknown_monitor_is_an_error_with_the_nearest_name(folder):
    result = run(folder, "- never: Alert", key="faild")
    assert result.status == "error"
    assert "did you mean failed" in result.problems[0].hint


def test_a_threshold_in_the_query_but_not_in_the_options_is_an_error(tmp_path):
    body = {**BODY, "options": {}}
    (tmp_path / "failed.json").write_text(json.dumps(body))
    result = run(Folder(tmp_path), "- never: Alert")
    assert result.status == "error"
    assert "options.thresholds has no critical" in result.problems[0].message
    assert '"critical": 0' in result.problems[0].hint


def test_several_groups_have_to_be_told_apart(folder):
    other = (
        "  - {metric: failed, type: count, tags: [statemachinearn:other, env:prod], values: 0x20}\nexpect:\n"
    )
    result = run(folder, "- at: 11m\n  state: Alert", SERIES.replace("expect:\n", other))
    assert "which one is meant" in result.problems[0].message


def test_anomalies_are_evaluated_only_by_a_stand_in_that_is_named(tmp_path):
    query = "avg(last_1h):anomalies(avg:a{*}, 'basic', 2, direction='above', alert_window='last_5m') >= 1"
    body = {"type": "query alert", "query": query, "options": {"thresholds": {"critical": 1}}}
    (tmp_path / "odd.json").write_text(json.dumps(body))
    series = "series: [{metric: a, values: (1 2)x30 50x9}]\n"
    expect = "expect:\n"
    refused = run(Folder(tmp_path), "- at: 66m\n  state: Alert", series + expect, "odd")
    assert "cannot be evaluated offline" in refused.problems[0].message
    named = series + "stand_in: {anomalies: median-band}\n" + expect
    assert run(Folder(tmp_path), "- at: 66m\n  state: Alert\n- at: 50m\n  state: OK", named, "odd").passed


def test_a_composite_sees_its_members(tmp_path):
    for name, metric in (("one", "a"), ("two", "b")):
        body = {
            "type": "query alert",
            "query": f"avg(last_5m):avg:{metric}{{*}} > 1",
            "options": {"thresholds": {"critical": 1}},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    both = {"type": "composite", "query": "1 && 2", "name": "both", "message": "both @slack-y"}
    keyed = {**both, "query": "${monitor:one} && !${monitor:two}"}
    (tmp_path / "both.json").write_text(json.dumps(both))
    (tmp_path / "keyed.json").write_text(json.dumps(keyed))
    series = "series: [{metric: a, values: 0x9 5x20}, {metric: b, values: 0x19 5x10}]\n"
    members = "members: {1: one, 2: two}\n"
    found = run(
        Folder(tmp_path),
        "- at: 15m\n  state: OK\n- alerts_within: 5m\n  of: 20m\n- at: 25m\n  handles: [slack-y]",
        series + members + "expect:\n",
        "both",
    )
    assert explain(found) == ""
    keyed_found = run(
        Folder(tmp_path), "- at: 15m\n  state: Alert\n- recovers_by: 26m", series + "expect:\n", "keyed"
    )
    assert explain(keyed_found) == ""


def test_a_downtime_holds_the_notification_back_until_it_is_over(folder):
    series = SERIES.replace("0x9 3 0x19", "0x9 3x9 0x19").replace(
        "expect:\n", "downtimes: [{scope: 'statemachinearn:slides', to: 15m}]\nexpect:\n"
    )
    result = run(folder, "- at: 11m\n  state: Alert\n  notified: false\n- at: 15m\n  notified: true", series)
    assert explain(result) == ""


def test_a_log_monitor_counts_records(tmp_path):
    query = 'logs("service:slides status:error").index("*").rollup("count").by("env").last("5m") > 2'
    body = {"type": "log alert", "query": query, "options": {"thresholds": {"critical": 2}}}
    (tmp_path / "logs.json").write_text(json.dumps(body))
    events = """\
events:
  - {at: 5m, every: 10s, times: 4, service: slides, status: error, tags: [env:prod], message: boom}
  - {at: 5m, every: 10s, times: 9, service: other, status: error, tags: [env:prod], message: boom}
until: 20m
expect:
"""
    result = run(Folder(tmp_path), "- at: 7m\n  state: Alert\n  value: 4\n- recovers_by: 12m", events, "logs")
    assert explain(result) == ""


def test_a_service_check_counts_results_in_a_row(tmp_path):
    body = {
        "type": "service check",
        "query": '"ntp.in_sync".over("*").by("host").last(3).count_by_status()',
        "options": {"thresholds": {"critical": 3, "warning": 1, "ok": 2}},
    }
    (tmp_path / "ntp.json").write_text(json.dumps(body))
    checks = "checks: [{check: ntp.in_sync, tags: [host:a], results: ok x2 critical x3 ok x5}]\nexpect:\n"
    expect = (
        "- at: 5m\n  state: OK\n- at: 6m\n  state: Alert\n- at: 8m\n  state: Alert\n- at: 9m\n  state: OK"
    )
    assert explain(run(Folder(tmp_path), expect, checks, "ntp")) == ""


SCHEDULED = {
    "type": "query alert",
    "query": "max(last_1h):max:a{*} > 5",
    "options": {
        "thresholds": {"critical": 5},
        "scheduling_options": {
            "custom_schedule": {
                "recurrences": [{"rrule": "FREQ=DAILY;BYHOUR=20;BYMINUTE=0", "timezone": "Europe/Berlin"}]
            }
        },
    },
}
BERLIN = "start: 2026-03-28T00:00:00Z\nseries: [{metric: a, values: 9, from: 18h30m}]\nuntil: 2d\nexpect:\n"


def test_a_scheduled_monitor_is_tested_at_its_moments(tmp_path):
    (tmp_path / "daily.json").write_text(json.dumps(SCHEDULED))
    holds = (
        "- {at: 19h, state: Alert, value: 9, notified: true}\n"
        "- {at: 1d17h, state: Alert}\n"  # the state of the day before is shown until the next evaluation
        "- {alerts_within: 30m, of: 18h30m}\n"
        "- {notifications: 1}"
    )
    assert explain(run(Folder(tmp_path), holds, BERLIN, "daily")) == ""


@pytest.mark.parametrize(
    ("expect", "series", "says", "hint"),
    [
        ("- {at: 18h, state: OK}", BERLIN, "first evaluated at 19h, after 18h", "from 19h on"),
        ("- {recovers_by: 18h}", BERLIN, "first evaluated at 19h, after 18h", "from 19h on"),
        (
            "- {never: Warn}",
            BERLIN.replace("2d", "18h").replace("18h30m", "1h"),
            "not evaluated once",
            "2026-03-28T19:00:00Z: write until: 19h",
        ),
    ],
)
def test_nothing_can_be_expected_before_the_first_evaluation(tmp_path, expect, series, says, hint):
    (tmp_path / "daily.json").write_text(json.dumps(SCHEDULED))
    result = run(Folder(tmp_path), expect, series, "daily")
    assert result.status == "error"
    assert says in result.problems[0].message
    assert hint in result.problems[0].hint


def test_evaluations_of_long_windows_count_from_the_start_of_the_case(tmp_path):
    body = {
        "type": "query alert",
        "query": "max(last_2d):max:a{*} > 5",
        "options": {"thresholds": {"critical": 5}},
    }
    (tmp_path / "long.json").write_text(json.dumps(body))
    series = "start: 2026-03-01T00:05:00Z\nseries: [{metric: a, values: 9x100}]\nexpect:\n"
    expect = "- {at: 29m, state: No Data}\n- {at: 30m, state: Alert}"
    assert explain(run(Folder(tmp_path), expect, series, "long")) == ""


BELOW = 'logs("service:slides").index("*").rollup("count").by("env").last("5m") < 3'
LOGS = """\
events:
  - {at: 0m, every: 1m, times: 30, service: slides, tags: [env:prod]}
  - {at: 0m, every: 1m, times: 30, service: slides, tags: [env:prod]}
  - {at: 0m, every: 1m, times: PROD, service: slides, tags: [env:dev]}
  - {at: 19m, service: slides, tags: [env:dev]}
until: 60m
expect:
"""


@pytest.mark.parametrize(
    ("dev", "expect"),
    [
        # fewer logs than the threshold, but some: an alert; none at all while prod logs: nothing new
        (
            10,
            "- {group: env:dev, at: 12m, state: OK, value: 3}\n- {group: env:dev, at: 13m, state: Alert, value: 2}",
        ),
        (10, "- {group: env:dev, at: 16m, state: Alert, value: none, rule: last known state}"),
        (10, "- {group: env:dev, at: 20m, state: Alert, value: 1}"),
        (30, "- {group: env:dev, always: OK, from: 5m, to: 32m}"),
        # after minute 34 no group has any logs
        (
            30,
            "- {group: env:dev, at: 35m, state: Alert, value: 0}\n- {group: env:prod, at: 35m, state: Alert, value: 0}",
        ),
    ],
)
def test_a_group_without_logs_is_below_the_threshold_only_if_no_group_has_any(tmp_path, dev, expect):
    body = {"type": "log alert", "query": BELOW, "options": {"thresholds": {"critical": 3}}}
    (tmp_path / "logs.json").write_text(json.dumps(body))
    result = run(Folder(tmp_path), expect, LOGS.replace("PROD", str(dev)), "logs")
    assert explain(result) == ""


def test_a_count_of_logs_without_groups_is_0_where_there_are_none(tmp_path):
    body = {
        "type": "log alert",
        "query": BELOW.replace('.by("env")', ""),
        "options": {"thresholds": {"critical": 3}},
    }
    (tmp_path / "logs.json").write_text(json.dumps(body))
    expect = "- {at: 10m, state: OK}\n- {at: 40m, state: Alert, value: 0}"
    assert explain(run(Folder(tmp_path), expect, LOGS.replace("PROD", "10"), "logs")) == ""


def test_a_formula_over_metric_queries_is_tested_with_series(tmp_path):
    queries = [
        {"data_source": "metrics", "name": name, "query": f"sum:{name}.count{{*}}.as_count()"}
        for name in ("bad", "all")
    ]
    body = {
        "type": "query alert",
        "query": 'formula("bad / all").rollup("sum").last("5m") > 0.5',
        "options": {"thresholds": {"critical": 0.5}, "variables": queries},
    }
    (tmp_path / "share.json").write_text(json.dumps(body))
    series = """\
series:
  - {metric: bad.count, type: count, values: 0x9 3x9}
  - {metric: all.count, type: count, values: 4x19}
expect:
"""
    assert (
        explain(
            run(
                Folder(tmp_path),
                "- {at: 5m, state: OK}\n- {at: 15m, state: Alert, value: 0.75}",
                series,
                "share",
            )
        )
        == ""
    )
    unknown = run(Folder(tmp_path), "- never: Warn", series.replace("bad.count", "bat.count"), "share")
    assert "did you mean bad.count" in unknown.problems[0].hint
