"""Draw dashboards with Datadog's layout, without an account and without a browser."""
