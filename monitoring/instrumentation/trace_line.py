"""Encode spans as trace lines for Datadog's reader, with masked values, below CloudWatch's size limit."""

from __future__ import annotations

from json import dumps

from monitoring.instrumentation.runtime import encode
from monitoring.instrumentation.settings import masking_key, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MASK = "[masked]"
MAX_VALUE = 5_000  # characters of a value, such as a stack trace or a payload
MAX_LINE = 250_000  # bytes: CloudWatch splits an event of 256 KiB, its own 26 bytes included
_NAMELESS = frozenset(  # modules whose frames are irrelevant to an error of the handler
    {"monitoring.instrumentation.decorator", "monitoring.instrumentation.async_handlers"}
)


def meta_text(key: str, value: Any) -> str:
    """Return a value as text of at most `MAX_VALUE` characters; masked if the key is secret."""
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
    """Return whether the value of this key is masked."""
    compared = masking_key(key)
    return any(word in compared for word in words)


def masked(value: Any, words: tuple[str, ...], depth: int = 8) -> Any:
    """Return a copy of a JSON value with the values of secret keys masked; truncate it below `depth`."""
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
    """Return the type, message and stack of an error with Datadog's keys."""
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
    # The end of a stack trace has the location of the error; the beginning belongs to the runtime.
    return {
        "error.type": type(error).__name__,
        "error.message": message[:MAX_VALUE],
        "error.stack": stack[-MAX_VALUE:],
    }


def span_json(span: dict[str, Any], meta: dict[str, str], fixed: str) -> str:
    """Encode a span with Datadog's field names; `fixed` are members of `meta` that are encoded already."""
    text = _json(span, meta, fixed)
    if len(text) < MAX_LINE:
        return text
    # A span that is too long for a line: keep its first keys, with truncated values.
    brief = {key[:100]: value[:200] for key, value in list(meta.items())[:100] if key != "_dd.span_links"}
    return _json({key: value for key, value in span.items() if key != "metrics"}, brief, fixed)


def _json(span: dict[str, Any], meta: dict[str, str], fixed: str) -> str:
    members = ",".join(filter(None, (fixed, encode(meta)[1:-1])))
    return f'{encode(span)[:-1]},"meta":{{{members}}}}}'


def trace_lines(spans: list[str]) -> list[str]:
    """Return trace lines below CloudWatch's limit for these spans, each of which is below the limit."""
    groups: list[list[str]] = [[]]
    size = 0
    for text in spans:
        size += len(text) + 1
        if groups[-1] and size >= MAX_LINE:
            groups.append([])
            size = len(text) + 1
        groups[-1].append(text)
    return [f'{{"traces":[[{",".join(group)}]]}}\n' for group in groups]
