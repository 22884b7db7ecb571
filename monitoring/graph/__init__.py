"""State machines as pictures: any definition in Amazon States Language, with an execution's path on it."""

from monitoring.graph.definition import Edge, Node, StateGraph, read_graph
from monitoring.graph.difference import difference
from monitoring.graph.figures import StateFigure, figures_of
from monitoring.graph.observed import observed_graph
from monitoring.graph.picture import Look, as_svg
from monitoring.graph.text import as_text

__all__ = [
    "Edge",
    "Look",
    "Node",
    "StateFigure",
    "StateGraph",
    "as_svg",
    "as_text",
    "difference",
    "figures_of",
    "observed_graph",
    "read_graph",
]
