"""How large the event and the result are, in bytes of JSON, without paying for it twice."""

from __future__ import annotations

import sys
from json.encoder import (  # type: ignore[attr-defined]
    JSONEncoder,
    c_make_encoder,
    encode_basestring,
    encode_basestring_ascii,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def encoder(*, ascii_only: bool) -> Callable[[Any], str]:
    """Compact JSON by the encoder in C, made once: JSONEncoder makes a new one for each value."""
    plain = JSONEncoder(ensure_ascii=ascii_only, check_circular=False, separators=(",", ":"))
    if c_make_encoder is None:
        return plain.encode
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    chunks = c_make_encoder(None, plain.default, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(chunks(value, 0))


_encode = encoder(ascii_only=False)


def size_of(value: Any) -> int | None:
    """The bytes of a value as compact JSON; None for what JSON cannot hold."""
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def delivered_size() -> int | None:
    """The bytes of the event as Lambda delivered it; None where its runtime client did not call us.

    The runtime client still holds the body in its frame: reading the length there costs a microsecond,
    whatever the size, where encoding the event again would cost milliseconds for a large one.
    """
    frame: Any = sys._getframe(_DEPTH)
    if frame.f_code.co_name != "handle_event_request":
        return None
    body = frame.f_locals.get("event_body")
    return len(body) if type(body) is bytes else len(str(body).encode("utf-8", "surrogatepass"))


_DEPTH = 4  # this function, Call.begin, invocation.begin, the wrapper: the next one called the handler
