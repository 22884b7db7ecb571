"""Replay exported logs with the forwarder's code, into Parquet files or to Datadog, each object once."""
