"""What `--json` prints has the shapes that docs/reference/schemas/ describes."""

import json
from pathlib import Path

import click
import jsonschema_rs
import pytest
from json_samples import ELSEWHERE, LINES, OFFLINE, ONLINE, write_project
from shapes import SCHEMAS, deviations, schema

from monitoring.cli import COMMANDS, main
from monitoring.cli.group import root
from monitoring.local_datadog import LocalDatadog

pytestmark = pytest.mark.checkout
PAGE = (SCHEMAS.parent / "json.md").read_text(encoding="utf-8")


def printed(argv, capsys):
    with pytest.raises(SystemExit):
        main([*argv, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("DD_URL", "DD_API_KEY", "DD_APP_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", OFFLINE)
def test_a_document_has_the_shape_of_its_schema(name, project, capsys):
    for argv in OFFLINE[name]:
        assert deviations(name, printed(argv, capsys)) == [], argv


def test_documents_about_a_datadog_have_the_shapes_of_their_schemas(project, capsys, monkeypatch):
    with LocalDatadog() as datadog:
        monkeypatch.setenv("DD_URL", datadog.url)
        for name, lines in ONLINE.items():
            for argv in lines:
                assert deviations(name, printed(argv, capsys)) == [], argv


@pytest.mark.parametrize("name", LINES)
def test_every_line_has_the_shape_of_its_schema(name, project, capsys, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    validator = jsonschema_rs.validator_for(schema(name))
    for argv in LINES[name]:
        with pytest.raises(SystemExit):
            main([*argv, "--json"])
        rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
        assert [(row, str(error)) for row in rows for error in validator.iter_errors(row)] == []
        kinds = {option["required"][-1] for option in schema(name).get("oneOf", [])}
        assert {key for row in rows for key in row} - {"version"} >= kinds, "a kind of line is not tried"
    assert not validator.is_valid({})


VERSIONED = sorted({path.stem for path in SCHEMAS.glob("*.json")} - LINES.keys())


@pytest.mark.parametrize("name", VERSIONED)
def test_a_schema_refuses_what_lacks_a_key_or_is_of_another_version(name):
    """A schema that takes anything would prove nothing."""
    validator = jsonschema_rs.validator_for(schema(name))
    assert not validator.is_valid({})
    assert not validator.is_valid([])
    assert schema(name)["required"][0] == "version"
    assert schema(name)["properties"]["version"] == {"const": 1}


def test_every_schema_is_tried_and_listed():
    names = {path.stem for path in SCHEMAS.glob("*.json")}
    assert names == {*OFFLINE, *ONLINE, *LINES, *ELSEWHERE}
    assert {name for name in names if f"(schemas/{name}.json)" in PAGE} == names
    folder = Path(__file__).parents[1]
    for name, test in ELSEWHERE.items():
        assert f'deviations("{name}", ' in (folder / test).read_text(encoding="utf-8")


def with_json():
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        if any("--json" in option.opts for option in command.params):
            yield name


def test_every_command_with_json_has_a_schema():
    names = {path.stem.partition("-")[0] for path in SCHEMAS.glob("*.json")}
    assert set(with_json()) - names == set()
    assert names - {"error"} <= set(COMMANDS)


@pytest.mark.parametrize("name", list(with_json()))
def test_every_command_with_json_says_wrong_usage_as_json(name, project, capsys):
    validator = jsonschema_rs.validator_for(schema("error"))
    document = printed([name, "--nosuch"], capsys)
    assert validator.is_valid(document)
    assert "--nosuch" in document["error"]["message"]


def keys_of(rule):
    """The names of all properties in a schema."""
    if isinstance(rule, list):
        yield from (key for part in rule for key in keys_of(part))
    elif isinstance(rule, dict):
        yield from rule.get("properties", {})
        yield from (key for part in rule.values() for key in keys_of(part))


@pytest.mark.parametrize("name", [path.stem for path in sorted(SCHEMAS.glob("*.json"))])
def test_a_path_is_called_path_everywhere(name):
    assert not {"file", "filename", "file_name", "filepath"} & set(keys_of(schema(name)))
