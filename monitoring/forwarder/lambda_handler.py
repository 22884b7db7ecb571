"""The Lambda entry point of the log forwarder: settings, then one call an event."""

import os
from typing import Any

from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.settings import ForwarderSettings

_kept: dict[ForwarderSettings, Forwarder] = {}  # one: connections, keys and memories outlive an invocation


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Forward what the event brings to Datadog; `context` gives the time that is left.

    Returns:
        What was done; for messages of SQS, those that have to come again.

    Raises:
        UndeliveredError: something is neither with Datadog nor in the spool, so that Lambda tries again.
        InputError: a setting cannot be used.
    """
    settings = ForwarderSettings.from_env(os.environ)  # 50 µs: a change of the environment counts at once
    forwarder = _kept.get(settings)
    if forwarder is None:
        _kept.clear()
        forwarder = _kept[settings] = Forwarder(
            settings,
            os.environ.get("AWS_REGION", ""),
            function=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        )
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return forwarder.handle(event, remaining() / 1000 if remaining else 60.0)
