"""How large the event and the result are, in bytes of JSON, without paying for it twice."""

from __future__ import annotations

import sys
from json.encoder import JSONEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_encode = JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def request_size(event: Any) -> int | None:
    """The bytes of the event as Lambda delivered it; as compact JSON where its runtime client did not call.

    The runtime client still holds the body in its frame: reading the length there costs a microsecond,
    whatever the size, where encoding the event again would cost milliseconds for a large one.
    """
    frame: Any = sys._getframe(3)
    if frame.f_code.co_name == "handle_event_request":
        body = frame.f_locals.get("event_body")
        if isinstance(body, (str, bytes)):
            return _bytes(body)
    return response_size(event)


def response_size(value: Any) -> int | None:
    """The bytes of a value as compact JSON; None for what JSON cannot hold."""
    try:
        return _bytes(_encode(value))
    except (TypeError, ValueError, RecursionError):
        return None


def _bytes(text: str | bytes) -> int:
    return (
        len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    )
