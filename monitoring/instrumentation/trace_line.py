"""The JSON of a trace line: what Datadog's reader demands, masks, and lines below CloudWatch's limit."""

from __future__ import annotations

from json import dumps

from monitoring.instrumentation.runtime import encode
from monitoring.instrumentation.settings import masking_key, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MASK = "[masked]"
MAX_VALUE = 5_000  # characters of one value: a stack trace, a payload
MAX_LINE = 250_000  # bytes: CloudWatch splits an event of 256 KiB, its own 26 bytes included
_NAMELESS = frozenset(  # modules whose frames tell nothing about an error of the handler
    {"monitoring.instrumentation.decorator", "monitoring.instrumentation.async_handlers"}
)


def meta_text(key: str, value: Any) -> str:
    """Return a value as text: masked where the key looks secret; at most `MAX_VALUE` characters."""
    words = settings().masked
    if secret(key, words):
        return MASK
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (dict, list, tuple)):
        text = dumps(masked(value, words), default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def secret(key: str, words: Iterable[str]) -> bool:
    """Return whether a value under this key is masked."""
    compared = masking_key(key)
    return any(word in compared for word in words)


def masked(value: Any, words: tuple[str, ...], depth: int = 8) -> Any:
    """Copy a JSON value with the values of secret keys masked; deeper than `depth` is cut."""
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {
            str(key): MASK if secret(str(key), words) else masked(item, words, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked(item, words, depth - 1) for item in value]
    return value


def error_meta(error: BaseException) -> dict[str, str]:
    """Return type, message and stack of an error, by Datadog's keys."""
    from traceback import format_exception

    try:
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_globals.get("__name__", "") in _NAMELESS:
            frames = frames.tb_next
        stack = "".join(format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        stack = ""
    try:
        message = str(error)
    except Exception as second:  # noqa: BLE001
        message = f"<the message cannot be read: {type(second).__name__}>"
    # The end of a stack says where it broke; the beginning is the runtime's.
    return {
        "error.type": type(error).__name__,
        "error.message": message[:MAX_VALUE],
        "error.stack": stack[-MAX_VALUE:],
    }


def span_json(span: dict[str, Any], meta: dict[str, str], fixed: str) -> str:
    """Encode one span: fields by Datadog's names, its `meta`, and members of `meta` that are JSON already."""
    text = _json(span, meta, fixed)
    if len(text) < MAX_LINE:
        return text
    # A span whose values fill a line alone: its first keys, with the head of each value.
    brief = {key[:100]: value[:200] for key, value in list(meta.items())[:100] if key != "_dd.span_links"}
    return _json({key: value for key, value in span.items() if key != "metrics"}, brief, fixed)


def _json(span: dict[str, Any], meta: dict[str, str], fixed: str) -> str:
    members = ",".join(filter(None, (fixed, encode(meta)[1:-1])))
    return f'{encode(span)[:-1]},"meta":{{{members}}}}}'


def trace_lines(spans: list[str]) -> list[str]:
    """Return the trace lines of these spans (each below the limit itself), each below CloudWatch's limit."""
    groups: list[list[str]] = [[]]
    size = 0
    for text in spans:
        size += len(text) + 1
        if groups[-1] and size >= MAX_LINE:
            groups.append([])
            size = len(text) + 1
        groups[-1].append(text)
    return [f'{{"traces":[[{",".join(group)}]]}}\n' for group in groups]
