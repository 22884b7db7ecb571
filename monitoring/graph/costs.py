"""Write what each state costs on the graph."""

from monitoring.advise.rules import step_data
from monitoring.advise.steps import Machine
from monitoring.cost.measured import Measurements
from monitoring.graph.notes import Note


def cost_notes(machine: Machine, figures: Measurements) -> dict[str, list[Note]]:
    """Return the cost of each state for a million executions in dollars, and its share of the machine's."""
    notes = {}
    for step in machine.steps.values():
        row = step_data(machine, step, figures)
        words = f"${row['usd_per_million']:,.2f} per million, {row['share_of_cost']:.0%} of the cost"
        notes[step.name] = [Note(words)]
    return notes
