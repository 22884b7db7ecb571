"""What people and scripts expect of any command: an overview, hints, completion, plain text, JSON of one shape."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitoring import cli
from monitoring.cli import COMMANDS, main
from monitoring.cli.commands import THEMES
from monitoring.cli.failure import wants_json
from monitoring.cli.group import COMPLETION_VARIABLE, root

START = "from monitoring.cli import main; main()"
MONITOR = {
    "name": "m",
    "type": "query alert",
    "query": "sum(last_5m):sum:shop.items{*}.as_count() > 5",
    "message": "@a",
    "options": {"thresholds": {"critical": 5}},
}
POINTS = {"series": [{"metric": "shop.items", "type": "count", "points": [[1772323200, 1], [1772323260, 2]]}]}
TEST = (
    "monitor: m\nstart: 2026-03-01T00:00:00Z\nseries:\n  - {metric: shop.items, type: count, values: 0x9 9 0x19}\n"
    "expect:\n  - {alerts_within: 2m, of: 10m}\n"
)
MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
HISTORY = {
    "events": [
        {
            "timestamp": "2026-11-23T08:06:13Z",
            "type": "ExecutionStarted",
            "id": 1,
            "executionStartedEventDetails": {},
        }
    ]
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("monitors", "dashboards"):
        (tmp_path / folder).mkdir()
    (tmp_path / "monitors" / "m.json").write_text(json.dumps(MONITOR))
    (tmp_path / "monitors" / "m.test.yaml").write_text(TEST)
    (tmp_path / "dashboards" / "d.json").write_text('{"title": "d", "layout_type": "ordered", "widgets": []}')
    (tmp_path / "points.json").write_text(json.dumps(POINTS))
    (tmp_path / "history.json").write_text(json.dumps(HISTORY))
    (tmp_path / "m.asl.json").write_text(json.dumps(MACHINE))
    (tmp_path / "app.log").write_text("MONITORING|1772323200|1|count|shop.items|\nMONITORING|x|1|count|a|\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out, shown.err


# --- the overview and its hints


def test_every_command_is_in_one_theme():
    assert sorted(name for names in THEMES.values() for name in names) == sorted(COMMANDS)


def test_alone_it_lists_the_commands_by_job(capsys):
    status, out, err = run(capsys)
    assert status == 2
    shown = out + err
    places = [shown.index(f"\n{job}:\n") for job in THEMES]
    assert places == sorted(places)
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in COMMANDS)


MISSPELT = {
    "plna": "plan",
    "Lint": "lint",
    "aply": "apply",
    "forwrad": "forward",
    "tests": "test",
    "qeury": "query",
}


@pytest.mark.parametrize(("written", "meant"), MISSPELT.items())
def test_a_misspelt_command_names_the_one_that_was_meant(written, meant, capsys):
    status, _, err = run(capsys, written)
    assert status == 2
    assert f"There is no command {written!r}. Did you mean {meant}?" in err


def test_a_word_that_is_like_no_command_points_to_the_overview(capsys):
    assert "`stepscope` alone lists the commands" in run(capsys, "xyzzy")[2]


@pytest.mark.parametrize(("option", "meant"), [("--jsn", "--json"), ("--strcit", "--strict")])
def test_a_misspelt_option_names_the_one_that_was_meant(option, meant, capsys):
    status, _, err = run(capsys, "lint", option)
    assert (status, meant in err) == (2, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MONITORING_FORMT", "Did you mean MONITORING_FORMAT?"),
        ("MONITORING_SPOL_QUEUE", "Did you mean MONITORING_SPOOL_QUEUE?"),
        ("MONITORING_FORMAT", ""),
        ("MONITORING_OF_SOMEBODY_ELSE", ""),
    ],
)
def test_a_misspelt_setting_is_said_once_on_standard_error(name, said, project, capsys, monkeypatch):
    monkeypatch.setenv(name, "monitoring")
    status, _, err = run(capsys, "graph", "m.asl.json")
    assert status == 0
    assert said in err
    assert ("is not a setting" in err) is bool(said)


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_calls_back(shell, capsys):
    status, out, _ = run(capsys, "completion", shell)
    assert status == 0
    assert f"{COMPLETION_VARIABLE}={shell}_complete" in out
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=out, text=True, check=False, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


COMPLETED = {
    "stepscope pl": ["plan"],
    "stepscope de": ["demo", "destroy"],
    "stepscope lint --str": ["--strict"],
    "stepscope export t": ["terraform"],
    "stepscope completion f": ["fish"],
    "stepscope plan --pro": ["--project"],
}


@pytest.mark.parametrize(("line", "words"), COMPLETED.items())
def test_commands_options_and_values_are_completed(line, words):
    environment = {
        **os.environ,
        COMPLETION_VARIABLE: "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    done = subprocess.run(
        [sys.executable, "-c", START],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [row.partition(",")[2] for row in done.stdout.splitlines()] == words


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish here")
@pytest.mark.parametrize(("line", "words"), COMPLETED.items())
def test_fish_completes_with_the_script(line, words, tmp_path):
    script, command = tmp_path / "completion.fish", tmp_path / "stepscope"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{START}" "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    run_options = {"env": environment, "capture_output": True, "text": True, "timeout": 60}
    script.write_text(subprocess.run([command, "completion", "fish"], check=True, **run_options).stdout)
    done = subprocess.run(["fish", "-c", f"source {script}; complete -C '{line}'"], check=True, **run_options)
    assert [row.partition("\t")[0] for row in done.stdout.splitlines()] == words


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
def test_zsh_takes_the_script_after_compinit(tmp_path, capsys):
    script = tmp_path / "completion.zsh"
    script.write_text(run(capsys, "completion", "zsh")[1])
    lines = f"autoload -U compinit; compinit -u -D; source {script}; print $_comps[stepscope]"
    done = subprocess.run(["zsh", "-fc", lines], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "_stepscope_completion\n"


def test_completing_a_command_imports_none():
    code = (
        "import os, sys\nfrom monitoring.cli import main\ntry:\n    main()\nfinally:\n"
        "    print([name for name in sys.modules if name.startswith('monitoring.cli.')])"
    )
    environment = {
        **os.environ,
        COMPLETION_VARIABLE: "bash_complete",
        "COMP_WORDS": "stepscope p",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "plain,plan" in done.stdout
    assert "monitoring.cli.plan" not in done.stdout


# --- terminals


@contextlib.contextmanager
def terminal() -> Iterator[bytearray]:
    """Put a terminal in the place of this process's standard streams; what is written to it is in the bytes afterwards."""
    leader, follower = pty.openpty()
    written = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(leader, 65536):
                written.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    kept, streams = [os.dup(number) for number in range(3)], (sys.stdin, sys.stdout, sys.stderr)
    try:
        for number in range(3):
            os.dup2(follower, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, closefd=False, buffering=1) for number, mode in enumerate("rww")
        )
        yield written
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdin, sys.stdout, sys.stderr = streams
        for number, copy in enumerate(kept):
            os.dup2(copy, number)
            os.close(copy)
        os.close(follower)
        reader.join(60)
        os.close(leader)


