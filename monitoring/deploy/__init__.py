"""Deploy dashboards, monitors, SLOs and downtimes as code, to any Datadog site or the embedded one."""
