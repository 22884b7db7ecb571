"""`stepscope replay`: exported logs of any age into Parquet, or to Datadog, each object once."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from monitoring.cli.output import echo_document, live
from monitoring.terminal import echo


@click.command()
@click.argument("source")
@click.option(
    "--to",
    "target",
    type=click.Choice(["parquet", "datadog", "local"]),
    default="parquet",
    show_default=True,
    help="Parquet files, Datadog's site, or an embedded Datadog (DD_URL).",
)
@click.option(
    "--out", default="replay", show_default=True, metavar="DIR", help="Parquet files and checkpoints."
)
@click.option("--group", default="", metavar="NAME", help="The log group that plain lines come from.")
@click.option("--workers", default=os.cpu_count() or 2, type=click.IntRange(1), help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="The result, as one JSON document.")
def command(source: str, target: str, out: str, group: str, workers: int, *, as_json: bool) -> int:
    """Read exported logs below a folder or s3://BUCKET/PREFIX with the forwarder's own code, each once.

    What was read is noted in DIR: a run that is broken off goes on, and a second run adds nothing. Datadog
    ignores points that are more than an hour old unless the metric keeps historical ones; Parquet keeps all.
    Ends with 1 where an object could not be read or delivered.
    """
    from monitoring.replay.run import ReplayOptions, replay

    environment = dict(os.environ)
    if target == "local":
        environment.setdefault("DD_URL", "http://127.0.0.1:8126")
    options = ReplayOptions(source, Path(out), target != "parquet", group, workers, environment)
    with _progress(shown=live(sys.stderr) and not as_json) as advance:
        result = replay(options, advance)
    if as_json:
        report = {
            "totals": result.totals,
            "read": result.read,
            "known": result.known,
            "failed": result.failed,
        }
        echo_document(report)
    else:
        totals = ", ".join(f"{value:,} {name}" for name, value in result.totals.items())
        echo(f"{totals}; {result.read} folders read, {result.known} known from an earlier run")
        for name, reason in result.failed.items():
            echo(f"stepscope: {name}: {reason}", err=True)
    return 1 if result.failed or result.totals.get("refused") else 0


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar of bytes, or nothing."""
    if not shown:
        yield lambda _done, _size: None
        return
    with click.progressbar(length=1, label="replaying", file=sys.stderr) as bar:

        def advance(done: int, size: int) -> None:
            bar.length = max(size, 1)
            bar.update(done)

        yield advance
