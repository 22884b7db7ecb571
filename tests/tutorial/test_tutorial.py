"""The tutorial's commands, executed in an empty folder as they stand in the page, print what the page shows."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from page import Command, File, pattern_of, steps_of

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[2]
DEADLINE = 180


class Terminals:
    """The reader's folder and two terminals: what runs in the second one goes on until Ctrl-C."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.other: subprocess.Popen[bytes] | None = None
        self.log = folder.parent / "second-terminal.log"
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUTF8": "1",
        }

    def carry_out(self, step: File | Command) -> None:
        if isinstance(step, File):
            path = self.folder / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
        elif step.line == "^C":
            self.interrupt()
        elif step.elsewhere:
            self.start(step) if step.line else self.await_output(step)
        else:
            self.run(step)

    def run(self, command: Command) -> None:
        ended = subprocess.run(
            ["bash", "-c", command.line],
            check=False,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE,
        )
        output = ended.stdout.decode()
        if output and not output.endswith("\n"):
            output += "\n"
        assert pattern_of(command.shown).fullmatch(output), (
            f"$ {command.line}\n--- the page shows\n{command.shown}--- it printed\n{output}"
        )

    def start(self, command: Command) -> None:
        with self.log.open("wb") as log:
            self.other = subprocess.Popen(
                ["bash", "-c", f"exec {command.line}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.await_output(command)

    def await_output(self, command: Command) -> None:
        """Wait until the second terminal shows it; what was shown before may be anything."""
        pattern = re.compile(r"(?:^|\n)" + pattern_of(command.shown).pattern)
        deadline = time.monotonic() + DEADLINE
        while not pattern.search(self.log.read_text()):
            assert self.other and self.other.poll() is None and time.monotonic() < deadline, (
                f"$ {command.line}\n--- the page shows\n{command.shown}--- it printed\n{self.log.read_text()}"
            )
            time.sleep(0.1)

    def interrupt(self) -> None:
        assert self.other is not None, "nothing runs in the second terminal"
        self.other.send_signal(signal.SIGINT)
        assert self.other.wait(DEADLINE) in {0, 130}, self.log.read_text()
        self.other = None

    def close(self) -> None:
        if self.other is not None:
            self.other.kill()
            self.other.wait()


def taken(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def terminals(tmp_path):
    if any(map(taken, (8126, 8127))) and not os.environ.get("CI"):
        pytest.skip("something listens on port 8126 or 8127 of this machine, which the page names")
    (tmp_path / "shop").mkdir()
    terminals = Terminals(tmp_path / "shop")
    yield terminals
    terminals.close()


@pytest.mark.slow
def test_the_tutorial_is_true_as_written(terminals, capsys):
    began, steps = time.monotonic(), steps_of((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    for step in steps:
        started = time.monotonic()
        terminals.carry_out(step)
        if isinstance(step, Command):
            with capsys.disabled():
                print(f"\n{time.monotonic() - started:6.1f} s  {step.line[:90]}", end="")
    commands = [step for step in steps if isinstance(step, Command) and step.line != "^C"]
    with capsys.disabled():
        print(f"\nThe tutorial: {len(commands)} commands in {time.monotonic() - began:.0f} s")
    assert {"up", "run", "drill", "preview", "lint", "plan", "apply", "init", "test", "query"} <= {
        word for command in commands for word in command.line.split()
    }


WRONG = {
    "the output differs": ("$ echo one\ntwo\n", "the page shows"),
    "the output goes on": ("$ printf 'one\\ntwo\\n'\none\n", "the page shows"),
    "the output ends early": ("$ echo one\none\n…\ntwo\n", "the page shows"),
    "a command is not there": ("$ stepscope plna\n0 to create.\n", "plna"),
}


@pytest.mark.parametrize(("block", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_page_fails(block, message, tmp_path):
    (step,) = steps_of(f"```console\n{block}```\n")
    with pytest.raises(AssertionError, match=message):
        Terminals(tmp_path).carry_out(step)


def test_a_page_is_read_as_files_and_commands(tmp_path):
    page = (
        '```json title="a/b.json"\n{}\n```\n\n```\nnot a step\n```\n\n```console\n$ cat a/b.json\n{…\n$ true\n```\n'
        '```console title="second terminal"\n$ sleep 60\n^C\n```\n'
    )
    steps = steps_of(page)
    assert steps == [
        File("a/b.json", "{}\n"),
        Command("cat a/b.json", "{…\n", elsewhere=False),
        Command("true", "", elsewhere=False),
        Command("sleep 60", "", elsewhere=True),
        Command("^C", "", elsewhere=True),
    ]
    for step in steps[:3]:
        Terminals(tmp_path).carry_out(step)
