"""What AWS writes: Lambda's platform lines, Step Functions' log and status events, EMF, read into
telemetry."""
