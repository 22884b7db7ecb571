"""Edges of single rules, and of what they say of a project's files together (docs/lint/)."""

import json

import pytest

from monitoring.lint import run
from monitoring.lint.coverage import of_files
from monitoring.lint.engine import lint_text

DURATION = "avg(last_1h):avg:aws.lambda.duration{*}"


def findings(body, rule, path="monitors/m.json"):
    return lint_text(path, json.dumps(body), frozenset({rule})).findings


def monitor(query=f"{DURATION} > 5", message="@a", **more):
    return {"name": "m", "type": "query alert", "query": query, "message": message, "options": {}, **more}


def board(*queries):
    widgets = [{"definition": {"type": "timeseries", "requests": [{"q": query}]}} for query in queries]
    return {"title": "A", "layout_type": "ordered", "widgets": widgets}


@pytest.mark.parametrize(
    ("target", "dead"),
    [
        ("#section", False),
        ("mailto:a@example.com", False),
        ("$link", False),
        ("{{log.link}}", False),
        ("@slack-a", False),
        ("x#", False),
        ("x@", False),
        ("", True),
        ("https://docs.datadoghq.com/monitors/", False),
    ],
)
def test_a_link_to_a_section_an_address_or_a_variable_is_not_dead(target, dead):
    assert bool(findings(monitor(message=f"see [it]({target}) @a"), "dead-link")) is dead


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("avg(last_5m):avg:a{*} + b > 5", ["b"]),
        ("avg(last_5m):avg:a{*} + avg:b{*} > 5", []),
        ("avg(last_5m):avg:a{*} > 5", []),
    ],
)
def test_a_name_without_a_scope_is_no_metric(query, names):
    found = findings(monitor(query), "query-syntax")
    assert [item.severity for item in found] == ["error" for _ in names]
    shown = findings(board(query.partition(":")[2].rpartition(" > ")[0]), "query-syntax", "dashboards/a.json")
    assert [item.severity for item in shown] == ["warning" for _ in names]
    assert all(name in item.message for item, name in zip(shown, names, strict=True))


@pytest.mark.parametrize("query", ["avg:a{*", "nonsense("])
def test_a_query_of_a_dashboard_that_cannot_be_read_is_a_warning(query):
    assert [item.severity for item in findings(board(query), "query-syntax", "dashboards/a.json")] == [
        "warning"
    ]


@pytest.mark.parametrize(("names", "wrong"), [(["a"], []), (["b"], ["a"]), ([], ["a"])])
def test_a_formula_of_a_monitor_names_its_variables(names, wrong):
    variables = [{"data_source": "metrics", "name": name, "query": "avg:m{*}"} for name in names]
    body = monitor('formula("a").last("5m") > 5', options={"variables": variables})
    found = findings(body, "unknown-query")
    assert [item.message.partition(".")[0] for item in found] == [
        f"no query is called {name}" for name in wrong
    ]
    assert all(item.pointer == "/query" for item in found)


@pytest.mark.parametrize(
    ("visibility", "timeout", "refused"),
    [(None, 30, False), (None, 31, True), (3, None, False), (2, None, True), (60, 60, False), (60, 61, True)],
)
def test_a_queue_hides_a_message_as_long_as_its_function_may_run(visibility, timeout, refused, tmp_path):
    """Defaults: 30 seconds of a queue, 3 of a function (the resource types' references of CloudFormation)."""
    queue = {} if visibility is None else {"VisibilityTimeout": visibility}
    function = {} if timeout is None else {"Timeout": timeout}
    resources = {
        "Q": {"Type": "AWS::SQS::Queue", "Properties": queue},
        "F": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Handler": "a.b", "Runtime": "python3.13", **function},
        },
        "M": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Ref": "F"}},
        },
    }
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": resources}))
    found = run.lint([path], run.selected(["timeout-order"])).findings
    assert [item.severity for item in found] == ["error"] * refused
    if refused:
        enough = 6 * (3 if timeout is None else timeout)
        assert f"Set VisibilityTimeout to {enough}, six times" in found[0].message


def test_coverage_counts_dashboards_and_monitors_and_passes_other_files_by(tmp_path):
    bodies = {
        "dashboards/a": board("sum:aws.lambda.errors{*}.as_count()"),
        "slos/s": {"name": "S", "type": "metric", "query": {"numerator": "sum:aws.lambda.errors{*}", "denominator": "sum:b{*}"}},
        "other/x": {"a": 1},
    }  # fmt: skip
    for name, body in bodies.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    table = {row.name: row for row in of_files(run.find([tmp_path])[0])}
    assert (table["aws.lambda.errors"].dashboards, table["aws.lambda.errors"].monitors) == (("a",), ())


@pytest.mark.parametrize("key", ["id", "created_at", "multi", "restriction_policy"])
def test_a_key_that_datadog_sets_stands_at_its_own_place_and_goes_with_a_fix(key):
    text = json.dumps({"type": "query alert", key: 5, "query": "q"})
    (found,) = lint_text("monitors/m.json", text, frozenset({"read-only-key"})).findings
    assert text[found.column - 1 : found.end_column - 1] == f'"{key}"'
    assert found.severity == "warning"
