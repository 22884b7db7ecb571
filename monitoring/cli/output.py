"""Decide what a command may put on a terminal, and print JSON documents in one shape."""

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

import click

from monitoring.cli.failure import VERSION

if TYPE_CHECKING:
    from rich.console import Console

_UNPRINTED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON may hold as it is, and a terminal would act on."""
PIPE_WIDTH = 120
"""Characters of a line that is not for a terminal, unless COLUMNS says how many."""


def echo_document(data: Mapping[str, Any]) -> None:
    """Print one JSON document, which begins with its `version`."""
    text = json.dumps({"version": VERSION, **data}, indent=1, ensure_ascii=False, default=str)
    click.echo(_UNPRINTED.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dumb() -> bool:
    """Return whether the terminal, by TERM, knows no cursor movement and no colour."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def plain() -> bool:
    """Return whether text goes out without colour and style: NO_COLOR is set, or the terminal is dumb."""
    return bool(os.environ.get("NO_COLOR")) or dumb()


def live(stream: TextIO) -> bool:
    """Return whether progress may be drawn: the stream is a terminal that can move its cursor."""
    return stream.isatty() and not dumb()


def console(**options: Any) -> "Console":
    """Return a console on standard output, as wide as the terminal or COLUMNS; 120 characters in a pipe."""
    from rich.console import Console

    fixed = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(soft_wrap=False, highlight=False, width=fixed, **options)
