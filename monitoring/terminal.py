"""Print text, styles and tables to a terminal; control characters in the text are escaped."""

import re
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence

Part = str | tuple[str, str]
"""A text, or a text and its style: a colour (`red`, `green`, `yellow`, `cyan`), `bold` or `dim`."""
PIPE_WIDTH = 120
"""Width of a line that is not printed to a terminal, unless COLUMNS is set."""
GAP = 2
"""Number of spaces between two columns of a table."""
_LEAST = 6  # the smallest width to which a column is narrowed

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1: they begin escape sequences
    "\u00ad\u034f\u061c\u180e"  # soft hyphen, joiner without a shape, Arabic and Mongolian marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, direction marks and overrides, line separators
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # surrogates, marks without a shape
)


def printable(text: str) -> str:
    r"""Return the text with control and invisible characters escaped as `\u001b`, `\u202e`.

    Tabs and line feeds are not escaped. A JSON document keeps its meaning. Rules: ECMA-48 (C0, C1), Unicode
    TR 9 (bidirectional controls), Unicode TR 36 (invisible characters).
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def styled(*parts: Part) -> str:
    """Return the parts as one printable text, each within the escape sequences of its style."""
    import click

    texts = []
    for part in parts:
        text, style = _split(part)
        output = printable(text)
        if style in {"bold", "dim"}:
            output = click.style(output, **{style: True})
        elif style:
            output = click.style(output, fg=style)
        texts.append(output)
    return "".join(texts)


def plain(*parts: Part) -> str:
    """Return the parts as one text without their styles."""
    return "".join(_split(part)[0] for part in parts)


def _split(part: Part) -> tuple[str, str]:
    return (part, "") if isinstance(part, str) else part


def echo(*parts: Part, err: bool = False, nl: bool = True) -> None:
    """Print the parts on one line: styled on a terminal, plain in a pipe or if NO_COLOR is set.

    Args:
        parts: texts, with or without a style; each is made printable.
        err: print to standard error.
        nl: print a newline at the end.
    """
    import click

    click.echo(styled(*parts), err=err, nl=nl)


# -- tables


def room() -> int:
    """Return the width of a line: that of the terminal, COLUMNS, or 120 in a pipe."""
    return shutil.get_terminal_size((80 if sys.stdout.isatty() else PIPE_WIDTH, 24)).columns


def width_of(text: str) -> int:
    """Return the width of a text in terminal cells: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` cells; a longer word is broken."""
    lines: list[str] = []
    for line in printable(text).split("\n"):
        lines += _wrapped(line, max(2, width))
    return lines


def _wrapped(line: str, width: int) -> list[str]:
    if width_of(line) <= width:
        return [line]
    lines, current = [], ""
    for word in re.findall(r"\s*\S+", line):
        rest = word
        if current and width_of(current + rest) > width:
            lines.append(current)
            current, rest = "", rest.lstrip()
        while width_of(current + rest) > width:
            at = _fitting(rest, width)
            lines.append(rest[:at])
            rest = rest[at:]
        current += rest
    return [*lines, current] if current else lines


def _fitting(text: str, width: int) -> int:
    """Return how many characters of a text fit, at least 1; prefer to break after a non-alphanumeric one."""
    total = 0
    for at, sign in enumerate(text):
        total += width_of(sign)
        if total > width:
            breaks = (cut for cut in range(at, at // 2, -1) if not text[cut - 1].isalnum())
            return max(1, next(breaks, at))
    return len(text)


def table(rows: Sequence[Sequence[Part]], right: Collection[int] = (), indent: int = 0) -> list[list[Part]]:
    """Return a table as lines of parts, no wider than `room()`: wide cells are wrapped.

    Args:
        rows: lists of cells, with the header if there is one.
        right: the indexes of the right-aligned columns.
        indent: spaces before the first column.
    """
    widths = fitted(rows, room() - indent)
    return [[" " * indent, *line] for row in rows for line in table_row(row, widths, right)]


def fitted(rows: Sequence[Sequence[Part]], total: int) -> list[int]:
    """Return the width of each column so that a row has at most `total` cells; the widest are narrowed."""
    columns = max(map(len, rows), default=0)
    widths = [
        max((width_of(printable(_split(row[at])[0])) for row in rows if at < len(row)), default=0)
        for at in range(columns)
    ]
    while sum(widths) + GAP * (columns - 1) > total and max(widths) > _LEAST:
        at = widths.index(max(widths))
        over = sum(widths) + GAP * (columns - 1) - total
        second = max((width for number, width in enumerate(widths) if number != at), default=_LEAST)
        widths[at] = max(_LEAST, min(widths[at] - 1, max(second, widths[at] - over)))
    return widths


def table_row(
    cells: Sequence[Part], widths: Sequence[int], right: Collection[int] = ()
) -> Iterator[list[Part]]:
    """Yield a row of a table as lines of parts; a cell that is wider than its column is wrapped."""
    split = [_split(cell) for cell in cells]
    columns = [wrapped(text, width) for (text, _), width in zip(split, widths, strict=False)]
    for number in range(max(map(len, columns), default=0)):
        line: list[Part] = []
        for at, lines in enumerate(columns):
            text = lines[number] if number < len(lines) else ""
            pad = " " * (widths[at] - width_of(text))
            gap = " " * GAP if at else ""
            before, after = (gap + pad, "") if at in right else (gap, pad)
            line += [before, (text, split[at][1]), after]
        yield _stripped(line)


def _stripped(line: list[Part]) -> list[Part]:
    """Return a line without trailing blank parts."""
    while line and not _split(line[-1])[0].strip():
        line.pop()
    return line
