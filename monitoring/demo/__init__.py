"""The demo: run the example pipeline locally and compare printed telemetry with stored telemetry."""
