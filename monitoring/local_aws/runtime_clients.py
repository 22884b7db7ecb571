"""The programs that run a handler under Lambda's Runtime API, by the function's runtime."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

NODE_CLIENT = Path(__file__).parent / "node_client" / "runtime.js"
"""The loop over the Runtime API for Node.js: AWS's own client of npm is a native module, and is built at its
installation."""

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@cache
def node() -> str:
    """Return the path of Node.js on this machine; "" where there is none."""
    return shutil.which("node") or ""


@cache
def node_version() -> str:
    """Return the version of Node.js on this machine (`20.11.1`); "" where there is none."""
    if not node():
        return ""
    version = [node(), "--version"]
    answer = subprocess.run(version, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    return answer.stdout.strip().removeprefix("v")


def is_node(runtime: str) -> bool:
    """Return whether a function's runtime is one of Node.js."""
    return runtime.startswith("nodejs")


def command(runtime: str, handler: str) -> list[str]:
    """Return the command that runs a handler."""
    if is_node(runtime):
        return [node(), str(NODE_CLIENT)]
    return [sys.executable, "-m", "awslambdaric", handler]
