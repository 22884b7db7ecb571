"""Discovery: read functions, state machines and other resources from a team's templates."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitoring.discovery.found import Activity, DiscoveredResources, LambdaFunction, StateMachine
    from monitoring.discovery.source import discover

_LATER = {
    "Activity": "found",
    "DiscoveredResources": "found",
    "LambdaFunction": "found",
    "StateMachine": "found",
    "discover": "source",
}
"""Name -> the module that holds it: loaded when asked for, so that lint without a template reads no YAML."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


__all__ = ["Activity", "DiscoveredResources", "LambdaFunction", "StateMachine", "discover"]
