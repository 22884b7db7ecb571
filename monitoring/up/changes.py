"""Which files of an application have changed: its templates and definitions, or the code of its functions."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from monitoring.discovery.stack import Stack

_SKIPPED = {
    "__pycache__", ".venv", "node_modules", ".git", ".aws-sam", ".terraform", "cdk.out", "build", "dist"
}  # fmt: skip
MOST = 5_000
"""Files that are looked at; a folder with more than these is a mistake, and is not followed to its end."""
_TEMPLATES = {".yaml", ".yml", ".json", ".tf", ".tfvars", ".tftpl"}
_CODE = {".py", ".js", ".cjs", ".mjs"}

Stamps = dict[Path, int]
"""File -> when it was last written, in nanoseconds."""


def stamps(stacks: Iterable[Stack], folders: Iterable[Path]) -> tuple[Stamps, Stamps]:
    """Return when each template or definition, and each file of code, was last written."""
    templates: Stamps = {}
    code: Stamps = {}
    roots = {path.resolve() for path in (*folders, *(_beside(stack.source) for stack in stacks))}
    for root in roots:
        for path in _files(root):
            kept = templates if path.suffix in _TEMPLATES else code if path.suffix in _CODE else None
            if kept is not None:
                try:
                    kept[path] = path.stat().st_mtime_ns
                except OSError:  # removed at this moment
                    continue
    return templates, code


def _beside(source: Path) -> Path:
    return source if source.is_dir() else source.absolute().parent


def _files(root: Path) -> Iterator[Path]:
    left = [root]
    seen = 0
    while left and seen < MOST:
        folder = left.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if entry.is_dir():
                if entry.name not in _SKIPPED and not entry.is_symlink():
                    left.append(entry)
            else:
                yield entry
