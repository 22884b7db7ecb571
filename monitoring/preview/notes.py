"""Render notes in Markdown: as HTML for a page, as wrapped lines for a picture; no script is allowed."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from monitoring.preview import svg
from monitoring.preview.charts.shapes import Frame

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

SIZES = {"h1": 18, "h2": 16, "h3": 14, "h4": 13}
LINE = 1.42


@cache
def _reader() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")


def as_html(markdown: str) -> str:
    """Return HTML, with raw HTML escaped and only addresses that markdown-it considers safe."""
    return str(_reader().render(markdown))


@dataclass(frozen=True, slots=True)
class _Paragraph:
    words: str
    size: int = 12
    bold: bool = False
    indent: int = 0
    mono: bool = False


def as_picture(frame: Frame, markdown: str, *, pad: float = 12.0) -> str:
    """Draw the note's text, wrapped into the frame; text that does not fit is cut with an ellipsis."""
    parts: list[str] = []
    y = pad
    for block in _blocks(markdown):
        room = frame.width - 2 * pad - block.indent
        for words in svg.wrapped(block.words, room, block.size * (1.06 if block.bold or block.mono else 1)):
            y += block.size * LINE
            if y > frame.height - 4:
                more = svg.text("…", pad, frame.height - 4, fill=frame.theme.muted)
                return "".join(parts) + more
            weight = 600 if block.bold else None
            family = "monospace" if block.mono else None
            style = {
                "size": block.size,
                "fill": frame.theme.ink,
                "font_weight": weight,
                "font_family": family,
            }
            parts.append(svg.text(words, pad + block.indent, y, **style))
        y += 5
    return "".join(parts)


def _blocks(markdown: str) -> list[_Paragraph]:
    blocks: list[_Paragraph] = []
    stack: list[str] = []
    bullets: list[int] = []
    for token in _reader().parse(markdown):
        if token.type in {"ordered_list_open", "bullet_list_open"}:
            bullets.append(1 if token.type.startswith("ordered") else 0)
        elif token.type in {"ordered_list_close", "bullet_list_close"}:
            bullets.pop()
        elif token.nesting == 1:
            stack.append(token.tag)
        elif token.nesting == -1:
            stack.pop()
        elif token.type in {"fence", "code_block"}:
            blocks += [_Paragraph(line, 11, indent=8, mono=True) for line in token.content.splitlines()]
        elif token.type == "inline":
            blocks.append(_inline(token, stack, bullets))
    return blocks


def _inline(token: "Token", stack: list[str], bullets: list[int]) -> _Paragraph:
    words = "".join(_words(child) for child in token.children or [])
    head = next((SIZES[tag] for tag in stack if tag in SIZES), 0)
    if head:
        return _Paragraph(words, head, bold=True)
    if not bullets:
        return _Paragraph(words)
    sign = "• "
    if bullets[-1]:
        sign, bullets[-1] = f"{bullets[-1]}. ", bullets[-1] + 1
    return _Paragraph(sign + words, indent=14 * (len(bullets) - 1) + 4)


def _words(token: "Token") -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n" if token.type == "hardbreak" else " "
    return token.content if token.type in {"text", "code_inline", "html_inline", "image"} else ""
