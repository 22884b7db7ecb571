"""Decide which output a terminal supports, and print JSON documents."""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from monitoring.cli.failure import VERSION
from monitoring.terminal import echo, printable, room

if TYPE_CHECKING:
    from rich.console import Console


def echo_document(data: Mapping[str, Any]) -> None:
    """Print one JSON document, which begins with its `version`."""
    echo(json.dumps({"version": VERSION, **data}, indent=1, ensure_ascii=False, default=str))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dumb() -> bool:
    """Return whether the terminal, by TERM, supports neither cursor movement nor colour."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def plain() -> bool:
    """Return whether text is printed without colour and style: NO_COLOR is set, or the terminal is dumb."""
    return bool(os.environ.get("NO_COLOR")) or dumb()


def live(stream: TextIO) -> bool:
    """Return whether progress may be drawn: the stream is a terminal that can move its cursor."""
    return stream.isatty() and not dumb()


def console(**options: Any) -> "Console":
    """Return a console on standard output, as wide as `room()`, that shows only printable text."""
    from rich.console import Console
    from rich.segment import Segment

    class Safe(Console):
        """A console whose text cannot control the terminal; its styles and cursor movements can."""

        def render(self, renderable: Any, options: Any = None) -> Any:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return Safe(soft_wrap=False, highlight=False, width=room(), **options)
