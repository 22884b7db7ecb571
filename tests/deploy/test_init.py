"""A project of one's own: what is written passes the project's own lint, tests and plan."""

import json

import numpy as np
import pytest

from monitoring.cli import main
from monitoring.query.series import Series
from monitoring.resources.project import load_project, load_resources
from monitoring.store import Store

SERVERLESS = """
service: shop
provider: {name: aws, stage: prod, runtime: python3.13}
functions:
  pay: {handler: a.b, timeout: 20, events: [{stream: arn}]}
  mail: {handler: a.c, name: Mailer, timeout: 5, onError: arn, events: [{sns: topic}]}
stepFunctions:
  stateMachines:
    order:
      name: OrderFlow
      definition:
        StartAt: A
        TimeoutSeconds: 600
        States:
          A: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true}
"""


def run(*argv):
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in argv])
    return int(stopped.value.code or 0)


@pytest.fixture
def found(tmp_path, monkeypatch):
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    monkeypatch.chdir(tmp_path)
    assert run("init", "project", "--from", "serverless.yml") == 0
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def queries(root, env=""):
    made = load_resources(load_project(root, env))
    return {one.key: one.body["query"] for one in made if one.kind == "monitor"}


def test_thresholds_and_exact_names_come_from_what_was_found(found):
    made = queries(found)
    near = "max(last_30m):max:aws.lambda.duration.maximum"
    assert made["functions-near-timeout[shop-pay]"] == (
        f"{near}{{functionname:shop-prod-pay}} by {{functionname}} > 18000"
    )
    assert made["functions-near-timeout[mailer]"].endswith("{functionname:mailer} by {functionname} > 4500")
    assert made["executions-near-timeout[orderflow]"].endswith(" > 540000")
    assert {key for key in made if key.startswith(("streams-behind", "dead-letters-fail"))} == {
        "streams-behind[shop-pay]",
        "dead-letters-fail[mailer]",
    }
    assert {key for key in made if key.startswith("functions-unseen")} == {
        "functions-unseen[shop-pay]",
        "functions-unseen[mailer]",
    }


def test_another_environment_watches_its_own_functions_alone(found):
    (found / "stepscope.toml").write_text('[env.dev]\nstage = "dev"\n[env.prod]\nstage = "prod"\n')
    dev, prod = queries(found, "dev"), queries(found, "prod")
    assert "{functionname:shop-dev-pay}" in dev["functions-fail[shop-pay]"]
    assert "{functionname:shop-prod-pay}" in prod["functions-fail[shop-pay]"]


def test_two_environments_of_one_organisation_share_no_query_with_the_scopes_that_init_proposes(
    tmp_path, monkeypatch
):
    (tmp_path / "serverless.yml").write_text(
        SERVERLESS.replace("stage: prod", "stage: \"${opt:stage, 'dev'}\"")
    )
    (tmp_path / "serverless.yml").write_text(
        (tmp_path / "serverless.yml").read_text().replace("name: Mailer, ", "")
    )
    monkeypatch.chdir(tmp_path)
    assert run("init", "--from", "serverless.yml") == 0
    text = (tmp_path / "stepscope.toml").read_text()
    assert text.count("# scope =") == text.count("# forwarder_scope =") == 1
    proposed = text.replace("# scope", "scope").replace("# forwarder_scope", "forwarder_scope")
    (tmp_path / "stepscope.toml").write_text(proposed)
    dev, prod = queries(tmp_path, "dev"), queries(tmp_path, "prod")
    assert dev.keys() == prod.keys()
    shared = {key for key in dev if dev[key] == prod[key] and "${monitor:" not in dev[key]}
    assert {key.partition("[")[0] for key in shared} <= {
        "executions-failed",
        "executions-near-timeout",
        "executions-timed-out",
    }
    assert not any("{*}" in query for query in dev.values())


def test_a_function_has_values_of_its_own_without_a_copy_of_a_file(found):
    (found / "stepscope.toml").write_text("[defaults.functions.mailer]\nerrors = 5\n")
    made = queries(found)
    assert made["functions-fail[mailer]"].endswith("> 5")
    assert made["functions-fail[shop-pay]"].endswith("> 0")


def test_what_was_measured_says_what_is_slow(tmp_path, monkeypatch):
    with Store.open(tmp_path / "datadog.duckdb") as store:
        seconds = [2.0] * 19 + [4.0]
        tags = ("functionname:shop-prod-pay",)
        times = np.arange(1_700_000_000, 1_700_000_000 + 60 * len(seconds), 60)
        store.add_points([Series("aws.lambda.enhanced.duration", tags, times, np.array(seconds))])
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    monkeypatch.chdir(tmp_path)
    assert run("init", "project", "--from", "serverless.yml", "--data", "datadog.duckdb") == 0
    made = queries(tmp_path / "project")
    assert made["functions-slow[shop-pay]"].endswith("> 3000")
    assert "functions-slow[mailer]" not in made


def test_a_database_is_asked_for_with_a_template_only(tmp_path, capsys):
    assert run("init", tmp_path / "p", "--data", tmp_path / "none.duckdb") == 2
    assert "--data is for thresholds of --from" in capsys.readouterr().err


def test_what_is_written_passes_lint_and_its_own_tests(found, capsys):
    assert run("lint", "--strict") == 0, capsys.readouterr().out
    assert run("test", "--require-tests", "monitors") == 0, capsys.readouterr().out


def test_what_is_written_can_be_drawn(found):
    assert run("preview", "--format", "svg", "--out", "out") == 0
    assert "orderflow" in (found / "out" / "state-machine.svg").read_text().lower()


