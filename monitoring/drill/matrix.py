"""Draw the drill as a matrix: rows are faults, columns monitors, cells the minutes until the alert."""

from pathlib import Path

from monitoring.drill.judge import DrillResult, FaultResult
from monitoring.drill.show import markdown
from monitoring.errors import InputError, writing
from monitoring.preview import svg
from monitoring.preview.page import META
from monitoring.preview.picture import as_png
from monitoring.preview.theme import LIGHT, Theme

FORMATS = (".svg", ".png", ".html", ".md")
SHADES = ((5, "#08519c"), (20, "#3182bd"), (45, "#6baed6"), (10**9, "#9ecae1"))
"""(maximum of minutes, colour); darker is faster."""
_CELL, _ROW, _LEFT, _TOP, _EDGE = 24.0, 20.0, 210.0, 200.0, 12.0


def write(result: DrillResult, path: Path) -> None:
    """Write the picture, page or table in the format of the file's extension.

    Raises:
        InputError: the file extension is not one of `FORMATS`, or the file cannot be written.
    """
    data = {
        ".md": lambda: markdown(result).encode(),
        ".svg": lambda: picture(result).encode(),
        ".html": lambda: page(result).encode(),
        ".png": lambda: as_png(picture(result), 2.0),
    }[_ending(path)]()
    with writing(path):
        path.write_bytes(data)


def _ending(path: Path) -> str:
    if path.suffix not in FORMATS:
        raise InputError(
            f"the format of {path.name} is not known", hint=f"end its name in {', '.join(FORMATS)}"
        )
    return path.suffix


def check(path: Path) -> None:
    """Check the name of an output file before the drill starts.

    Raises:
        InputError: as for `write`.
    """
    _ending(path)
    if not path.absolute().parent.is_dir():
        raise InputError("the folder does not exist", where=str(path.parent), hint="Create it first.")


def page(result: DrillResult) -> str:
    """Return a self-contained page with the picture."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{META}<title>stepscope drill</title>'
        f"<body style='margin:0'>{picture(result)}</body></html>\n"
    )


def picture(result: DrillResult, theme: Theme = LIGHT) -> str:
    """Return the matrix as SVG."""
    keys = [watcher.key for watcher in result.watchers if watcher.tells]
    columns = sorted(keys, key=lambda key: (_first(result, key), key))
    width = _LEFT + _CELL * len(columns) + _EDGE + 90
    height = _TOP + _ROW * len(result.outcomes) + 60
    parts = [
        svg.text(
            "Which monitor notices which fault, after how many minutes", _EDGE, 24, size=16, fill=theme.ink
        )
    ]
    parts += [_column(key, at, len(result.outcomes), theme) for at, key in enumerate(columns)]
    parts += [_row(outcome, at, columns, theme) for at, outcome in enumerate(result.outcomes)]
    parts.append(_legend(height - 24, theme))
    return svg.document("".join(parts), width, height, theme.panel)


def _first(result: DrillResult, key: str) -> int:
    """Return the index of the first fault that a monitor detects, by which columns are ordered."""
    for at, outcome in enumerate(result.outcomes):
        if key in outcome.fault.must and any(seen.key == key for seen in outcome.noticed):
            return at
    return len(result.outcomes)


def _column(key: str, at: int, rows: int, theme: Theme) -> str:
    x = _LEFT + _CELL * at
    line = svg.tag("line", x1=x, x2=x, y1=_TOP, y2=_TOP + _ROW * rows, stroke=theme.grid)
    turned = f"rotate(-60 {x + 14:.1f} {_TOP - 6:.1f})"
    return line + svg.text(key, x + 14, _TOP - 6, size=11, fill=theme.muted, transform=turned)


def _row(outcome: FaultResult, at: int, columns: list[str], theme: Theme) -> str:
    y, fault = _TOP + _ROW * at, outcome.fault
    colour = theme.ink if outcome.fine else theme.bad
    parts = [
        svg.tag("line", x1=_EDGE, x2=_LEFT + _CELL * len(columns), y1=y, y2=y, stroke=theme.grid),
        svg.text(
            fault.name, _EDGE, y + 14, size=12, fill=colour, font_style="italic" if fault.control else None
        ),
    ]
    for seen in outcome.noticed:
        if seen.key in columns and seen.alert is not None:
            must = seen.key in fault.must
            parts.append(_cell(_LEFT + _CELL * columns.index(seen.key), y, seen.alert, must, theme))
    missing = set(fault.must) - {seen.key for seen in outcome.noticed}
    for key in missing & set(columns):
        x = _LEFT + _CELL * columns.index(key)
        parts.append(svg.text("×", x + 8, y + 15, size=14, fill=theme.bad))
    return "".join(parts)


def _cell(x: float, y: float, minutes: float, must: bool, theme: Theme) -> str:
    shade = next(colour for limit, colour in SHADES if minutes <= limit)
    box = svg.tag(
        "rect", x=x + 1, y=y + 1, width=_CELL - 2, height=_ROW - 2, rx=3, fill=shade if must else theme.grid
    )
    ink = ("#ffffff" if minutes <= 20 else "#08306b") if must else theme.muted
    return box + svg.text(f"{minutes:.0f}", x + _CELL / 2, y + 14, size=10, fill=ink, text_anchor="middle")


def _legend(y: float, theme: Theme) -> str:
    words = ("within 5 minutes", "within 20", "within 45", "later")
    parts = []
    for at, ((_, colour), word) in enumerate(zip(SHADES, words, strict=True)):
        x = _EDGE + 130 * at
        parts.append(svg.tag("rect", x=x, y=y - 10, width=14, height=12, rx=3, fill=colour))
        parts.append(svg.text(word, x + 20, y, size=11, fill=theme.muted))
    x = _EDGE + 130 * len(SHADES)
    parts.append(svg.tag("rect", x=x, y=y - 10, width=14, height=12, rx=3, fill=theme.grid))
    parts.append(svg.text("alerts too, and need not", x + 20, y, size=11, fill=theme.muted))
    return "".join(parts)
