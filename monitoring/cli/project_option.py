"""Define the option of the project's folder, with the same name in every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class RenamedOption(click.Option):
    """An option whose help shows its first name only; its former names are still accepted."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the row of the help, with the first name alone."""
        names = self.opts
        self.opts = names[:1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


def project_option(
    text: str = "The project's folder.  [default: this one]", *, exists: bool = False
) -> Callable[[Command], Command]:
    """Return a decorator that adds `--project`, as the parameter `root`.

    Args:
        text: the help.
        exists: the folder has to be there.
    """
    return click.option(
        "--project",
        "--dir",
        "root",
        cls=RenamedOption,
        type=click.Path(exists=exists, file_okay=False, path_type=Path),
        default=Path(),
        metavar="DIR",
        help=text,
    )
