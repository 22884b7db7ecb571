"""Read the resources in files of other tools: exports, backups, Terraform's JSON, assets of integrations."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.resources.document import JsonError, parse_document, read_text
from monitoring.resources.monitor_errors import TYPES
from monitoring.resources.resource import kind_of

Body = dict[str, Any]
DEEPEST = 8
"""How deep a resource may be inside a file."""
JSON_TEXTS = {"datadog_dashboard_json": "dashboard", "datadog_monitor_json": "monitor"}
"""Resource type of Terraform -> the argument that holds the API's body as text."""
WRAPPERS = frozenset({"attributes", "definition"})
"""Keys that hold the body of the object around them, whose id it has."""
SKIPPED = frozenset({".git", "node_modules", ".terraform", ".venv"})


@dataclass(slots=True)
class Imported:
    """The resources of a folder as (kind, id or "", body), the files without any, and the problems."""

    resources: list[tuple[str, str, Body]] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    problems: list[InputError] = field(default_factory=list)


def read_foreign(folder: Path) -> Imported:
    """Read every JSON file below a folder.

    A file that cannot be read is a problem, and the others are read. A resource that occurs several times, by
    its id, is returned once.

    Raises:
        InputError: there is no such folder or file.
    """
    if not folder.exists():
        raise InputError("there is no such folder or file", where=str(folder))
    imported = Imported()
    seen: set[tuple[str, str]] = set()
    for path in _files(folder):
        try:
            text = read_text(path)
            parse_document(str(path), text)
        except JsonError as error:
            imported.problems.append(InputError(error.message, where=str(path), hint=error.hint))
            continue
        except InputError as error:
            imported.problems.append(error)
            continue
        resources = list(resources_in(json.loads(text)))
        imported.others += [] if resources else [path]
        for kind, id_, resource in resources:
            if not id_ or (kind, id_) not in seen:
                imported.resources.append((kind, id_, resource))
            seen.add((kind, id_))
    return imported


def _files(folder: Path) -> Sequence[Path]:
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*.json") if not SKIPPED.intersection(path.parts))


def resources_in(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str, Body]]:
    """Yield (kind, id, body) of the resources in a value: a resource, a list, or objects around them.

    `name` is the key that the value has in its object: exports by id have the id there.
    """
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from resources_in(item, "", depth + 1)
    if not isinstance(value, Mapping):
        return
    kind = _kind(value)
    if kind is not None:
        yield kind, str(value.get("id") or (name if _is_id(name) else "")), dict(value)
        return
    for key, item in value.items():
        if key in JSON_TEXTS:
            yield from _from_terraform(item, JSON_TEXTS[key])
        else:
            within = str(value.get("id") or name) if key in WRAPPERS else str(key)
            yield from resources_in(item, within, depth + 1)


def _kind(value: Mapping[str, Any]) -> str | None:
    """Return the kind of a body; a saved view or a detection rule with a query is not a monitor."""
    kind = kind_of(value)
    if kind == "monitor" and value.get("type") not in TYPES:
        return None
    if kind == "dashboard" and not isinstance(value.get("widgets"), list):
        return None
    return kind


def _is_id(name: str) -> bool:
    return bool(_ID.fullmatch(name))


_ID = re.compile(r"\d+|[0-9a-f]{32}|[a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3}")


def _from_terraform(value: Any, argument: str) -> Iterator[tuple[str, str, Body]]:
    """Yield the bodies that are JSON text in `{name: {argument: text}}`, or in a list of such objects."""
    blocks = value.values() if isinstance(value, Mapping) else ()
    for block in blocks:
        for part in block if isinstance(block, list) else [block]:
            text = part.get(argument) if isinstance(part, Mapping) else None
            try:
                body = json.loads(text) if isinstance(text, str) else text
            except ValueError:
                continue  # a text with an interpolation that is not JSON
            yield from resources_in(body)
