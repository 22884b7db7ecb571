"""Fills the wheel of stepscope-function: the package's surface, and the layer's modules in one archive.

The archive holds compiled modules. A bundle has those of the Python that ran pip, or none (`sam build`), and
a function's folder is read-only: every cold start would compile again, which takes five times as long as the
import from the archive. Its compiled modules are for the Python that builds the wheel, as in the layer.
"""

import ast
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import layer

INIT = "monitoring/__init__.py"
ARCHIVE = "monitoring/function.zip"
TYPED = "monitoring/py.typed"


class FunctionFiles(BuildHookInterface[Any]):
    """Puts the files of a function into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files into a folder of their own, which `finalize` removes."""
        self._made = tempfile.TemporaryDirectory()
        modules, wheel = Path(self._made.name) / "modules", Path(self._made.name) / "wheel"
        layer.write_modules(modules, "", "-b")
        for surface in (modules / "monitoring").glob("__init__.*"):
            surface.unlink()
        (wheel / "monitoring").mkdir(parents=True)
        layer.write_zip(wheel / ARCHIVE, modules / "monitoring")
        (wheel / INIT).write_text(_surface((layer.ROOT / INIT).read_text(encoding="utf-8")), encoding="utf-8")
        (wheel / TYPED).touch()
        build_data["force_include"] |= {str(wheel / name): name for name in (INIT, ARCHIVE, TYPED)}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder."""
        self._made.cleanup()


def _surface(source: str) -> str:
    """Return the package's `__init__`, with the archive behind the modules that stepscope puts beside it."""
    imports = (node for node in ast.parse(source).body if isinstance(node, ast.ImportFrom))
    first = next(node for node in imports if node.module != "__future__")
    lines = source.splitlines(keepends=True)
    lines.insert(first.lineno - 1, f"__path__.append(f'{{__path__[0]}}/{Path(ARCHIVE).name}')\n")
    return "".join(lines)
