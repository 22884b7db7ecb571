"""Lint: what is wrong, or a trap, in files of dashboards and monitors, and in templates, offline."""
