"""The embedded Datadog as a service of its own: intake, API and pages, with monitors that are evaluated and
tell.
"""

from monitoring.serve.run import Options, Stop, run
from monitoring.serve.watch import Watch

__all__ = ["Options", "Stop", "Watch", "run"]
