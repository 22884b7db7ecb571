"""Make text from logs, tags and files safe to print on a terminal."""

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1: they begin escape sequences
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # direction marks and overrides, line separators
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # surrogates, marks without a shape
)


def printable(text: str) -> str:
    r"""Return the text with each character that a terminal would act on as its escape: `\x1b`, `\u202e`.

    Tabs and line feeds stay. Rules: ECMA-48 (C0, C1), Unicode TR 9 (bidirectional controls).
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
