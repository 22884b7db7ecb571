"""Lint files of dashboards and monitors, and templates, offline."""
