"""Rules of lint one by one: which variants they name, which they leave alone, and at which place (docs/lint/)."""

import json

import pytest

from monitoring.lint.engine import lint_text, lint_together

STARTED = "sum:aws.states.executions_started{statemachinearn:*}.as_count()"
ERRORS = "sum:aws.lambda.errors{*}.as_count()"


def monitor(query, kind="query alert", message="@a", **options):
    return {"name": "m", "type": kind, "query": query, "message": message, "options": options}


def findings(body, rule, path="monitors/m.json"):
    return lint_text(path, json.dumps(body), frozenset({rule})).findings


def said(body, rule, path="monitors/m.json"):
    return [each.message for each in findings(body, rule, path)]


def board(query):
    widget = {"definition": {"type": "timeseries", "requests": [{"q": query}]}}
    return {"title": "A", "layout_type": "ordered", "widgets": [widget]}


# --- never-fires: "The condition cannot come true", docs/lint/never-fires.md


@pytest.mark.parametrize(
    ("query", "dead"),
    [
        (f"sum(last_1h):{ERRORS} < 0", True),
        (f"sum(last_1h):{ERRORS} <= -1", True),
        (f"sum(last_1h):{ERRORS} <= 0", True),  # AWS sends no zero, so that silence is not evaluated
        (f"sum(last_1h):{ERRORS} > 0", False),
        ("avg(last_1h):avg:aws.lambda.duration{*} < 0", True),
        ("avg(last_1h):avg:aws.lambda.duration{*} <= 0", False),
        ("avg(last_1h):avg:aws.lambda.duration{*} <= -1", True),
        ("avg(last_1h):avg:system.load.1{*} < 0", False),  # nothing is known of it
        ("avg(last_1h):avg:aws.lambda.duration{*} > 900000", True),
        ("avg(last_1h):avg:aws.lambda.duration{*} >= 900000", False),
        ("avg(last_1h):avg:aws.lambda.duration.maximum{*} > 900000", True),
        ("avg(last_1h):avg:aws.lambda.duration{*} > 899999", False),
        ("sum(last_1h):avg:aws.lambda.duration{*} > 900000", False),
        ("avg(last_1h):sum:aws.lambda.duration{*} > 900000", False),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} >= 100", False),
        ("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} >= 101", True),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) >= 1.1", True),
        ("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) > 0.99", False),
        ("change(avg(last_5m),last_5m):avg:aws.lambda.duration{*} < 0", False),
    ],
)
def test_a_threshold_out_of_reach_never_fires(query, dead):
    critical = float(query.rsplit(" ", 1)[1])
    found = findings(monitor(query, thresholds={"critical": critical}), "never-fires")
    assert [each.severity for each in found] == ["warning"] * dead


def test_a_count_that_falls_silent_says_what_happens_to_the_window():
    for options, how in (({}, "not evaluated"), ({"on_missing_data": "resolve"}, "resolved")):
        (text,) = said(
            monitor(f"sum(last_1h):{STARTED} < 1", thresholds={"critical": 1}, **options), "never-fires"
        )
        assert f"a window without data is {how}, so this never alerts" in text
    ratio = f"sum(last_1h):{ERRORS} / sum:aws.lambda.invocations{{*}}.as_count() < 1"
    assert said(monitor(ratio, thresholds={"critical": 1}), "never-fires") == []
    notified = monitor(f"sum(last_1h):{STARTED} < 1", on_missing_data="show_and_notify_no_data")
    assert said(notified, "never-fires") == []


