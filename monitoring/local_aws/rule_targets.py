"""Compute what an EventBridge rule sends to a target: the event, a part of it, a constant, or a template.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from monitoring.local_aws.states.jsonpath import compile_path

_KEYS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
_NAME = re.compile(r'("?)<([A-Za-z0-9_.-]+)>("?)')


def as_delivered(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event as targets get it: moto's time is a number, and it adds keys of its own."""
    delivered = {key: event[key] for key in _KEYS if key in event}
    if isinstance(delivered.get("time"), int | float):
        delivered["time"] = f"{datetime.fromtimestamp(delivered['time'], UTC):%Y-%m-%dT%H:%M:%SZ}"
    return delivered


def target_payload(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return the JSON text that a target is given of an event."""
    delivered = as_delivered(event)
    if target.get("Input"):
        return str(target["Input"])
    transformer = target.get("InputTransformer")
    if transformer:
        return _transformed(transformer, delivered)
    path = target.get("InputPath")
    return json.dumps(_at(path, delivered) if path else delivered)


def _at(path: str, event: Mapping[str, Any]) -> Any:
    try:
        return compile_path(path).find(event)
    except Exception:  # noqa: BLE001  a path that finds nothing gives null, however it fails
        return None


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return the template with `<name>` replaced: its text between quotes, its JSON elsewhere."""
    paths = transformer.get("InputPathsMap") or {}
    values = {name: _at(path, event) for name, path in paths.items()}
    values |= {"aws.events.event": event, "aws.events.event.json": event}

    def replaced(match: re.Match[str]) -> str:
        before, name, after = match.groups()
        if name not in values:
            return match[0]
        value = values[name]
        text = json.dumps(value)
        if before and after:
            return text if isinstance(value, str) else json.dumps(text)
        if isinstance(value, str) and _quoted(match):
            return before + text[1:-1] + after
        return before + text + after

    return _NAME.sub(replaced, str(transformer.get("InputTemplate") or ""))


def _quoted(match: re.Match[str]) -> bool:
    """Return whether a name stands between quotes: an odd number of them comes before it."""
    before = match.string[: match.start(2)].replace('\\"', "")
    return before.count('"') % 2 == 1
