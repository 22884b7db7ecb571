"""Detect changed files of an application: templates and definitions, or the code of its functions."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from monitoring.discovery.stack import Stack

_SKIPPED = {
    "__pycache__", ".venv", "node_modules", ".git", ".aws-sam", ".terraform", "cdk.out", "build", "dist"
}  # fmt: skip
MOST = 5_000
"""The maximum number of entries that are read per folder; the others are ignored."""
_TEMPLATES = {".yaml", ".yml", ".json", ".tf", ".tfvars", ".tftpl"}
_CODE = {".py", ".js", ".cjs", ".mjs"}

Stamps = dict[Path, int]
"""File -> modification time in nanoseconds."""


def stamps(stacks: Iterable[Stack], folders: Iterable[Path]) -> tuple[Stamps, Stamps]:
    """Return the modification times of templates and definitions, and of code files."""
    templates: Stamps = {}
    code: Stamps = {}
    roots = {path.resolve() for path in (*folders, *(_beside(stack.source) for stack in stacks))}
    for root in roots:
        for path in _files(root):
            times = templates if path.suffix in _TEMPLATES else code if path.suffix in _CODE else None
            if times is not None:
                try:
                    times[path] = path.stat().st_mtime_ns
                except OSError:  # removed in the meantime
                    continue
    return templates, code


def _beside(source: Path) -> Path:
    return source if source.is_dir() else source.absolute().parent


def _files(root: Path) -> Iterator[Path]:
    folders = [root]
    count = 0
    while folders and count < MOST:
        folder = folders.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            count += 1
            if entry.is_dir():
                if entry.name not in _SKIPPED and not entry.is_symlink():
                    folders.append(entry)
            else:
                yield entry
