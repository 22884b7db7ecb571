"""The embedded Datadog: its HTTP API over a store, for demos, tests and dashboards without an account."""

from monitoring.local_datadog.app import Settings, create_app
from monitoring.local_datadog.guard import Access
from monitoring.local_datadog.server import LocalDatadog

__all__ = ["Access", "LocalDatadog", "Settings", "create_app"]
