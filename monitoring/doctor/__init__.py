"""Diagnose an account: check each step from a printed line to a point in Datadog, and report faults."""
