"""Around a handler: the wrapper, and the two ends of a call, which never raise: its result stands."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import CoroutineType

from monitoring import monitored
from monitoring.instrumentation import tag_guard, timeouts
from monitoring.instrumentation.invocation import Call
from monitoring.instrumentation.metrics import failed
from monitoring.instrumentation.runtime import process
from monitoring.instrumentation.spans import is_async, prepare
from monitoring.instrumentation.step_functions import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.labels import Labels
    from monitoring.instrumentation.verification import Claim

__all__ = ["Options", "begin", "end", "event_and_context", "monitored", "tag_guard", "wrap"]
"""The decorator is of the package; the guard is loaded here, in the init phase, for the first point."""


class Options:
    """What the decorator was given."""

    __slots__ = ("claim", "function", "labels", "tags")

    def __init__(self, handler: Any, tags: Any, claim: Claim | None) -> None:
        self.tags = _frozen(tags)
        self.claim = claim
        self.labels: Labels | None = None  # of the last call
        self.function = str(getattr(handler, "__name__", type(handler).__name__))


def _frozen(tags: Any) -> tuple[Any, ...]:
    """The tags of the decorator as a tuple, whatever they were given as."""
    try:
        if tags is None:
            return ()
        if isinstance(tags, dict):
            return tuple(f"{key}:{value}" for key, value in tags.items())
        return (tags,) if isinstance(tags, str) else tuple(tags)
    except Exception as error:  # noqa: BLE001 - a wrong tag must not keep a function from loading
        failed("tags", error)
        return ()


def wrap(handler: Any, options: Options) -> Any:
    """The handler, monitored; a method stays what it is."""
    if isinstance(handler, (staticmethod, classmethod)):
        return type(handler)(wrap(handler.__func__, options))
    process.ready()
    innermost = prepare()
    if is_async(handler):
        from monitoring.instrumentation.async_handlers import wrap_async

        return _dressed(wrap_async(handler, options), handler)

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        event, context = args if len(args) == 2 and not kwargs else event_and_context(args, kwargs)
        # Wrapped twice, the outer one counts.
        call = begin(options, event, context) if innermost.get() is None else None
        try:
            result = handler(*args, **kwargs) if kwargs else handler(*args)
            if type(result) is CoroutineType:
                from monitoring.instrumentation.async_handlers import end_later

                return end_later(result, call, options, event, context)
            if options.claim is not None:
                options.claim.settle(call, event, result)
        except BaseException as error:
            if call is not None:
                end(call, None, error)
            raise
        if call is not None:
            end(call, result, None)
        return result

    return _dressed(monitored_handler, handler)


def _dressed(wrapper: Any, handler: Any) -> Any:
    """The wrapper with the handler's name, documentation, attributes and signature."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__"):
        with suppress(AttributeError, TypeError):  # an object without a name of its own
            setattr(wrapper, name, getattr(handler, name))
    wrapper.__dict__.update(getattr(handler, "__dict__", {}))
    wrapper.__wrapped__ = handler
    return wrapper


def event_and_context(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The last two positional arguments, unless named: a method has its object before them."""
    if len(args) >= 2 and "context" not in kwargs:
        return args[-2], args[-1]
    return kwargs.get("event", args[-1] if args else None), kwargs.get("context")


def begin(options: Options, event: Any, context: Any) -> Call | None:
    """The call, begun; None where telemetry itself failed before there was one."""
    call = None
    try:
        if type(event) is not dict:
            event = plain(event)
        call = Call(event, context, options)
        call.begin(event)
        timeouts.watch(call, context)
        if "aws_lambda_powertools.tracing" in sys.modules and "aws_xray_sdk.core" in sys.modules:
            from monitoring.instrumentation import xray

            call.segment = xray.annotate(call)
    except Exception as error:  # noqa: BLE001 - the handler runs whatever happens here
        failed("monitored", error)
    return call


def end(call: Call, result: Any, error: BaseException | None) -> None:
    """The call is over: print what is known of it."""
    try:
        timeouts.unwatch(call)
        call.leave()
        if call.segment is not None:
            from monitoring.instrumentation import xray

            xray.close(call.segment)
        call.finish(result, error)
    except Exception as trouble:  # noqa: BLE001
        failed("monitored", trouble)
