"""One real run of the command, shared by all tests that look at what it printed and kept."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

START = "import sys; from monitoring.cli import main; main(sys.argv[1:])"


@dataclass(frozen=True)
class Demo:
    """A run that is over: its status, its data, what it wrote to stderr, and the folder that it kept."""

    status: int
    data: dict[str, Any]
    errors: str
    kept: Path
    seconds: float

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.kept / "log_events.jsonl").read_text().splitlines()]

    def execution(self, name: str) -> dict[str, Any]:
        return next(each for each in self.data["executions"] if each["name"] == name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "kept"
    project = tmp_path_factory.mktemp("project")  # somebody's own, with handlers of their own
    (project / "handlers").mkdir()
    (project / "handlers" / "__init__.py").touch()
    began = time.monotonic()
    command = [sys.executable, "-P", "-c", START, "demo", "--json", "--keep", str(folder)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr
    return Demo(done.returncode, json.loads(done.stdout), done.stderr, folder, time.monotonic() - began)
