"""Read, merge and write the catalogue of a project's own metrics, `stepscope.metrics.toml`.

Tests (`pytest --record-metrics`) and `stepscope up` add to it what the handlers emit. Merging is a union: in
whatever order records come, and however often, the file is the same.
"""

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError, writing
from monitoring.lines import TYPES
from monitoring.log_events.names import METRICS
from monitoring.resources.document import read_text
from monitoring.resources.project import FILE as SETTINGS
from monitoring.resources.project import key_place, not_toml

FILE = "stepscope.metrics.toml"

MOST_VALUES = 1000
"""Up to this many values of a tag are counted: the file stays as it is when there are more."""
MOST_PLACES = 10
"""As many tests, and functions, are named for a metric: the first in order."""

_HEAD = """# The metrics that this project's handlers emit, for stepscope lint and init.
# pytest --record-metrics and stepscope up add to it. Yours to write: unit, further tags, and common_tags, the
# keys that every point gets on its way (DD_TAGS of the forwarder, tags of the functions).
"""
_OTHERS = ("aws.", "datadog.", "stepscope.")
_FORWARDED = frozenset(metric.name for metric in METRICS)
_DISTRIBUTIONS = ("distribution", "histogram", "timing")
_KEYS = ("type", "unit", "tags", "functions", "tests")


class OwnMetric(NamedTuple):
    """One metric of the catalogue.

    Attributes:
        type: as its lines say: count, gauge, histogram or distribution.
        unit: written by a person; "" where nobody has.
        tags: key -> how many values were seen, at most `MOST_VALUES`.
        functions: names of functions that emitted it.
        tests: tests that saw it, without their parameters.
    """

    type: str
    unit: str = ""
    tags: Mapping[str, int] = {}
    functions: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


class OwnMetrics(NamedTuple):
    """The catalogue: metrics by name, and the tag keys that every point carries besides."""

    metrics: Mapping[str, OwnMetric]
    common_tags: tuple[str, ...] = ()


def is_own(name: str) -> bool:
    """Return whether a metric is a project's own: neither AWS's nor Datadog's, nor made by this package.

    Claims are the project's, although this package names their metrics.
    """
    return not name.startswith(_OTHERS) and name not in _FORWARDED


def catalogue_path(folder: Path) -> Path:
    """Return where the catalogue of a folder's project lies or would lie.

    That is beside the nearest stepscope.toml or catalogue, in the folder or above it; without either, in it.
    """
    marks = (SETTINGS, FILE)
    folders = (
        place for place in (folder, *folder.parents) if any((place / name).is_file() for name in marks)
    )
    return next(folders, folder) / FILE


def read_own_metrics(path: Path) -> OwnMetrics:
    """Read a catalogue; an absent file is an empty one.

    Raises:
        InputError: it is not TOML, or holds what no catalogue does; says where.
    """
    if not path.is_file():
        return OwnMetrics({})
    text = read_text(path)
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        fault = not_toml(text, str(error))
        line, column = fault.place
        hint = "Resolve the merge conflict in it." if "\n<<<<<<< " in f"\n{text}" else _HINT
        raise InputError(fault.message, where=f"{path}:{line}:{column}", hint=hint) from None
    for keys, message in _faults(tables):
        line, column = key_place(text, tuple(part for key in keys for part in key.split(".")))
        raise InputError(message, where=f"{path}:{line}:{column}", hint=_HINT)
    metrics = {name: OwnMetric(**_fields(table)) for name, table in tables.get("metrics", {}).items()}
    return OwnMetrics(metrics, tuple(tables.get("common_tags", ())))


_HINT = "Correct it, or delete the file and record again: pytest --record-metrics."