def on_terminal(monkeypatch, *argv: str, **environment: str) -> str:
    """Return what a command writes to a terminal of 80 columns."""
    for name, value in ({"TERM": "xterm-256color"} | environment).items():
        monkeypatch.setenv(name, value)
    with terminal() as written:
        assert all(os.isatty(number) for number in range(3))
        with pytest.raises(SystemExit):
            main(argv)
    return written.decode()


COLOURED = {
    "test": ("test",),
    "preview": ("preview", "--format", "svg"),
    "graph": ("graph", "m.asl.json"),
    "query": ("query", "sum:shop.items{*}.as_count()", "--data", "points.json"),
    "backtest": ("backtest", "m", "--data", "points.json"),
    "lint": ("lint",),
    "drill": ("drill", "--list"),
    "lines": ("lines", "app.log"),
    "trace": ("trace", "--data", "history.json"),
    "init": ("init", "made"),
    "export": ("export", "terraform"),
    "forward": ("forward", "--json", "app.log"),
    "an error": ("plna",),
    "help": ("--help",),
}
COLOUR = re.compile(r"\x1b\[[0-9;]*[0-9]m")


@pytest.mark.parametrize("argv", COLOURED.values(), ids=COLOURED)
def test_a_dumb_terminal_gets_no_escape_sequence(argv, project, monkeypatch):
    said = on_terminal(monkeypatch, *argv, TERM="dumb")
    assert said.strip()
    assert "\x1b" not in said


@pytest.mark.parametrize("argv", COLOURED.values(), ids=COLOURED)
def test_no_color_leaves_out_every_colour(argv, project, monkeypatch):
    said = on_terminal(monkeypatch, *argv, NO_COLOR="1")
    assert said.strip()
    assert not [code for code in COLOUR.findall(said) if code != "\x1b[0m"]


def test_a_terminal_gets_colour_and_an_empty_no_color_counts_as_none(project, monkeypatch):
    assert COLOUR.search(on_terminal(monkeypatch, "test", NO_COLOR=""))


