"""A user's own application, up on this machine: deployed, watched, and deployed anew when a file changes."""

from monitoring.up.session import UpOptions, run_up

__all__ = ["UpOptions", "run_up"]
