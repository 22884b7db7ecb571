"""Monitor async handlers: an invocation lasts from the first await to the result of the coroutine."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import TYPE_CHECKING, Any

from monitoring.instrumentation import spans, timeouts
from monitoring.instrumentation.lifecycle import begin, end, event_and_context
from monitoring.instrumentation.output import failed
from monitoring.instrumentation.spans import span

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from monitoring.instrumentation.invocation import Invocation, Options
    from monitoring.instrumentation.verification import Claim

_runners: dict[int, asyncio.Runner] = {}  # by thread id
_BETWEEN = (
    "monitoring.",
    "aws_lambda_powertools.",
    "datadog_lambda.",
)  # modules whose decorators return the result of the handler


def wrap_async(handler: Any, options: Options, claim: Claim | None) -> Any:
    """Return the monitored handler, which returns a coroutine, or its result to Lambda's runtime client.

    The runtime client does not await handlers. The coroutine then runs in an event loop of the process, so
    that connections of one invocation can be used in the next.
    """

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        coroutine = _awaited(handler, options, claim, args, kwargs)
        return _run(coroutine) if _called_by_lambda() else coroutine

    return _marked(monitored_handler)


def end_later(coroutine: Any, call: Invocation | None, claim: Claim | None, event: Any, context: Any) -> Any:
    """Return a coroutine that ends the invocation when the coroutine of a plain function is done.

    The watchdog is off until it is awaited, because no code of the invocation runs until then.
    """
    if call is not None:
        timeouts.unwatch(call)
        call.leave()
    later = _resumed(coroutine, call, claim, event, context)
    return _run(later) if _called_by_lambda() else later


async def _resumed(
    coroutine: Any, call: Invocation | None, claim: Claim | None, event: Any, context: Any
) -> Any:
    if call is not None and not call.reported:
        try:
            timeouts.watch(call, context)
        except Exception as error:  # noqa: BLE001 - a context may be anything
            failed("monitored", error)
    return await _finish(coroutine, call, claim, event)


async def _awaited(handler: Any, options: Options, claim: Claim | None, args: Any, kwargs: Any) -> Any:
    event, context = event_and_context(args, kwargs)
    call = begin(options, event, context) if spans.here() is None else None
    return await _finish(handler(*args, **kwargs), call, claim, event)


async def _finish(coroutine: Any, call: Invocation | None, claim: Claim | None, event: Any) -> Any:
    if call is not None and call.token is None:
        call.token = spans.enter(call)
    try:
        result = await coroutine
        if claim is not None:
            await _settle(claim, call, event, result)
    except BaseException as error:
        if call is not None:
            end(call, None, error)
        raise
    if call is not None:
        end(call, result, None)
    return result


async def _settle(claim: Claim, call: Invocation | None, event: Any, result: Any) -> None:
    with span("verify", claim.name) as check_span:
        try:
            verdict = claim.check(event, result)
            if hasattr(verdict, "__await__"):
                verdict = await verdict
        except (Exception, SystemExit) as error:  # noqa: BLE001 - after any exception the claim is not proven
            verdict = error
        claim.report(call, check_span, verdict)


def _called_by_lambda() -> bool:
    """Return whether the caller is the runtime client, directly or through decorators of known libraries.

    Any other caller may await the coroutine or pass it to `asyncio.run`.
    """
    caller: Any = sys._getframe(2)
    while caller is not None:
        name = str(caller.f_globals.get("__name__", ""))
        if not name.startswith(_BETWEEN):
            return name.startswith("awslambdaric")
        caller = caller.f_back
    return False


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    thread = threading.get_ident()
    runner = _runners.get(thread)
    if runner is None or runner.get_loop().is_closed():
        runner = _runners[thread] = asyncio.Runner()
    # Pass the present context: by default a runner uses the context of its first run.
    return runner.run(coroutine, context=contextvars.copy_context())


def _marked(function: Any) -> Any:
    """Mark the function as a coroutine function for asyncio and inspect."""
    import inspect

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(function)
        return function
    function._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)  # Python 3.11
    return function
