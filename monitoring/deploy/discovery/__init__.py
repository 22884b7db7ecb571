"""Discovery: which functions and state machines a team's own templates describe."""

from monitoring.deploy.discovery.found import Found, Function, StateMachine
from monitoring.deploy.discovery.source import discover

__all__ = ["Found", "Function", "StateMachine", "discover"]
