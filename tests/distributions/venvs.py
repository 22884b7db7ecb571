"""Venvs that have the built wheels: the checkout cannot be seen from there."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


class Venv:
    """A venv with wheels of ours; what they depend on comes from the environment that runs the tests."""

    def __init__(self, folder, *wheels):
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        paths = {"base": str(folder), "platbase": str(folder)}
        self.site = Path(sysconfig.get_path("purelib", "venv", paths))
        for wheel in wheels:
            self.install(wheel)
        (self.site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def install(self, wheel):
        self.pip("install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))

    def pip(self, *arguments):
        subprocess.run([*PIP, "--python", str(self.python), *arguments], check=True, timeout=120)

    def run(self, *arguments, cwd, path=()):
        """Run its Python there; `path` is put on the module path, and the answer is (status, output)."""
        environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))
        }
        environ["PYTHONPATH"] = os.pathsep.join(map(str, path))
        done = subprocess.run(
            [str(self.python), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environ,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr
