"""Rules of lint about thresholds, variables, names and idle monitors, each at its edges (docs/lint/)."""

import json

import pytest

from monitoring.lint.engine import lint_text, lint_together
from monitoring.lint.rules import read_only_key

ERRORS = "sum:aws.lambda.errors{*}.as_count()"


def monitor(query=f"sum(last_15m):{ERRORS} > 5", message="@a", kind="query alert", **options):
    return {"name": "m", "type": kind, "query": query, "message": message, "options": options}


def said(body, rule, path="monitors/m.json"):
    return [each.message for each in lint_text(path, json.dumps(body), frozenset({rule})).findings]


def on_board(body, rule):
    return said({"title": "A", "layout_type": "ordered", "widgets": [], **body}, rule, "dashboards/a.json")


def widget(query, kind="timeseries"):
    return {"definition": {"type": kind, "requests": [{"q": query}]}}


def named(name, prefix=None):
    return {"name": name, "prefix": prefix or name, "defaults": ["*"]}


@pytest.mark.parametrize(
    ("operator", "thresholds", "wrong"),
    [
        (">", {"critical": 5, "critical_recovery": 5}, []),
        (">", {"critical": 5, "critical_recovery": 5.1}, ["critical_recovery is 5.1, beyond critical 5"]),
        ("<", {"critical": 5, "critical_recovery": 4.9}, ["critical_recovery is 4.9, beyond critical 5"]),
        ("<", {"critical": 5, "critical_recovery": 5}, []),
        (
            ">=",
            {"critical": 5, "warning": 3, "warning_recovery": 4},
            ["warning_recovery is 4, beyond warning 3"],
        ),
        (
            "<=",
            {"critical": 5, "warning": 7, "warning_recovery": 6},
            ["warning_recovery is 6, beyond warning 7"],
        ),
        (">", {"critical_recovery": 6}, ["critical_recovery is 6, beyond critical 5"]),
        (">", {"warning_recovery": 6}, []),
        ("==", {"critical": 5, "critical_recovery": 9}, []),
    ],
)
def test_a_recovery_threshold_is_on_the_side_of_recovery(operator, thresholds, wrong):
    found = said(monitor(f"sum(last_15m):{ERRORS} {operator} 5", thresholds=thresholds), "recovery-overlap")
    assert [text.startswith(part) for text, part in zip(found, wrong, strict=True)] == [True] * len(wrong)
    side = "at or below" if operator in {">", ">="} else "at or above"
    assert all(side in text for text in found)


@pytest.mark.parametrize(
    ("operator", "thresholds", "side"),
    [
        (">", {"critical": 5, "warning": 4.9}, None),
        (">", {"critical": 5, "warning": 5}, "below"),
        (">=", {"critical": 5, "warning": 6}, "below"),
        ("<", {"critical": 5, "warning": 5.1}, None),
        ("<", {"critical": 5, "warning": 5}, "above"),
        ("<=", {"critical": 5, "warning": 4}, "above"),
        (">", {"warning": 6}, "below"),
        (">", {"critical": 5}, None),
        ("!=", {"critical": 5, "warning": 5}, None),
    ],
)
def test_a_warning_comes_before_the_alert(operator, thresholds, side):
    found = said(monitor(f"sum(last_15m):{ERRORS} {operator} 5", thresholds=thresholds), "warning-side")
    assert [f"the warning must lie {side} it" in text for text in found] == [True] * bool(side)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"critical": 5}, None),
        ({"critical": 5.0}, None),
        ({"critical": 6}, "critical is 6, but the query compares with 5"),
        ({"warning": 3}, "thresholds without critical. Add critical: 5"),
        ({}, None),
        (None, None),
    ],
)
def test_the_critical_threshold_is_the_number_of_the_query(thresholds, words):
    options = {} if thresholds is None else {"thresholds": thresholds}
    found = said(monitor(**options), "threshold-mismatch")
    assert [words in text for text in found] == [True] * bool(words)


