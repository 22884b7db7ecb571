"""A project of one's own: what is written passes the project's own lint, tests and plan."""

import json

import pytest

from monitoring.cli import main

SERVERLESS = """
service: shop
provider: {name: aws, stage: prod}
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


def monitor(root, key):
    return json.loads((root / "monitors" / f"{key}.json").read_text())


def test_thresholds_come_from_what_was_found(found):
    pay, mail = monitor(found, "shop-prod-pay-near-timeout"), monitor(found, "mailer-near-timeout")
    assert pay["query"].endswith("{functionname:shop-prod-pay} by {functionname} > 18000")
    assert mail["options"]["thresholds"]["critical"] == 4500
    assert monitor(found, "orderflow-near-timeout")["query"].endswith("> 480000")
    assert "functionname:shop-prod-pay OR functionname:mailer" in monitor(found, "functions-fail")["query"]
    assert "functionname:shop-prod-pay}" in monitor(found, "streams-behind")["query"]
    assert "functionname:mailer}" in monitor(found, "dead-letters-fail")["query"]


def test_what_is_written_passes_lint_and_its_own_tests(found, capsys):
    assert run("lint", "--strict") == 0, capsys.readouterr().out
    assert run("test", "--require-tests", "monitors") == 0, capsys.readouterr().out


def test_what_is_written_can_be_drawn(found):
    assert run("preview", "--format", "svg", "--out", "out") == 0
    assert "OrderFlow".lower() in (found / "out" / "pipeline.svg").read_text()


def test_without_a_template_all_that_is_shipped_is_there_and_tests_pass(tmp_path, monkeypatch):
    assert run("init", tmp_path / "mine") == 0
    root = tmp_path / "mine"
    assert (root / "handlers" / "forwarder.py").is_file()
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


def test_what_is_there_is_not_overwritten_unasked(tmp_path, capsys):
    assert run("init", tmp_path) == 0
    assert f" files into {tmp_path}\n" in capsys.readouterr().out
    (tmp_path / "stepscope.toml").write_text("mine")
    assert run("init", tmp_path) == 2
    assert "are there already" in capsys.readouterr().err
    assert (tmp_path / "stepscope.toml").read_text() == "mine"
    assert run("init", tmp_path, "--force") == 0


def test_a_template_without_anything_to_watch_is_said(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text("Resources: {}")
    assert run("init", tmp_path / "p", "--from", tmp_path / "t.yaml") == 2
    assert "describes no function" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
