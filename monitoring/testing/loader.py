"""Load the cases of a `NAME.test.yaml` file; each error has its file, line, column and a hint."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from monitoring.errors import InputError
from monitoring.monitor.switches import switches_of
from monitoring.testing.cases import Case
from monitoring.testing.document import DocumentReader
from monitoring.testing.expectations import read_expectation
from monitoring.testing.inputs import read_check, read_downtime, read_event, read_series
from monitoring.testing.problems import CaseProblem, DocumentError, Place
from monitoring.testing.times import hint_for, parse_duration, parse_moment

SUFFIX = ".test.yaml"
_EARLIEST = 10**8
"""Seconds since the epoch: a smaller number is a year, or a slip."""

CASE_KEYS = (
    "name",
    "start",
    "interval",
    "until",
    "series",
    "checks",
    "events",
    "members",
    "downtimes",
    "switches",
    "stand_in",
    "slos",
    "variables",
    "known_groups",
    "expect",
)
FILE_KEYS = ("monitor", *CASE_KEYS, "tests")
_BELONGS = dict.fromkeys(CASE_KEYS, "the case, further left") | {
    "monitor": "the file, at its left edge",
    "tests": "the file, at its left edge",
    **dict.fromkeys(("metric", "type", "tags", "host", "values", "every"), "an item of series"),
    **dict.fromkeys(("at", "state", "value", "never", "always", "group", "handles"), "an item of expect"),
}


def load(path: Path, shown: str | None = None) -> list[Case]:
    """Load the cases of a file.

    Raises:
        DocumentError: all that is wrong in it.
        InputError: it cannot be read.
    """
    file = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = CaseProblem(Place(file, 1), f"cannot be read: {error}")
        raise DocumentError([problem]) from error
    return loads(text, file, path.name.removesuffix(SUFFIX))


def loads(text: str, file: str = "test.yaml", key: str = "monitor") -> list[Case]:
    """Load the cases of a text; `key` is the monitor's key where the text does not name one."""
    reader = DocumentReader(file)
    root = reader.parse(text)
    cases = _file(reader, root, key) if root is not None else []
    if root is None:
        reader.problems.append(CaseProblem(Place(file, 1), "the file is empty", "write series: and expect:"))
    if reader.problems:
        raise DocumentError(reader.problems)
    return cases


def _file(reader: DocumentReader, root: yaml.Node, key: str) -> list[Case]:
    entries = reader.mapping(root, "a monitor test", FILE_KEYS, _belongs(FILE_KEYS))
    monitor, place = _monitor(reader, entries, key, None)
    shared = _Case(reader, root, monitor, place)
    tests = entries.pop("tests", None)
    if tests is None:
        return [shared.read(entries)]
    if "expect" in entries:
        reader.wrong(entries["expect"], "expect beside tests", "move it into one of the tests")
    base = shared.read(entries, complete=False)
    nodes = reader.items(tests, "tests", "- name: …")
    if not nodes:
        reader.wrong(tests, "tests is empty", "write a case: - name: … with series and expect")
    return [_one(reader, node, base, monitor, place) for node in nodes]


def _monitor(
    reader: DocumentReader, entries: dict[str, yaml.Node], other: Any, place: Place | None
) -> tuple[Any, Place | None]:
    """Take `monitor` out of the entries: a key or a body, and its place; without it, the other one."""
    node = entries.pop("monitor", None)
    if node is None:
        return other, place
    inline = isinstance(node, yaml.MappingNode)
    return reader.plain(node) if inline else reader.text(node, "monitor") or other, reader.place(node)


def _one(reader: DocumentReader, node: yaml.Node, base: Case, monitor: Any, place: Place | None) -> Case:
    keys = ("monitor", *CASE_KEYS)
    entries = reader.mapping(node, "a case", keys, _belongs(keys))
    monitor, place = _monitor(reader, entries, monitor, place)
    return _Case(reader, node, monitor, place, base).read(entries)


def _belongs(known: tuple[str, ...]) -> dict[str, str]:
    return {key: where for key, where in _BELONGS.items() if key not in known}


