"""Lambda entry points, thin: settings, then one call."""
