"""Metrics and traces of Lambda functions in Step Functions pipelines, printed as log lines."""
