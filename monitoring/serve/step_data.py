"""Read input and output of each state of an execution from its log events, with secrets masked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from monitoring.instrumentation.settings import MASKED
from monitoring.log_events.step_events import StepEvent, is_step_event, read_step_event
from monitoring.store import Store

MASK = "***"
MOST_STATES = 200
"""The maximum number of states whose data are shown."""
MOST_CHANGES = 60
_LONGEST = 2_000
"""The maximum number of characters of a shown value."""
_DEEPEST = 40
_EVENTS = """
    SELECT message FROM logs WHERE time >= $start AND time < $end AND contains(message, $arn)
        AND contains(message, '"execution_arn"') AND (contains(message, 'StateEntered')
        OR contains(message, 'StateExited') OR contains(message, '"ExecutionStarted"'))"""


class ValueChange(NamedTuple):
    """A value that a state has changed: `before` is None if it was added, `after` if it was removed."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class StepData:
    """A state's data as JSON texts ("" if not logged), and the `changes` from input to output."""

    event: int
    name: str
    input: str
    output: str
    changes: Sequence[ValueChange]
    more: int = 0


def step_data(store: Store, arn: str, start: float, end: float) -> list[StepData]:
    """Return the data of the states that an execution entered in `[start, end)` seconds, in order."""
    values = {"arn": arn, "start": int(start * 1000), "end": int(end * 1000)}
    with store.reading() as cursor:
        rows = cursor.execute(_EVENTS, values).fetchall()
    events = {event.id: event for (message,) in rows if (event := _event(message)) and event.execution == arn}
    return list(_states(events))[:MOST_STATES]


def _event(message: str) -> StepEvent | None:
    try:
        record = msgspec.json.decode(message)
    except (ValueError, RecursionError):
        return None
    event = read_step_event(record) if isinstance(record, dict) and is_step_event(record) else None
    return event if isinstance(event, StepEvent) else None


def _states(events: Mapping[int, StepEvent]) -> Iterator[StepData]:
    """Yield the data of each entered state; its exit is the next exit event with its name."""
    exits: dict[str, list[StepEvent]] = {}
    for number in sorted(events, reverse=True):
        if events[number].type.endswith("StateExited"):
            exits.setdefault(events[number].text("name"), []).append(events[number])
    for number in sorted(events):
        entered = events[number]
        if not entered.type.endswith("StateEntered"):
            continue
        ways = exits.get(entered.text("name"), [])
        while ways and ways[-1].id < number:
            ways.pop()
        left = ways.pop() if ways else None
        yield _data(entered, left)


def _data(entered: StepEvent, left: StepEvent | None) -> StepData:
    before, after = masked(_value(entered.text("input"))), masked(_value(left.text("output") if left else ""))
    logged = before is not _ABSENT and after is not _ABSENT
    changes = list(differences(before, after)) if logged else []
    return StepData(
        entered.id,
        entered.text("name"),
        _shown(before),
        _shown(after),
        changes[:MOST_CHANGES],
        max(0, len(changes) - MOST_CHANGES),
    )


_ABSENT = object()


def _value(text: str) -> Any:
    """Return the value of a JSON text, or the text itself if it is truncated; `_ABSENT` for no text."""
    if not text:
        return _ABSENT
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text


def masked(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with values of secret-like keys masked, at any depth."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {
            key: MASK if _is_secret(key) and inner is not None else masked(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner, depth + 1) for inner in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:  # JSON in a string, such as the body of a request
        try:
            inside = msgspec.json.decode(value)
            shown = masked(inside, depth + 1)
            return value if shown == inside else json.dumps(shown, ensure_ascii=False)
        except (ValueError, RecursionError):
            return value
    return value


def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return any(word in plain for word in MASKED)


def differences(before: Any, after: Any, path: str = "$") -> Iterator[ValueChange]:
    """Yield the differences between two JSON values, with their paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            inner = (
                f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key, ensure_ascii=False)}]"
            )
            yield from _inner(before, after, key, inner)
    elif isinstance(before, list) and isinstance(after, list):
        pair = dict(enumerate(before)), dict(enumerate(after))
        for at in range(max(len(before), len(after))):
            yield from _inner(*pair, at, f"{path}[{at}]")
    elif type(before) is not type(after) or before != after:  # in Python, false equals 0
        yield ValueChange(path, _shown(before), _shown(after))


def _inner(before: Mapping[Any, Any], after: Mapping[Any, Any], key: Any, path: str) -> Iterator[ValueChange]:
    if key not in after:
        yield ValueChange(path, _shown(before[key]), None)
    elif key not in before:
        yield ValueChange(path, None, _shown(after[key]))
    else:
        yield from differences(before[key], after[key], path)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return ""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
