"""Collect what rules across files need of each: its name, references, links and template variables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.lint.model import Severity, Subject
from monitoring.lint.muting import Meant, Reach, meant_by, reach_of
from monitoring.resources.document import Document, Pointer, read_text
from monitoring.resources.instances import EACH, FOR_EACH, file_key, words_of
from monitoring.resources.project import FILE, read_settings
from monitoring.resources.resource import FOLDERS, references, strings
from monitoring.resources.variables import VARIABLE

Mark = tuple[int, int, int, int]
"""Line and column of the first character, line and column behind the last; all count from 1."""

_BOARD = re.compile(r"/dashboard/\$\{dashboard:(?P<key>[\w.-]+)(?:\[[\w.-]+\])?\}[^\s)\"'\]]*")
_HANDLE = re.compile(r"(?<![\w.])@[\w{$]|\$\{var:[^}|]*\}")
_TITLE = {"dashboard": "title", "downtime": "scope"}
_FOR_EACH = re.compile(rf'"{FOR_EACH}"\s*:\s*"([^"]*)"')
_FOLDER = {kind: folder for folder, kind in FOLDERS.items()}


class Mention(NamedTuple):
    """A `${kind:key}` in a file, or a link to a dashboard (`target`) by such a one."""

    path: str
    kind: str
    key: str
    mark: Mark
    has_default: bool = False
    in_query: bool = False
    target: str = ""


class SetValue(NamedTuple):
    """A value of `stepscope.toml`: its name, where it stands, and the keys that lead to it."""

    name: str
    mark: Mark
    keys: tuple[str, ...]

    @property
    def list(self) -> str:
        """The list whose entry has the value; "" for a value of the project."""
        start = 2 if self.keys[0] == "env" else 1
        return self.keys[start] if len(self.keys) > start + 1 else ""


class ForEachFile(NamedTuple):
    """A file with `for_each`: the body as written, where the list is named, and where the query stands."""

    body: Mapping[str, Any]
    mark: Mark
    query_mark: Mark


class FileFacts(NamedTuple):
    """Hold what other files may need to know of one."""

    path: str
    kind: str
    key: str
    type: str
    title: str
    title_mark: Mark
    references: tuple[Mention, ...]
    links: tuple[Mention, ...]
    variables: frozenset[str]
    silent: Mark | None = None
    """Where the message of a monitor stands that names no handle."""
    reach: Reach | None = None
    """Of a monitor: how downtimes can get at it."""
    meant: Meant | None = None
    """Of a downtime: whom it means. Its `title_mark` is its scope's."""
    values: tuple[SetValue, ...] = ()
    """Of `stepscope.toml`."""
    settings: Mapping[str, Any] | None = None
    """Likewise, all of it."""
    several: "ForEachFile | None" = None
    """Of a file with `for_each`."""


class ProjectProblem(NamedTuple):
    """Describe a finding of a rule across files in one file."""

    path: str
    mark: Mark
    message: str
    severity: Severity | None = None


@dataclass(frozen=True)
class Project:
    """All the files of one run, and what lies beside them on the disk."""

    files: Sequence[FileFacts]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], FileFacts]:
        return {(file.kind, file.key): file for file in self.files}

    def keys(self, kind: str, path: str) -> set[str]:
        """Return the keys of a kind: of the files of this run, and of those beside the given file."""
        beside = Path(path).parent.parent / _FOLDER[kind]
        return {file.key for file in self.files if file.kind == kind} | _keys_in(beside)

    def type_of(self, kind: str, key: str) -> str:
        """Return the type of a monitor of this run."""
        file = self._by_key.get((kind, file_key(key)))
        return file.type if file else ""

    def template_variables(self, key: str) -> frozenset[str] | None:
        """Return the template variables of a dashboard of this run, None where it is not part of it."""
        file = self._by_key.get(("dashboard", key))
        return file.variables if file else None

    def variables(self, path: str) -> frozenset[str] | None:
        """Return the variables that the nearest stepscope.toml above a file sets, for any environment.

        None where that file cannot be used.
        """
        return _settings(Path(path).resolve().parent)

    def settings(self, path: str) -> Mapping[str, Any] | None:
        """Return the nearest stepscope.toml above a file; None where there is none that can be used."""
        folders = Path(path).parents
        own = (file.settings for file in self.files if file.values and Path(file.path).parent in folders)
        return next(own, None) or _read_settings(Path(path).resolve().parent)

    def used_variables(self, settings: str) -> frozenset[str]:
        """Return the names of `${var:…}` and `for_each` in this run's files, and beside a settings file."""
        names = {mention.key for file in self.files for mention in file.references if mention.kind == "var"}
        lists = {
            word for file in self.files if file.several for word in words_of(file.several.body[FOR_EACH])
        }
        return _used_beside(Path(settings).resolve().parent) | names | lists


