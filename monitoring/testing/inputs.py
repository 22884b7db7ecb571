"""Read what a case submits from its YAML nodes: series, check results, events and downtimes."""

from typing import Any

import yaml

from monitoring.errors import InputError
from monitoring.monitor.mutes import scope_test
from monitoring.testing.cases import CheckSpec, Downtime, EventSpec, SeriesSpec
from monitoring.testing.document import DocumentReader
from monitoring.testing.notation import MOST_POINTS, NotationError, Slot, parse_values
from monitoring.testing.times import HINT, hint_for, parse_duration

TYPES = ("gauge", "count", "rate", "distribution")
_SERIES = ("metric", "type", "tags", "host", "interval", "every", "from", "values")
_CHECK = ("check", "tags", "every", "from", "results")
_MOST_MOMENTS = 10_000
"""Minutes of a range: a week. Each is compared by itself, and each that does not hold is explained."""
_EVENT = ("at", "every", "times", "message", "tags", "attributes", "service", "status", "source", "host")
_DOWNTIME = ("scope", "from", "to")
_CASE = "the case, further left"
_ELSEWHERE = dict.fromkeys(("expect", "series", "tests", "start", "until", "monitor", "name"), _CASE)

RESULTS = {"ok": 0.0, "warning": 1.0, "critical": 2.0, "unknown": 3.0}


def read_series(reader: DocumentReader, node: yaml.Node, every: int) -> SeriesSpec | None:
    """One item of `series`."""
    entries = reader.mapping(node, "a series", _SERIES, _ELSEWHERE)
    if not entries or not _needs(reader, node, entries, "metric", "values"):
        return None
    metric = reader.text(entries["metric"], "metric")
    every = _length(reader, entries, "every", every)
    kind = reader.choice(entries["type"], "type", TYPES) if "type" in entries else "gauge"
    slots = _slots(reader, entries["values"], kind == "distribution")
    if metric is None or slots is None or kind is None:
        return None
    interval = _length(reader, entries, "interval", every if kind in {"count", "rate"} else 0)
    tags, host = read_tags(reader, entries.get("tags"))
    if "host" in entries:
        host = reader.text(entries["host"], "host") or host
    start = _length(reader, entries, "from", 0)
    return SeriesSpec(metric, tags, slots, every, start, reader.place(node), kind, interval or None, host)


def read_check(reader: DocumentReader, node: yaml.Node, every: int) -> CheckSpec | None:
    """One item of `checks`: `results: ok ok critical x3` written as words."""
    entries = reader.mapping(node, "a check", _CHECK, _ELSEWHERE)
    if not entries or not _needs(reader, node, entries, "check", "results"):
        return None
    check = reader.text(entries["check"], "check")
    every = _length(reader, entries, "every", every)
    slots = _results(reader, entries["results"])
    tags, host = read_tags(reader, entries.get("tags"))
    if check is None or slots is None:
        return None
    tags = (*tags, f"host:{host}") if host else tags
    return CheckSpec(check, tags, slots, every, _length(reader, entries, "from", 0), reader.place(node))


def read_event(reader: DocumentReader, node: yaml.Node, every: int) -> EventSpec | None:
    """One item of `events`: `at`, or `at` with `every` and `times`."""
    entries = reader.mapping(node, "an event", _EVENT, _ELSEWHERE)
    if not entries or not _needs(reader, node, entries, "at"):
        return None
    offsets = read_offsets(reader, entries["at"])
    step = _length(reader, entries, "every", every)
    times = int(reader.number(entries["times"], "times") or 1) if "times" in entries else 1
    if times * len(offsets) > MOST_POINTS:
        reader.wrong(entries["times"], f"{times:,} events are more than {MOST_POINTS:,}", "write fewer")
        return None
    tags, host = read_tags(reader, entries.get("tags"))
    attributes: dict[str, Any] = reader.plain(entries["attributes"]) if "attributes" in entries else {}
    for name in ("service", "status", "source", "host"):
        if name in entries:
            attributes = {**attributes, name: reader.text(entries[name], name)}
    if host:
        attributes = {"host": host, **attributes}
    message = reader.text(entries["message"], "message") if "message" in entries else ""
    spread = tuple(offset + step * k for offset in offsets for k in range(times))
    return EventSpec(spread, message or "", tags, attributes, reader.place(node))


def read_downtime(reader: DocumentReader, node: yaml.Node, every: int) -> Downtime | None:
    """One item of `downtimes`."""
    entries = reader.mapping(node, "a downtime", _DOWNTIME, _ELSEWHERE)
    scope = reader.text(entries["scope"], "scope") if "scope" in entries else "*"
    try:
        scope_test(scope or "*")
    except InputError as error:
        reader.wrong(entries["scope"], f"scope: {error.message}", 'write "env:prod AND service:(a OR b)"')
    end = _length(reader, entries, "to", 0) if "to" in entries else None
    return Downtime(scope or "*", _length(reader, entries, "from", 0), end)


