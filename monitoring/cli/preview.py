"""`stepscope preview`: dashboards as pictures, without an account and without a browser."""

from pathlib import Path

import click

from monitoring.cli.output import dumb, echo_document
from monitoring.cli.project_option import project_option
from monitoring.terminal import echo

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("dashboards", nargs=-1, type=click.Path(path_type=Path))
@project_option()
@click.option("--data", help="A database, a file of series, or a replay's folder or s3:// prefix")
@click.option("--sample", is_flag=True, help="Synthetic series that fit each metric")
@click.option("--from", "since", default="-1d", help="-4h, -1d, epoch seconds or ISO 8601 [-1d]")
@click.option("--to", "until", default="now", help="Likewise [now]")
@click.option("--out", default="previews", type=FOLDER, help="Where the files go [previews]")
@click.option("--format", "kind", type=click.Choice(["png", "svg", "html"]), default="png", help="[png]")
@click.option("--dark", is_flag=True, help="Dark colours (a page follows its reader)")
@click.option("--scale", default=1.0, type=click.FloatRange(0.1, 4), help="Pixels a unit, for PNG [1]")
@click.option("--diff", "older", type=click.Path(path_type=Path, exists=True), help="An older file or folder")
@click.option("--json", "as_json", is_flag=True, help="The files that were written, as one JSON document")
def command(
    dashboards: tuple[Path, ...],
    root: Path,
    data: str | None,
    sample: bool,
    since: str,
    until: str,
    out: Path,
    kind: str,
    dark: bool,
    scale: float,
    older: Path | None,
    as_json: bool,
) -> int:
    """Draw DASHBOARDS (files or folders), or all of dashboards/, as pictures or pages.

    Over --data, a database of `stepscope serve`, a file of series or a replay; without it, over synthetic
    series.
    With --diff, the older version is drawn beside each. A template, or a definition in Amazon States
    Language, is drawn as the graphs of its state machines; with --diff, the states that were added, removed
    and changed are marked. A widget that cannot be drawn because of a bug says
    so in its place, and the exit status is 1.
    """
    import time

    from rich.console import Console

    from monitoring.cli.preview_machines import draw_machines, machines_in
    from monitoring.preview.failures import REPORT
    from monitoring.preview.render import Files, Order, carry_out, load
    from monitoring.query.times import window

    span = window(since, until, time.time())
    machines = {path: definitions for path in dashboards if (definitions := machines_in(path))}
    boards = tuple(path for path in dashboards if path not in machines)
    files = load(boards, root) if boards or not machines else Files([], {}, {}, [])
    order = Order(None if sample else data, span, out, kind, dark, scale, older)
    screen = Console(stderr=True, force_terminal=False if dumb() else None)
    written = [str(path) for path in draw_machines(machines, older, out, kind, dark=dark, scale=scale)]
    for path in () if as_json else written:
        echo(f"wrote {path}")
    failed = False
    with screen.status("drawing"):  # silent where standard error is not a terminal
        for file in carry_out(order, files):
            written += [str(file.path)] * file.done
            if file.done and not as_json:
                echo(f"wrote {file.path}")
            for failure in file.failures:
                echo(f"stepscope: {file.path.name}: {failure}\n  {REPORT}", err=True)
            failed = failed or bool(file.failures)
    if as_json:
        problems = [problem.as_data() for problem in files.problems]
        echo_document({"files": [{"path": path} for path in written], "problems": problems})
    for problem in files.problems:
        echo(f"stepscope: {problem}", err=True)
    return 2 if files.problems else int(failed)
