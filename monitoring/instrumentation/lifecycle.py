"""Begin and end an invocation around its handler; neither function raises an exception."""

from __future__ import annotations

import sys

from monitoring.instrumentation import timeouts
from monitoring.instrumentation.invocation import Invocation
from monitoring.instrumentation.output import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.invocation import Options


def event_and_context(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Return event and context: the last two positional arguments, or the keyword arguments."""
    if len(args) >= 2 and "context" not in kwargs:
        return args[-2], args[-1]
    return kwargs.get("event", args[-1] if args else None), kwargs.get("context")


def begin(options: Options, event: Any, context: Any) -> Invocation | None:
    """Begin an invocation; return None if that failed."""
    call = None
    try:
        call = Invocation(event, context, options)
        call.begin()
        timeouts.watch(call, context)
        if "aws_lambda_powertools.tracing" in sys.modules and "aws_xray_sdk.core" in sys.modules:
            from monitoring.instrumentation import xray

            call.segment = xray.annotate(call)
    except Exception as error:  # noqa: BLE001 - the handler runs after any error
        failed("monitored", error)
    return call


def end(call: Invocation, result: Any, error: BaseException | None) -> None:
    """End an invocation: print its metrics and its trace."""
    try:
        timeouts.unwatch(call)
        call.leave()
        if call.segment is not None:
            from monitoring.instrumentation import xray

            xray.close(call.segment)
        call.finish(result, error)
    except Exception as second:  # noqa: BLE001
        failed("monitored", second)
