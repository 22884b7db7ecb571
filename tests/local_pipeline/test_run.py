"""`stepscope run`: a user's own template, once, with everything that it leaves in Datadog."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from monitoring.cli import main


@pytest.fixture
def run(capsys, monkeypatch):
    """The command in this process: its status and what it printed."""

    def run(*arguments: str, stdin: str = "") -> SimpleNamespace:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main(["run", *arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(exit_code=ended.value.code, stdout=printed.out, stderr=printed.err)

    return run


def test_an_execution_is_told_with_its_telemetry(project: Path, run) -> None:
    done = run("Orders", "--from", str(project), "--input", str(project / "input.json"), "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["status"], result["output"], result["error"]) == ("SUCCEEDED", {"paid": 20}, None)
    assert result["path"] == ["Take", "Pay"]
    assert 0 < result["duration_ms"] < 60_000
    (orders,) = [row for row in result["metrics"] if row["metric"] == "shop.orders"]
    assert (orders["points"], orders["sum"]) == (1, 1.0)
    assert {"kind:web", "env:local"} <= set(orders["tags"])
    assert [log["message"] for log in result["logs"] if log["message"].startswith("took")] == ["took 7"]
    spans = {span["span_id"]: span for span in result["spans"]}
    assert {"aws.lambda", "aws.stepfunctions"} <= {span["name"] for span in spans.values()}


def test_a_failed_execution_gives_status_1_and_its_error(project: Path, run) -> None:
    done = run(
        "orders-dev",
        "--from",
        str(project / "template.yaml"),
        "--input",
        "-",
        "--json",
        stdin='{"id": 1, "amount": 5000}',
    )
    result = json.loads(done.stdout)
    assert (done.exit_code, result["status"], result["error"]) == (1, "FAILED", "ValueError")
    assert result["output"] is None
    assert any(span["error"] for span in result["spans"])


def test_an_express_execution_is_told_too(project: Path, run) -> None:
    result = json.loads(run("Quick", "--from", str(project), "--json").stdout)
    assert (result["status"], result["output"], result["path"]) == ("SUCCEEDED", {"quick": True}, ["Only"])


def test_a_parameter_and_an_answer_change_what_runs(project: Path, run) -> None:
    done = run(
        *("orders-prod", "--from", str(project), "--parameter", "Stage=prod"),
        *("--answer", 'Take={"amount": 3}', "--answer", 'Orders.Pay={"Payload": "given"}', "--json"),
    )
    result = json.loads(done.stdout)
    assert (result["status"], result["output"]) == ("SUCCEEDED", "given")
    assert "not run here: Take" in done.stderr


def test_what_is_wrong_is_a_sentence_and_status_2(project: Path, run) -> None:
    (project / "bad.json").write_text("{")
    wrong = {
        "no state machine Order": ["Order", "--from", str(project)],
        "is not JSON": ["Orders", "--from", str(project), "--input", str(project / "bad.json")],
        "no such file": ["Orders", "--from", str(project / "nowhere")],
        "no parameter Stag": ["Orders", "--from", str(project), "--parameter", "Stag=x"],
        "not NAME=VALUE": ["Orders", "--from", str(project), "--parameter", "Stage"],
        "no Nobody to answer for": ["Orders", "--from", str(project), "--answer", "Nobody=1"],
        "holds no template": ["Orders", "--from", str(project / "src")],
    }
    for message, arguments in wrong.items():
        done = run(*arguments)
        assert (done.exit_code, message in done.stderr, "Traceback" in done.stderr) == (2, True, False), (
            done.stderr
        )
