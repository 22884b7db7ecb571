"""`stepscope serve`: the embedded Datadog as a server, with intake, API, pages, and evaluated monitors."""

from monitoring.serve.run import ServeOptions, Stop, run
from monitoring.serve.watch import Watch

__all__ = ["ServeOptions", "Stop", "Watch", "run"]
