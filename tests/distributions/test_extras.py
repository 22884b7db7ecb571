"""Every command with every extra, in real venvs from the package index: it works, or says which extra to install."""

import subprocess
import sys

import pytest
from venvs import PIP, ROOT

from monitoring.cli import COMMANDS

pytestmark = pytest.mark.packaging

MONITOR = '{"name": "m", "type": "query alert", "query": "sum(last_5m):sum:aws.lambda.errors{*} > 1", "message": "@slack-a", "options": {"thresholds": {"critical": 1}}}'
TEST = "monitor: m\nstart: 2026-03-01T00:00:00Z\nseries:\n  - {metric: aws.lambda.errors, values: 0x9 9 0x19}\nexpect:\n  - {alerts_within: 2m, of: 10m}\n"
FILES = {
    "monitors/m.json": MONITOR,
    "monitors/m.test.yaml": TEST,
    "dashboards/d.json": '{"title": "d", "layout_type": "ordered", "widgets": [{"definition": {"type": "timeseries", "requests": [{"q": "sum:aws.lambda.errors{*}"}]}}]}',
    "app.log": "MONITORING|1772323200|1|count|slides.identified|#a:b\n",
    "points.json": '{"series": [{"metric": "aws.lambda.errors", "points": [[1772323200, 1], [1772323260, 2]]}]}',
    "history.json": '{"events": [{"timestamp": "2026-11-23T08:06:13Z", "type": "ExecutionStarted", "id": 1, "executionStartedEventDetails": {"input": "{}"}}]}',
}
QUERY = "sum:aws.lambda.errors{*}"
# command -> its arguments, and what it prints where it works; Datadog is a port where nobody listens.
CALLS = {
    "lines": (["app.log"], "1 point"),
    "test": ([], "1 passed"),
    "backtest": (["m", "--data", "points.json"], "Alert"),
    "lint": ([], "monitor"),
    "preview": (["--out", "pictures"], "wrote pictures/d.png"),
    "init": (["made"], "Wrote"),
    "plan": ([], "no answer to GET http://127.0.0.1:9"),
    "apply": (["--yes"], "no answer to GET http://127.0.0.1:9"),
    "pull": (["dashboard", "abc-def-ghi"], "no answer to GET http://127.0.0.1:9"),
    "import": (["dashboards", "--dir", "brought"], "wrote brought/dashboards/"),
    "destroy": (["--yes"], "no answer to GET http://127.0.0.1:9"),
    "export": (["terraform"], "datadog_monitor"),
    "trace": (["--data", "history.json"], "history"),
    "query": ([QUERY, "--data", "points.json"], "2026-03-01"),
    "forward": (["--json", "app.log"], "slides.identified"),
    "doctor": (["--help"], "Usage"),
    "replay": (["--help"], "Usage"),
    "serve": (["--help"], "Usage"),
    "demo": (["--help"], "Usage"),
    "drill": (["--list"], "handler-raises"),
    "up": (["--help"], "Usage"),
    "run": (["--help"], "Usage"),
    "graph": (["--help"], "Usage"),
    "completion": (["bash"], "_STEPSCOPE_COMPLETE"),
    "cost": (["--help"], "Usage"),
    "advise": (["--help"], "Usage"),
}
EXTRAS = [
    # Where several processes run the tests, one installs what an extra needs, and calls all commands with it.
    pytest.param(extra, id=extra or "bare", marks=pytest.mark.xdist_group(extra or "bare"))
    for extra in ("", "forwarder", "lint", "local", "tools")
]


@pytest.fixture(scope="module", params=EXTRAS)
def environment(request, wheels, tmp_path_factory):
    """An extra, a venv that has it, and a project."""
    folder = tmp_path_factory.mktemp(request.param or "bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=60)
    wanted = f"stepscope[{request.param}] @ {wheels['stepscope'].as_uri()}"
    install = [
        "--python",
        folder / "venv" / "bin" / "python",
        "install",
        "--no-compile",  # a command compiles what it imports
        "-c",
        ROOT / "constraints.txt",
        wanted,
    ]
    subprocess.run([*PIP, *install], check=True, timeout=600)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return request.param, folder


def run(folder, *arguments):
    environ = {"PATH": "/usr/bin:/bin", "DD_URL": "http://127.0.0.1:9", "DD_API_KEY": "k", "DD_APP_KEY": "k"}
    done = subprocess.run(
        [folder / "venv" / "bin" / "stepscope", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_command_is_called():
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize("command", CALLS)
def test_a_command_works_or_names_its_extra(environment, command):
    extra, folder = environment
    arguments, shown = CALLS[command]
    needed = COMMANDS[command][0]
    status, said = run(folder, command, *arguments)
    if extra in {needed, "tools"} or shown in said:
        assert shown in said
    else:
        assert status == 2, said
        sentence = (
            f"stepscope: `stepscope {command}` needs "  # below the error as JSON, where --json is given
        )
        assert any(line.startswith(sentence) for line in said.splitlines()), said
        assert f'pip install "stepscope[{needed}]"' in said
    assert "Traceback" not in said


def test_without_a_command_there_is_an_overview_or_what_to_install(environment):
    extra, folder = environment
    status, said = run(folder)
    assert status == 2
    assert ("On this machine:" in said) == bool(extra)
    assert ('pip install "stepscope[tools]"' in said) == (not extra)
