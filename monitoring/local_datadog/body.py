"""Read request bodies within Datadog's limits of sizes and encodings; reject larger ones while reading."""

import io
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from monitoring.local_datadog.replies import ApiError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DRAIN = 256 << 20
"""A body over the limit is read and discarded up to this size, so that a client that is still writing
receives the 413 instead of a broken connection."""


DEEPEST = 100
"""The maximum nesting of JSON, because stored values are read again by recursive functions."""
IN_A_THREAD = 1 << 14
"""The size from which a body is decompressed in a thread: it may grow by a factor of a thousand."""
MOST_MEMBERS = 1000
"""The maximum number of members of a gzip body: each costs as much time as some kilobytes."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The maximum size of a payload in bytes, as sent and after decompression."""

    sent: int
    decompressed: int


SERIES_V1 = Limit(3_200_000, 62_914_560)
SERIES_V2 = Limit(512_000, 5_242_880)
DISTRIBUTIONS = SERIES_V1  # no number is published
LOGS = Limit(5_000_000, 5_000_000)
TRACES = Limit(10_000_000, 62_914_560)  # no number is published
OTHER = Limit(3_200_000, 3_200_000)


async def read_json(request: Request, limit: Limit = OTHER) -> Any:
    """Return the body as JSON.

    Raises:
        ApiError: 400 if the body is not JSON, 413 if it is too large.
    """
    return parse_json(await read(request, limit))


def parse_json(body: bytes, *, json_api: bool = False) -> Any:
    """Parse JSON.

    Raises:
        ApiError: 400 if the body is not JSON, or nested deeper than `DEEPEST`.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"Invalid JSON: {error}", json_api=json_api) from error
    if body.count(b"[") + body.count(b"{") > DEEPEST and _is_deep(value):
        raise ApiError(400, f"Invalid JSON: nested deeper than {DEEPEST} levels", json_api=json_api)
    return value


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested deeper than `DEEPEST`, without recursion."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [
            part.values() if isinstance(part, dict) else part
            for part in level
            if isinstance(part, (dict, list))
        ]
        level = [item for items in inner for item in items]
    return any(isinstance(part, (dict, list)) for part in level)


async def read(request: Request, limit: Limit) -> bytes:
    """Return the decompressed body.

    Raises:
        ApiError: 413 over a limit, 400 if the body does not match its Content-Encoding, 415 for an unknown
            one.
    """
    body = await _collect(request, limit.sent)
    for encoding in reversed(request.headers.get("content-encoding", "").replace(" ", "").lower().split(",")):
        if encoding in {"", "identity"}:
            continue
        if encoding not in _DECODERS:
            raise ApiError(
                415, f"Content-Encoding {encoding} is not supported: gzip, deflate, zstd, identity"
            )
        arguments = (encoding, body, limit.decompressed)
        in_a_thread = len(body) > IN_A_THREAD
        body = await run_in_threadpool(_decoded, *arguments) if in_a_thread else _decoded(*arguments)
    if len(body) > limit.decompressed:
        raise _too_large(limit.decompressed)
    return body


async def _collect(request: Request, most: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > DRAIN:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAIN:
            break
        if size <= most:
            parts.append(chunk)
        else:
            parts.clear()
    if size > most:
        raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"Payload too large: the limit is {most} bytes")


def _decoded(encoding: str, body: bytes, most: int) -> bytes:
    try:
        decoded = _DECODERS[encoding](body, most)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise ApiError(400, f"Payload is not in the expected format: {error}") from error
    if len(decoded) > most:
        raise _too_large(most)
    return decoded


def _gzip(body: bytes, most: int) -> bytes:
    """Decompress all members of a gzip body, up to one byte more than the limit."""
    parts: list[bytes] = []
    size = 0
    while body and size <= most:
        if len(parts) == MOST_MEMBERS:
            raise EOFError(f"more than {MOST_MEMBERS} gzip members")
        inflate = zlib.decompressobj(wbits=31)
        parts.append(_inflate(inflate, body, most + 1 - size))
        size += len(parts[-1])
        body = inflate.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _deflate(body: bytes, most: int) -> bytes:
    """Decompress `deflate`, by which clients mean zlib; a raw stream is accepted too."""
    try:
        return _inflate(zlib.decompressobj(), body, most + 1)
    except zlib.error:
        return _inflate(zlib.decompressobj(wbits=-15), body, most + 1)


def _inflate(inflate: "zlib._Decompress", body: bytes, most: int) -> bytes:
    decoded = inflate.decompress(body, most)
    if not inflate.eof and len(decoded) < most:
        raise EOFError("unexpected end of the compressed body")
    return decoded


def _zstd(body: bytes, most: int) -> bytes:
    window: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 26}  # 64 MiB of memory
    with zstd.ZstdFile(io.BytesIO(body), options=window) as reader:
        return reader.read(most + 1)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
    "zstd1": _zstd,
}
