"""The embedded Datadog as a service of its own: intake, API and pages, with monitors that are evaluated and
tell.
"""

from monitoring.serve.run import ServeOptions, Stop, run
from monitoring.serve.watch import Watch

__all__ = ["ServeOptions", "Stop", "Watch", "run"]
