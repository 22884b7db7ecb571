"""Define the group of the subcommands, each of which is imported when it is called."""

import importlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from monitoring.cli.commands import COMMANDS, THEMES
from monitoring.cli.failure import print_error, wants_json
from monitoring.cli.output import plain
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETION_VARIABLE = "_STEPSCOPE_COMPLETE"
"""Set by the shell's script while it completes a command line."""


class Commands(click.Group):
    """The subcommands of `COMMANDS`, each imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"monitoring.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview by job, without importing a single subcommand."""
        listed = {name for names in THEMES.values() for name in names}
        others = tuple(name for name in COMMANDS if name not in listed)
        width = max(map(len, COMMANDS))
        for job, names in {**THEMES, "Others": others}.items():
            if names:
                with formatter.section(job):
                    formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that the first word names.

        Raises:
            UsageError: there is none; names the one that was probably meant.
        """
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0].lower(), COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else "`stepscope` alone lists the commands."
            ctx.fail(f"There is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the options, and the subcommands that begin with `incomplete`, without importing them."""
        from click.shell_completion import CompletionItem

        names = [name for name in COMMANDS if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS[name][1]) for name in names), *options]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stepscope")
def root() -> None:
    """Observability of AWS Step Functions pipelines on Datadog.

    \b
    stepscope COMMAND --help    what a command takes
    stepscope demo              see all of it work, with no account
    """
    for name, setting in misspelt(os.environ):
        echo(f"stepscope: {name} is not a setting. Did you mean {setting}?", err=True)


def misspelt(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield variables with names similar to a setting of the package, and that setting."""
    suspects = [name for name in environ if name.startswith("MONITORING_")]
    if suspects:
        from difflib import get_close_matches

        from monitoring.cli.environment import SETTINGS

        for name in suspects:
            near = [] if name in SETTINGS else get_close_matches(name, SETTINGS, n=1, cutoff=0.85)
            yield from ((name, setting) for setting in near)


def run(argv: Sequence[str]) -> int:
    """Run the command and return its status; wrong usage is 2."""
    try:
        status = root.main(
            args=list(argv),
            prog_name="stepscope",
            standalone_mode=False,
            complete_var=COMPLETION_VARIABLE,
            color=False if plain() else None,
        )
    except click.ClickException as error:
        if wants_json(argv):
            print_error(InputError(error.format_message()))
        message = io.StringIO()
        error.show(message)
        echo(message.getvalue(), err=True, nl=False)
        return 2
    except click.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0
