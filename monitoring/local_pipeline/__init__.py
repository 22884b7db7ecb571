"""Run an application on the local AWS, with its telemetry in the local Datadog."""

from monitoring.local_pipeline.execution import ExecutionResult, run_execution
from monitoring.local_pipeline.pipeline import Pipeline, PipelineOptions, start_pipeline

__all__ = ["ExecutionResult", "Pipeline", "PipelineOptions", "run_execution", "start_pipeline"]