class _Case:
    """Reads the keys of one case, on top of what the file says for all."""

    def __init__(
        self,
        reader: DocumentReader,
        node: yaml.Node,
        monitor: Any,
        place: Place | None,
        base: Case | None = None,
    ) -> None:
        self.reader = reader
        self.node = node
        blank = Case("", reader.place(node), monitor, (), monitor_place=place)
        own = {"place": reader.place(node), "monitor": monitor, "monitor_place": place}
        self.base = replace(base, **own) if base else blank
        self.interval = 60

    def read(self, entries: dict[str, yaml.Node], complete: bool = True) -> Case:
        """Read a case; `complete` cases need an expectation."""
        if "interval" in entries:
            self.interval = self._duration(entries["interval"], "interval") or 60
        elif self.base.series:
            self.interval = self.base.series[0].every
        values: dict[str, Any] = {}
        for key, node in entries.items():
            if key in _READERS:
                values[key] = _READERS[key](self, node)
        if "expect" in entries:
            values["expectations"] = self._expectations(entries["expect"])
        elif complete:
            hint = "add expect: with at least one item, such as - never: Alert"
            self.reader.wrong(self.node, "nothing is expected, so nothing would be tested", hint)
        for key in ("series", "checks", "events", "downtimes"):
            values[key] = (*getattr(self.base, key), *values.get(key, ()))
        for key in ("members", "switches", "stand_in", "slos"):
            values[key] = {**getattr(self.base, key), **values.get(key, {})}
        return replace(self.base, **{key: value for key, value in values.items() if value is not None})

    def _duration(self, node: yaml.Node, what: str) -> int | None:
        text = self.reader.text(node, what)
        seconds = parse_duration(text) if text is not None else None
        if text is not None and not seconds:
            self.reader.wrong(node, f"{what} is {text!r}, which is not a length of time", hint_for(text))
        return seconds

    def _start(self, node: yaml.Node) -> int | None:
        text = self.reader.text(node, "start")
        moment = parse_moment(text) if text is not None else None
        if text is not None and (moment is None or (text.isdigit() and moment < _EARLIEST)):
            self.reader.wrong(node, f"start is {text!r}, not a valid time", "write 2026-03-01T00:00:00Z")
        return moment

    def _list(self, node: yaml.Node, what: str, example: str, read: Callable[..., Any]) -> tuple[Any, ...]:
        nodes = self.reader.items(node, what, example)
        items = [read(self.reader, item, self.interval) for item in nodes]
        return tuple(item for item in items if item is not None)

    def _expectations(self, node: yaml.Node) -> tuple[Any, ...]:
        nodes = self.reader.items(node, "expect", "- at: 12m")
        if isinstance(node, yaml.SequenceNode) and not nodes:
            self.reader.wrong(node, "expect is empty, so nothing would be tested", "write - never: Alert")
        expectations = [read_expectation(self.reader, item) for item in nodes]
        return tuple(item for item in expectations if item is not None)

    def _members(self, node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self.reader.wrong(node, "members maps each name in the query to a monitor", "write 1234: its-key")
            return {}
        return {str(key.value): self.reader.plain(value) for key, value in node.value}

    def _plain_mapping(self, node: yaml.Node) -> dict[str, Any]:
        value = self.reader.plain(node)
        if isinstance(value, dict):
            return {str(key): item for key, item in value.items()}
        self.reader.wrong(node, "this is written as name: value")
        return {}


def _switches(case: _Case, node: yaml.Node) -> dict[str, Any]:
    names = case._plain_mapping(node)
    places = {str(key.value): key for key, _ in node.value} if isinstance(node, yaml.MappingNode) else {}
    for name, value in names.items():
        try:
            switches_of({name: value})
        except InputError as error:
            case.reader.wrong(places.get(name, node), error.message, error.hint)
    return names


_READERS: dict[str, Callable[[_Case, yaml.Node], Any]] = {
    "name": lambda case, node: case.reader.text(node, "name"),
    "start": lambda case, node: case._start(node),
    "until": lambda case, node: case._duration(node, "until"),
    "series": lambda case, node: case._list(node, "series", "- metric: …", read_series),
    "checks": lambda case, node: case._list(node, "checks", "- check: …", read_check),
    "events": lambda case, node: case._list(node, "events", "- at: 5m", read_event),
    "downtimes": lambda case, node: case._list(node, "downtimes", '- scope: "*"', read_downtime),
    "members": lambda case, node: case._members(node),
    "switches": _switches,
    "stand_in": lambda case, node: case._plain_mapping(node),
    "slos": lambda case, node: case._plain_mapping(node),
    "variables": lambda case, node: case._plain_mapping(node),
    "known_groups": lambda case, node: case.reader.boolean(node, "known_groups"),
}
