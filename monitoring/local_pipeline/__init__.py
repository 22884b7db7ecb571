"""A user's own application on the embedded AWS, with its telemetry in the embedded Datadog."""

from monitoring.local_pipeline.execution import ExecutionResult, run_execution
from monitoring.local_pipeline.pipeline import Pipeline, PipelineOptions, start_pipeline

__all__ = ["ExecutionResult", "Pipeline", "PipelineOptions", "run_execution", "start_pipeline"]