# --- count-with-avg: "The average of a count is not how often something happened"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (f"avg(last_15m):{ERRORS} > 5", "avg(last_…)"),
        (f"min(last_15m):{ERRORS} > 5", "min(last_…)"),
        (f"max(last_15m):{ERRORS} > 5", "max(last_…)"),
        ("avg(last_15m):sum:my.own{*}.as_count() > 5", "avg(last_…)"),
        (f"sum(last_15m):{ERRORS} > 5", None),
        ("avg(last_15m):sum:aws.lambda.errors{*}.as_rate() > 5", None),
        ("avg(last_15m):sum:my.own{*} > 5", None),
        (f"avg(last_15m):{ERRORS} / sum:aws.lambda.invocations{{*}}.as_count() > 5", None),
        ("max(last_15m):avg:aws.lambda.duration{*} > 5", None),
    ],
)
def test_a_count_is_summed_over_the_window_whatever_else_reduces_it(query, named):
    found = findings(monitor(query), "count-with-avg")
    assert [each.message.split(" of ")[0] for each in found] == ([named] if named else [])
    if named:
        start = json.dumps(monitor(query)).index(query)
        assert (found[0].column, found[0].end_column) == (start + 1, start + 1 + query.index(":") + 1)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("avg:aws.lambda.errors{*}.as_count()", "avg of the count"),
        ("aws.lambda.errors{*}.as_count()", "avg of the count"),
        ("count:aws.lambda.errors{*}.as_count()", "count of the count"),
        ("sum:aws.lambda.errors{*}", "without .as_count()"),
        ("sum:aws.lambda.errors{*}.rollup(avg, 300)", "without .as_count()"),
        ("sum:aws.lambda.errors{*}.rollup(avg, 60)", None),  # a point a minute: nothing is averaged
        ("sum:aws.lambda.errors{*}.rollup(sum, 60)", None),
        ("sum:aws.lambda.errors{*}.as_count()", None),
        ("avg:aws.lambda.errors{*}.as_rate()", None),
        ("max:aws.lambda.errors{*}", None),
        ("avg:aws.lambda.duration{*}", None),
        ("avg:my.own{*}", None),
    ],
)
def test_a_count_of_aws_is_summed_over_its_sources(query, words):
    found = said(board(query), "count-with-avg", "dashboards/a.json")
    assert [words in text for text in found] == ([True] if words else [])


# --- option-conflict: the pairs of its page


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (monitor("1 && 2", "composite", on_missing_data="default"), ["a composite has no on_missing_data"]),
        (
            monitor('"a".over("*").last(2).count_by_status()', "service check", on_missing_data="default"),
            ["a service check has no on_missing_data"],
        ),
        (monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="default"), []),
        (
            monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="default", notify_no_data=True),
            ["on_missing_data excludes notify_no_data"],
        ),
        (monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="default", notify_no_data=False), []),
        (
            monitor(f"sum(last_5m):default_zero({ERRORS}) > 1", on_missing_data="resolve"),
            ["with default_zero in the query, resolve is refused"],
        ),
        (monitor(f"sum(last_5m):default_zero({ERRORS}) > 1", on_missing_data="default"), []),
        (
            monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="resolve", timeout_h=1),
            ["resolve excludes timeout_h"],
        ),
        (monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="resolve", timeout_h=0), []),
        (monitor(f"sum(last_5m):{ERRORS} > 1", on_missing_data="default", timeout_h=1), []),
        (
            monitor(f"sum(last_5m):{ERRORS} > 1", new_group_delay=60, new_host_delay=299),
            ["new_group_delay replaces new_host_delay"],
        ),
        (monitor(f"sum(last_5m):{ERRORS} > 1", new_group_delay=60, new_host_delay=300), []),
        (monitor(f"sum(last_5m):{ERRORS} > 1", new_group_delay=60, new_host_delay=0), []),
        (monitor(f"sum(last_5m):{ERRORS} > 1", new_group_delay=60), []),
        (monitor(f"sum(last_5m):{ERRORS} > 1", new_host_delay=299), []),
        (
            monitor(
                '"a".over("*").last(2).count_by_status()',
                "service check",
                thresholds={"critical": 3, "ok": 1},
            ),
            [".last(2) sees fewer results than the threshold 3 needs. Write .last(3)"],
        ),
        (
            monitor(
                '"a".over("*").last(2).count_by_status()',
                "service check",
                thresholds={"critical": 1, "ok": 3},
            ),
            [".last(2) sees fewer results than the threshold 3 needs"],
        ),
        (
            monitor(
                '"a".over("*").last(3).count_by_status()',
                "service check",
                thresholds={"critical": 3, "ok": 1},
            ),
            [],
        ),
        (
            monitor('"a".over("*").last(2).pct_by_status()', "service check", thresholds={"critical": 50}),
            [],
        ),
        (
            monitor("sum(last_5m):sum:aws.lambda.errors{*} by {a,b}.as_count() > 1", notify_by=["a", "c"]),
            ["notify_by has c, but the query groups by a, b"],
        ),
        (
            monitor(f"sum(last_5m):{ERRORS} > 1", notify_by=["a"]),
            ["notify_by has a, but the query groups by nothing"],
        ),
        (monitor(f"sum(last_5m):{ERRORS} > 1", notify_by=["*"]), []),
    ],
)
def test_options_that_exclude_one_another_are_named(body, words):
    found = said(body, "option-conflict")
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_options_are_an_error_only_where_the_refusal_is_recorded():
    delays = monitor(f"sum(last_5m):{ERRORS} > 1", new_group_delay=60, new_host_delay=5)
    assert [each.severity for each in findings(delays, "option-conflict")] == ["warning"]
    keys = monitor(f"sum(last_5m):{ERRORS} > 1", notify_by=["a"])
    assert [each.severity for each in findings(keys, "option-conflict")] == ["warning"]
    zero = monitor(f"sum(last_5m):default_zero({ERRORS}) > 1", on_missing_data="resolve")
    assert [each.severity for each in findings(zero, "option-conflict")] == ["error"]