def test_without_a_template_all_that_is_shipped_is_there_and_tests_pass(tmp_path, monkeypatch):
    assert run("init", tmp_path / "mine") == 0
    root = tmp_path / "mine"
    assert not (root / "handlers").exists()
    assert len(list((root / "dashboards").glob("*.json"))) >= 6
    assert len(list((root / "monitors").glob("*.test.yaml"))) == len(list((root / "monitors").glob("*.json")))
    assert 'project = "mine"' in (root / "stepscope.toml").read_text()
    assert list((root / "slos").glob("*.json"))
    assert not (root / "downtimes").exists()


def test_what_silences_monitors_is_written_only_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    assert run("init", tmp_path / "mine", "--downtimes") == 0
    monkeypatch.chdir(tmp_path / "mine")
    assert list((tmp_path / "mine" / "downtimes").glob("*.json"))
    assert run("lint", "--strict", "downtimes", "slos") == 0, capsys.readouterr().out


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
"""
FUNCTION = "  {0}:\n    Type: AWS::Serverless::Function\n    Properties: {{FunctionName: shop-{0}, Runtime: python3.13, CodeUri: ., Handler: a.b, Timeout: {1}}}\n"


def template(root, **timeouts):
    (root / "template.yaml").write_text(
        TEMPLATE + "".join(FUNCTION.format(*each) for each in timeouts.items())
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a package of its own that is called as a folder of the example."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "__init__.py").write_text("MINE = 1\n")
    template(tmp_path, take=10)
    assert run("init", "--from", "template.yaml") == 0
    return tmp_path


def contents(root):
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_projects_handlers_are_left_alone(project, capsys):
    assert contents(project / "handlers") == {"__init__.py": "MINE = 1\n"}
    assert run("init", "--from", "template.yaml", "--force") == 0
    assert contents(project / "handlers") == {"__init__.py": "MINE = 1\n"}
    assert run("init", "--from", "template.yaml", "--handlers", "--force") == 0
    assert "not written by init: handlers/__init__.py" in capsys.readouterr().out
    found = contents(project / "handlers")
    assert found["__init__.py"] == "MINE = 1\n"
    assert "monitoring.forwarder import handler" in found["forwarder.py"]
    assert "slides/identify.py" in found


def test_run_again_without_a_change_nothing_changes(project, capsys):
    before = contents(project)
    capsys.readouterr()
    assert run("init", "--from", "template.yaml") == 0
    said = capsys.readouterr().out
    assert "Wrote 0 files" in said
    assert "Left" not in said
    assert contents(project) == before


def test_run_again_it_adds_updates_and_keeps_what_was_edited(project, capsys):
    edited = project / "monitors" / "functions-near-timeout.json"
    edited.write_text(edited.read_text().replace("max(last_30m)", "max(last_15m)"))
    kept = edited.read_text()
    (project / "stepscope.toml").write_text("project = 'renamed'\n")
    template(project, take=20, give=30)
    capsys.readouterr()
    assert run("init", "--from", "template.yaml") == 0
    said = capsys.readouterr().out
    assert edited.read_text() == kept
    assert (project / "stepscope.toml").read_text() == "project = 'renamed'\n"
    assert {"functions-fail[shop-take]", "functions-fail[shop-give]"} <= set(queries(project))
    assert queries(project)["functions-near-timeout[shop-take]"].endswith("> 18000")
    line = next(line for line in said.splitlines() if line.startswith("Left"))
    assert {"stepscope.toml", "monitors/functions-near-timeout.json"} <= set(line.split(": ")[1].split(", "))
    assert run("init", "--from", "template.yaml", "--force") == 0
    assert "max(last_30m)" in edited.read_text()


def test_what_a_template_no_longer_describes_is_watched_no_more_and_its_file_named(project, capsys):
    template(project, give=30)
    (project / "template.yaml").write_text(
        (project / "template.yaml").read_text().replace("Timeout: 30", "MemorySize: 3, Timeout: !Ref X")
        + "Parameters: {X: {Type: Number}}\n"
    )
    capsys.readouterr()
    assert run("init", "--from", "template.yaml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert "monitors/functions-near-timeout.json" in told["gone"]
    assert (project / "monitors" / "functions-near-timeout.json").is_file()
    assert "stepscope.toml" not in told["gone"]
    assert "functions-fail[shop-take]" not in queries(project)


def test_a_file_that_was_deleted_stays_deleted(project, capsys):
    gone = project / "monitors" / "functions-near-timeout.json"
    gone.unlink()
    assert run("init", "--from", "template.yaml") == 0
    assert not gone.exists()
    assert run("init", "--from", "template.yaml", "--force") == 0
    assert gone.exists()


@pytest.mark.parametrize("record", ["", "[]", "{", '{"monitors/functions-fail.json": 7}'])
def test_without_a_record_that_can_be_read_everything_is_somebody_elses(project, record):
    (project / ".stepscope-init.json").write_text(record)
    mine = project / "monitors" / "functions-fail.json"
    mine.write_text("{}")
    assert run("init", "--from", "template.yaml", *(["--force"] if not record.startswith('{"') else [])) == 0
    assert mine.read_text() == "{}"


def test_a_folder_in_a_files_place_is_said(project, capsys):
    (project / "stepscope.toml").unlink()
    (project / "stepscope.toml").mkdir()
    assert run("init", "--from", "template.yaml") == 2
    assert "stepscope.toml" in capsys.readouterr().err


def test_a_template_without_anything_to_watch_is_said(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text("Resources: {}")
    assert run("init", tmp_path / "p", "--from", tmp_path / "t.yaml") == 2
    assert "describes no function" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
