"""All that runs inside a function: what `monitoring` offers is made here, from the standard library alone."""
