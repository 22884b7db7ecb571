"""Pages over the embedded Datadog: dashboards, monitors, executions and metrics in the browser."""

from monitoring.pages.routes import page_routes

__all__ = ["page_routes"]
