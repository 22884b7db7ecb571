"""Decode the bytes of a file, an object or a record into UTF-8: compression, base64, encodings; streamed."""

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
_DEPTH = 6  # base64 of UTF-16 of gzip of gzip is still read
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BASE64 = re.compile(rb"(?:H4sI|KLUv/)[A-Za-z0-9+/=\s]*")
IsalError: type[Exception] = igzip_lib.error  # type: ignore[assignment]
UNREADABLE = (ValueError, TypeError, EOFError, IsalError, zlib.error)
"""Raised by a body whose bytes are not what its beginning promises."""


def expand(chunks: Iterable[bytes]) -> Stream:
    """Return the text of a body as UTF-8, whatever it is compressed, wrapped and encoded with.

    What can be read is yielded before the error that ends it.
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
    """Return the first `size` bytes, and the stream as it was; its error comes where it came before."""
    held: list[bytes] = []
    length = 0
    try:
        for chunk in stream:
            held.append(chunk)
            length += len(chunk)
            if length >= size:
                break
    except Exception as error:  # noqa: BLE001 - raised again behind what was read before it
        stream = _raising(error)
    return b"".join(held)[:size], chain(held, stream)


def _raising(error: Exception) -> Stream:
    yield from ()
    raise error


def _layer(head: bytes) -> Callable[[Stream], Stream] | None:
    """Return what decodes the outermost layer of a body, or None where it is UTF-8 text."""
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
    """Return which UTF-16 without a byte-order mark it is: every second byte of Latin text is zero."""
    even, odd = sample[::2], sample[1::2]
    if odd.count(0) > len(odd) * 0.7 and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) * 0.7 and not odd.count(0) else ""


def _transcode(stream: Stream, encoding: str, mark: int) -> Stream:
    """Yield UTF-8 of a stream in another encoding, without its byte-order mark."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in stream:
        yield decoder.decode(chunk[mark:]).encode("utf-8", "replace")
        mark = max(0, mark - len(chunk))
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _is_wrapped(head: bytes) -> bool:
    """Return whether the body is one base64 text of something compressed: one line, or lines of one length.

    Several lines that each begin a text of their own are records, which are read line by line.
    """
    first, newline, rest = head.partition(b"\n")
    if not _BASE64.fullmatch(first):
        return False
    if not newline:
        return len(head) == _HEAD  # a shorter one is a line, and can still be read as text
    return len(first.rstrip()) in {60, 64, 76} and bool(rest) and not _BASE64.match(rest)


def _unwrap(stream: Stream) -> Stream:
    held = b""
    for chunk in stream:
        text = held + b"".join(chunk.split())
        whole = len(text) - len(text) % 4
        held = text[whole:]
        if whole:
            yield _from_base64(text[:whole])
    if held:
        raise EOFError("the base64 text is cut off")


def _from_base64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


def _members(make: Callable[[], Any], name: str, stream: Stream) -> Stream:
    """Yield the text of a compressed stream of one or many members, such as gzip files one behind another."""
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
        raise EOFError(f"the {name} stream is cut off")


def _decompress(member: Any, data: bytes, name: str) -> bytes:
    try:
        return bytes(member.decompress(data, CHUNK * 4))
    except Exception as error:  # noqa: BLE001 - each library has an error of its own
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
    """Return the text of gzip, at most 256 MB; anything else as it is."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    stream = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    text = stream.decompress(body, _INFLATED)
    if not stream.eof:
        raise ValueError(
            "the gzip stream is cut off" if stream.needs_input else "it inflates to more than 256 MB"
        )
    return bytes(text)


def decode_base64(data: Any) -> bytes:
    """Return the bytes of a base64 text.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, binascii.Error) as error:
        raise ValueError(f"not base64: {error}") from None