@pytest.mark.parametrize("columns", ["60", "72"])
def test_columns_are_obeyed(columns, project, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    help_text = run(capsys, "preview", "--help")[1]
    plot = run(capsys, "query", "sum:shop.items{*}.as_count()", "--data", "points.json", "--plot")[1]
    assert max(map(len, help_text.splitlines())) <= int(columns)
    assert max(map(len, plot.splitlines())) <= int(columns)


# --- JSON

DOCUMENTS = {
    "lines": (("lines", "app.log"), {"findings"}),
    "lint": (("lint",), {"findings"}),
    "lint --coverage": (("lint", "--coverage"), {"metrics"}),
    "lint --rules": (("lint", "--rules"), {"rules"}),
    "test": (("test",), {"cases", "passed"}),
    "backtest": (("backtest", "m", "--data", "points.json"), {"variants"}),
    "preview": (("preview", "--format", "svg"), {"files"}),
    "init": (("init", "new"), {"written"}),
    "import": (("import", "dashboards", "--project", "new"), {"files"}),
    "graph": (("graph", "m.asl.json"), {"states"}),
    "trace": (("trace", "--data", "history.json"), {"executions"}),
}


@pytest.mark.parametrize(("argv", "keys"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_an_object_with_a_version(argv, keys, project, capsys):
    _, out, _ = run(capsys, *argv, "--json")
    document = json.loads(out)
    assert next(iter(document)) == "version"
    assert document["version"] == 1
    assert keys <= document.keys()


def test_every_document_is_printed_by_the_one_function_that_adds_the_version():
    """`query` prints the answer of Datadog's API, and `run` sends an input."""
    folder = Path(cli.__file__).parent
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    printing = {name for name, text in texts.items() if re.search(r"click\.echo\(json\.dumps", text)}
    assert printing <= {"output", "query", "forward"}


def with_json():
    """Return the commands that have `--json`, with the text of its help."""
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        for option in command.params:
            if "--json" in option.opts:
                yield name, option.help


@pytest.mark.parametrize(("name", "text"), list(with_json()))
def test_the_help_says_whether_json_is_a_document_or_lines(name, text):
    assert ("JSON Lines" if name == "forward" else "one JSON document") in text


def test_no_row_calls_a_path_a_file(project, capsys):
    assert '"path": "app.log"' in run(capsys, "lines", "app.log", "--json")[1]
    case = json.loads(run(capsys, "test", "--json")[1])["cases"][0]
    assert case["path"] == "monitors/m.test.yaml"
    assert '"path": "app.log"' in run(capsys, "forward", "--json", "app.log")[1]


WRONG = {
    "a file that is not there": (("lint", "nosuch.json", "--json"), "there is no such file", "nosuch.json"),
    "a query": (("query", "sum:{", "--data", "points.json", "--json"), "", ""),
    "an option": (("lint", "--json", "--nosuch"), "--nosuch", ""),
    "a value": (("graph", "m.asl.json", "--json", "--theme", "blue"), "blue", ""),
    "a command": (("plna", "--json"), "plna", ""),
    "no Datadog": (("plan", "--json"), "DD_API_KEY", ""),
}


@pytest.mark.parametrize(("argv", "message", "where"), WRONG.values(), ids=WRONG)
def test_an_error_is_a_document_too(argv, message, where, project, capsys, monkeypatch):
    for name in ("DD_URL", "DD_API_KEY", "DD_APP_KEY"):
        monkeypatch.delenv(name, raising=False)
    status, out, err = run(capsys, *argv)
    document = json.loads(out)
    assert status == 2
    assert document["version"] == 1
    assert set(document["error"]) == {"message", "where", "hint"}
    assert message in document["error"]["message"]
    assert where in document["error"]["where"]
    assert document["error"]["message"] in err


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["lint", "--json"], True),
        (["lint", "--format", "json"], True),
        (["lint", "--format=json"], True),
        (["lint", "--format", "text"], False),
        (["lint", "--", "--json"], False),
        ([], False),
    ],
)
def test_json_is_asked_for_by_an_option(argv, asked):
    assert wants_json(argv) is asked


# --- single habits


@pytest.mark.parametrize("option", ["--project", "--dir"])
def test_the_projects_folder_has_one_name_and_its_former_ones_are_taken(option, project, capsys, monkeypatch):
    monkeypatch.chdir("/")
    status, out, _ = run(capsys, "export", "terraform", option, str(project))
    assert (status, "datadog_monitor" in out) == (0, True)


def test_former_names_are_not_shown():
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        shown = command.get_help(click.Context(command))
        assert "--dir" not in shown
        assert "--monitors" not in shown


@pytest.mark.parametrize(
    ("argv", "where"),
    [
        (("lint", "nosuch.json"), "nosuch.json: there is no such file or folder"),
        (("lint", "no", "such.json"), "no, such.json: there is no such file or folder"),
    ],
)
def test_lint_says_nothing_of_files_before_it_says_that_there_are_none(argv, where, project, capsys):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert where in err


@pytest.mark.parametrize(
    ("text", "said"), [("hello\n", True), ("", True), ("MONITORING|1|1|count|a|\n", False)]
)
def test_lines_says_so_where_no_line_is_a_metric(text, said, project, capsys):
    (project / "x.log").write_text(text)
    status, _, err = run(capsys, "lines", "x.log")
    assert status == 0
    assert ("not one line is a metric or a trace" in err) is said


@pytest.mark.parametrize("site", ["datadog.com", "datadoghq.org", "localhost", "evil-datadoghq.com"])
@pytest.mark.parametrize("argv", [("plan",), ("forward", "app.log")])
def test_what_is_not_a_site_of_datadog_is_named_with_those_that_are(argv, site, project, capsys, monkeypatch):
    monkeypatch.delenv("DD_URL", raising=False)
    for name, value in (("DD_SITE", site), ("DD_API_KEY", "k"), ("DD_APP_KEY", "k")):
        monkeypatch.setenv(name, value)
    status, _, err = run(capsys, *argv)
    assert status == 2
    assert f"DD_SITE is not a site of Datadog: '{site}'" in err
    assert "datadoghq.com, us3.datadoghq.com" in err
