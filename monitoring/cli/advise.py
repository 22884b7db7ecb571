"""`stepscope advise`: how much each step should do, from what many executions did."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import counted, echo_document
from monitoring.terminal import echo, fitted, room, table_row, wrapped

if TYPE_CHECKING:
    from monitoring.advise.steps import Machine
    from monitoring.cost.measured import Measurements

_HEAD = ("step", "entered", "mean ms", "time", "cold", "transit.", "waiting", "work", "cost", "memory")
_NUMBERS = range(1, 9)


@click.command("advise")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="PATH",
    help="A database, or a folder with datadog.duckdb.  [default: this folder]",
)
@click.option("--explain", is_flag=True, help="Say of each figure what it was made of.")
@click.option("--json", "as_json", is_flag=True, help="The steps and the advice, as one JSON document.")
def command(data: Path, explain: bool, as_json: bool) -> int:
    """Show what each step spends, and which to merge, split, make asynchronous, or give other memory.

    The time of a step is split into cold starts, transitions, waiting and work. Advice comes with the figures
    that it rests on, and with what they do not tell.

    \b
    stepscope demo --keep run
    stepscope advise --data run
    stepscope advise --data run --explain
    """
    from monitoring.advise.rules import advise
    from monitoring.advise.steps import read_machines

    machines, figures = read_machines(data)
    if as_json:
        rows = [_as_data(machine, figures) for machine in machines]
        echo_document({"machines": rows})
        return 0
    for machine in machines:
        _print_steps(machine, figures, explain=explain)
        for advice in advise(machine, figures):
            echo(f"\n{advice.action}: {', '.join(advice.steps)}")
            echo(f"  because {advice.evidence}.")
            echo(f"  {advice.effect}.")
            echo(f"  but {advice.limits}.")
    return 0


def _as_data(machine: "Machine", figures: "Measurements") -> dict[str, Any]:
    from monitoring.advise.rules import FEW, advise, step_data

    return {
        "name": machine.name,
        "executions": machine.executions,
        "few": machine.executions < FEW,
        "steps": [step_data(machine, step, figures) for step in machine.steps.values()],
        "advice": [advice.as_data() for advice in advise(machine, figures)],
    }


def _print_steps(machine: "Machine", figures: "Measurements", *, explain: bool) -> None:
    from monitoring.advise.rules import FEW, step_data

    few = f": few, shares will be others with more than {FEW}" if machine.executions < FEW else ""
    echo(f"{machine.name}, {counted(machine.executions, 'execution')}{few}")
    steps = sorted(machine.steps.values(), key=lambda step: -step.time)
    data = [step_data(machine, step, figures) for step in steps]
    rows = [
        (
            step.name,
            str(step.entered),
            f"{row['mean_ms']:.0f}",
            f"{row['share_of_time']:.0%}",
            *(f"{row[f'{part}_ms']:.0f}" for part in step.parts),
            f"{row['share_of_cost']:.0%}",
            f"{row['memory_used_mb']:.0f} of {row['memory_mb']} MB" if row["memory_used_mb"] else "",
        )
        for step, row in zip(steps, data, strict=True)
    ]
    widths = fitted([_HEAD, *rows], room())
    for line in table_row([(text, "bold") for text in _HEAD], widths, _NUMBERS):
        echo(*line)
    for step, row, cells in zip(steps, data, rows, strict=True):
        for line in table_row(cells, widths, _NUMBERS):
            echo(*line)
        for text in wrapped(_explained(step.name, row, machine), room() - 4) if explain else ():
            echo("    ", (text, "dim"))


def _explained(name: str, row: dict[str, Any], machine: "Machine") -> str:
    from monitoring.cost.prices import PRICES, READ_ON

    step = machine.steps[name]
    text = (
        f"{len(step.durations)} spans aws.stepfunctions.state, {step.time:.0f} of {machine.time:.0f} ms; "
        f"{row['usd_per_million']:.2f} $ for a million executions: {step.entered} transitions at "
        f"{PRICES['states.transitions'].usd} $ a thousand"
    )
    if step.functions:
        calls = ", ".join(f"{count} of {function}" for function, count in step.functions.items())
        text += (
            f", invocations ({calls}) at their mean billed duration and memory; work is the spans "
            "aws.lambda, cold the mean init_duration for each that was cold (at most what work leaves of the "
            "state), transition the rest"
        )
    return f"{text} (prices of {READ_ON})"
