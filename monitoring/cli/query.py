"""`stepscope query`: evaluates a query over a data file or the embedded database."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import plain
from monitoring.errors import InputError
from monitoring.terminal import echo, table

if TYPE_CHECKING:
    from monitoring.query import Answer, Source, Switches

_COLUMNS = 5
"""The largest number of series in a common table; more are printed separately."""


@click.command("query")
@click.argument("query")
@click.option(
    "--data",
    default="",
    metavar="FILE",
    help="A v1 series body, JSON lines, CSV, Parquet, a database, or a replay's folder or s3:// prefix.",
)
@click.option("--url", default="", metavar="URL", help="Ask a running `stepscope serve` instead.")
@click.option(
    "--from",
    "start",
    metavar="T",
    help="Epoch seconds, ISO 8601, or -1h. Default: the first point (--url: -1h).",
)
@click.option("--to", "end", metavar="T", help="Likewise; `now` too. Default: the last point.")
@click.option("--interval", type=click.IntRange(min=1), metavar="S", help="Seconds of a bucket.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="What $NAME stands for.")
@click.option("--let", "queries", multiple=True, metavar="NAME=QUERY", help="A query that a formula names.")
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Decide a rule that Datadog's pages leave open; an unknown NAME lists them.",
)
@click.option("--json", "as_json", is_flag=True, help="What /api/v1/query answers, as one JSON document.")
@click.option("--plot/--no-plot", default=None, help="A plot of all lines (on a terminal by default).")
def command(
    query: str,
    data: str,
    url: str,
    start: str | None,
    end: str | None,
    interval: int | None,
    variables: tuple[str, ...],
    queries: tuple[str, ...],
    switches: tuple[str, ...],
    as_json: bool,
    plot: bool | None,
) -> int:
    """Evaluate QUERY over the points of a file, or of a running `stepscope serve`.

    \b
    stepscope query 'sum:slides.identified{*} by {talk}.as_count()' --data points.json --from -1h --to now
    stepscope query 'sum:slides.identified{*}.as_count()' --url http://127.0.0.1:8126
    """
    if bool(url) == bool(data):
        raise InputError("one of --data and --url is needed", hint="Give --data FILE, or --url URL.")
    if url and (interval or variables or queries or switches):
        raise InputError(
            "--interval, --var, --let and --switch need --data", hint="Leave them out with --url."
        )
    from monitoring.query import evaluate, parse
    from monitoring.query.decided import decisions
    from monitoring.query.times import moment

    node, now = parse(query), time.time()
    drawn = sys.stdout.isatty() if plot is None else plot
    if url:
        begin, finish = moment(start or "-1h", now, "--from"), moment(end or "now", now, "--to")
        _show(query, begin, finish, _answered(url, query, begin, finish), as_json, drawn)
        return 0
    with ExitStack() as stack:
        source, problems, span, metrics = _source(data, stack, _asked(query, queries))
        begin = moment(start, now, "--from") if start else span()[0]
        finish = moment(end, now, "--to") if end else max(span()[1], begin + 1)
        chosen = _switches(switches)

        def evaluated(other: "Switches") -> "list[Answer]":
            text = node if "\n" in query else query
            named, values = _pairs(queries, "--let"), _pairs(variables, "--var")
            return evaluate(
                text, source, begin, finish, interval, switches=other, queries=named, variables=values
            )

        answers = evaluated(chosen)
        decided = decisions(node, answers, chosen, evaluated)
        missing = [] if answers else _missing(node, metrics())
    for hint in (*missing, *decided):
        echo(f"stepscope: {hint}", err=True)
    for problem in problems[:20]:
        echo(f"stepscope: {problem}", err=True)
    if len(problems) > 20:
        echo(f"stepscope: and {len(problems) - 20} more that cannot be used", err=True)
    _show(query, begin, finish, answers, as_json, drawn)
    return 1 if problems else 0


def _show(
    query: str, begin: float, finish: float, answers: "Sequence[Answer]", as_json: bool, drawn: bool
) -> None:
    from monitoring.query import body

    if as_json:
        echo(json.dumps(body(query, begin, finish, answers)))
    else:
        _print(answers, begin, finish, drawn)


def _answered(url: str, query: str, begin: float, finish: float) -> "list[Answer]":
    """Return what a running server answers.

    Raises:
        InputError: there is none, or it refuses the query.
    """
    import numpy as np

    from monitoring.cli.deploying import environment
    from monitoring.deploy.session import connect
    from monitoring.query import Answer

    answers = []
    for line in connect(environment(url)).points(query, int(begin), int(finish)):
        points = [(at, value) for at, value in line.get("pointlist") or () if value is not None]
        answers.append(
            Answer(
                metric=str(line.get("metric") or ""),
                expression=str(line.get("expression") or query),
                scope=str(line.get("scope") or ""),
                tag_set=tuple(line.get("tag_set") or ()),
                times=np.array([at // 1000 for at, _ in points], dtype=np.int64),
                values=np.array([value for _, value in points], dtype=np.float64),
                interval=int(line.get("interval") or 1),
                aggregator=line.get("aggr"),
                query_index=int(line.get("query_index") or 0),
                group_by=tuple(tag.partition(":")[0] for tag in line.get("tag_set") or ()),
            )
        )
    return answers


_Data = tuple["Source", list[InputError], Callable[[], tuple[float, float]], Callable[[], list[str]]]


def _source(data: str, stack: ExitStack, asked: Sequence[str] = ()) -> "_Data":
    """Return the points, what of them cannot be used, and functions for their times and metrics."""
    from monitoring.query.datafile import is_database, load, span_of

    if data.startswith("s3://") or Path(data).is_dir():
        from monitoring.store.parquet_source import ParquetSource, open_partitions

        files = open_partitions(data)
        if files is not None:
            stack.enter_context(closing(files))
            return ParquetSource(files), [], lambda: files.span(asked), files.metrics
    if not is_database(data):
        from monitoring.query import SeriesSource

        loaded = load(data, asked)
        names = sorted({series.metric for series in loaded.series})
        return SeriesSource(loaded.series), loaded.problems, lambda: span_of(loaded.series), lambda: names
    from monitoring.store import Store
    from monitoring.store.query_source import StoreSource

    store = stack.enter_context(Store.open(data, read_only=True))

    def span() -> tuple[float, float]:
        with store.reading() as cursor:
            first, last = cursor.execute(
                "SELECT min(time), max(time)"
                " FROM (SELECT time FROM points UNION ALL SELECT time FROM samples)"
            ).fetchall()[0]
        if first is None:
            raise InputError("the database holds no points", where=data)
        return first, last

    return StoreSource(store), [], span, lambda: [series.name for series in store.metrics()]


def _asked(query: str, queries: Sequence[str]) -> list[str]:
    """Return the metrics in the queries; [] if one of them cannot be parsed separately."""
    from monitoring.query import Metric, parse, walk

    names: set[str] = set()
    for text in (*query.splitlines(), *(part.partition("=")[2] for part in queries)):
        try:
            names |= {node.name for node in walk(parse(text)) if isinstance(node, Metric)}
        except InputError:
            return []
    return sorted(names)


def _missing(node: Any, known: Sequence[str]) -> list[str]:
    """Return the message about metrics that the data does not have."""
    from monitoring.query import Metric, walk
    from monitoring.query.errors import nearest

    hints = []
    for part in walk(node):
        if isinstance(part, Metric) and part.name not in known:
            near = nearest(part.name, known)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(known[:8])}"
            hints.append(f"the data has no metric {part.name}: {hint}")
    return hints


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Parse NAME=VALUE to a dictionary; a leading $ of a name is ignored."""
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"'{text}' is not of the form NAME=VALUE", where=option)
        pairs[name.removeprefix("$")] = value
    return pairs


