"""`stepscope backtest`: what a monitor would have done over stored history."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import echo_document, live
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.query import MonitorQuery
    from monitoring.query.series import Series
    from monitoring.query.sources import Source
    from monitoring.testing.project import Folder

    _History = tuple[list[Series] | Source, list[InputError], tuple[float, float]]


@click.command("backtest")
@click.argument("monitor")
@click.option(
    "--data",
    "data",
    required=True,
    metavar="FILE",
    help="A data file, a database, or a replay's folder or s3:// prefix.",
)
@click.option("--fetch", is_flag=True, help="Ask Datadog for the history first, into the database --data.")
@click.option(
    "--from", "start", metavar="T", help="Epoch seconds, ISO 8601, or -30d. Default: the first point."
)
@click.option("--to", "end", metavar="T", help="Likewise; `now` too. Default: the last point.")
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="Compare: critical=5,warning=3. Repeat it."
)
@click.option(
    "--stand-in", "stand_ins", multiple=True, metavar="FUNCTION=NAME", help="For anomalies or forecast."
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Decide a rule that Datadog's pages leave open; an unknown NAME lists them.",
)
@click.option("--env", default="", metavar="NAME", help="The environment of stepscope.toml for ${var:…}.")
@click.option("--json", "as_data", is_flag=True, help="Totals and every episode, as one JSON document.")
def command(
    monitor: str,
    data: str,
    fetch: bool,
    start: str | None,
    end: str | None,
    sets: tuple[str, ...],
    stand_ins: tuple[str, ...],
    switches: tuple[str, ...],
    env: str,
    as_data: bool,
) -> int:
    """Replay MONITOR (its key in monitors/, or its file) over the history in --data.

    \b
    stepscope backtest executions-failed --data points.parquet --set critical=1 --set critical=5
    """
    from monitoring.monitor.evaluation import Data
    from monitoring.query import parse_monitor
    from monitoring.testing.backtest import Variant, backtest, variant_of
    from monitoring.testing.backtest_report import as_json, episodes, table

    folder, body = _monitor(monitor, env)
    node = parse_monitor(body["query"])
    if fetch:
        now = time.time()
        _fetch(node, data, *_bounds(start, end, (now - 30 * 86400, now)))
    variants = [Variant("as it is", body), *(variant_of(body, change) for change in sets)]
    with ExitStack() as stack:
        points, problems, span = _history(data, _metrics(body, folder), stack)
        begin, finish = _bounds(start, end, span)
        choices = (_pairs(stand_ins), _pairs(switches), folder)
        outcomes = list(backtest(variants, Data(points), begin, finish, *choices))
    for problem in problems[:20]:
        echo(f"stepscope: {problem}", err=True)
    if as_data:
        echo_document({"variants": as_json(outcomes)})
    else:
        echo("\n".join([*table(outcomes), "", *episodes(outcomes[0])]).rstrip())
    return 1 if problems else 0


def _monitor(monitor: str, env: str) -> "tuple[Folder, dict[str, Any]]":
    """Return the folder of a monitor, by key or by path, and its API body."""
    from monitoring.testing.project import Folder

    path = Path(monitor)
    folder = Folder(path.parent if path.suffix == ".json" else Path("monitors"), env)
    key = path.stem if path.suffix == ".json" else monitor
    body = {**folder.body(key), "name": key}
    if not isinstance(body.get("query"), str):
        raise InputError("not a monitor: it has no query", where=str(folder.path / f"{key}.json"))
    return folder, body


def _metrics(body: dict[str, Any], folder: "Folder") -> list[str]:
    """Return the metrics that a monitor looks at; those of its SLO where it is an SLO alert."""
    from monitoring.monitor.definition import Monitor
    from monitoring.monitor.evaluation import Setting
    from monitoring.testing.objectives import Objectives
    from monitoring.testing.references import metrics_of

    monitor = Monitor.from_body(body)
    names = sorted({*metrics_of(monitor), *Objectives(folder, Setting()).metrics([monitor])})
    if not names:
        hint = "logs, events and checks are not replayed"
        if monitor.type == "slo alert":
            hint = "put its SLO into slos/KEY.json: name it ${slo:KEY}, and monitors of it ${monitor:KEY}"
        raise InputError("the monitor looks at no metric", where=str(body["name"]), hint=hint)
    return names


def _history(data: str, names: list[str], stack: ExitStack) -> "_History":
    """Return the points of these metrics, what of the data cannot be used, and the first and last time."""
    if data.startswith("s3://") or Path(data).is_dir():
        from monitoring.store.parquet_source import ParquetSource, open_partitions

        files = open_partitions(data)
        if files is not None:
            stack.enter_context(closing(files))
            first, last = files.span(names)
            return ParquetSource(files), [], (first, last + 60)
    series, problems = _series(data, names)
    first = min(int(entry.times[0]) for entry in series)
    last = max(int(entry.times[-1]) for entry in series)
    return series, problems, (first, last + 60)


def _series(data: str, names: list[str]) -> "tuple[list[Series], list[InputError]]":
    """Return the series of these metrics, held in memory, and what of the data cannot be used."""
    from monitoring.query.datafile import is_database, load
    from monitoring.query.errors import nearest

    if is_database(data):
        from monitoring.store import Store

        with Store.open(data, read_only=True) as store:
            known = [entry.name for entry in store.metrics()]
            series = [entry for name in names for entry in store.series(name)]
        problems: list[InputError] = []
    else:
        loaded = load(data, names)
        known = sorted({entry.metric for entry in loaded.series})
        series, problems = [entry for entry in loaded.series if entry.metric in names], loaded.problems
    series = [entry for entry in series if len(entry.times)]
    if not series:
        near = nearest(names[0], known)
        hint = f"did you mean {near}?" if near else f"it has {', '.join(known[:8]) or 'nothing'}"
        raise InputError(f"the data has no points of {', '.join(names)}", where=data, hint=hint)
    return series, problems


def _bounds(start: str | None, end: str | None, span: tuple[float, float]) -> tuple[int, int]:
    """Return the requested time range in whole minutes; what is not given is that of the span."""
    from monitoring.query.times import moment

    now = time.time()
    first, last = span
    begin = int(moment(start, now, "--from")) if start else int(first)
    finish = int(moment(end, now, "--to")) if end else int(last)
    if begin >= finish:
        raise InputError("the span ends before it starts", where="--from, --to")
    return begin // 60 * 60, finish // 60 * 60


def _fetch(node: "MonitorQuery", data: str, start: int, end: int) -> None:
    """Fetch the history into the database, which may be new."""
    from monitoring.deploy.session import connect
    from monitoring.store import Store
    from monitoring.testing.backtest_fetch import fetch, queries

    queries(node)  # what cannot be fetched is said before a database is made
    client = connect(os.environ)
    with Store.open(data) as store:
        for series in fetch(client, node, start, end, _progress()):
            if series:
                store.add_points(series)


def _progress() -> Any:
    """Show a progress line on a terminal, nothing in a pipe."""

    def show(done: int, total: int) -> None:
        if live(sys.stderr):
            filled = 30 * done // max(1, total)
            text = f"\r[{'=' * filled}{' ' * (30 - filled)}] {done}/{total} answers"
            sys.stderr.write("\r\x1b[K" if done == total else text)
            sys.stderr.flush()

    return show


def _pairs(texts: tuple[str, ...]) -> Mapping[str, Any]:
    """Parse NAME=VALUE, with numbers and booleans."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is not of the form NAME=VALUE")
        words = {"true": True, "false": False}
        values[name] = words[value] if value in words else int(value) if value.isdigit() else value
    return values
