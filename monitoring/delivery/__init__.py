"""Telemetry into requests that Datadog takes: batches within its limits, and what to do with each answer."""

from monitoring.delivery.batches import Batch, log_batches, metric_batches, trace_batches
from monitoring.delivery.retry import Answer, Step, decide

__all__ = ["Answer", "Batch", "Step", "decide", "log_batches", "metric_batches", "trace_batches"]
