"""Deploy jobs: dashboards, monitors, SLOs and downtimes as code, on any Datadog site or the embedded one."""
