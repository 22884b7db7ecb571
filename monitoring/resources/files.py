"""Read dashboards, monitors, SLOs and downtimes from their files: one reader for every command.

A file that lint refuses is refused everywhere, at the same line and column and with the same words.
"""

from collections.abc import Iterator
from pathlib import Path

from monitoring.errors import InputError
from monitoring.resources.document import Document, JsonError, parse_document, read_text
from monitoring.resources.resource import FOLDERS, Resource, kind_of

_FOLDER = {kind: folder for folder, kind in FOLDERS.items()}


def read_resource(path: Path, kind: str = "", *, root: Path | None = None) -> Resource:
    """Read the resource of a file; without `kind` the folder or the keys tell which it is.

    Args:
        path: the file; its name without `.json` is the resource's key.
        kind: dashboard, monitor, slo or downtime, where only one of them will do.
        root: the project's folder: errors name the file relative to it.

    Raises:
        InputError: the file cannot be read, is not JSON, names a key twice, or does not hold such a resource;
            `where` is `path:line:column`.
    """
    shown = str(path.relative_to(root)) if root else str(path)
    document = read_document(path, shown)
    for start, message in fatal(document, kind or FOLDERS.get(path.parent.name, "")):
        raise InputError(message, where=located(document, start))
    kind_of_file = kind or kind_of(document.body, path.parent.name)
    if kind_of_file is None:
        raise InputError(UNKNOWN_KIND, where=located(document, document.span(()).start))
    adopted = document.body.get("id")
    return Resource(kind_of_file, path.stem, document.body, str(adopted) if adopted else None, shown)


def read_document(path: Path, shown: str = "") -> Document:
    """Read a JSON file.

    Raises:
        InputError: the file cannot be read, is not UTF-8 or not JSON; `where` is `path:line:column`.
    """
    shown = shown or str(path)
    try:
        text = read_text(path)
    except InputError as error:
        raise InputError(error.message, where=f"{shown}:1:1", hint=error.hint) from None
    try:
        return parse_document(shown, text)
    except JsonError as error:
        where = located(Document(shown, text, None), error.offset)
        raise InputError(error.message, where=where, hint=error.hint) from None


def read_folder(root: Path, kind: str) -> tuple[list[Resource], list[InputError]]:
    """Read every resource of one kind in a project, and say which files cannot be used."""
    resources: list[Resource] = []
    problems: list[InputError] = []
    for path in paths_of(root, kind):
        try:
            resources.append(read_resource(path, kind, root=root))
        except InputError as error:
            problems.append(error)
    return resources, problems


def paths_of(root: Path, kind: str) -> list[Path]:
    """Return the files of one kind in a project, sorted by name."""
    return sorted((root / _FOLDER[kind]).glob("*.json"))


def path_of(root: Path, kind: str, key: str) -> Path:
    """Return the file of a key in a project."""
    return root / _FOLDER[kind] / f"{key}.json"


UNKNOWN_KIND = (
    "neither a dashboard (widgets, layout_type) nor a monitor (type, query). "
    "Put it in dashboards/ or monitors/, or leave it out"
)


def fatal(document: Document, kind: str) -> Iterator[tuple[int, str]]:
    """Yield what makes a parsed file unusable: the offset in its text, and the message."""
    for span, key in document.duplicate_keys():
        yield span.start, duplicate(key)
    if not isinstance(document.body, dict):
        yield document.span(()).start, not_an_object(kind)


def duplicate(key: str) -> str:
    """Return the message about a key that its object has named before."""
    return f"duplicate key {key!r}: only its last value counts. Remove one of the two"


def not_an_object(kind: str) -> str:
    """Return the message about a file whose top level is a list, a string or a number."""
    return f"not a {kind or 'dashboard or monitor'}: the top level is not an object"


def located(document: Document, offset: int) -> str:
    """Return an offset of a text as `path:line:column`."""
    place = document.place(offset)
    return f"{document.source}:{place.line}:{place.column}"
