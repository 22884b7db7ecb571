"""The command's exit statuses and overview."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import monitoring
from monitoring.cli import COMMANDS, group, main
from monitoring.errors import EXTRAS


def status(*argv: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    return int(stopped.value.code or 0)


def test_help_lists_every_command_without_importing_one(capsys):
    assert status("--help") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_an_unknown_command_is_wrong_usage(capsys):
    assert status("no-such-command") == 2
    assert "no-such-command" in capsys.readouterr().err


def test_a_bug_is_said_as_one_with_status_3(capsys, monkeypatch):
    monkeypatch.setattr(group.root, "main", lambda **_: 1 / 0)
    assert status("--help") == 3
    assert "a bug: ZeroDivisionError" in capsys.readouterr().err
    assert status("lint", "--json") == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["message"].startswith("a bug: ZeroDivisionError")
    assert "MONITORING_DEBUG=1" in shown.err


SHOW = "import json, sys\nfrom monitoring.cli import main\ntry:\n    main()\nfinally:\n    print('\\n' + json.dumps(list(sys.modules)))"

EDGE = {"boto3", "botocore", "datadog", "duckdb", "moto", "requests", "starlette", "urllib3", "uvicorn"}
PICTURES = {"PIL", "resvg_py", "rich"}
PROCESSES = {"asyncio", "concurrent.futures", "multiprocessing", "ssl"}
NUMBERS = {"numpy", "yaml", "jsonschema_rs"}
FILES = {"importlib.resources", "importlib.metadata", "tempfile"}
HEAVY = EDGE | PICTURES | PROCESSES | NUMBERS | FILES

MONITOR = '{"name": "m", "type": "query alert", "query": "avg(last_5m):avg:m{*} > 1", "message": "@a", "options": {"thresholds": {"critical": 1}}}'
POINTS = '{"series": [{"metric": "m", "points": [[1772323200, 1], [1772323260, 2]]}]}'
TEST = """\
monitor: m
start: 2026-03-01T00:00:00Z
series:
  - metric: m
    values: 0x9 9 0x19
expect:
  - alerts_within: 2m
    of: 10m
"""

STARTS = [
    (["--help"], set()),
    *[([name, "--help"], set()) for name in COMMANDS],
    (["lines", "app.log"], set()),
    (["test", "monitors/m.test.yaml"], {"numpy", "yaml"}),
    (["lint", "monitors"], {"jsonschema_rs"}),
    (["query", "avg:m{*}", "--data", "points.json"], {"numpy"}),
    (["backtest", "monitors/m.json", "--data", "points.json"], {"numpy"}),
]


@pytest.mark.parametrize(("argv", "needed"), STARTS, ids=[" ".join(argv) for argv, _ in STARTS])
def test_a_command_imports_nothing_heavy_that_it_does_not_need(argv, needed, tmp_path):
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "m.json").write_text(MONITOR)
    (tmp_path / "monitors" / "m.test.yaml").write_text(TEST)
    (tmp_path / "points.json").write_text(POINTS)
    (tmp_path / "app.log").write_text("MONITORING|1772323200|1|count|slides.identified|#a:b\n")
    run = subprocess.run(
        [sys.executable, "-c", SHOW, *argv], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr + run.stdout
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    assert loaded & HEAVY == needed
    assert not {"numpy.ma", "numpy.random", "numpy.fft"} & loaded


WRITES = {
    "test --junit": ("test", "--junit"),
    "export terraform --out": ("export", "terraform", "--out"),
    "preview --out": ("preview", "--format", "svg", "--out"),
    "init": ("init",),
}


@pytest.mark.parametrize("argv", WRITES.values(), ids=WRITES)
def test_a_file_that_cannot_be_written_is_wrong_usage(argv, tmp_path, monkeypatch, capsys):
    """A file lies where a folder has to be; a folder that is missing is as wrong, where none is made."""
    for folder in ("monitors", "dashboards"):
        (tmp_path / folder).mkdir()
    (tmp_path / "monitors" / "m.json").write_text(MONITOR)
    (tmp_path / "monitors" / "m.test.yaml").write_text(TEST)
    (tmp_path / "dashboards" / "d.json").write_text('{"title": "d", "layout_type": "ordered", "widgets": []}')
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    assert status(*argv, "file/x.out") == 2
    said = capsys.readouterr().err
    assert said.startswith("stepscope: ")
    assert "file" in said
    assert "a bug" not in said
    if argv[0] in {"test", "export"}:
        assert status(*argv, "missing/x.out") == 2
        assert (
            capsys.readouterr().err
            == "stepscope: missing/x.out: cannot be written: No such file or directory\n"
        )


def test_every_module_of_others_is_in_an_extra_that_a_message_can_name():
    imported = set()
    for path in Path(monitoring.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.split(".")[0] for name in names}
    others = imported - set(sys.stdlib_module_names) - {"monitoring", "handlers", "stepscope_pytest"}
    optional = {
        "aws_xray_sdk",
        "compression",
        "fault_handler",  # the drill's own, inside the function that is broken
        "pytest",
    }  # used where they are there; 3.14's own; the test runner
    assert others - optional <= set(" ".join(EXTRAS.values()).split())
