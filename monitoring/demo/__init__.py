"""The demo: the example pipeline on the embedded AWS, its telemetry in the embedded Datadog, and the books
balanced.
"""

from monitoring.demo.result import Result
from monitoring.demo.run import Options, run_demo

__all__ = ["Options", "Result", "run_demo"]
