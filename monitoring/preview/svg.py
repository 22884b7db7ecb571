"""Write SVG: elements with escaped attributes and text, and the estimated width of text."""

import re
from collections.abc import Iterable
from html import escape

FONT = "'Liberation Sans','Helvetica Neue',Arial,sans-serif"
_NARROW = frozenset("fijlrtI.,:;'|!()[]{}/ ")
_WIDE = frozenset("mwMW@%")
_NOT_XML = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
"""The characters that XML excludes (XML 1.0, production 2), and tabs and line breaks."""
_MARKUP = re.compile(f"[&<>\"']|{_NOT_XML.pattern}")


def tag(name: str, *children: str, **attributes: object) -> str:
    """Return an element; `stroke_width` becomes `stroke-width`, and None leaves an attribute out."""
    shown = "".join(
        f' {key.replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(children)
    return f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return _escaped(str(value))


def _escaped(content: str) -> str:
    """Return the text escaped for XML; a text without special characters is returned unchanged."""
    return escape(_NOT_XML.sub("", content)) if _MARKUP.search(content) else content


def text(content: str, x: float, y: float, **attributes: object) -> str:
    """Return an escaped text; `size` is its font size in pixels (12)."""
    size = attributes.pop("size", 12)
    return tag("text", _escaped(content), x=float(x), y=float(y), font_size=size, **attributes)


def title(content: str) -> str:
    """Return the tooltip of the parent element."""
    return tag("title", _escaped(content))


def width_of(content: str, size: float = 12) -> float:
    """Estimate the width of a text in pixels, rather too large than too small."""
    return size * sum(map(_units, content))


def _units(char: str) -> float:
    """Return the width of a character in ems; most capitals of Liberation Sans have 0.56 to 0.78."""
    if char in _NARROW:
        return 0.3
    if char in _WIDE:
        return 0.88
    if char >= "\u1100":  # Chinese, Japanese, Korean, emoji
        return 1.0
    return 0.78 if char.isupper() else 0.58


def fitted(content: str, room: float, size: float = 12) -> str:
    """Return the text, truncated with an ellipsis to `room` pixels."""
    if width_of(content, size) <= room:
        return content
    while content and width_of(content + "…", size) > room:
        content = content[:-1]
    return content.rstrip() + "…" if content else ""


def wrapped(content: str, room: float, size: float = 12) -> list[str]:
    """Wrap the text into lines of at most `room` pixels; a word that is too long is truncated."""
    lines: list[str] = []
    for paragraph in content.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, size) > room:
                lines.append(fitted(line, room, size))
                line = word
            else:
                line = longer
        lines.append(fitted(line, room, size))
    return lines


def group(children: Iterable[str], x: float = 0, y: float = 0, **attributes: object) -> str:
    """Return a group of elements, translated to (x, y)."""
    moved = f"translate({_value(float(x))},{_value(float(y))})" if x or y else None
    return tag("g", *children, transform=moved, **attributes)


def document(content: str, width: float, height: float, background: str) -> str:
    """Return a complete SVG file."""
    back = tag("rect", width="100%", height="100%", fill=background)
    return tag(
        "svg",
        back,
        content,
        xmlns="http://www.w3.org/2000/svg",
        width=round(width),
        height=round(height),
        viewBox=f"0 0 {round(width)} {round(height)}",
        font_family=FONT,
    )
