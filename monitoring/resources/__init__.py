"""Dashboards and monitors as values: what a file holds, where each part of it stands, what it may say."""
