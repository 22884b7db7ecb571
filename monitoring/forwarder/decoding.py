"""Decode a stream of bytes to UTF-8: decompress it, and decode base64 and other encodings."""

import base64
import binascii
import codecs
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from isal import igzip_lib

Stream = Iterator[bytes]

CHUNK = 256 * 1024
_HEAD = 64 * 1024
_INFLATED = 256 * 1024 * 1024  # bytes: a subscription payload is at most 1 MB compressed
_DEPTH = 6  # layers, for example base64 of UTF-16 of gzip of gzip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, because its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BASE64 = re.compile(rb"(?:H4sI|KLUv/)[A-Za-z0-9+/=\s]*")
IsalError: type[Exception] = igzip_lib.error  # type: ignore[assignment]
UNREADABLE = (ValueError, TypeError, EOFError, IsalError, zlib.error)
"""The exceptions of decoding a body that is damaged or truncated."""


def expand(chunks: Iterable[bytes]) -> Stream:
    """Return the text of a body as UTF-8, after removing all layers of compression, base64 and encoding.

    The text before a damaged part is yielded before the error is raised.
    """
    stream = iter(chunks)
    for _ in range(_DEPTH):
        head, stream = peek(stream)
        decode = _layer(head)
        if decode is None:
            break
        stream = decode(stream)
    return stream


def peek(stream: Stream, size: int = _HEAD) -> tuple[bytes, Stream]:
    """Return the first `size` bytes, and the stream from its start; an error is raised at the same offset."""
    chunks: list[bytes] = []
    length = 0
    try:
        for chunk in stream:
            chunks.append(chunk)
            length += len(chunk)
            if length >= size:
                break
    except Exception as error:  # noqa: BLE001 - raised again after the chunks that were read before it
        stream = _raising(error)
    return b"".join(chunks)[:size], chain(chunks, stream)


def _raising(error: Exception) -> Stream:
    yield from ()
    raise error


def _layer(head: bytes) -> Callable[[Stream], Stream] | None:
    """Return the decoder of the outermost layer of a body, or None if it is UTF-8 text."""
    for magic, decode in _LAYERS:
        if head.startswith(magic):
            return decode
    for mark, name in _BOMS:
        if head.startswith(mark):
            return lambda stream: _transcode(stream, name, len(mark))
    if b"\0" in head[:64] and (guessed := _utf16(head[:256])):
        return lambda stream: _transcode(stream, guessed, 0)
    return _unwrap if _is_wrapped(head) else None


def _utf16(sample: bytes) -> str:
    """Return the encoding of UTF-16 text without a byte-order mark, or "": half of the bytes are zero."""
    even, odd = sample[::2], sample[1::2]
    if odd.count(0) > len(odd) * 0.7 and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) * 0.7 and not odd.count(0) else ""


def _transcode(stream: Stream, encoding: str, mark: int) -> Stream:
    """Convert a stream to UTF-8, without its byte-order mark."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in stream:
        yield decoder.decode(chunk[mark:]).encode("utf-8", "replace")
        mark = max(0, mark - len(chunk))
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _is_wrapped(head: bytes) -> bool:
    """Return whether the body is a single base64 text of compressed data: one line, or lines of equal length.

    Lines that are each a base64 text are records; they are read line by line.
    """
    first, newline, rest = head.partition(b"\n")
    if not _BASE64.fullmatch(first):
        return False
    if not newline:
        return len(head) == _HEAD  # a shorter one is read as a line
    return len(first.rstrip()) in {60, 64, 76} and bool(rest) and not _BASE64.match(rest)


def _unwrap(stream: Stream) -> Stream:
    remainder = b""
    for chunk in stream:
        text = remainder + b"".join(chunk.split())
        length = len(text) - len(text) % 4
        remainder = text[length:]
        if length:
            yield _from_base64(text[:length])
    if remainder:
        raise EOFError("the base64 text is truncated")


def _from_base64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


def _members(make: Callable[[], Any], name: str, stream: Stream) -> Stream:
    """Decompress a stream of one or more members, such as concatenated gzip files."""
    member, inside = make(), False
    for chunk in stream:
        data = chunk if inside else chunk.lstrip(b"\0\r\n")  # padding, or the delimiter that Firehose adds
        while data or (inside and not member.needs_input):
            if not inside:
                member, inside = make(), True
            text = _decompress(member, data, name)
            if text:
                yield text
            data = b""
            if member.eof:
                data, inside = member.unused_data.lstrip(b"\0\r\n"), False
    if inside:
        raise EOFError(f"the {name} stream is truncated")


def _decompress(member: Any, data: bytes, name: str) -> bytes:
    try:
        return bytes(member.decompress(data, CHUNK * 4))
    except Exception as error:  # noqa: BLE001 - each library raises another exception
        raise ValueError(f"not valid {name}: {error}") from None


def _gunzip(stream: Stream) -> Stream:
    return _members(lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), "gzip", stream)


def _unbzip(stream: Stream) -> Stream:
    import bz2

    return _members(bz2.BZ2Decompressor, "bzip2", stream)


def _unxz(stream: Stream) -> Stream:
    import lzma

    return _members(lzma.LZMADecompressor, "xz", stream)


def _unzstd(stream: Stream) -> Stream:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return _members(zstd.ZstdDecompressor, "zstd", stream)


_LAYERS: tuple[tuple[bytes, Callable[[Stream], Stream]], ...] = (
    (b"\x1f\x8b", _gunzip),
    (b"\x28\xb5\x2f\xfd", _unzstd),
    *((b"BZh%d1AY&SY" % level, _unbzip) for level in range(1, 10)),
    (b"\xfd7zXZ\0", _unxz),
)


def inflate(body: bytes) -> bytes:
    """Decompress gzip of at most 256 MB; return other bytes unchanged."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    stream = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    text = stream.decompress(body, _INFLATED)
    if not stream.eof:
        raise ValueError(
            "the gzip stream is truncated" if stream.needs_input else "it inflates to more than 256 MB"
        )
    return bytes(text)


def decode_base64(data: Any) -> bytes:
    """Decode a base64 text.

    Raises:
        ValueError: the text is not base64.
    """
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, binascii.Error) as error:
        raise ValueError(f"not base64: {error}") from None
