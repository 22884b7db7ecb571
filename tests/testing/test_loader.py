"""From a test file to cases, and what a newcomer's mistakes are told."""

import textwrap

import pytest

from monitoring.monitor.states import State
from monitoring.testing.loader import loads
from monitoring.testing.problems import DocumentError

GOOD = """\
monitor: failed
start: 2026-03-01T00:00:00Z
series:
  - metric: aws.states.executions_failed
    type: count
    tags: [statemachinearn:slides, env:prod]
    values: 0x10 1+0x3 _x5
expect:
  - at: 12m
    state: Alert
    handles: ["@pagerduty-x", slack-y]
  - alerts_within: 5m
    of: 10m
"""


def problems(text):
    with pytest.raises(DocumentError) as caught:
        loads(text, "failed.test.yaml")
    return caught.value.problems


def test_a_file_becomes_a_case_with_its_series_and_expectations():
    (case,) = loads(GOOD)
    assert (case.monitor, case.start, case.length) == ("failed", 1772323200, 1200)
    (series,) = case.series
    assert (series.metric, series.type, series.interval, len(series.slots)) == (
        "aws.states.executions_failed",
        "count",
        60,
        20,
    )
    at, within = case.expectations
    assert (at.offsets, at.state, at.handles) == ((720,), State.ALERT, ("@pagerduty-x", "@slack-y"))
    assert (within.state, within.within, within.of) == (State.ALERT, 300, 600)


def test_the_cases_of_a_file_share_what_stands_beside_them():
    text = """\
    start: 2026-03-01T00:00:00Z
    interval: 10s
    series: [{metric: a, values: 1x5}]
    tests:
      - name: first
        expect: [{never: Alert}]
      - name: second
        series: [{metric: b, values: 2x5}]
        expect: [{always: OK}]
    """
    first, second = loads(textwrap.dedent(text), key="m")
    assert [spec.metric for spec in first.series] == ["a"]
    assert [(spec.metric, spec.every) for spec in second.series] == [("a", 10), ("b", 10)]
    assert first.monitor == second.monitor == "m"


MISTAKES = [
    ("key indented too far", ("    type", "     type"), 5, "indentation", "under each other"),
    ("key indented too little", ("    type", "   type"), 5, "indentation", "under each other"),
    (
        "block indented into the series",
        ("expect:", "    expect:"),
        8,
        "unknown key 'expect'",
        "check the indentation",
    ),
    ("tab", ("    type", "\ttype"), 5, "a tab", "spaces"),
    ("unknown key", ("metric:", "metrik:"), 4, "unknown key 'metrik'", "'metric'"),
    ("tag without value", ("env:prod", "env"), 6, "tag 'env' has no value", "env:prod"),
    ("bad values", ("1+0x3", "1*3"), 7, "'1*3' is not a valid value", "0x10"),
    (
        "no metric",
        ("  - metric: aws.states.executions_failed\n    type", "  - type"),
        4,
        "'metric' is missing",
        "add metric",
    ),
    ("unknown state", ("Alert", "Alarm"), 10, "state is 'Alarm'", "Alert"),
    ("handle without quotes", ('["@pagerduty-x"', "[@pagerduty-x"), 11, "cannot start", '"@pagerduty-x"'),
    ("no unit", ("at: 12m", "at: 12"), 9, "is not a time of the case", "12m"),
    ("unknown type", ("count", "counter"), 5, "type is 'counter'", "count"),
    ("no blank after the colon", ("metric: ", "metric:"), 4, "colon", "metric: aws"),
    ("nothing of within", ("    of: 10m\n", ""), 12, "moment it counts from", "of: 10m"),
    ("no time", ("2026-03-01T00:00:00Z", "tomorrow"), 2, "start is 'tomorrow'", "2026-03-01"),
    ("a year for a time", ("2026-03-01T00:00:00Z", "2026"), 2, "start is '2026'", "2026-03-01"),
    ("blank in a tag", ("env:prod", "env: prod"), 6, "no blank after its colon", "write env:prod"),
    ("no time between values", ("    type", "    every: 0s\n    type"), 5, "every is '0s'", "30s"),
    (
        "key of another name",
        ("alerts_within", "alert_within"),
        12,
        "an expectation has one of",
        "'alerts_within'",
    ),
    ("two kinds in one", ("    of: 10m", "    never: Warn"), 12, "both never and alerts_within", "make two"),
    (
        "half a notification",
        ("alerts_within: 5m\n    of: 10m", "notifications: 1.5"),
        12,
        "is 1.5",
        "whole number",
    ),
    (
        "colon in a text",
        ("state: Alert", "message: value: 9"),
        10,
        "a colon and a blank",
        'message: "value: 9"',
    ),
    ("second document", ("expect:", "---\nexpect:"), 8, "second document", "under tests:"),
    (
        "unknown switch",
        ("monitor: failed", "switches: {nul_window: skip}"),
        1,
        "no switch 'nul_window'",
        "null_window",
    ),
    (
        "wrong switch",
        ("monitor: failed", "switches: {null_window: no}"),
        1,
        "null_window is False",
        "skip or missing",
    ),
    ("bad scope", ("monitor: failed", "downtimes: [{scope: '('}]"), 1, "scope: search '('", "env:prod AND"),
    ("key twice", ("    type: count", "    type: count\n    type: gauge"), 6, "twice", "keep one"),
]


@pytest.mark.parametrize(
    ("change", "line", "says", "hint"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_newcomers_mistake_is_named_with_its_line_and_what_to_write(change, line, says, hint):
    text = GOOD.replace(*change)
    assert text != GOOD
    first = problems(text)[0]
    assert first.place.line == line
    assert says in first.message
    assert hint in first.hint


def test_the_column_of_a_wrong_value_is_that_of_the_value():
    (problem,) = problems(GOOD.replace("1+0x3", "1*3"))
    line = GOOD.replace("1+0x3", "1*3").splitlines()[problem.place.line - 1]
    assert line[problem.place.column - 1 :].startswith("1*3")


def test_all_mistakes_of_a_file_are_named_at_once():
    text = GOOD.replace("metric:", "metrik:").replace("Alert", "Alarm")
    assert [p.place.line for p in problems(text)] == [4, 4, 10]


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[: GOOD.index("expect:")],
        GOOD[: GOOD.index("expect:")] + "expect: []\n",
        "tests: []\n",
        GOOD.replace("    state: Alert\n", "").replace('    handles: ["@pagerduty-x", slack-y]\n', ""),
    ],
)
def test_a_file_that_tests_nothing_is_an_error(text):
    assert any("nothing" in p.message or "empty" in p.message for p in problems(text))
