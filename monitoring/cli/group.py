"""The group of the subcommands, each imported when it is called."""

import importlib
from collections.abc import Sequence

import click

from monitoring.cli.commands import COMMANDS


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
        """Write the overview, without importing a single subcommand."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stepscope")
def root() -> None:
    """Observability of AWS Step Functions pipelines on Datadog."""


def run(argv: Sequence[str]) -> int:
    """Run the command and return its status; wrong usage is 2."""
    try:
        status = root.main(args=list(argv), prog_name="stepscope", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0
