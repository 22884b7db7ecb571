"""The built wheels, and a venv with stepscope."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from venvs import ROOT, Venv


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """Both wheels; `STEPSCOPE_DIST` names a folder that has them already."""
    dist = os.environ.get("STEPSCOPE_DIST")
    folder = Path(dist) if dist else tmp_path_factory.mktemp("dist")
    if not dist:
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
        for source in (ROOT, ROOT / "deploy" / "function"):
            subprocess.run([*build, str(source)], check=True, capture_output=True, timeout=120)
    (tools,) = folder.glob("stepscope-*.whl")
    (function,) = folder.glob("stepscope_function-*.whl")
    return {"stepscope": tools, "function": function}


@pytest.fixture(scope="session")
def installed(wheels, tmp_path_factory):
    """A venv with stepscope."""
    return Venv(tmp_path_factory.mktemp("stepscope"), wheels["stepscope"])
