"""Every benchmark runs, in its short form: a figure in the docs can be measured again."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
PEERS = {"hot_path.py"}
"""Need the `bench` extra, whose packages patch the process: CI runs them with the peers."""
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text())


@pytest.mark.checkout
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in PEERS])
def test_a_benchmark_prints_its_table(name):
    done = subprocess.run(
        [sys.executable, FOLDER / name, "--quick"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert any(character.isdigit() for character in done.stdout)
