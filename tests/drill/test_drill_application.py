"""`stepscope drill --from`: a user's own functions and state machines, against the user's own monitors."""

import json
import sys
import types
from pathlib import Path

import pytest

from monitoring.cli import main
from monitoring.drill.application import waiting
from monitoring.drill.application_result import ApplicationResult
from monitoring.drill.application_run import ApplicationOptions, drill_application, pipeline_options
from monitoring.errors import InputError
from monitoring.testing.project import Folder

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.12, CodeUri: ., Timeout: 20}
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: orders
      Policies: [LambdaInvokePolicy: {FunctionName: !Ref Store}]
      Definition:
        StartAt: Store
        States:
          Store: {Type: Task, Resource: !GetAtt Store.Arn, End: true}
      Logging:
        Level: ALL
        IncludeExecutionData: true
        Destinations: [CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Logs.Arn}]
  Logs: {Type: AWS::Logs::LogGroup}
  Store: {Type: AWS::Serverless::Function, Properties: {FunctionName: store, Handler: app.store}}
  Unused: {Type: AWS::Serverless::Function, Properties: {Handler: app.store}}
"""
APP = """
import os, pathlib, tempfile
from monitoring import monitored

def stored(event, result):
    path = pathlib.Path(result["path"])
    there = path.exists()
    path.unlink(missing_ok=True)
    return there

@monitored(verify=stored)
def store(event, context):
    path = pathlib.Path(tempfile.gettempdir()) / f"order-{event['id']}"
    path.write_text("stored")
    return {"path": str(path)}
