"""Builds the layer: the hot path alone, as a zip that a Lambda function can carry. `make layer` calls it.

It holds `monitoring/instrumentation/` and the few modules of the surface. Docstrings, comments and types stay
at home, and compiled files of the running Python come along: /opt is read-only in Lambda, so without them
every cold start would compile anew, for about 25 ms. Build it with the Python of your functions.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 100_000  # bytes
FUNCTION = ("__init__.py", "context.py", "lines.py", "verify.py", "instrumentation/*.py")
"""List what runs in a function: the package's surface, and the room of all that it needs."""
RARE = {"async_handlers", "context", "lines", "verify", "xray"}
"""Modules that most functions never load: they come without a compiled file."""


def modules() -> list[Path]:
    """Return the files of the layer, below the repository."""
    package = ROOT / "monitoring"
    return sorted(path.relative_to(ROOT) for pattern in FUNCTION for path in package.glob(pattern))


def build(target: Path) -> int:
    """Write the layer, the same bytes for the same sources and Python; return its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_modules(Path(folder) / "python", "/opt/python")
        write_zip(target, Path(folder))
    return target.stat().st_size


def write_modules(folder: Path, place: str, *options: str) -> None:
    """Write the modules, bare and compiled.

    Args:
        folder: the folder that is to be on `sys.path`.
        place: where it will lie, as tracebacks show it.
        options: more options of compileall.
    """
    for name in modules():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(bare((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    _compile(folder, place, options)
    for path in folder.rglob("*.pyc"):
        if path.name.split(".")[0] in RARE:
            path.unlink()


def write_zip(target: Path, folder: Path) -> None:
    """Write the modules of a folder as an archive."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*.py*")):
            _add(archive, str(path.relative_to(folder)), path.read_bytes())


def bare(source: str) -> str:
    """Return the source without comments, docstrings and types."""
    return ast.unparse(_Bare().visit(ast.parse(source))) + "\n"


class _Bare(ast.NodeTransformer):
    """Takes from a module what only people and type checkers read."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Keep the annotations that a named tuple is made of."""
        if "NamedTuple" not in map(ast.unparse, node.bases):
            return self.generic_visit(node)
        node.body = [part if isinstance(part, ast.AnnAssign) else self.visit(part) for part in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Keep a value under its name alone, and drop a mere declaration."""
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Of `if TYPE_CHECKING` only the other branch ever runs."""
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Without annotations nothing has to be postponed."""
        return None if node.module == "__future__" else node


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _compile(folder: Path, place: str, more: Sequence[str]) -> None:
    """Compile as Lambda will find the files; columns of tracebacks are left out, a third of the size."""
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", place, *more]
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-X", "no_debug_ranges", "-m", "compileall", *options, str(folder)],
        check=True,
        env={"PATH": ""},
    )


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data, compresslevel=9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "stepscope-layer.zip")
    made = parser.parse_args().out
    size = build(made)
    compiled_for = f"compiled for Python 3.{sys.version_info[1]}"
    print(f"{made}: {size:,} bytes, {len(modules())} modules, {compiled_for}")
    if size >= LIMIT:
        sys.exit(f"the layer has {size:,} bytes; {LIMIT:,} is the limit")
