"""`stepscope advise`: how much each step should do, from what many executions did."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import counted, echo_document

if TYPE_CHECKING:
    from monitoring.advise.steps import Machine
    from monitoring.cost.measured import Measurements


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
            click.echo(f"\n{advice.action}: {', '.join(advice.steps)}")
            click.echo(f"  because {advice.evidence}.")
            click.echo(f"  {advice.effect}.")
            click.echo(f"  but {advice.limits}.")
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
    click.echo(f"{machine.name}, {counted(machine.executions, 'execution')}{few}")
    click.echo(
        f"{'step':28}{'entered':>8}{'mean ms':>10}{'time':>6}{'cold':>9}{'transit.':>9}{'waiting':>9}"
        f"{'work':>9}{'cost':>6}  memory"
    )
    for step in sorted(machine.steps.values(), key=lambda step: -step.time):
        row = step_data(machine, step, figures)
        memory = f"{row['memory_used_mb']:.0f} of {row['memory_mb']} MB" if row["memory_used_mb"] else ""
        parts = "".join(f"{row[f'{part}_ms']:9.0f}" for part in step.parts)
        click.echo(
            f"{step.name[:27]:28}{step.entered:8}{row['mean_ms']:10.0f}{row['share_of_time']:6.0%}{parts}"
            f"{row['share_of_cost']:6.0%}  {memory}"
        )
        if explain:
            click.echo(f"    {_explained(step.name, row, machine)}")


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
