"""Where a finding stands, how grave it is, and what one rule leaves to another (docs/lint.md)."""

import json

import pytest

from monitoring.lint import run
from monitoring.lint.engine import _place_of, lint_settings, lint_text

DURATION = "avg(last_1h):avg:aws.lambda.duration{*}"


def findings(body, rule, path="monitors/m.json"):
    return lint_text(path, json.dumps(body), frozenset({rule})).findings


def monitor(query, message="@a", **more):
    return {"name": "m", "type": "query alert", "query": query, "message": message, "options": {}, **more}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("see https://app.datadoghq.com/dashboard/nonsense @a", True),
        ("see [x](/monitors/1) @a", True),
        ("see [x](https://example.com/x) @a", True),
        ("see [x]() @a", True),
        ("see [x](http://) @a", True),
        ("see [x](https://app.datadoghq.com/dashboard/abc-def-ghi) @a", False),
    ],
)
def test_a_link_that_leads_nowhere_is_a_warning(text, named):
    found = findings(monitor(f"{DURATION} > 5", text), "dead-link")
    assert [item.severity for item in found] == ["warning"] * named


@pytest.mark.parametrize(
    ("condition", "dead"),
    [("> -5", False), (">= -5", False), ("<= -5", True), ("<= 5", False), ("< 5", False)],
)
def test_a_negative_threshold_is_out_of_reach_from_below_alone(condition, dead):
    body = monitor(
        f"{DURATION} {condition}", options={"thresholds": {"critical": float(condition.split()[1])}}
    )
    assert bool(findings(body, "never-fires")) is dead


def test_a_value_of_the_settings_stands_from_its_first_character_to_behind_its_last():
    report = lint_settings("stepscope.toml", "[defaults]\n  abc = 1\n", frozenset())
    assert [(value.name, value.mark) for value in report.facts.values] == [("abc", (2, 3, 2, 6))]


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("f:3:4", ("f", 3, 4)),
        ("c:/f:3:4", ("c:/f", 3, 4)),
        ("f:x:4", ("p", 1, 1)),
        ("f:3:x", ("p", 1, 1)),
        ("f:3", ("p", 1, 1)),
        ("", ("p", 1, 1)),
    ],
)
def test_the_place_of_an_error_is_that_of_its_file(where, place):
    assert _place_of(where, "p") == place


def project(tmp_path, body):
    (tmp_path / "stepscope.toml").write_text('project = "p"\n[defaults]\nshops = ["a", "b"]\n')
    (tmp_path / "monitors").mkdir()
    path = tmp_path / "monitors" / "m.json"
    path.write_text(json.dumps({"for_each": "shops", **body}))
    return path


def test_the_settings_of_a_project_are_named_as_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    path = project(tmp_path / "in", monitor("q"))
    monkeypatch.chdir(tmp_path)
    assert list(map(str, run.settings_files([path, path]))) == ["in/stepscope.toml"]
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert run.settings_files([path]) == [tmp_path / "in" / "stepscope.toml"]


@pytest.mark.parametrize(
    ("query", "rules"),
    [
        (f"{DURATION} > ${{var:none}}", ["dead-reference"]),
        (f"{DURATION} > 5", ["for-each"]),
        ("avg(last_1h):avg:aws.lambda.duration{shop:${var:each}} > 5", []),
    ],
)
def test_a_variable_without_a_value_is_said_by_one_rule(tmp_path, query, rules):
    path = project(tmp_path, monitor(query))
    found = run.lint([path], run.selected(["for-each", "dead-reference"]))
    assert sorted({item.rule for item in found.findings}) == rules
