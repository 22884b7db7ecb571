"""Wrap a handler in a function that begins and ends an invocation."""

from __future__ import annotations

from contextlib import suppress
from types import CoroutineType

from monitoring.instrumentation.lifecycle import begin, end, event_and_context
from monitoring.instrumentation.runtime import process
from monitoring.instrumentation.spans import is_async, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.invocation import Options
    from monitoring.instrumentation.verification import Claim


def wrap(handler: Any, options: Options, claim: Claim | None) -> Any:
    """Return the monitored handler; a static or class method remains one."""
    if isinstance(handler, (staticmethod, classmethod)):
        return type(handler)(wrap(handler.__func__, options, claim))
    process.ready()
    innermost = prepare()
    if is_async(handler):
        from monitoring.instrumentation.async_handlers import wrap_async

        return _with_metadata(wrap_async(handler, options, claim), handler)

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        event, context = args if len(args) == 2 and not kwargs else event_and_context(args, kwargs)
        # If the handler is decorated twice, only the outer decorator begins an invocation.
        call = begin(options, event, context) if innermost.get() is None else None
        try:
            result = handler(*args, **kwargs) if kwargs else handler(*args)
            if type(result) is CoroutineType:
                from monitoring.instrumentation.async_handlers import end_later

                return end_later(result, call, claim, event, context)
            if claim is not None:
                claim.settle(call, event, result)
        except BaseException as error:
            if call is not None:
                end(call, None, error)
            raise
        if call is not None:
            end(call, result, None)
        return result

    return _with_metadata(monitored_handler, handler)


def _with_metadata(wrapper: Any, handler: Any) -> Any:
    """Copy the handler's name, documentation, attributes and signature to the wrapper."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__"):
        with suppress(AttributeError, TypeError):  # an object may have no name
            setattr(wrapper, name, getattr(handler, name))
    wrapper.__dict__.update(getattr(handler, "__dict__", {}))
    wrapper.__wrapped__ = handler
    return wrapper
