"""Read the metric line that Datadog's Lambda libraries print: a JSON object of `m`, `v`, `e` and `t`."""

import sys
from typing import Annotated, Any, TypeGuard

import msgspec

METRIC_KEYS = frozenset("mvet")
"""The root keys of the line; it has no others."""


def epoch_seconds(stamp: float) -> float:
    """Convert seconds, ms, µs or ns, distinguished by magnitude, to seconds since the epoch."""
    size = abs(stamp)
    for limit, scale in ((1e11, 1), (1e14, 1e3), (1e17, 1e6)):
        if size < limit:
            return stamp / scale
    return stamp / 1e9


class MetricLine(msgspec.Struct, gc=False):
    """The fields of a valid JSON metric line."""

    m: Annotated[str, msgspec.Meta(min_length=1)]
    v: float
    e: float
    t: tuple[str, ...]


read_exact = msgspec.json.Decoder(MetricLine).decode
"""Decode a line, or raise `msgspec.DecodeError`; `read_metric_json` returns the reason."""


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether the value is a number, and finite as a float."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and abs(value) <= sys.float_info.max


def read_metric_json(record: dict[str, Any]) -> MetricLine | str | None:
    """Return the values of a metric line, or the reason why it is invalid.

    The result is None if the object is a log with short keys and not a metric: two values are invalid, or one
    is invalid and the object has further keys.
    """
    name, value, stamp, tags = (record.get(key) for key in "mvet")
    checks = {
        "the metric's name `m` is not a text": isinstance(name, str) and name != "",
        "the value `v` is not a number": is_number(value),
        "the time `e` is not a number": is_number(stamp),
        "the tags `t` are not a list of texts": isinstance(tags, list)
        and all(isinstance(tag, str) for tag in tags),
    }
    wrong = [reason for reason, valid in checks.items() if not valid]
    if wrong:
        return wrong[0] if len(wrong) == 1 and record.keys() <= METRIC_KEYS else None
    return MetricLine(str(name), float(value), float(stamp), tuple(tags))  # type: ignore[arg-type]
