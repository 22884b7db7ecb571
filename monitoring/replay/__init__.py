"""Replay: exported logs, read by the forwarder's own code, into Parquet or to Datadog, each object once."""
