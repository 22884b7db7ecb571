"""Metrics and traces of Lambda functions in Step Functions pipelines, printed as log lines."""

from monitoring.emit import count, gauge, histogram
from monitoring.handler import monitored
from monitoring.spans import span

__all__ = ["count", "gauge", "histogram", "monitored", "span"]
