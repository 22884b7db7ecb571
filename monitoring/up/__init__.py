"""`stepscope up`: run an application on this machine, watch its files, and redeploy when one changes."""

from monitoring.up.session import UpOptions, run_up

__all__ = ["UpOptions", "run_up"]
