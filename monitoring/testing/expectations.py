"""Read the expectations of a case from its YAML nodes, one reader for each kind."""

from collections.abc import Callable
from typing import Any

import yaml

from monitoring.monitor.states import State
from monitoring.query.errors import nearest
from monitoring.testing.cases import At, Expectation, Notifies, Recovers, Throughout, Within
from monitoring.testing.document import DocumentReader
from monitoring.testing.inputs import read_offsets
from monitoring.testing.times import hint_for, parse_duration

STATES = [state.value for state in State]
ABSENT = "absent"
KINDS = ("alert", "warn", "no data", "recovery", "renotify")

_ENTERS = {"alerts_within": State.ALERT, "warns_within": State.WARN, "no_data_within": State.NO_DATA}
_AT = ("at", "group", "state", "value", "message", "not_message", "title", "handles", "notified", "rule")
_KEYS: dict[str, tuple[str, ...]] = {
    "at": _AT,
    "never": ("never", "group", "from", "to"),
    "always": ("always", "group", "from", "to"),
    **{name: (name, "of", "group") for name in _ENTERS},
    "recovers_by": ("recovers_by", "group"),
    "notifications": ("notifications", "of", "group"),
}
"""The key that tells the kind of an expectation -> all keys that it may have."""

_ELSEWHERE = dict.fromkeys(
    ("series", "metric", "values", "tags", "start", "until", "monitor", "tests", "name"), "another block"
)


def read_expectation(reader: DocumentReader, node: yaml.Node) -> Expectation | None:
    """One item of `expect`."""
    if not isinstance(node, yaml.MappingNode):
        reader.wrong(node, "an expectation is written as key: value lines", "such as - at: 12m, state: Alert")
        return None
    names = [key.value for key, _ in node.value]
    kinds = [kind for kind in _KEYS if kind in names]
    if len(kinds) != 1:
        _no_kind(reader, node, names, kinds)
        return None
    entries = reader.mapping(node, f"an expectation with {kinds[0]!r}", _KEYS[kinds[0]], _ELSEWHERE)
    before = len(reader.problems)
    found_one = _READ[kinds[0]](_Item(reader, node, entries, kinds[0]))
    return found_one if len(reader.problems) == before else None


def _no_kind(reader: DocumentReader, node: yaml.MappingNode, names: list[str], kinds: list[str]) -> None:
    known = f"an expectation has one of {', '.join(_KEYS)}"
    if kinds:
        reader.wrong(node, f"this expectation has both {' and '.join(kinds)}", f"make two of it; {known}")
        return
    near = [(name, guess) for name in names if (guess := nearest(str(name), _KEYS))]
    hint = f"did you mean {near[0][1]!r}?" if near else "such as - at: 12m, state: Alert"
    reader.wrong(node, f"{known}: here is none of them", hint)


class _Item:
    """The entries of one expectation, and how its keys are read."""

    def __init__(
        self, reader: DocumentReader, node: yaml.Node, entries: dict[str, yaml.Node], kind: str
    ) -> None:
        self.reader, self.node, self.entries, self.kind = reader, node, entries, kind
        self.place = reader.place(node)

    def text(self, name: str) -> str | None:
        return self.reader.text(self.entries[name], name) if name in self.entries else None

    def state(self, name: str) -> State | None:
        text = self.reader.choice(self.entries[name], name, STATES)
        return State(text) if text is not None else None

    def length(self, name: str, default: int | None) -> int | None:
        if name not in self.entries:
            return default
        text = self.reader.text(self.entries[name], name)
        seconds = parse_duration(text) if text is not None else None
        if text is not None and seconds is None:
            what = f"{name} is {text!r}, which is not a length of time"
            self.reader.wrong(self.entries[name], what, hint_for(text))
        return seconds

    def texts(self, name: str) -> tuple[str, ...]:
        if name not in self.entries:
            return ()
        return tuple(text for text, _ in self.reader.texts(self.entries[name], name, "[a, b]"))


def _at(item: _Item) -> At:
    if len(item.entries) - ("group" in item.entries) == 1:
        hint = "add state: Alert, value: 1, message: …, handles: […] or notified: true"
        item.reader.wrong(item.node, "nothing is expected at this time", hint)
    handles = tuple(f"@{name.lstrip('@')}" for name in item.texts("handles"))
    notified = (
        item.reader.boolean(item.entries["notified"], "notified") if "notified" in item.entries else None
    )
    return At(
        item.place,
        read_offsets(item.reader, item.entries["at"]),
        item.text("group"),
        _state_or_absent(item),
        _value(item),
        item.texts("message"),
        item.texts("not_message"),
        item.text("title"),
        handles if "handles" in item.entries else None,
        notified,
        item.text("rule"),
    )


def _state_or_absent(item: _Item) -> State | str | None:
    if "state" not in item.entries:
        return None
    text = item.reader.choice(item.entries["state"], "state", [*STATES, ABSENT])
    return State(text) if text is not None and text != ABSENT else text


def _value(item: _Item) -> float | str | None:
    if "value" not in item.entries:
        return None
    if getattr(item.entries["value"], "value", None) == "none":
        return "none"
    return item.reader.number(item.entries["value"], "value")


def _throughout(item: _Item) -> Throughout | None:
    state = item.state(item.kind)
    start, end = item.length("from", 0), item.length("to", None)
    if state is None:
        return None
    return Throughout(item.place, state, item.kind == "never", item.text("group"), start or 0, end)


def _within(item: _Item) -> Within | None:
    within, of = item.length(item.kind, None), item.length("of", None)
    if "of" not in item.entries:
        item.reader.wrong(item.node, f"{item.kind} needs the moment it counts from", "add of: 10m")
    if within is None or of is None:
        return None
    return Within(item.place, _ENTERS[item.kind], within, of, item.text("group"))


def _recovers(item: _Item) -> Recovers | None:
    by = item.length("recovers_by", None)
    return None if by is None else Recovers(item.place, by, item.text("group"))


def _notifies(item: _Item) -> Notifies | None:
    count = item.reader.number(item.entries["notifications"], "notifications")
    if count is not None and (count < 0 or count != int(count)):
        item.reader.wrong(
            item.entries["notifications"], f"notifications is {count:g}", "write a whole number from 0"
        )
    kind = item.reader.choice(item.entries["of"], "of", KINDS) if "of" in item.entries else None
    return None if count is None else Notifies(item.place, int(count), kind, item.text("group"))


_READ: dict[str, Callable[[_Item], Any]] = {
    "at": _at,
    "never": _throughout,
    "always": _throughout,
    **dict.fromkeys(_ENTERS, _within),
    "recovers_by": _recovers,
    "notifications": _notifies,
}