def read_offsets(reader: DocumentReader, node: yaml.Node) -> tuple[int, ...]:
    """Moments of a case: `12m`, or a list of such, or a range `10m..20m` by the minute."""
    offsets: list[int] = []
    for text, item in reader.texts(node, "at", "[5m, 10m]"):
        first, dots, last = text.partition("..")
        ends = [parse_duration(part.strip()) for part in ((first, last) if dots else (first,))]
        if None in ends or ends[-1] < ends[0]:  # type: ignore[operator]
            hint = hint_for(text)
            after = " after the start, or 10m..20m" if hint == HINT else ""
            reader.wrong(item, f"{text!r} is not a time of the case", hint + after)
            continue
        moments = range(ends[0], ends[-1] + 1, 60)  # type: ignore[arg-type, operator]
        if len(moments) > _MOST_MOMENTS:
            what = f"{text} is more than {_MOST_MOMENTS:,} moments"
            reader.wrong(item, what, "write always: or never: with from: and to:")
        else:
            offsets.extend(moments)
    return tuple(offsets)


def read_tags(reader: DocumentReader, node: yaml.Node | None) -> tuple[tuple[str, ...], str]:
    """Tags, lower-cased as intake does it, and the host that stands among them."""
    tags, host = [], ""
    for text, item in _tag_texts(reader, node):
        key, colon, value = text.partition(":")
        if not colon or not value.strip() or not key.strip():
            reader.wrong(
                item, f"the tag {text!r} has no value", f"write key:value, such as {key or 'env'}:prod"
            )
        elif key == "host":
            host = value.strip().lower()
        else:
            tags.append(text.lower())
    return tuple(tags), host


def _tag_texts(reader: DocumentReader, node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """Return the tags as written; `[env: prod]`, with a blank, is a mapping in YAML."""
    blank = [item for item in getattr(node, "value", ()) if isinstance(item, yaml.MappingNode)]
    if isinstance(node, yaml.SequenceNode) and blank:
        reader.wrong(blank[0], "a tag has no blank after its colon", "write env:prod")
        return []
    return reader.texts(node, "tags", "[env:prod]") if node is not None else []


def _needs(reader: DocumentReader, node: yaml.Node, entries: dict[str, yaml.Node], *names: str) -> bool:
    missing = [name for name in names if name not in entries]
    for name in missing:
        reader.wrong(node, f"{name!r} is missing here", f"add {name}: {_EXAMPLES.get(name, '…')}")
    return not missing


_EXAMPLES = {
    "metric": "aws.states.executions_failed",
    "values": "0x10 1 0x5",
    "check": "ntp.in_sync",
    "results": "ok x5 critical x3",
    "at": "5m",
}


def _length(reader: DocumentReader, entries: dict[str, yaml.Node], name: str, default: int) -> int:
    if name not in entries:
        return default
    text = reader.text(entries[name], name)
    seconds = parse_duration(text) if text is not None else None
    if text is not None and (seconds is None or (name in {"every", "interval"} and not seconds)):
        reader.wrong(entries[name], f"{name} is {text!r}, which is not a length of time", hint_for(text))
    return default if seconds is None else seconds


def _slots(reader: DocumentReader, node: yaml.Node, several: bool) -> tuple[Slot, ...] | None:
    text = " ".join(text for text, _ in reader.texts(node, "values", "0x10 1"))
    try:
        slots = tuple(parse_values(text))
    except NotationError as error:
        on_line = isinstance(node, yaml.ScalarNode) and node.style not in {"|", ">"}
        reader.wrong(node, error.message, error.hint, error.start if on_line else 0)
        return None
    if not several and any(slot is not None and len(slot) > 1 for slot in slots):
        reader.wrong(
            node, "several values at one time", "only a distribution has them: add type: distribution"
        )
        return None
    if all(slot is None for slot in slots):
        reader.wrong(node, "the series holds no value", "write 0x10 1 or the like, or remove the series")
        return None
    return slots


def _results(reader: DocumentReader, node: yaml.Node) -> tuple[Slot, ...] | None:
    """Words of results, each with an optional repeat: `ok x3` is ok and three further ok."""
    text = " ".join(text for text, _ in reader.texts(node, "results", "ok critical"))
    slots: list[Slot] = []
    for word in text.replace(" x", "x").split():
        name, _, further = word.partition("x") if not word.startswith("_") else ("_", "", word[2:])
        if name not in {*RESULTS, "_"} or (further and not further.isdigit()):
            hint = f"write {', '.join(RESULTS)} or _, such as: ok x5 critical x3"
            reader.wrong(node, f"{word!r} is not a result of a check", hint)
            return None
        slot = None if name == "_" else (RESULTS[name],)
        slots += [slot] * (int(further or 0) + (0 if name == "_" and further else 1))
    return tuple(slots)
