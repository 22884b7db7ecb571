"""Discovery: which functions, state machines and activities a team's own templates describe."""

from monitoring.discovery.found import Activity, Found, LambdaFunction, StateMachine
from monitoring.discovery.source import discover

__all__ = ["Activity", "Found", "LambdaFunction", "StateMachine", "discover"]
