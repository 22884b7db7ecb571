"""Pictures of dashboards: laid out as Datadog does, drawn without an account and without a browser."""