@pytest.mark.parametrize(
    ("message", "by", "names"),
    [
        ("{{host.name}}", "host", []),
        ("{{host.name}}", "env", ["host"]),
        ("{{Host.name}} {{host.env.name}}", "host", []),
        ("{{env.name}}", "", ["env"]),
        ("{{value}} {{threshold}} {{#is_alert}}a{{/is_alert}}", "", []),
        ("{{#is_match 'env.name' 'x'}}a{{/is_match}}", "", ["env"]),
        ("{{^is_match 'env.name' 'x'}}a{{/is_match}}", "", ["env"]),
        ("{{#is_match 'value' 'env.name'}}a{{/is_match}}", "", []),
        ("{{#is_alert}}{{[a.b].name}}{{/is_alert}}", "", ["a.b"]),
        ("{{{env.name}}}", "", ["env"]),
        ("{{log.attributes.name}}", "", ["log.attributes"]),
    ],
)
def test_a_message_uses_what_the_query_groups_by(message, by, names):
    group = f" by {{{by}}}" if by else ""
    query = f"sum(last_15m):sum:aws.lambda.errors{{*}}{group}.as_count() > 5"
    found = said(monitor(query, f"{message} @a"), "message-variable")
    assert [text.partition(".name}}")[0] for text in found] == [f"{{{{{name}" for name in names]
    assert all(("no grouping" in text) is (not by) for text in found)


@pytest.mark.parametrize(
    ("query", "fixed"),
    [
        ("avg:m{Env:Prod}", ["env:prod"]),
        ("avg:m{env:prod}", []),
        ("avg:m{env:Prod,Zone:a}", ["env:prod", "zone:a"]),
        ("avg:m{Env IN (A,b)}", ["env IN (a,b)"]),
        ("avg:m{$Env}", []),
        ("avg:m{host:$Env.value}", []),
        ("avg:m{*} by {Host,env}", ["host"]),
        ("avg:M{env:a}", []),
    ],
)
def test_a_tag_is_in_lower_case_wherever_it_stands(query, fixed):
    found = on_board({"widgets": [widget(query)], "template_variables": [named("Env")]}, "tag-case")
    assert [text.partition("Write ")[2] for text in found] == fixed


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("avg:m{$env}", None),
        ("avg:m{$envv}", "the template variable $envv is not defined. Did you mean $env?"),
        ("avg:m{$zone}", "the template variable $zone is not defined. Add it to template_variables"),
        ("avg:m{host:$zone.value}", "the template variable $zone is not defined"),
        ("avg:m{host:a-$env}", None),
        ("avg:m{host IN ($env,$zone)}", "the template variable $zone is not defined"),
        ("avg:m{*}", None),
    ],
)
def test_a_query_uses_template_variables_that_there_are(query, words):
    body = {"widgets": [widget("avg:m{*}"), widget(query)], "template_variables": [named("env")]}
    found = on_board(body, "undefined-variable")
    assert [words in text for text in found] == [True] * bool(words)


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("$env", True),
        ("${env}", True),
        ("$envs", False),
        ("$env-x", False),
        ("env", False),
        ("$env.value", True),
    ],
)
def test_a_template_variable_is_used_by_its_whole_name(text, used):
    body = {"description": text, "template_variables": [named("env")]}
    assert len(on_board(body, "unused-variable")) == (not used)


@pytest.mark.parametrize("kind", read_only_key.KEYS)
def test_every_key_that_an_answer_has_and_a_file_does_not_need_is_named(kind):
    """api/latest: read-only fields of the answers."""
    keys = read_only_key.KEYS[kind]
    body = {
        "monitor": monitor(),
        "dashboard": {"title": "A", "layout_type": "ordered", "widgets": []},
        "slo": {"name": "S", "type": "metric", "thresholds": []},
    }[kind]
    found = said({**body, **dict.fromkeys(keys, "x")}, "read-only-key", f"{kind}s/a.json")
    assert sorted(text.split(" ")[0] for text in found) == sorted(keys)
    assert ["no longer" in text for text in found if text.startswith("is_read_only")] == [True] * (
        kind == "dashboard"
    )
    assert set(keys) >= {"id", "created_at"}


def test_the_read_only_keys_of_a_dashboard_are_those_of_its_answer():
    expected = {"id", "url", "author_handle", "author_name", "created_at", "modified_at", "is_read_only"}
    assert set(read_only_key.KEYS["dashboard"]) == expected
    assert {"id", "creator", "created_at", "modified_at"} == set(read_only_key.KEYS["slo"])