def _fields(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _faults(tables: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the keys down to each thing that is wrong, and what it is."""
    for key in tables.keys() - {"metrics", "common_tags"}:
        yield (key,), f"unknown key {key!r}"
    if not _is_names(tables.get("common_tags", [])):
        yield ("common_tags",), "common_tags is not a list of tag keys"
    metrics = tables.get("metrics", {})
    if not isinstance(metrics, Mapping):
        yield ("metrics",), "metrics is not a table"
        return
    for name, table in metrics.items():
        for inner, message in _metric_faults(table):
            yield ("metrics", name, *inner), f"{name}: {message}"


def _metric_faults(table: object) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(table, Mapping):
        yield (), "not a table"
        return
    for key in table.keys() - set(_KEYS):
        yield (str(key),), f"unknown key {key!r}"
    if table.get("type") not in TYPES:
        yield ("type",), f"the type is not one of {', '.join(sorted(TYPES))}"
    if not isinstance(table.get("unit", ""), str):
        yield ("unit",), "the unit is not a text"
    for places in ("functions", "tests"):
        if not _is_names(table.get(places, [])):
            yield (places,), f"{places} is not a list of names"
    tags = table.get("tags", {})
    if not isinstance(tags, Mapping) or not all(type(n) is int and n >= 0 for n in tags.values()):
        yield ("tags",), "tags is not a table of tag keys and how many values each has"


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def merged_metrics(catalogue: OwnMetrics, other: OwnMetrics, path: Path) -> OwnMetrics:
    """Return the union of two catalogues.

    Raises:
        InputError: one metric has two types; `path` is the catalogue that is told as the place.
    """
    metrics = dict(catalogue.metrics)
    for name, metric in other.metrics.items():
        known = metrics.get(name)
        metrics[name] = metric if known is None else _union(name, known, metric, path)
    return OwnMetrics(metrics, tuple(sorted({*catalogue.common_tags, *other.common_tags})))


def _union(name: str, known: OwnMetric, metric: OwnMetric, path: Path) -> OwnMetric:
    tags = {
        key: max(known.tags.get(key, 0), metric.tags.get(key, 0)) for key in {**known.tags, **metric.tags}
    }
    return OwnMetric(
        one_type(name, (known.type, _place(known)), (metric.type, _place(metric)), path),
        known.unit or metric.unit,
        tags,
        first(known.functions + metric.functions),
        first(known.tests + metric.tests),
    )


def one_type(name: str, known: tuple[str, str], seen: tuple[str, str], path: Path) -> str:
    """Return the type of a metric that was seen as two: each is a type, and where.

    Raises:
        InputError: they are stored differently, so that one name would be two metrics.
    """
    if known[0] == seen[0]:
        return known[0]
    if known[0] in _DISTRIBUTIONS and seen[0] in _DISTRIBUTIONS:
        return "distribution"
    raise InputError(
        f"{name} is a {known[0]} ({known[1]}) and a {seen[0]} ({seen[1]})",
        where=str(path),
        hint="Give one of them another name. Where the code has changed, delete its table and record again.",
    )


def _place(metric: OwnMetric) -> str:
    return next(iter((*metric.tests, *metric.functions)), "in the file")


def first(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first names in order, each once: as many of a union as of its parts."""
    return tuple(sorted(set(names))[:MOST_PLACES])


def record_metrics(path: Path, seen: OwnMetrics) -> bool:
    """Add what was seen to a catalogue; return whether the file has changed.

    A process that records at the same time waits; a kill leaves the file as it was.

    Raises:
        InputError: the file cannot be read, merged or written.
    """
    if not seen.metrics:
        read_own_metrics(path)
        return False
    with writing(path), _alone(path.parent):
        before = read_own_metrics(path)
        after = merged_metrics(before, seen, path)
        text = catalogue_text(after)
        if path.is_file() and text == read_text(path):
            return False
        target = path.resolve()
        new = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            new.write_text(text, encoding="utf-8", newline="\n")
            os.replace(new, target)
        finally:
            new.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that of two records none is lost; where files have no locks, go on."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def catalogue_text(catalogue: OwnMetrics) -> str:
    """Return the text of a catalogue: metrics, tags and places in order."""
    text = _HEAD
    if catalogue.common_tags:
        text += f"common_tags = {_list(catalogue.common_tags)}\n"
    for name, metric in sorted(catalogue.metrics.items()):
        rows = {"type": _quoted(metric.type), "unit": _quoted(metric.unit) if metric.unit else ""}
        tags = ", ".join(f"{_quoted(key)} = {count}" for key, count in sorted(metric.tags.items()))
        rows |= {"tags": f"{{{tags}}}", "functions": _list(metric.functions), "tests": _list(metric.tests)}
        text += f"\n[metrics.{_quoted(name)}]\n"
        text += "".join(f"{key} = {value}\n" for key, value in rows.items() if value)
    return text


def _list(values: tuple[str, ...]) -> str:
    return f"[\n{''.join(f'    {_quoted(value)},{chr(10)}' for value in values)}]" if values else ""


def _quoted(value: str) -> str:
    text = value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
