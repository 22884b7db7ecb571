"""Discovery: read functions, state machines and other resources from a team's templates."""

from monitoring.discovery.found import Activity, DiscoveredResources, LambdaFunction, StateMachine
from monitoring.discovery.source import discover

__all__ = ["Activity", "DiscoveredResources", "LambdaFunction", "StateMachine", "discover"]