# --- dead-link: no target, no host, a placeholder, an id that is none, a path in a notification


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[a]()", "a link without a target"),
        ("[a](https://)", "names no host"),
        ("https://", "names no host"),
        ("[a](https://example.com/x)", "example.com is a placeholder"),
        ("https://wiki.example.org/x.", "wiki.example.org is a placeholder"),
        ("http://localhost:3000", "localhost is a placeholder"),
        ("[a](/monitors)", "a link in a notification needs a host"),
        ("[a](/dashboard/abc-def-ghi)", "a link in a notification needs a host"),
        ("https://app.datadoghq.com/dashboard/abc-def-ghi/name", None),
        ("https://app.datadoghq.com/dashboard/abc-def-ghij", "abc-def-ghij is not a dashboard id"),
        ("https://app.datadoghq.com/dashboard/ABC-def-ghi", "is not a dashboard id"),
        ("https://app.datadoghq.com/dashboard/${dashboard:x}", None),
        ("https://myexample.com/x", None),
        ("https://${var:host}/x", None),
        ("{{link}} [a](#top) [b](mailto:a@b.c) [c]({{url}}) [d](@a) [e](${x})", None),
        ("[a](https://wiki.acme.io/a_(b))", None),
        ("[https://example.com](https://wiki.acme.io)", None),
        ("no link at all", None),
    ],
)
def test_a_link_of_a_message_leads_somewhere(message, words):
    found = said(monitor(f"sum(last_5m):{ERRORS} > 1", message=message), "dead-link")
    assert [words in text for text in found] == ([True] if words else [])


def test_a_link_is_marked_at_its_target_and_a_board_may_have_paths():
    body = monitor("q", message="See [it](https://example.com/x), now")
    (finding,) = findings(body, "dead-link")
    text = json.dumps(body)
    assert text[finding.column - 1 : finding.end_column - 1] == "https://example.com/x"
    note = {"definition": {"type": "note", "content": "[a](/monitors) https://example.com/x;"}}
    (other,) = said(
        {"title": "A", "layout_type": "ordered", "widgets": [note]}, "dead-link", "dashboards/a.json"
    )
    assert "example.com is a placeholder" in other
    for key in ("link", "url"):
        image = {"definition": {"type": "image", key: "https://example.com"}}
        assert said(
            {"title": "A", "layout_type": "ordered", "widgets": [image]}, "dead-link", "dashboards/a.json"
        )


