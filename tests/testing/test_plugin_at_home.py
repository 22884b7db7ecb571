"""The pytest plugin in projects that do not use it, or cannot: other tests run, and one line says what is off."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

PLUGIN = [] if "stepscope" in entry_points(group="pytest11").names else ["-p", "stepscope_pytest"]
MONITOR_TEST = "monitor: m\nexpect:\n  - never: Alert\n"
BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(folder, *options, path=()):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, *sys.path])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN, *options]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environ, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def project(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def own_package(tmp_path):
    """A project whose own package is called `monitoring`."""
    return project(
        tmp_path,
        {
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n",
            "monitoring/__init__.py": "def alarm():\n    return 1\n",
            "tests/test_alarm.py": "from monitoring import alarm\n\ndef test_it():\n    assert alarm() == 1\n",
        },
    )


def test_a_projects_own_package_monitoring_is_the_one_that_its_tests_import(own_package):
    status, said = run(own_package)
    assert status == 0, said
    assert "1 passed" in said
    assert f"own package monitoring ({own_package / 'monitoring'})" in said


def test_there_a_fixture_says_why_it_cannot_be_used(own_package):
    project(own_package, {"tests/test_lines.py": "def test_it(emitted):\n    pass\n"})
    status, said = run(own_package)
    assert status == 1
    assert "1 passed" in said
    assert "1 error" in said
    assert "the fixture emitted cannot be used: this project's own package monitoring" in said
    assert "Traceback" not in said


def test_there_monitor_tests_are_skipped(own_package):
    project(own_package, {"monitors/m.test.yaml": MONITOR_TEST})
    status, said = run(own_package, "tests", "monitors")
    assert status == 0, said
    assert "1 passed, 1 skipped" in said


@pytest.mark.parametrize("absent", ["numpy", "yaml"])
def test_without_the_extra_monitor_tests_are_skipped_with_what_to_install(tmp_path, absent):
    files = {
        "blocked/absent.py": BLOCK.format(names={absent}),
        "monitors/m.test.yaml": MONITOR_TEST,
        "monitors/n.test.yaml": MONITOR_TEST,
        "test_own.py": "def test_it():\n    pass\n",
    }
    project(tmp_path, files)
    status, said = run(tmp_path, "-p", "absent", path=[str(tmp_path / "blocked")])
    assert status == 0, said
    assert "1 passed, 2 skipped" in said
    line = f'a monitor test needs {absent}, which is not installed. Install it: pip install "stepscope[lint]"'
    assert said.count(line) == 1
