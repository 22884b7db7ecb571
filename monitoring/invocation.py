"""The two ends of a call, which never raise: the handler runs and its result stands."""

from __future__ import annotations

import sys

from monitoring import watchdog
from monitoring.call import Call
from monitoring.emit import failed
from monitoring.identity import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.handler import Options


def begin(options: Options, event: Any, context: Any) -> Call | None:
    """The call, begun; None where telemetry itself failed before there was one."""
    call = None
    try:
        if type(event) is not dict:
            event = plain(event)
        call = Call(event, context, options)
        call.begin(event)
        watchdog.watch(call, context)
        if "aws_lambda_powertools.tracing" in sys.modules and "aws_xray_sdk.core" in sys.modules:
            from monitoring import xray

            call.segment = xray.annotate(call)
    except Exception as error:  # noqa: BLE001 - the handler runs whatever happens here
        failed("monitored", error)
    return call


def end(call: Call, result: Any, error: BaseException | None) -> None:
    """The call is over: print what is known of it."""
    try:
        watchdog.unwatch(call)
        call.leave()
        if call.segment is not None:
            from monitoring import xray

            xray.close(call.segment)
        call.finish(result, error)
    except Exception as trouble:  # noqa: BLE001
        failed("monitored", trouble)
