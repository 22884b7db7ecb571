"""Parse the logs of AWS to telemetry: Lambda's platform lines, Step Functions' log and status events, EMF."""
