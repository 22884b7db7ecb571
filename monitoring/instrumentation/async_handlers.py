"""Async handlers: begun when awaited, ended when done, and run to the end where Lambda itself calls them."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import TYPE_CHECKING, Any

from monitoring.instrumentation import spans, timeouts
from monitoring.instrumentation.decorator import begin, end, event_and_context
from monitoring.instrumentation.metrics import failed
from monitoring.instrumentation.spans import span

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from monitoring.instrumentation.decorator import Options
    from monitoring.instrumentation.invocation import Call
    from monitoring.instrumentation.verification import Claim

_runners: dict[int, asyncio.Runner] = {}  # one a thread, made by its first call
_BETWEEN = (
    "monitoring.",
    "aws_lambda_powertools.",
    "datadog_lambda.",
)  # whose decorators pass on what they get


def wrap_async(handler: Any, options: Options) -> Any:
    """The handler, monitored: a coroutine for whoever can await it, its result for Lambda's runtime client.

    The runtime client calls handlers and does not await them. Run in an event loop that lives as long as the
    process, so that connections opened in one call can be used in the next.
    """

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        coroutine = _awaited(handler, options, args, kwargs)
        return _run(coroutine) if _called_by_lambda() else coroutine

    return _marked(monitored_handler)


def end_later(coroutine: Any, call: Call | None, options: Options, event: Any, context: Any) -> Any:
    """For a plain function that gave a coroutine: the call, already begun, ends when that is done.

    Until it is awaited, if it ever is, nothing runs that could be killed.
    """
    if call is not None:
        timeouts.unwatch(call)
        call.leave()
    later = _resumed(coroutine, call, options, event, context)
    return _run(later) if _called_by_lambda() else later


async def _resumed(coroutine: Any, call: Call | None, options: Options, event: Any, context: Any) -> Any:
    if call is not None and not call.spoken:
        try:
            timeouts.watch(call, context)
        except Exception as error:  # noqa: BLE001 - a context may be anything
            failed("monitored", error)
    return await _finish(coroutine, call, options, event)


async def _awaited(handler: Any, options: Options, args: Any, kwargs: Any) -> Any:
    event, context = event_and_context(args, kwargs)
    call = begin(options, event, context) if spans.here() is None else None
    return await _finish(handler(*args, **kwargs), call, options, event)


async def _finish(coroutine: Any, call: Call | None, options: Options, event: Any) -> Any:
    if call is not None and call.token is None:
        call.token = spans.enter(call)
    try:
        result = await coroutine
        if options.claim is not None:
            await _settle(options.claim, call, event, result)
    except BaseException as error:
        if call is not None:
            end(call, None, error)
        raise
    if call is not None:
        end(call, result, None)
    return result


async def _settle(claim: Claim, call: Call | None, event: Any, result: Any) -> None:
    with span("verify", claim.name) as made:
        try:
            found = claim.check(event, result)
            if hasattr(found, "__await__"):
                found = await found
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the claim is not proven
            found = error
        claim.report(call, made, found)


def _called_by_lambda() -> bool:
    """Whether the runtime client called, with at most decorators of known libraries between.

    Any other caller may be about to await the coroutine, or to give it to `asyncio.run`.
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
    # In the context of this very call: the runner's own is that of the first one.
    return runner.run(coroutine, context=contextvars.copy_context())


def _marked(function: Any) -> Any:
    """The function, seen as a coroutine function by asyncio and inspect."""
    import inspect

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(function)
        return function
    function._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)  # Python 3.11
    return function