# --- account-total: AWS sends executions by machine, and once more for the account


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sum:aws.states.executions_failed{*}.as_count()", True),
        ("count:aws.states.executions_failed{*}", True),
        ("sum:aws.states.executions_failed{env:p}.as_count()", True),
        ("sum:aws.states.executions_failed{$statemachinearn}.as_count()", True),
        ("sum:aws.states.executions_failed{!statemachinearn:x}.as_count()", True),
        ("sum:aws.states.executions_failed{*} by {env}.as_count()", True),
        ("sum:aws.states.executions_failed{statemachinearn:*}.as_count()", False),
        ("sum:aws.states.executions_failed{env:p,statemachinearn:x}.as_count()", False),
        ("sum:aws.states.executions_failed{*} by {env,statemachinearn}.as_count()", False),
        ("max:aws.states.executions_failed{*}", False),
        ("sum:aws.lambda.errors{*}.as_count()", False),
        ("sum:my.own{*}.as_count()", False),
    ],
)
def test_a_sum_over_executions_names_or_groups_by_the_machine(query, named):
    assert len(said(board(query), "account-total", "dashboards/a.json")) == named


# --- dead-reference: to a file, a variable or a template variable that is not there; too many members


def together(rule, **files):
    reports = [
        lint_text(f"{kind}s/{key}.json", json.dumps(body), frozenset({rule}))
        for (kind, key), body in ((name.split("_", 1), body) for name, body in files.items())
    ]
    return list(lint_together([each.facts for each in reports], frozenset({rule})))


PLAIN = monitor(f"sum(last_5m):{ERRORS} > 1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (monitor("${monitor:one} && ${monitor:two}", "composite"), []),
        (
            monitor("${monitor:one} && ${monitor:twoo}", "composite"),
            ["there is no monitor twoo. Did you mean two?"],
        ),
        (
            monitor("${monitor:one} && ${monitor:elsewhere}", "composite"),
            ["there is no monitor elsewhere. Its file would be monitors/elsewhere.json"],
        ),
        (monitor("${monitor:one} && ${monitor:both}", "composite"), ["both is a composite itself"]),
        (monitor("1 && 2", "composite", message="@a ${monitor:both}"), []),
        (monitor("q", message="@a ${monitr:one}"), ["no kind of resource is called monitr"]),
        (monitor("q", message="@a ${slo:one}"), ["there is no slo one"]),
    ],
)
def test_a_reference_is_to_a_file_of_the_project(body, words):
    both = monitor("${monitor:one} && ${monitor:two}", "composite")
    found = together(
        "dead-reference", monitor_m=body, monitor_one=PLAIN, monitor_two=PLAIN, monitor_both=both
    )
    assert len(found) == len(words)
    assert all(word in each.message for word, each in zip(words, found, strict=True))


@pytest.mark.parametrize(("count", "wrong"), [(10, False), (11, True)])
def test_a_composite_has_ten_members_at_most(count, wrong):
    """api/latest/monitors: a composite combines up to ten monitors; one that is named twice counts once."""
    names = [f"m{number}" for number in range(count)]
    query = " && ".join(f"${{monitor:{name}}}" for name in [*names, names[0]])
    files = {f"monitor_{name}": PLAIN for name in names}
    found = together("dead-reference", monitor_all=monitor(query, "composite"), **files)
    assert [f"this one has {count}" in each.message for each in found] == [True] * wrong


def test_a_link_sets_template_variables_that_its_dashboard_has():
    variables = [{"name": "env", "prefix": "env", "defaults": ["*"]}]
    target = {**board("avg:a{$env}"), "template_variables": variables}
    query = (
        "tpl_var_env=a&from_ts=1&to_ts=2&live=true&refresh_mode=x&fullscreen_widget=1&fullscreen_section=x"
    )
    link = f"@a https://app.datadoghq.com/dashboard/${{dashboard:b}}?{query}"
    assert together("dead-reference", dashboard_b=target, monitor_m=monitor("q", message=link)) == []
    (found,) = together(
        "dead-reference", dashboard_b=target, monitor_m=monitor("q", message=f"{link}&tpl_var_zone=")
    )
    assert "the dashboard b has no template variable zone. It has env" in found.message