"""
MONITORS = {
    "failed": (
        "sum(last_15m):sum:aws.states.executions_failed{statemachinearn:*:statemachine:orders}.as_count() > 0",
        "@oncall",
    ),
    "claims": ("sum(last_5m):sum:claims.broken{*}.as_count() > 0", "@author"),
    "untold": ("sum(last_15m):sum:aws.states.executions_aborted{*}.as_count() > 0", "nobody is told"),
    "always": ("sum(last_15m):sum:aws.states.executions_started{*}.as_count() > 0", "@oncall"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "app.py").write_text(APP)
    (folder / "input.json").write_text('{"id": 7}')
    (folder / "monitors").mkdir()
    for key, (query, handle) in MONITORS.items():
        body = {
            "name": key,
            "type": "query alert",
            "query": query,
            "message": handle,
            "options": {"evaluation_delay": 900 if "aws." in query else 0},
        }
        (folder / "monitors" / f"{key}.json").write_text(json.dumps(body))
    return folder


@pytest.fixture(scope="module")
def result(project: Path) -> ApplicationResult:
    options = ApplicationOptions(
        pipeline_options(project / "template.yaml", ""), {"Orders": {"id": 7}}, Folder(project / "monitors")
    )
    return drill_application(options)


def test_every_function_and_state_machine_is_broken_in_every_way(result: ApplicationResult) -> None:
    assert [row.breakage.name for row in result.faults] == [
        *(
            f"Store/{kind}"
            for kind in (
                "raises",
                "times-out",
                "out-of-memory",
                "throttled",
                "not-importable",
                "slow",
                "claims-falsely",
            )
        ),
        *(f"Orders/{kind}" for kind in ("times-out", "aborted", "stuck", "never-started")),
    ]
    assert result.not_reached == ("Unused",)


def test_what_was_broken_really_broke(result: ApplicationResult) -> None:
    ended = {row.breakage.name: " ".join(row.ended) for row in result.faults}
    assert ended["Store/raises"] == "FAILED RuntimeError"
    assert (
        ended["Store/times-out"].startswith("FAILED Sandbox.Timedout")
        or "Timeout" in ended["Store/times-out"]
    )
    assert "FAILED" in ended["Store/out-of-memory"]
    assert "TooManyRequests" in ended["Store/throttled"]
    assert "ImportModuleError" in ended["Store/not-importable"]
    assert ended["Store/slow"] == "SUCCEEDED"
    assert ended["Orders/times-out"] == "TIMED_OUT States.Timeout" or ended["Orders/times-out"].startswith(
        "TIMED_OUT"
    )
    assert (ended["Orders/aborted"], ended["Orders/stuck"], ended["Orders/never-started"]) == (
        "ABORTED",
        "RUNNING",
        "",
    )


def test_a_fault_is_noticed_by_the_monitor_that_is_there_for_it(result: ApplicationResult) -> None:
    rows = {row["name"]: row for row in result.as_data()["faults"]}
    assert rows["Store/raises"]["noticed_by"] == ["failed"]
    assert rows["Store/raises"]["told"] == ["@oncall"]
    assert 10 <= rows["Store/raises"]["minutes"] <= 30
    assert rows["Store/claims-falsely"]["noticed_by"][0] == "claims"
    assert rows["Store/claims-falsely"]["minutes"] <= 10


def test_nobody_is_told_by_a_monitor_without_a_handle(result: ApplicationResult) -> None:
    row = next(row for row in result.faults if row.breakage.name == "Orders/aborted")
    assert row.noticed == ()
    assert any("no @handle" in remark for remark in row.remarks)
    assert "executions-aborted" in row.would
    assert "Orders/aborted" in result.unnoticed


def test_a_monitor_that_alerts_on_an_ordinary_day_is_a_false_alarm_and_notices_nothing(
    result: ApplicationResult,
) -> None:
    assert result.false_alarms == ("always",)
    assert all("always" not in row.as_data()["noticed_by"] for row in result.faults)
    assert not result.fine


def test_the_command_gives_the_same_as_data(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "idle").mkdir(exist_ok=True)
    monkeypatch.chdir(project / "idle")
    machine = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    (project / "idle" / "idle.asl.json").write_text(json.dumps(machine))
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--from", ".", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert data["unnoticed"] == [row["name"] for row in data["faults"]] != []
    assert data["false_alarms"] == []
    assert {"name", "target", "how", "noticed_by", "minutes", "told"} <= data["faults"][0].keys()


def test_only_the_faults_that_are_named_are_brought_about(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit):
        main(
            [
                "drill",
                "--from",
                ".",
                "--input",
                "input.json",
                "--json",
                "Orders/aborted",
                "Store/claims-falsely",
            ]
        )
    rows = json.loads(capsys.readouterr().out)["faults"]
    assert [row["name"] for row in rows] == ["Store/claims-falsely", "Orders/aborted"]


@pytest.mark.parametrize("names", [(), ("Orders/stuck", "Store/slow")])
def test_faults_are_listed_and_nothing_is_run(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr("monitoring.local_pipeline.pipeline.LocalAws", None)
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--from", ".", "--list", "--json", *names])
    rows = [row["name"] for row in json.loads(capsys.readouterr().out)["faults"]]
    assert ended.value.code == 0
    if names:
        assert sorted(rows) == sorted(names)
    else:
        assert len(rows) == 7 + 7 + 4  # two functions, one of them not reached, and the state machine
    with pytest.raises(SystemExit):
        main(["drill", "--from", ".", "--list", *names])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["Store/slo"], "Did you mean Store/slow?"), (["--from", "empty"], "no state machine to drill")],
)
def test_a_list_of_nothing_is_refused(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(project)
    (project / "empty").mkdir(exist_ok=True)
    (project / "empty" / "template.yaml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--from", ".", "--list", *arguments])
    assert (ended.value.code, message in capsys.readouterr().err) == (2, True)


def test_an_execution_that_fails_in_health_is_said(project: Path) -> None:
    options = ApplicationOptions(pipeline_options(project, ""), {"": {}}, Folder(project / "monitors"))
    with pytest.raises(InputError, match="does not succeed before anything is broken"):
        drill_application(options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--machine", "Nobody"], "no state machine Nobody"),
        (["--input", "Nobody=input.json"], "no state machine Nobody"),
        (["--input", "nowhere.json"], "cannot be read"),
        (["--input", "input.json", "Store/raise"], "Did you mean Store/raises?"),
        (["--input", "input.json", "claim-broken"], "There are Store/raises, "),
    ],
)
def test_what_is_wrong_is_a_sentence_and_status_2(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--from", "template.yaml", *arguments])
    assert (ended.value.code, message in capsys.readouterr().err) == (2, True)


def test_a_wait_is_put_before_the_first_state() -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}, "TimeoutSeconds": 9}
    waiting(7)(definition)
    assert definition["StartAt"] == "DrillWait"
    assert definition["States"]["DrillWait"] == {"Type": "Wait", "Seconds": 7, "Next": "A"}
    assert "TimeoutSeconds" not in definition


@pytest.mark.parametrize("handler", ["plain", "decorated", "closure"])
def test_a_fault_reaches_the_innermost_function(
    handler: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "victim.py").write_text(
        "import functools\n"
        "seen = []\n"
        "def plain(event, context): return 'worked'\n"
        "def watched(f):\n"
        "    @functools.wraps(f)\n"
        "    def inner(event, context):\n"
        "        try: return f(event, context)\n"
        "        except RuntimeError: seen.append('failed'); raise\n"
        "    return inner\n"
        "@watched\n"
        "def decorated(event, context): return 'worked'\n"
        "def make(word):\n"
        "    def closure(event, context): return word\n"
        "    return closure\n"
        "closure = make('worked')\n"
    )
    for key, value in {
        "FAULT": "raises",
        "CODE": str(tmp_path),
        "HANDLER": f"victim.{handler}",
        "RESULT": "1",
    }.items():
        monkeypatch.setenv(f"DRILL_{key}", value)
    from monitoring.drill.application import INJECTED_CODE

    monkeypatch.syspath_prepend(str(INJECTED_CODE))
    for name in ("fault_handler", "victim"):
        sys.modules.pop(name, None)
    import fault_handler

    with pytest.raises(RuntimeError, match="the drill"):
        fault_handler.handler({}, types.SimpleNamespace())
    assert fault_handler.original({}, None) == "worked"
    assert sys.modules["victim"].seen == (["failed"] if handler == "decorated" else [])
    for name in ("fault_handler", "victim"):
        sys.modules.pop(name, None)


def test_a_pipeline_that_may_not_do_its_work_is_not_drilled(project: Path, tmp_path: Path) -> None:
    refused = TEMPLATE.replace("      Policies: [LambdaInvokePolicy: {FunctionName: !Ref Store}]\n", "")
    assert refused != TEMPLATE
    (tmp_path / "template.yaml").write_text(refused)
    (tmp_path / "app.py").write_text(APP)
    with pytest.raises(InputError, match="is not authorized to perform: lambda:InvokeFunction on resource"):
        drill_application(
            ApplicationOptions(pipeline_options(tmp_path, ""), {"": {"id": 1}}, Folder(project / "monitors"))
        )
