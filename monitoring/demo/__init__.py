"""The demo: the example pipeline on the embedded AWS, its telemetry in the embedded Datadog, and the books
balanced.
"""
