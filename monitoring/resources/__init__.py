"""Read and validate the files of dashboards, monitors, SLOs and downtimes, with locations of values."""
