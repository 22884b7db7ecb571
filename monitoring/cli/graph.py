"""`stepscope graph`: a state machine as a picture or as text, with what executions did on it."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import echo_document
from monitoring.errors import InputError, writing
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.graph import Look, StateGraph
    from monitoring.preview.theme import Theme

Machine = tuple[str, str, dict[str, Any]]
"""Logical id or file, name, definition."""
FORMATS = (".svg", ".png")


@click.command("graph")
@click.argument("machine", metavar="FILE|MACHINE")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="TEMPLATE",
    help="Where MACHINE is looked for by its name or logical id.  [default: this folder]",
)
@click.option("--machine", "chosen", default="", metavar="NAME", help="Which one, where FILE has several.")
@click.option("--execution", metavar="NAME", help="Draw what this execution did; its name, or its beginning.")
@click.option(
    "--all", "every", is_flag=True, help="Draw the figures of every execution of the machine in --data."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="PATH",
    help="Where executions are: a database, a history, log events, or a folder with one.",
)
@click.option(
    "--last",
    metavar="DURATION",
    help="With --all: only executions of this time (30m, 24h, 7d) up to the newest one.",
)
@click.option(
    "--against",
    metavar="NAME",
    help="What differs: from another execution with --execution; with --last, `before`: the time before it.",
)
@click.option("--cost", is_flag=True, help="With --all: what each state costs a million executions.")
@click.option(
    "--drill",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The faults of each state and who notices: what `stepscope drill --from … --json` printed.",
)
@click.option(
    "--diff",
    "before",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Mark what was added, removed and changed since this definition.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a picture: .svg, or .png.  [default: text on the terminal]",
)
@click.option(
    "--theme", type=click.Choice(["light", "dark", "both"]), default="both", help="Colours of the picture."
)
@click.option("--json", "as_json", is_flag=True, help="States and edges, as one JSON document.")
def command(
    machine: str,
    source: Path,
    chosen: str,
    before: Path | None,
    out: Path | None,
    theme: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Draw a state machine: its states, and how one leads to another.

    FILE is a definition in Amazon States Language, or a template; MACHINE is looked for in the template of
    this folder. With --execution or --all, the path taken, retries, durations and failures are on it; of an
    execution also its critical path, and how long each state took compared with the last 50 executions.

    Ends with status 1 where the definition names a state that is not there.

    \b
    stepscope graph order.asl.json
    stepscope graph template.yaml --machine Orders --out orders.svg
    stepscope graph order.asl.json --execution order-17 --data run --out order-17.png
    stepscope graph order.asl.json --all --data run --last 24h --against before
    """
    from monitoring.cli.graph_data import GraphOptions, look_of
    from monitoring.graph import as_text, difference, read_graph
    from monitoring.graph.difference import merged

    if out is not None and out.suffix not in FORMATS:
        raise InputError(
            f"the format of {out.name} is not known", hint=f"end its name in {' or '.join(FORMATS)}"
        )
    label, name, definition = _machine(machine, source, chosen)
    graph, changes = read_graph(definition), {}
    if not graph.nodes:
        raise InputError("has no states", where=machine if Path(machine).exists() else label)
    if before is not None:
        older = _machine(str(before), source, chosen)[2]
        graph, changes = merged(older, definition), difference(older, definition).marks()
    drawn = look_of(GraphOptions(**options), label, name, graph)
    look = replace(drawn.look, theme=_theme(theme), changes=changes)
    if as_json:
        echo_document(_as_data(name, graph, look))
    if out is not None:
        _draw(graph, out, look)
    elif not as_json:
        echo(as_text(graph, look.figures, changes, look.notes), nl=False)
    missing = list(graph.missing())
    for sentence in (*drawn.sentences, *missing):
        echo(sentence, err=True)
    return 1 if missing else 0


def _machine(text: str, source: Path, chosen: str) -> Machine:
    """Return the machine that a file, or a name in the template, means.

    Raises:
        InputError: there is none, or several and none is chosen.
    """
    path = Path(text)
    if path.exists():
        machines = list(_in_file(path))
        wanted = chosen
    elif path.suffix in {".json", ".yaml", ".yml"}:
        raise InputError("there is no such file", where=text)
    else:
        machines = list(_in_file(source))
        wanted = text
    if wanted:
        machines = [entry for entry in machines if wanted in entry[:2]]
    where = str(path if path.exists() else source)
    if not machines:
        message = f"there is no state machine {wanted}" if wanted else "there is no state machine"
        known = ", ".join(entry[0] for entry in _in_file(path if path.exists() else source))
        raise InputError(message, where=where, hint=f"There are: {known}." if known else "")
    if len(machines) > 1:
        names = ", ".join(entry[0] for entry in machines)
        raise InputError(
            f"there are several state machines: {names}", where=where, hint="Choose: --machine NAME."
        )
    return machines[0]


def _in_file(path: Path) -> Iterator[Machine]:
    from monitoring.discovery.machines import definitions_of

    yield from definitions_of(path)


def _theme(name: str) -> "Theme | None":
    from monitoring.preview.theme import DARK, LIGHT

    return {"light": LIGHT, "dark": DARK, "both": None}[name]


def _draw(graph: "StateGraph", out: Path, look: "Look") -> None:
    from monitoring.graph import as_svg
    from monitoring.preview.picture import as_png
    from monitoring.preview.theme import LIGHT

    if out.suffix == ".png":
        picture = as_png(as_svg(graph, replace(look, theme=look.theme or LIGHT)), 2.0)
    else:
        picture = as_svg(graph, look).encode()
    with writing(out):
        out.write_bytes(picture)


def _as_data(name: str, graph: "StateGraph", look: "Look") -> dict[str, Any]:
    figures = look.figures
    states = []
    for node in graph.walk():
        row: dict[str, Any] = {"name": node.name, "type": node.type, "detail": node.detail, "ends": node.ends}
        figure = figures.states.get(node.name) if figures else None
        if figures is not None:
            row["figures"] = None if figure is None else {**asdict(figure), "status": figure.status}
        if look.changes:
            row["change"] = look.changes.get(node.name, "")
        if look.notes:
            row["notes"] = [note._asdict() for note in look.notes.get(node.name, ())]
        if look.critical:
            row["critical"] = node.name in look.critical
        states.append(row)
    return {
        "machine": name,
        "start": graph.start,
        "states": states,
        "edges": [asdict(edge) for edge in graph.all_edges()],
        "missing": list(graph.missing()),
    }
