"""Desired resources against those in Datadog: what to create, update, delete and leave."""

from monitoring.plan.differ import Change, Plan, Step, make_plan
from monitoring.plan.marker import Owner, read_marker, with_marker, without_marker
from monitoring.plan.normal import fingerprint, normalise
from monitoring.plan.references import Reference, order, references, resolve

__all__ = [
    "Change",
    "Owner",
    "Plan",
    "Reference",
    "Step",
    "fingerprint",
    "make_plan",
    "normalise",
    "order",
    "read_marker",
    "references",
    "resolve",
    "with_marker",
    "without_marker",
]
