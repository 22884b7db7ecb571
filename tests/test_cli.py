"""The command's exit statuses and overview."""

import pytest

from monitoring import cli
from monitoring.cli import COMMANDS, main


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
    monkeypatch.setattr(cli.root, "main", lambda **_: 1 / 0)
    assert status("--help") == 3
    assert "a bug: ZeroDivisionError" in capsys.readouterr().err
