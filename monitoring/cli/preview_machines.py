"""Draw the state machines of templates and definitions for `stepscope preview`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from monitoring.errors import InputError, writing

Machines = Sequence[tuple[str, str, dict[str, Any]]]
"""Logical id, name and definition of each."""


def machines_in(path: Path) -> Machines:
    """Return the state machines that a file describes; none for a dashboard and for a folder of them."""
    from monitoring.discovery.machines import definitions_of

    if not path.is_file() or (path.suffix == ".json" and _is_dashboard(path)):
        return []
    try:
        return list(definitions_of(path))
    except InputError:  # what it is, is for whom reads it as a dashboard to say
        return []


def _is_dashboard(path: Path) -> bool:
    try:
        body = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(body, dict) and "widgets" in body


def draw_machines(
    machines: Mapping[Path, Machines], older: Path | None, out: Path, kind: str, *, dark: bool, scale: float
) -> Iterator[Path]:
    """Draw each state machine into a file `NAME.graph.KIND`, and yield the files.

    Args:
        machines: by the path that they were read from.
        older: a file, or a folder in which the paths are, with the definitions before the change.
        out: the folder of the files.
        kind: svg, png or html.
        dark: colours for dark pages; a page follows its reader.
        scale: pixels a unit, for png.

    Raises:
        InputError: a file cannot be written.
    """
    from monitoring.graph import Look, as_svg
    from monitoring.preview.picture import as_png
    from monitoring.preview.theme import DARK, LIGHT

    names: set[str] = set()
    for path, own in machines.items():
        before = dict[str, dict[str, Any]]()
        if older is not None:
            before = {entry[0]: entry[2] for entry in machines_in(_older(path, older))}
        single = len(own) == 1 and len(before) == 1
        for logical_id, name, definition in own:
            old = next(iter(before.values())) if single else before.get(logical_id)
            graph, look = _compared(definition, old if older is not None else definition)
            look = replace(look, theme=DARK if dark else LIGHT, title=f"State machine {name}")
            file = out / f"{_free_name(logical_id or path.stem, names)}.graph.{kind}"
            with writing(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                if kind == "png":
                    file.write_bytes(as_png(as_svg(graph, look), scale))
                elif kind == "svg":
                    file.write_text(as_svg(graph, look), encoding="utf-8")
                else:
                    page = as_svg(graph, Look(changes=look.changes, title=look.title))
                    file.write_text(_page(look.title, look.changes, page), encoding="utf-8")
            yield file


def _compared(definition: dict[str, Any], old: dict[str, Any] | None) -> tuple[Any, Any]:
    from monitoring.graph import Look, difference
    from monitoring.graph.difference import merged

    before = old if old is not None else {"States": {}}
    return merged(before, definition), Look(changes=difference(before, definition).marks())


def _older(path: Path, older: Path) -> Path:
    """Return where the older version of a path is: the file itself, or below the folder."""
    if older.is_file():
        return older
    return older / path if not path.is_absolute() and (older / path).exists() else older / path.name


def _free_name(text: str, taken: set[str]) -> str:
    """Return a name for a file that is not taken, and take it: of letters, digits, - and _."""
    plain = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in text)
    candidates = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
    name = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(name)
    return name


def _page(title: str, changes: Mapping[str, str], picture: str) -> str:
    from html import escape

    rows = "".join(f"<li>{escape(change)}: {escape(state)}</li>" for state, change in changes.items())
    style = "body{font:14px system-ui,sans-serif;margin:24px}svg{max-width:100%;height:auto}"
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{style}</style>"
    return f"<!doctype html><html lang=en>{head}<h1>{escape(title)}</h1><ul>{rows}</ul>{picture}</html>\n"
