"""`stepscope forward`: the forwarder over files or standard input, to Datadog, to the local one, or as
JSON."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from monitoring.cli.failure import print_error
from monitoring.cli.output import live
from monitoring.errors import InputError
from monitoring.terminal import echo, printable

if TYPE_CHECKING:
    from monitoring.forwarder.inputs import Inputs
    from monitoring.forwarder.pieces import Piece, Unit
    from monitoring.forwarder.settings import ForwarderSettings
    from monitoring.log_events.telemetry import Telemetry

_FOREVER = 10**7  # seconds: a command has no time-out
_LOCAL = re.compile(r"https?://(?:localhost|127(?:\.\d+){3}|\[::1\])(?:[:/]|\Z)")
_NOTES = 20  # sentences about the files


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="What the lines are, as JSON Lines; nothing is sent.")
@click.option("--group", default="", metavar="NAME", help="The log group that plain lines come from.")
@click.option("--redrive", is_flag=True, help="Send what the spool holds, before the files.")
def command(files: tuple[str, ...], as_json: bool, group: str, redrive: bool) -> int:
    """Forward files: AWS events, what `aws logs` prints, exports, plain lines; compressed or not.

    Without a FILE, or for `-`, standard input is read. The environment says where it goes: DD_URL or
    DD_SITE, DD_API_KEY; where DD_URL is on this machine, Step Functions events are logs as well. Ends with
    1 where something was refused or could not be delivered.
    """
    from monitoring.forwarder.addresses import check_site
    from monitoring.forwarder.settings import ForwarderSettings

    settings = ForwarderSettings.from_env({**_local_defaults(os.environ), **os.environ})
    if not as_json and not settings.url:
        check_site(settings.site)
    if as_json and redrive:
        raise click.UsageError("--json sends nothing, and --redrive only sends")
    names = files or (() if redrive else ("-",))
    source = _Files(names, group)
    status = _print(settings, source) if as_json else _send(settings, source, redrive)
    for error in source.errors:
        if as_json:
            print_error(error)
        echo(f"stepscope: {error}", err=True)
    for text in source.notes:
        echo(f"stepscope: {text}", err=True)
    return 2 if source.unreadable else status


def _local_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what is set unless the environment says otherwise where DD_URL is on this machine.

    There, Step Functions events are logs too: they cost nothing, and the pages show from them which
    executions run, and in which state.
    """
    local = _LOCAL.match(environment.get("DD_URL", "").strip())
    return {"MONITORING_LOG_PLATFORM": "true"} if local else {}


class _Files:
    """The files of the command line, and the sentences about them that are printed at the end."""

    def __init__(self, names: tuple[str, ...], group: str) -> None:
        self.names, self._group = names, group
        self.errors: list[InputError] = []
        self.notes: dict[str, None] = {}
        self.unreadable = False

    def units(self, inputs: "Inputs", advance: Callable[[int], None] = lambda _: None) -> Iterator["Unit"]:
        """Yield the units of the files that can be opened; the others cost only themselves."""
        from monitoring.forwarder.files import file_unit

        for name in self.names:
            try:
                unit = file_unit(name, inputs, self._group, advance)
            except InputError as error:
                self.errors.append(error)
                self.unreadable = True
            else:
                yield unit._replace(pieces=self._noted(unit.pieces))

    def size(self) -> int:
        """Return the bytes of the files, or 0 if one of them is a pipe."""
        names = [name for name in self.names if name == "-" or os.path.exists(name)]
        return sum(map(os.path.getsize, names)) if all(map(os.path.isfile, names)) else 0

    def _noted(self, pieces: Iterator["Piece"]) -> Iterator["Piece"]:
        from monitoring.forwarder.pieces import Refusal, Skipped

        for piece in pieces:
            if isinstance(piece, (Refusal, Skipped)) and len(self.notes) < _NOTES:
                self.notes[f"{piece.where}: {piece.reason}"] = None
            self.unreadable |= isinstance(piece, Refusal) and piece.whole
            yield piece


def _print(settings: "ForwarderSettings", files: _Files) -> int:
    from monitoring.forwarder import aws
    from monitoring.forwarder.inputs import Inputs
    from monitoring.forwarder.reading import PieceReader
    from monitoring.forwarder.resource_tags import ResourceTags
    from monitoring.forwarder.stats import Tally

    reader = PieceReader(
        settings, os.environ.get("AWS_REGION", ""), ResourceTags(settings, aws.client), log_refusals=False
    )
    tally = Tally()
    for unit in files.units(Inputs(aws.client)):
        reader.begin_unit(unit.identity)
        for piece in unit.pieces:
            _print_telemetry(reader.read(piece, tally))
    return 1 if tally.refused else 0


def _print_telemetry(telemetry: "Telemetry") -> None:
    import msgspec

    rows: list[dict[str, object]] = [{"point": point._asdict()} for point in telemetry.points]
    rows += [{"span": msgspec.to_builtins(span)} for span in telemetry.spans]
    rows += [{"log": entry.body()} for entry in telemetry.logs]
    rows += [
        {
            "refused": {
                "reason": refusal.reason,
                "path": refusal.where,
                "line": refusal.line,
                "column": refusal.column,
                "text": refusal.text,
            }
        }
        for refusal in telemetry.refused
    ]
    for row in rows:
        sys.stdout.write(printable(json.dumps(row, ensure_ascii=False)) + "\n")


def _send(settings: "ForwarderSettings", files: _Files, redrive: bool) -> int:
    from monitoring.forwarder.forwarder import Forwarder, World
    from monitoring.forwarder.inputs import Inputs
    from monitoring.forwarder.pieces import Redrive, Unit

    world = World()

    def units() -> Iterator[Unit]:
        if redrive:
            yield Unit("redrive", iter([Redrive()]))
        with _progress(files.size()) as advance:
            yield from files.units(Inputs(world.clients), advance)

    forwarder = Forwarder(settings, os.environ.get("AWS_REGION", ""), world)
    try:
        outcome = forwarder.forward(units(), _FOREVER)
    finally:
        forwarder.close()
    echo(json.dumps(outcome.tally.summary()))
    return 0 if outcome.safe and not outcome.tally.refused else 1


@contextlib.contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of bytes on a terminal, nothing in a pipe."""
    if not size or not live(sys.stderr):
        yield lambda _: None
        return
    with click.progressbar(length=size, label="forwarding", file=sys.stderr) as bar:
        yield bar.update
