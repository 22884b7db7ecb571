"""Draw state machines: a definition in Amazon States Language as a graph, with figures of executions."""

from monitoring.graph.comparison import compared_with_last, difference_notes, slow_notes
from monitoring.graph.critical import critical_path
from monitoring.graph.definition import Edge, Node, StateGraph, read_graph
from monitoring.graph.difference import difference
from monitoring.graph.drilled import DrilledFault, drill_notes, drilled_faults, of_machine, read_report
from monitoring.graph.figures import StateFigure, figures_of
from monitoring.graph.notes import Note, Notes, joined
from monitoring.graph.observed import observed_graph
from monitoring.graph.picture import Look, as_svg
from monitoring.graph.text import as_text

__all__ = [
    "DrilledFault",
    "Edge",
    "Look",
    "Node",
    "Note",
    "Notes",
    "StateFigure",
    "StateGraph",
    "as_svg",
    "as_text",
    "compared_with_last",
    "critical_path",
    "difference",
    "difference_notes",
    "drill_notes",
    "drilled_faults",
    "figures_of",
    "joined",
    "observed_graph",
    "of_machine",
    "read_graph",
    "read_report",
    "slow_notes",
]
