"""JSON as Step Functions reads and writes it."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

MAX_BYTES = 256 * 1024
"""The most bytes that an input, output or result may have as UTF-8."""
TOO_LARGE = (
    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service limit."
)


def dumps(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_default)


def loads(text: str) -> Any:
    """Return the value of a JSON text; NaN and Infinity are not JSON."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def too_large(text: str) -> bool:
    """Return whether a JSON text is over the size that AWS allows."""
    return len(text) * 4 > MAX_BYTES and len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES


def iso_instant(when: datetime) -> str:
    """Return a time as Java's Instant writes it: no fraction, or milliseconds, or microseconds."""
    when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    digits = (
        ""
        if not when.microsecond
        else f".{when.microsecond // 1000:03d}"
        if not when.microsecond % 1000
        else f".{when.microsecond:06d}"
    )
    return f"{when:%Y-%m-%dT%H:%M:%S}{digits}Z"


def plain(value: Any) -> Any:
    """Return the result of an SDK call as JSON: times as ISO 8601, bytes as text, decimals as numbers."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | None) else _default(value)


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    return _default(value.read()) if hasattr(value, "read") else str(value)
