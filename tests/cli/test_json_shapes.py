"""What `--json` prints has the shapes that docs/reference/schemas/ describes."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from json_samples import OFFLINE, ONLINE, write_project

from monitoring.cli import main
from monitoring.local_datadog import LocalDatadog

pytestmark = pytest.mark.checkout
SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
PAGE = (SCHEMAS.parent / "json.md").read_text(encoding="utf-8")


def printed(argv, capsys):
    with pytest.raises(SystemExit):
        main([*argv, "--json"])
    return json.loads(capsys.readouterr().out)


def schema(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("DD_URL", "DD_API_KEY", "DD_APP_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", OFFLINE)
def test_a_document_has_the_shape_of_its_schema(name, project, capsys):
    validator = jsonschema_rs.validator_for(schema(name))
    for argv in OFFLINE[name]:
        document = printed(argv, capsys)
        assert [str(error) for error in validator.iter_errors(document)] == [], argv


def test_documents_about_a_datadog_have_the_shapes_of_their_schemas(project, capsys, monkeypatch):
    with LocalDatadog() as datadog:
        monkeypatch.setenv("DD_URL", datadog.url)
        for name, lines in ONLINE.items():
            validator = jsonschema_rs.validator_for(schema(name))
            for argv in lines:
                document = printed(argv, capsys)
                assert [str(error) for error in validator.iter_errors(document)] == [], argv


@pytest.mark.parametrize("name", [path.stem for path in sorted(SCHEMAS.glob("*.json"))])
def test_a_schema_refuses_what_lacks_a_key_or_is_of_another_version(name):
    """A schema that takes anything would prove nothing."""
    validator = jsonschema_rs.validator_for(schema(name))
    assert not validator.is_valid({})
    assert not validator.is_valid([])
    assert schema(name)["required"][0] == "version"
    assert schema(name)["properties"]["version"] == {"const": 1}


def test_every_schema_is_tried_and_listed():
    names = {path.stem for path in SCHEMAS.glob("*.json")}
    assert names == {*OFFLINE, *ONLINE}
    assert {name for name in names if f"(schemas/{name}.json)" in PAGE} == names
