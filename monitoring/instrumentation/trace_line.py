"""The JSON of a trace line: what Datadog's reader demands, masks, and lines below CloudWatch's limit."""

from __future__ import annotations

from json import dumps
from json.encoder import encode_basestring_ascii as quote

from monitoring.instrumentation.payload import encoder
from monitoring.instrumentation.settings import masking_key, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from monitoring.instrumentation.spans import Span

_encode = encoder(ascii_only=True)
MASK = "[masked]"
MAX_VALUE = 5_000  # characters of one value: a stack trace, a payload
MAX_LINE = 250_000  # bytes: CloudWatch splits an event of 256 KiB, its own 26 bytes included


def meta_text(key: str, value: Any) -> str:
    """A value as text: masked where a key looks secret; at most `MAX_VALUE` characters."""
    words = settings().masked
    if secret(key, words):
        return MASK
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (dict, list, tuple)):
        text = dumps(masked(value, words), default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def secret(key: str, words: Iterable[str]) -> bool:
    """Whether a value under this key is masked."""
    compared = masking_key(key)
    return any(word in compared for word in words)


def masked(value: Any, words: tuple[str, ...], depth: int = 8) -> Any:
    """A copy of a JSON value with what stands under secret keys masked; deeper than `depth` is cut."""
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


_OURS = frozenset(
    {"monitoring.instrumentation.decorator", "monitoring.instrumentation.async_handlers"}
)  # frames that say nothing of the error


def error_meta(error: BaseException) -> dict[str, str]:
    """Type, message and stack of an error, by Datadog's keys."""
    from traceback import format_exception

    try:
        found = error.__traceback__
        while found is not None and found.tb_frame.f_globals.get("__name__", "") in _OURS:
            found = found.tb_next
        stack = "".join(format_exception(type(error), error, found))
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        stack = ""
    try:
        message = str(error)
    except Exception as trouble:  # noqa: BLE001
        message = f"<the message cannot be read: {type(trouble).__name__}>"
    # The end of a stack says where it broke; the beginning is the runtime's.
    return {
        "error.type": type(error).__name__,
        "error.message": message[:MAX_VALUE],
        "error.stack": stack[-MAX_VALUE:],
    }


def span_json(span: Span, service: str, now: int, fixed: str) -> str:
    """One span. `fixed`: members of `meta` that are JSON already; `now` ends a span that is still open."""
    extra = dict(span.meta) if span.meta else {}
    if span.error is not None:
        extra = {**span.error, **extra}
    if span.duration is None:
        extra["unfinished"] = "true"
    if span.links:
        extra["_dd.span_links"] = _encode(span.links)
    text = _json(span, service, now, _joined(fixed, extra))
    if len(text) < MAX_LINE:
        return text
    # A span whose values fill a line alone: its first keys, with the head of each value.
    brief = {key[:100]: value[:200] for key, value in list(extra.items())[:100] if key != "_dd.span_links"}
    span.metrics = None
    return _json(span, service, now, _joined(fixed, brief))


def _joined(fixed: str, extra: dict[str, str]) -> str:
    if not extra:
        return fixed
    own = _encode(extra)[1:-1]
    return f"{fixed},{own}" if fixed else own


def _json(span: Span, service: str, now: int, meta: str) -> str:
    duration = span.duration if span.duration is not None else max(0, now - span.began)
    numbers = f',"metrics":{_encode(span.metrics)}' if span.metrics else ""
    return (
        f'{{"trace_id":"{span.trace_id}","parent_id":"{span.parent_id}","span_id":"{span.span_id}",'
        f'"service":{quote(span.service or service)},"resource":{quote(span.resource[:MAX_VALUE])},'
        f'"name":{quote(span.name[:200])},"error":{1 if span.failed else 0},"start":{span.start},'
        f'"duration":{duration},"meta":{{{meta}}}{numbers},"type":{quote(span.type)}}}'
    )


def lines(spans: list[str]) -> list[str]:
    """The trace lines of these spans (each below the limit itself), each below CloudWatch's limit."""
    if sum(map(len, spans)) + len(spans) < MAX_LINE:
        return [f'{{"traces":[[{",".join(spans)}]]}}']
    done: list[str] = []
    part: list[str] = []
    size = 0
    for text in spans:
        if part and size + len(text) + 1 >= MAX_LINE:
            done.append(f'{{"traces":[[{",".join(part)}]]}}')
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
    return [*done, f'{{"traces":[[{",".join(part)}]]}}']
