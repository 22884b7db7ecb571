"""Validate events of version 2 (changes and alerts), and convert them to the stored format.

Source of the rules: the reference of "Post an event"; the wording is that of the recorded refusal.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from monitoring.local_datadog.context import Body
from monitoring.local_datadog.events import OLDEST

_ALERT_TYPES = {"error": "error", "warn": "warning", "ok": "success"}
"""The status of an alert -> its name in version 1."""


def problem(body: Any, now: int) -> str:
    """Return the fault of a payload with its position; "" for a valid one."""
    for path, test, text in _checks(body):
        if not test(_at(body, path)):
            return f"JSON validation failed at $.{path}: {text}."
    happened = _seconds(_at(body, "data.attributes.timestamp"), now)
    return "Event too far in the past" if happened < now - OLDEST else ""


def event_of(body: Body, now: int) -> Body:
    """Convert a valid payload to the fields of version 1."""
    attributes = body["data"]["attributes"]
    custom = attributes["attributes"]
    return {
        "title": attributes["title"],
        "text": attributes.get("message") or "",
        "date_happened": _seconds(attributes.get("timestamp"), now),
        "tags": attributes.get("tags") or [],
        "alert_type": _ALERT_TYPES.get(str(custom.get("status")), "info"),
        "aggregation_key": attributes.get("aggregation_key"),
        "host": attributes.get("host"),
        "category": attributes["category"],
        "custom": custom,
    }


_Test = Callable[[Any], bool]
_Check = tuple[str, _Test, str]


def _one_of(*values: str) -> tuple[_Test, str]:
    listed = ", ".join(f'"{value}"' for value in values)
    return (lambda member: member in values), f"value must be one of: [{listed}]"


def _text(least: int, most: int) -> tuple[_Test, str]:
    rule = f"value must be a string of {least} to {most} characters"
    return (lambda value: isinstance(value, str) and least <= len(value) <= most), rule


def _maybe(rule: tuple[_Test, str]) -> tuple[_Test, str]:
    return (lambda value: value is None or rule[0](value)), rule[1]


def _is_tags(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 100 and all(isinstance(tag, str) for tag in value)


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_OBJECT: tuple[_Test, str] = (lambda value: isinstance(value, dict)), "value must be an object"
_RULES: Mapping[str, tuple[_Test, str]] = {
    "data": _OBJECT,
    "data.type": _one_of("event"),
    "data.attributes": _OBJECT,
    "data.attributes.category": _one_of("alert", "change"),
    "data.attributes.title": _text(1, 500),
    "data.attributes.message": _maybe(_text(1, 4000)),
    "data.attributes.aggregation_key": _maybe(_text(1, 100)),
    "data.attributes.host": _maybe(_text(1, 255)),
    "data.attributes.integration_id": _maybe(_one_of("custom-events")),
    "data.attributes.tags": _maybe((_is_tags, "value must be a list of at most 100 strings")),
    "data.attributes.timestamp": _maybe((_is_moment, "value must be an ISO-8601 time with an offset")),
    "data.attributes.attributes": _OBJECT,
}
_CUSTOM = "data.attributes.attributes"
_OF_CATEGORY: Mapping[str, Mapping[str, tuple[_Test, str]]] = {
    "alert": {
        f"{_CUSTOM}.status": _one_of(*_ALERT_TYPES),
        f"{_CUSTOM}.priority": _maybe(_one_of("1", "2", "3", "4", "5")),
    },
    "change": {
        f"{_CUSTOM}.changed_resource": _OBJECT,
        f"{_CUSTOM}.changed_resource.name": _text(1, 128),
        f"{_CUSTOM}.changed_resource.type": _one_of("feature_flag", "configuration"),
    },
}


def _checks(body: Any) -> Iterator[_Check]:
    """Yield the rules in order; those of a category only after the category is valid."""
    yield from ((path, *rule) for path, rule in _RULES.items())
    category = body["data"]["attributes"]["category"]
    yield from ((path, *rule) for path, rule in _OF_CATEGORY[category].items())


def _at(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _seconds(timestamp: str | None, now: int) -> int:
    return now if timestamp is None else int(datetime.fromisoformat(timestamp).timestamp())
