"""The command, run in the folder of a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def graph_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """`stepscope graph` with some arguments -> status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["graph", *arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return command