@pytest.mark.parametrize(
    ("window", "delay", "late"),
    [("15m", 0, True), ("16m", 0, False), ("5m", 0, True), ("5m", 900, False), ("1h", 0, False)],
)
def test_a_window_of_15_minutes_or_less_over_polled_metrics_needs_a_delay(window, delay, late):
    """docs.datadoghq.com/integrations/guide/cloud-metric-delay: CloudWatch's metrics come 10 minutes late and more."""
    assert (
        len(said(monitor(f"sum(last_{window}):{ERRORS} > 5", evaluation_delay=delay), "late-metric")) == late
    )
    assert said(monitor(f"avg(last_{window}):avg:my.own{{*}} > 5"), "late-metric") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"avg(last_1h):default_zero({ERRORS}) / {ERRORS} > 5", 1),
        (f"avg(last_1h):100 * (default_zero({ERRORS}) / (default_zero({ERRORS}) + {ERRORS})) > 5", 2),
        (f"avg(last_1h):{ERRORS} / {ERRORS} > 5", 0),
        (f"avg(last_1h):default_zero({ERRORS}) * 2 > 5", 0),
        (f"sum(last_1h):default_zero({ERRORS}) / {ERRORS} > 5", 0),  # the same as without it
        ("avg(last_1h):default_zero(avg:my.own{*}) / avg:my.other{*} > 5", 0),
    ],
)
def test_default_zero_does_not_belong_around_the_counts_of_a_ratio(query, found):
    assert len(said(monitor(query), "default-zero-ratio")) == found


@pytest.mark.parametrize(
    ("options", "pages"),
    [
        ({"notify_no_data": True}, True),
        ({"on_missing_data": "show_and_notify_no_data"}, True),
        ({"on_missing_data": "show_no_data"}, False),
        ({"on_missing_data": "default"}, False),
        ({}, False),
    ],
)
def test_a_monitor_that_notifies_of_a_quiet_night_is_named(options, pages):
    assert len(said(monitor(**options), "pages-when-idle")) == pages
    assert said(monitor("avg(last_5m):avg:my.own{*} > 5", **options), "pages-when-idle") == []


@pytest.mark.parametrize(("count", "still", "wrong"), [(100, 5, False), (101, 0, True)])
def test_more_than_100_widgets_that_ask_for_data_are_too_many(count, still, wrong):
    notes = [{"definition": {"type": "note", "content": "a"}}] * still
    found = on_board({"widgets": [widget("avg:m{*}")] * count + notes}, "too-many-widgets")
    assert [f"{count} widgets ask for data" in text for text in found] == [True] * wrong


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"template_variables": [{"name": "a", "default": "x", "defaults": ["y"]}]}, ["exclude each other"]),
        ({"template_variables": [{"name": "a", "defaults": ["", "y"]}]}, ["a default is empty"]),
        (
            {"template_variables": [named("a"), named("b"), named("a")]},
            ["two template variables are called a"],
        ),
        ({"tags": ["team:a", "env:b"]}, ["a dashboard's tags have the key team, and env:b has not"]),
        ({"template_variables": [{"name": "a", "default": "x"}], "tags": ["team:a"]}, []),
    ],
)
def test_a_template_variable_that_datadog_refuses_is_named(body, words):
    found = on_board(body, "template-variable")
    assert [part in text for part, text in zip(words, found, strict=True)] == [True] * len(words)


def test_names_and_handles_are_compared_over_all_files_of_a_kind():
    def together(rule, files):
        reports = [lint_text(path, json.dumps(body), frozenset({rule})) for path, body in files.items()]
        return [
            (each.path, each.message)
            for each in lint_together([each.facts for each in reports], frozenset({rule}))
        ]

    silent, part = monitor(message="nobody"), monitor(message="nobody")
    composite = {**monitor("${monitor:part} && ${monitor:other}", kind="composite"), "name": "c"}
    files = {
        "monitors/part.json": part,
        "monitors/other.json": {**silent, "name": "o"},
        "monitors/c.json": composite,
    }
    assert together("missing-handle", files) == []
    assert [path for path, _ in together("missing-handle", {**files, "monitors/x.json": silent})] == [
        "monitors/x.json"
    ]
    board = {"title": "m", "layout_type": "ordered", "widgets": []}
    twins = {"monitors/a.json": silent, "monitors/b.json": part, "dashboards/a.json": board}
    ((path, text),) = together("duplicate-name", twins)
    assert (path, "monitors/a.json is called 'm' too" in text) == ("monitors/b.json", True)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sum:aws.lambda.errors{functionname:a}.as_count()", None),
        ("sum:aws.lambda.errors{functionnam:a}.as_count()", "Did you mean functionname?"),
        (
            "sum:aws.lambda.errors{*} by {statemachinearn}.as_count()",
            "and no statemachinearn: nothing will match",
        ),
        ("sum:aws.lambda.errors{*} by {my_own_tag}.as_count()", None),
        ("sum:my.own{functionnam:a}", None),
    ],
)
def test_a_tag_of_a_metric_of_aws_is_one_that_it_carries(query, words):
    found = on_board({"widgets": [widget(query)]}, "unknown-tag")
    assert [words in text for text in found] == [True] * bool(words)
