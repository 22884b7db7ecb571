"""The demo: the example pipeline on the embedded AWS, its telemetry in the embedded Datadog, and the books
balanced.
"""

from monitoring.demo.result import DemoResult
from monitoring.demo.run import DemoOptions, run_demo

__all__ = ["DemoOptions", "DemoResult", "run_demo"]
