"""Carry out the steps of a page in a folder, and compare what commands print with what the page shows."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from page import Command, File, pattern_of

DEADLINE = 180
"""Seconds that a command may take on a busy machine."""


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
