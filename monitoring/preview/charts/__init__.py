"""One drawing a module: values in, SVG out; nothing here knows queries, dashboards or files."""
