"""Write pulled and imported resources into the files of a project."""

from pathlib import Path
from typing import TYPE_CHECKING

from monitoring.cli.output import echo_document
from monitoring.errors import writing
from monitoring.resources.resource import FOLDERS
from monitoring.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitoring.deploy.pull import Pulled


def keys_of(root: Path) -> dict[str, list[str]]:
    """Return the keys of a project's files, by kind."""
    return {
        kind: [path.stem for path in sorted((root / folder).glob("*.json"))]
        for folder, kind in FOLDERS.items()
    }


def write_files(files: "Iterable[Pulled]", root: Path, *, as_json: bool) -> None:
    """Write the files below the project's folder and name each, or print names and bodies as JSON.

    Raises:
        InputError: a file cannot be written.
    """
    import json

    if as_json:
        echo_document({"files": [{"path": file.path, "body": json.loads(file.text)} for file in files]})
        return
    for file in files:
        path = root / file.path
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
        echo(f"wrote {path}")
