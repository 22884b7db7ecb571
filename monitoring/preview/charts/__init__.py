"""Charts: functions from values to SVG, without queries, dashboards or files."""
