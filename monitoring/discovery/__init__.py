"""Discovery: which functions, state machines and activities a team's own templates describe."""

from monitoring.discovery.found import Activity, DiscoveredResources, LambdaFunction, StateMachine
from monitoring.discovery.source import discover

__all__ = ["Activity", "DiscoveredResources", "LambdaFunction", "StateMachine", "discover"]
