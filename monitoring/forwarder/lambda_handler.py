"""Define the handler of the forwarder's Lambda function."""

import os
from typing import Any

from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.settings import ForwarderSettings

_forwarders: dict[ForwarderSettings, Forwarder] = {}  # at most one; it is kept between invocations


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Forward an event to Datadog within the remaining time of `context`.

    Returns:
        A summary; for SQS, the messages that must be delivered again; for Firehose, its response.

    Raises:
        UndeliveredError: a batch could be neither delivered nor spooled, so that Lambda retries the event.
        InputError: a setting is not valid.
    """
    settings = ForwarderSettings.from_env(os.environ)  # takes 50 µs
    forwarder = _forwarders.get(settings)
    if forwarder is None:
        _forwarders.clear()
        forwarder = _forwarders[settings] = Forwarder(
            settings,
            os.environ.get("AWS_REGION", ""),
            function=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        )
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return forwarder.handle(event, remaining() / 1000 if remaining else 60.0)
