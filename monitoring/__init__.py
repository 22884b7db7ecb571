"""Metrics and traces of Lambda functions in Step Functions pipelines, printed as log lines."""

from monitoring.emit import count, gauge, histogram
from monitoring.handler import monitored
from monitoring.spans import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from monitoring.claims import Broken, ClaimBroken
    from monitoring.propagation import inject_attributes, inject_headers, inject_payload
    from monitoring.timing import timer

__all__ = [
    "Broken",
    "ClaimBroken",
    "count",
    "gauge",
    "histogram",
    "inject_attributes",
    "inject_headers",
    "inject_payload",
    "monitored",
    "span",
    "timer",
]

_LATER = {
    "Broken": "claims",
    "ClaimBroken": "claims",
    "inject_attributes": "propagation",
    "inject_headers": "propagation",
    "inject_payload": "propagation",
    "timer": "timing",
}


def __getattr__(name: str) -> object:
    """What not every function uses is loaded when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'monitoring' has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"monitoring.{_LATER[name]}"), name)
    globals()[name] = found
    return found
