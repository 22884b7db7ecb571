"""Async handlers: begun when awaited, ended when done, and run to the end where Lambda itself calls them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from monitoring import current
from monitoring.handler import event_and_context
from monitoring.invocation import begin, end
from monitoring.spans import span

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from monitoring.call import Call
    from monitoring.claims import Claim
    from monitoring.handler import Options

_runners: list[asyncio.Runner] = []  # one, made by the first call


def wrap_async(handler: Any, options: Options) -> Any:
    """The handler, monitored: a coroutine for whoever can await it, its result for Lambda's runtime client.

    The runtime client calls handlers and does not await them. Awaited in an event loop that lives as long as
    the process, so that connections opened in one call can be used in the next.
    """

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        coroutine = _awaited(handler, options, args, kwargs)
        return _run(coroutine) if _called_by_lambda() else coroutine

    return _marked(monitored_handler)


def end_later(coroutine: Any, call: Call | None, options: Options, event: Any) -> Any:
    """For a plain function that gave a coroutine: the call, already begun, ends when that is done."""
    if call is not None:
        call.leave()
    later = _finish(coroutine, call, options, event)
    return _run(later) if _called_by_lambda() else later


async def _awaited(handler: Any, options: Options, args: Any, kwargs: Any) -> Any:
    event, context = event_and_context(args, kwargs)
    call = begin(options, event, context) if current.here() is None else None
    return await _finish(handler(*args, **kwargs), call, options, event)


async def _finish(coroutine: Any, call: Call | None, options: Options, event: Any) -> Any:
    if call is not None and call.token is None:
        call.token = current.enter(call)
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
    """Whether the runtime client called: it stands in the frames, or its address in the environment."""
    caller: Any = sys._getframe(2)
    if str(caller.f_globals.get("__name__", "")).startswith("awslambdaric"):
        return True
    return "AWS_LAMBDA_RUNTIME_API" in os.environ and asyncio._get_running_loop() is None


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    if not _runners:
        _runners.append(asyncio.Runner())
    return _runners[0].run(coroutine)


def _marked(function: Any) -> Any:
    """The function, seen as a coroutine function by asyncio and inspect."""
    import inspect

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(function)
        return function
    function._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)  # Python 3.11
    return function
