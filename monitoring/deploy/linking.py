"""Replace ids of resources that are pulled together by references such as `${monitor:KEY}`."""

import re
from collections.abc import Mapping
from typing import Any

Keys = Mapping[tuple[str, str], str]
"""(kind, id in Datadog) -> the key of its file."""

FIELDS = {"alert_id": "monitor", "monitor_id": "monitor", "monitor_ids": "monitor", "slo_id": "slo"}
"""Field -> the kind of the id that it holds."""
ADDRESSES = (
    (re.compile(r"(?<=/monitors/)(\d+)(?![\w-])"), "monitor"),
    (re.compile(r"(?<=/dashboard/)([a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3})(?:/[\w-]+)?(?![\w-])"), "dashboard"),
    (re.compile(r"(?<=slo_id=)([0-9a-f]{32})(?!\w)"), "slo"),
)
"""Pattern of the address of a page with an id -> the kind of the id."""
_MEMBER = re.compile(r"(?<!\w)\d+(?!\w)")
_OBJECTIVE = re.compile(r"""(?<=\(["'])[0-9a-f]{32}(?=["']\))""")


def linked(body: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Return the body with a reference for every id of a resource in `keys`; other ids stay as they are."""
    result = {key: _linked(item, key, keys) for key, item in body.items()}
    kind, query = body.get("type"), body.get("query")
    if kind == "composite" and isinstance(query, str):
        result["query"] = _MEMBER.sub(lambda match: _reference("monitor", match[0], keys), query)
    elif kind == "slo alert" and isinstance(query, str):
        result["query"] = _OBJECTIVE.sub(lambda match: _reference("slo", match[0], keys), query)
    return result


def _linked(value: Any, field: str, keys: Keys) -> Any:
    if isinstance(value, Mapping):
        return {key: _linked(item, str(key), keys) for key, item in value.items()}
    if isinstance(value, list):
        return [_linked(item, field, keys) for item in value]
    if field in FIELDS:
        key = keys.get((FIELDS[field], str(value)))
        return value if key is None else f"${{{FIELDS[field]}:{key}}}"
    return _in_text(value, keys) if isinstance(value, str) else value


def _in_text(text: str, keys: Keys) -> str:
    for pattern, kind in ADDRESSES:
        text = pattern.sub(lambda match, kind=kind: _address(kind, match, keys), text)  # type: ignore[misc]
    return text


def _address(kind: str, match: re.Match[str], keys: Keys) -> str:
    return f"${{{kind}:{keys[kind, match[1]]}}}" if (kind, match[1]) in keys else match[0]


def _reference(kind: str, id_: str, keys: Keys) -> str:
    return f"${{{kind}:{keys[kind, id_]}}}" if (kind, id_) in keys else id_
