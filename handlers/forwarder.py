"""The Lambda entry point of the log forwarder: settings once, then one call an event."""

import os
from typing import Any

from monitoring.forwarder.job import Forwarder
from monitoring.forwarder.settings import Settings

_kept: dict[str, Forwarder] = {}


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Forward what the event brings to Datadog; `context` gives the time that is left."""
    forwarder = _kept.get("forwarder")
    if forwarder is None:
        settings = Settings.from_env(os.environ)
        forwarder = _kept["forwarder"] = Forwarder(settings, os.environ.get("AWS_REGION", ""))
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return forwarder.handle(event, remaining() / 1000 if remaining else 60.0)
