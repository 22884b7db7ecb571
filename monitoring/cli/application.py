"""Define and parse the options of the commands that run a user's application."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from monitoring.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


def deployment_options(command: Command) -> Command:
    """Add the options for deploying an application locally."""
    options = (
        click.option(
            "--parameter",
            "parameters",
            multiple=True,
            metavar="NAME=VALUE",
            help="The value of one of the template's parameters.",
        ),
        click.option(
            "--stack", default="", metavar="NAME", help="The stack's name.  [default: as it deploys]"
        ),
        click.option(
            "--answer",
            "answers",
            multiple=True,
            metavar="NAME=JSON|@FILE",
            help="What a function, or a task (MACHINE.State), answers instead of running here.",
        ),
        click.option(
            "--speed",
            type=click.FloatRange(min=0.1, max=10_000),
            default=1.0,
            show_default=True,
            help="How many times faster the state machine's waits pass.",
        ),
    )
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    return cast("Command", decorated)


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Return `NAME=VALUE`s as a dict.

    Raises:
        InputError: one has no `=`.
    """
    result = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {value} is not NAME=VALUE")
        result[name] = text
    return result


def answers_of(values: Iterable[str]) -> dict[str, Any]:
    """Return the answers of `NAME=JSON` and `NAME=@FILE`.

    Raises:
        InputError: one is not JSON, or its file cannot be read.
    """
    return {
        name: read_json(text, where=f"--answer {name}") for name, text in pairs(values, "--answer").items()
    }


def read_json(text: str, where: str) -> Any:
    """Return the value of a JSON text, or of the file that `@FILE` names.

    Raises:
        InputError: it is not JSON, or the file cannot be read.
    """
    if text.startswith("@"):
        return read_json_file(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", where=where) from None


def read_json_file(path: Path) -> Any:
    """Return the value in a JSON file; `-` is standard input.

    Raises:
        InputError: it cannot be read, or is not JSON.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
        return json.loads(text)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", where=str(path)) from None
