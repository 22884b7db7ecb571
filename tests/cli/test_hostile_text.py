"""Characters that a terminal acts on, or does not show, reach it from no command, whatever they come out of."""

import ast
import json
from pathlib import Path

import pytest

from monitoring.cli import main
from monitoring.cli.commands import COMMANDS
from monitoring.terminal import echo, printable, styled

ATTACK = (
    "\x1b[2J\x1b]0;title\x07\x9b31m\x85\x08\rhidden\u202etxt\u2066a\u2069\u200b\u200d\u2060\u2028\ufeff\x7f"
)
SHOWN = set("\n\t")
STATES = {
    f"Pay{ATTACK}": {"Type": "Task", "Resource": f"arn:{ATTACK}", "Next": f"Wait{ATTACK}"},
    f"Wait{ATTACK}": {"Type": "Wait", "Seconds": 1, "End": True},
}
MONITOR = {
    "name": f"m{ATTACK}",
    "type": "query alert",
    "query": f"sum(last_5m):sum:shop.items{{*}} by {{shop}}.as_count() > 5 {ATTACK}",
    "message": f"@a {ATTACK}",
    "tags": [f"team:{ATTACK}"],
    "options": {"thresholds": {"critical": 5}},
}
GOOD = {**MONITOR, "query": "sum(last_5m):sum:shop.items{*} by {shop}.as_count() > 5"}
DASHBOARD = {"title": ATTACK, "layout_type": "ordered", "widgets": [{"definition": {"type": ATTACK}}]}
TEST = {
    "monitor": "good",
    "start": "2026-03-01T00:00:00Z",
    "series": [{"metric": "shop.items", "type": "count", "tags": [f"shop:{ATTACK}"], "values": "0x9 9 0x19"}],
    "expect": [{"stays": "OK", "for": ATTACK}],
}
SERIES = {
    "metric": "shop.items",
    "type": "count",
    "tags": [f"shop:{ATTACK}"],
    "points": [[1772323200, 1], [1772323260, 9]],
}


def event(number: int, kind: str, **details: str) -> str:
    arn = f"arn:aws:states:eu-west-1:1:execution:shop{ATTACK.replace(':', '')}:run-1"
    record = {"id": str(number), "type": kind, "previous_event_id": str(number - 1), "execution_arn": arn}
    return json.dumps({**record, "event_timestamp": str(1_795_800_000_000 + number), "details": details})


EVENTS = (
    event(1, "ExecutionStarted", input="{}"),
    event(2, "TaskStateEntered", name=f"Pay{ATTACK}", input="{}"),
    event(3, "TaskFailed", error=f"E{ATTACK}", cause=f"because{ATTACK}"),
    event(4, "ExecutionFailed", error=f"E{ATTACK}", cause=f"because{ATTACK}"),
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    files = {
        "monitors/m.json": MONITOR,
        "monitors/good.json": GOOD,
        "monitors/good.test.yaml": TEST,
        "dashboards/d.json": DASHBOARD,
        "points.json": {"series": [SERIES]},
        "m.asl.json": {"StartAt": f"Pay{ATTACK}", "Comment": ATTACK, "States": STATES},
        "other.asl.json": {"StartAt": ATTACK, "States": {ATTACK: {"Type": "Pass", "End": True}}},
        "template.json": {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": {f"F{ATTACK}": {"Type": f"AWS::Lambda::Function{ATTACK}", "Properties": ATTACK}},
        },
    }
    for name, body in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(body))
    (tmp_path / "events.jsonl").write_text("\n".join(EVENTS))
    log = f"MONITORING|{ATTACK}|1|count|a{ATTACK}|\n" + '{"traces":[[{"name":"' + ATTACK[5:6] + '"}]]}\n'
    (tmp_path / "app.log").write_text(log)
    for name in ("DD_URL", "DD_API_KEY", "DD_APP_KEY", "DD_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = [
    ("lines", "app.log"),
    ("lines", "app.log", "--json"),
    *(("lint", "monitors", "dashboards", "--format", style) for style in ("text", "json", "sarif", "github")),
    ("lint", "template.json"),
    ("lint", "m.asl.json"),
    ("test",),
    ("test", "--json"),
    ("query", "sum:shop.items{*} by {shop}", "--data", "points.json"),
    ("query", "sum:shop.items{*} by {shop}", "--data", "points.json", "--plot"),
    ("query", f"sum:shop.items{ATTACK}", "--data", "points.json"),
    ("backtest", "good", "--data", "points.json"),
    ("backtest", "good", "--data", "points.json", "--json"),
    ("graph", "m.asl.json"),
    ("graph", "m.asl.json", "--json"),
    ("graph", "m.asl.json", "--diff", "other.asl.json"),
    ("trace", "--data", "events.jsonl"),
    ("trace", "run-1", "--data", "events.jsonl"),
    ("trace", "run-1", "--data", "events.jsonl", "--json"),
    ("trace", ATTACK, "--data", "events.jsonl"),
    ("forward", "--json", "app.log"),
    ("preview", "--format", "svg"),
    ("export", "terraform"),
    ("plan", "--env", ATTACK),
    ("import", "monitors", "--project", "new"),
    ("init", "made", "--from", "template.json"),
    ("cost", "--from", "template.json", "--executions", "1"),
    ("advise", "--data", ATTACK.replace("\x00", "")),
    ("run", ATTACK, "--from", "nosuch.yaml"),
    ("up", f"{ATTACK}.yaml"),
    ("drill", ATTACK),
    ("serve", "--rate-limit", ATTACK),
    ("demo", f"--{ATTACK}"),
    ("doctor", "--url", ATTACK),
    ("replay", ATTACK),
    ("completion", ATTACK),
    (ATTACK,),
    ("apply", "--env", ATTACK),
    ("pull", f"--{ATTACK}"),
    ("destroy", ATTACK),
]


@pytest.mark.parametrize("argv", CASES, ids=lambda argv: printable(" ".join(argv))[:60])
def test_no_command_prints_what_a_terminal_acts_on(argv, project, capsys):
    with pytest.raises(SystemExit):
        main(argv)
    output = "".join(capsys.readouterr())
    assert output
    assert "a bug:" not in output
    assert [sign for sign in output if not sign.isprintable() and sign not in SHOWN] == []


def test_every_command_is_walked():
    assert {argv[0] for argv in CASES} - {ATTACK} == set(COMMANDS)


def test_what_json_says_stays_the_same():
    value = {"name": ATTACK, "flag": "\U000e0041", "half": "\ud800"}
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


def test_a_style_goes_around_a_text_that_cannot_end_it():
    assert styled(("a\x1b[0mb", "red")) == "\x1b[31ma\\u001b[0mb\x1b[0m"
    assert styled("x", ("", ""), ("y", "bold")) == "x\x1b[1my\x1b[0m"


def test_a_text_that_is_printed_to_a_pipe_has_no_style(capsys):
    echo(("a", "red"), "b")
    assert capsys.readouterr().out == "ab\n"


def calls(tree: ast.AST) -> set[str]:
    """The names of what a module calls, as they are written."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_nothing_is_printed_but_by_the_function_that_makes_it_printable():
    import monitoring

    root = Path(monitoring.__file__).parent
    folders = ("cli", "drill", "demo", "up", "serve", "local_pipeline", "trace", "testing", "deploy", "lint")
    files = [path for folder in folders for path in (root / folder).rglob("*.py")]
    printing = {
        path.relative_to(root).as_posix(): names
        for path in files
        if (names := calls(ast.parse(path.read_text())) & {"click.echo", "click.secho", "click.style"})
    }
    assert printing == {}
