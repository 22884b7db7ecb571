"""`stepscope forward`: the forwarder over files or standard input, to Datadog, to the local one, or as
JSON."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from monitoring.errors import InputError

if TYPE_CHECKING:
    from monitoring.forwarder.inputs import Inputs, Unit
    from monitoring.forwarder.settings import Settings
    from monitoring.log_events.telemetry import Telemetry

_FOREVER = 10**7  # seconds: a command has no time-out


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path())
@click.option(
    "--json", "as_json", is_flag=True, help="Print what the lines are, one object a line; send nothing."
)
@click.option("--group", default="", metavar="NAME", help="The log group that plain lines come from.")
@click.option("--redrive", is_flag=True, help="Send what the spool holds, before the files.")
def command(files: tuple[str, ...], as_json: bool, group: str, redrive: bool) -> int:
    """Forward files: subscription payloads, events as AWS sends them, exported logs, plain lines; gz, zst
    or plain.

    Without a FILE, or for `-`, standard input is read. Where it goes is said by the environment: DD_URL or
    DD_SITE, DD_API_KEY. Ends with 1 where something was refused or could not be delivered.
    """
    from monitoring.forwarder.settings import Settings

    settings = Settings.from_env(os.environ)
    if as_json and redrive:
        raise click.UsageError("--json sends nothing, and --redrive only sends")
    names = files or (() if redrive else ("-",))
    return _print(settings, names, group) if as_json else _send(settings, names, group, redrive)


def _units(
    names: tuple[str, ...], inputs: "Inputs", group: str, missing: list[InputError]
) -> Iterator["Unit"]:
    """Yield the units of the readable files; the others are reported at the end."""
    from monitoring.forwarder.files import file_unit

    for name in names:
        try:
            yield file_unit(name, inputs, group)
        except InputError as error:
            missing.append(error)


def _print(settings: "Settings", names: tuple[str, ...], group: str) -> int:
    from monitoring.forwarder import aws
    from monitoring.forwarder.inputs import Inputs
    from monitoring.forwarder.reading import PieceReader
    from monitoring.forwarder.resource_tags import ResourceTags
    from monitoring.forwarder.stats import Tally

    reader = PieceReader(
        settings, os.environ.get("AWS_REGION", ""), ResourceTags(settings, aws.client), log_refusals=False
    )
    tally = Tally()
    missing: list[InputError] = []
    for unit in _units(names, Inputs(aws.client), group, missing):
        reader.begin_unit()
        for piece in unit.pieces:
            _print_telemetry(reader.read(piece, tally))
    _complain(missing)
    return 2 if missing else 1 if tally.refused else 0


def _print_telemetry(found: "Telemetry") -> None:
    import msgspec

    rows: list[dict[str, object]] = [{"point": point._asdict()} for point in found.points]
    rows += [{"span": msgspec.to_builtins(span)} for span in found.spans]
    rows += [{"log": entry.body()} for entry in found.logs]
    rows += [
        {"refused": {"reason": r.reason, "file": r.where, "line": r.line, "column": r.column, "text": r.text}}
        for r in found.refused
    ]
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _send(settings: "Settings", names: tuple[str, ...], group: str, redrive: bool) -> int:
    from monitoring.forwarder.forwarder import Forwarder, World
    from monitoring.forwarder.inputs import Inputs, Redrive, Unit

    missing: list[InputError] = []
    world = World()

    def units() -> Iterator[Unit]:
        if redrive:
            yield Unit("redrive", iter([Redrive()]))
        with _progress(names) as advance:
            for unit in _units(names, Inputs(world.clients), group, missing):
                yield unit
                advance()

    forwarder = Forwarder(settings, os.environ.get("AWS_REGION", ""), world)
    try:
        outcome = forwarder.forward(units(), _FOREVER)
    finally:
        forwarder.close()
    click.echo(json.dumps(outcome.tally.summary()))
    _complain(missing)
    if missing:
        return 2
    return 0 if outcome.safe and not outcome.tally.refused else 1


@contextlib.contextmanager
def _progress(names: tuple[str, ...]) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal, nothing in a pipe."""
    if len(names) < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=len(names), label="forwarding", file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def _complain(missing: list[InputError]) -> None:
    for error in missing:
        click.echo(f"stepscope: {error}", err=True)