@lru_cache
def _keys_in(folder: Path) -> frozenset[str]:
    return frozenset(file.stem for file in folder.glob("*.json")) if folder.is_dir() else frozenset()


@lru_cache
def _settings(folder: Path) -> frozenset[str] | None:
    if settings_file(folder) is None:
        return frozenset({"env", EACH})
    settings = _read_settings(folder)
    if settings is None:
        return None
    return frozenset({"env", EACH, *(name for name, _ in values_of(settings))})


@lru_cache
def _read_settings(folder: Path) -> Mapping[str, Any] | None:
    file = settings_file(folder)
    try:
        return read_settings(file) if file else None
    except InputError:
        return None  # project-settings says why


@lru_cache
def _used_beside(root: Path) -> frozenset[str]:
    files = [file for folder in FOLDERS for file in (root / folder).glob("*.json")]
    texts = [_text(file) for file in (*files, root / FILE)]
    names = {variable["name"] for text in texts for variable in VARIABLE.finditer(text)}
    lists = (match[1] for text in texts for match in _FOR_EACH.finditer(text))
    return frozenset(names | {word for text in lists for word in words_of(text)})


def _text(file: Path) -> str:
    try:
        return read_text(file)
    except InputError:
        return ""


def settings_file(folder: Path) -> Path | None:
    """Return the nearest stepscope.toml in a folder or above it."""
    return next((file for place in (folder, *folder.parents) if (file := place / FILE).is_file()), None)


def values_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of each value of a stepscope.toml, entries of lists too, and the keys down to it."""
    yield from _values_in(settings.get("defaults", {}), ("defaults",))
    for env, values in settings.get("env", {}).items():
        yield from _values_in(values, ("env", env))


def _values_in(values: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in values.items():
        yield name, (*above, name)
        if isinstance(value, Mapping):
            for entry, own in value.items():
                for inner in own if isinstance(own, Mapping) else ():
                    yield inner, (*above, name, entry, inner)


def mark(document: Document, start: int, end: int) -> Mark:
    """Return the mark of a range of the text."""
    first, last = document.place(start), document.place(end)
    return first.line, first.column, last.line, last.column


def facts_of(subject: Subject, path: str) -> FileFacts:
    """Return the facts of a file that rules across files need."""
    document, resource = subject.document, subject.resource
    title = (_TITLE.get(resource.kind, "name"),)
    rows = subject.body.get("template_variables")
    variables = {
        str(row.get("name")) for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict)
    }
    with_references = "${" in document.text
    return FileFacts(
        path=path,
        kind=resource.kind,
        key=resource.key,
        type=str(subject.body.get("type") or ""),
        title=resource.title,
        title_mark=_mark_of(document, title),
        references=tuple(_references(subject, path)) if with_references else (),
        links=tuple(_links(subject, path)) if with_references else (),
        variables=frozenset(variables),
        silent=_silent(subject),
        reach=reach_of(subject),
        meant=meant_by(subject),
        several=_several(document),
    )


def _several(document: Document) -> ForEachFile | None:
    if FOR_EACH not in document.body:
        return None
    query = _mark_of(document, ("query",) if "query" in document.body else ())
    return ForEachFile(document.body, _mark_of(document, (FOR_EACH,)), query)


def _silent(subject: Subject) -> Mark | None:
    """Return where a message has no handle; a `${var:…}` without a default may contain one."""
    if subject.resource.kind != "monitor":
        return None
    message = subject.body.get("message")
    if isinstance(message, str) and _HANDLE.search(message):
        return None
    return _mark_of(subject.document, ("message",) if "message" in subject.body else ())


def _mark_of(document: Document, pointer: Pointer) -> Mark:
    span = document.span(pointer)
    return mark(document, span.start, span.end)


def _references(subject: Subject, path: str) -> Iterator[Mention]:
    document = subject.document
    for reference in references(subject.body):
        start, end = (
            document.inside(reference.pointer, reference.start),
            document.inside(reference.pointer, reference.end),
        )
        yield Mention(
            path,
            reference.kind,
            reference.key,
            mark(document, start, end),
            has_default=reference.default is not None,
            in_query=reference.pointer == ("query",),
        )


def _links(subject: Subject, path: str) -> Iterator[Mention]:
    document = subject.document
    for pointer, text in strings(subject.body):
        for match in _BOARD.finditer(text):
            start, end = document.inside(pointer, match.start()), document.inside(pointer, match.end())
            place = mark(document, start, end)
            yield Mention(path, "dashboard", match.group("key"), place, target=match.group())
