"""The tutorial's commands, executed in an empty folder as they stand in the page, print what the page shows."""

import os
import socket
import time
from pathlib import Path

import pytest
from page import Command, File, steps_of
from terminals import Terminals

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[2]


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
