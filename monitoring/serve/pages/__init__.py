"""Pages over the embedded Datadog: dashboards, monitors, executions and metrics in the browser."""

from monitoring.serve.pages.routes import page_routes

__all__ = ["page_routes"]
