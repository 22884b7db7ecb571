"""A project's files, with the values of an environment."""

import json

import pytest

from monitoring.errors import InputError
from monitoring.resources.project import load_project, load_resources
from monitoring.resources.variables import fill_in

TOML = """
project = "slides"
[defaults]
critical = 5
oncall = "@slack-ops"
[env.prod]
oncall = "@pagerduty-slides"
[env.dev]
critical = 50
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "stepscope.toml").write_text(TOML)
    for kind in ("monitors", "dashboards"):
        (tmp_path / kind).mkdir()
    (tmp_path / "monitors" / "failed.json").write_text(
        json.dumps(
            {
                "name": "Failed in ${var:env}",
                "query": "sum(last_5m):sum:a{env:${var:env}} > ${var:critical}",
                "message": "${var:oncall} {{value}}",
                "options": {"thresholds": {"critical": "${var:critical}", "warning": "${var:warning|2}"}},
            }
        )
    )
    return tmp_path


@pytest.mark.parametrize(
    ("env", "critical", "oncall"),
    [("prod", 5, "@pagerduty-slides"), ("dev", 50, "@slack-ops"), ("", 5, "@slack-ops")],
)
def test_each_environment_has_its_values_and_numbers_stay_numbers(root, env, critical, oncall):
    (monitor,) = load_resources(load_project(root, env))
    assert monitor.key == "failed"
    assert monitor.body["query"] == f"sum(last_5m):sum:a{{env:{env or 'default'}}} > {critical}"
    assert monitor.body["message"] == f"{oncall} {{{{value}}}}"
    assert monitor.body["options"]["thresholds"] == {"critical": critical, "warning": 2}


def test_a_misspelt_environment_names_those_that_there_are(root):
    with pytest.raises(InputError, match=r"no environment 'porduction'\n  There are: dev, prod"):
        load_project(root, "porduction")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("project = ", "not valid TOML"),
        ("projct = 'a'", "unknown key 'projct'"),
        ("project = 'a b'", "project 'a b' is not a valid name"),
        ("[defaults]\ndd_api_key = 'x'", "looks like a secret"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path, toml, said):
    (tmp_path / "stepscope.toml").write_text(toml)
    with pytest.raises(InputError, match=said):
        load_project(tmp_path)


def test_every_bad_file_is_named_at_once_with_its_place(root):
    (root / "monitors" / "a.json").write_text('{"name": }')
    (root / "dashboards" / "b.json").write_text("[]")
    (root / "dashboards" / "c.json").write_text('{"title": "${var:nobody} ${var:knows}"}')
    with pytest.raises(InputError) as refused:
        load_resources(load_project(root))
    said = str(refused.value)
    assert "monitors/a.json:1:10: Expecting value" in said
    assert "dashboards/b.json:1:1: not a dashboard: the top level is not an object" in said
    assert "dashboards/c.json: no value for ${var:knows}, ${var:nobody}" in said


def test_tests_of_monitors_are_no_resources(root):
    (root / "monitors" / "failed.test.yaml").write_text("a: 1")
    assert len(load_resources(load_project(root))) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${var:n}", 3),
        ("n=${var:n}", "n=3"),
        ("${var:x|0.5}", 0.5),
        ("${var:x|@a-b}", "@a-b"),
        ("${var:x|}", ""),
        ("$n", "$n"),
    ],
)
def test_a_variable_alone_keeps_its_type(text, value):
    assert fill_in({"a": [text]}, {"n": 3}) == {"a": [value]}