def _switches(texts: Sequence[str]) -> Any:
    from dataclasses import fields, replace

    from monitoring.query import Switches
    from monitoring.query.errors import nearest
    from monitoring.query.switches import choices

    switches, known = Switches(), [switch.name for switch in fields(Switches)]
    for name, value in _pairs(texts, "--switch").items():
        if name not in known:
            near = nearest(name, known)
            raise InputError(
                f"there is no switch '{name}'", where="--switch", hint=near and f"Did you mean {near}?"
            )
        switches = replace(switches, **{name: choices(name, value)})
    return switches


# --- for people


def _print(answers: "Sequence[Answer]", start: float, end: float, drawn: bool) -> None:
    if not answers:
        echo(f"no points between {_clock(start)} and {_clock(end)}")
        return
    if drawn:
        _plot(answers, start, end)
    if len(answers) <= _COLUMNS:
        if drawn:
            _heading(answers)
        _table(answers)
        return
    for answer in answers:
        _heading([answer])
        _table([answer])


def _heading(answers: "Sequence[Answer]") -> None:
    for answer in answers:
        echo(f"{answer.expression}  (every {answer.interval} s, {len(answer.times)} points)")


def _plot(answers: "Sequence[Answer]", start: float, end: float) -> None:
    from monitoring.cli.plot import PlotLine, plot

    lines = [PlotLine(_name(answer, answers), *_with_gaps(answer)) for answer in answers]
    for line in plot(lines, start, end, colored=sys.stdout.isatty() and not plain()):
        echo(*line)
    echo("")


def _name(answer: "Answer", answers: "Sequence[Answer]") -> str:
    """Return the name of a series: its tags, and its expression if there are several."""
    tags = ",".join(answer.tag_set)
    several = len({other.query_index for other in answers}) > 1
    return answer.expression if several or not tags else tags


def _with_gaps(answer: "Answer") -> tuple[list[float], list[float]]:
    """Return times and values with NaN where points are missing for longer than usual."""
    times, values = answer.times.tolist(), answer.values.tolist()
    gaps = sorted(after - before for before, after in pairwise(times))
    usual = gaps[len(gaps) // 2] if gaps else answer.interval
    shown: tuple[list[float], list[float]] = ([], [])
    for moment_, value in zip(times, values, strict=True):
        if shown[0] and moment_ - shown[0][-1] > 3 * usual:
            shown[0].append(shown[0][-1] + usual)
            shown[1].append(float("nan"))
        shown[0].append(moment_)
        shown[1].append(value)
    return shown


def _table(answers: "Sequence[Answer]") -> None:
    """Print a row for each time and a column for each series; a dash where there is no value."""
    columns = [dict(zip(answer.times.tolist(), answer.values.tolist(), strict=True)) for answer in answers]
    rows = [("time (UTC)", *(",".join(answer.tag_set) or answer.metric for answer in answers))]
    for moment_ in sorted(set().union(*columns)):
        cells = (f"{column[moment_]:.6g}" if moment_ in column else "-" for column in columns)
        rows.append((_clock(moment_), *cells))
    for line in table(rows, right=range(1, len(columns) + 1)):
        echo(*line)


def _clock(moment_: float) -> str:
    return datetime.fromtimestamp(moment_, UTC).strftime("%Y-%m-%d %H:%M:%S")
