"""The command `stepscope`: one module a subcommand, loaded when it is called."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence

import click

from monitoring.errors import InputError

COMMANDS: dict[str, str] = {
    "lines": "Check log lines: line, column, what is wrong, what to write",
    "test": "Run the tests of monitors",
    "backtest": "Show what a monitor would have done over stored history",
    "lint": "Check dashboards and monitors, offline",
    "preview": "Draw dashboards as pictures or pages, without an account",
    "demo": "Run the example pipeline on this machine, end to end",
    "drill": "Break the pipeline in every way, and see which monitor notices",
    "init": "Put handlers, dashboards and monitors into a project",
    "plan": "Show what an apply would create, update and delete",
    "apply": "Make Datadog what the files say",
    "pull": "Bring a dashboard or monitor from Datadog into a file",
    "export": "Write the definitions for another tool (terraform)",
    "destroy": "Delete what the project owns in Datadog",
    "forward": "Forward log files to Datadog, or show what their lines are",
    "serve": "Serve the embedded Datadog: intake, API, monitors, pages",
    "trace": "Show one execution's timeline",
    "query": "Evaluate a query over a data file or the database",
}
"""Subcommand -> its line in the overview. `monitoring.cli.NAME` (dashes as underscores) holds `command`."""


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
        """Write the overview without importing a single subcommand."""
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stepscope")
def root() -> None:
    """Observability of AWS Step Functions pipelines on Datadog."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 fine, 1 found something, 2 wrong usage or input, 3 a bug."""
    _travel_light()
    sys.exit(_run(argv))


def _travel_light() -> None:
    """Make the start of a short process cheap."""
    gc.set_threshold(20_000)  # hardly anything that is imported is garbage
    # The library behind numpy's matrices starts a thread a processor, which spin; no matrix here is large.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _run(argv: Sequence[str] | None) -> int:
    try:
        status = root.main(args=argv, prog_name="stepscope", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except InputError as error:
        click.echo(f"stepscope: {error}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("stepscope: interrupted", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last line of defence: said as the bug that it is
        if os.environ.get("MONITORING_DEBUG"):
            raise
        click.echo(
            f"stepscope: a bug: {type(error).__name__}: {error}\n"
            "  Run it again with MONITORING_DEBUG=1 and report what it prints.",
            err=True,
        )
        return 3
    return status if isinstance(status, int) else 0
