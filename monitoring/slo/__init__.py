"""Evaluate service level objectives over time (SLI, error budget, history), without network or clock."""

from monitoring.slo.corrections import correction_intervals
from monitoring.slo.definition import Slo, Threshold
from monitoring.slo.evaluation import Inputs, evaluate_slo
from monitoring.slo.history import Part, SloHistory, budget_remaining, decimals, slo_state

__all__ = [
    "Inputs",
    "Part",
    "Slo",
    "SloHistory",
    "Threshold",
    "budget_remaining",
    "correction_intervals",
    "decimals",
    "evaluate_slo",
    "slo_state",
]
