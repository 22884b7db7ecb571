"""Lint: what is wrong, or a trap, in files of dashboards and monitors; nothing is asked of Datadog."""
