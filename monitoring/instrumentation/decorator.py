"""Wrap a handler: the function that Lambda calls instead of it."""

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
    """Return the handler, monitored; a method stays what it is."""
    if isinstance(handler, (staticmethod, classmethod)):
        return type(handler)(wrap(handler.__func__, options, claim))
    process.ready()
    innermost = prepare()
    if is_async(handler):
        from monitoring.instrumentation.async_handlers import wrap_async

        return _dressed(wrap_async(handler, options, claim), handler)

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        event, context = args if len(args) == 2 and not kwargs else event_and_context(args, kwargs)
        # Decorated twice, the outer one counts.
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

    return _dressed(monitored_handler, handler)


def _dressed(wrapper: Any, handler: Any) -> Any:
    """Give the wrapper the handler's name, documentation, attributes and signature."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__"):
        with suppress(AttributeError, TypeError):  # an object without a name of its own
            setattr(wrapper, name, getattr(handler, name))
    wrapper.__dict__.update(getattr(handler, "__dict__", {}))
    wrapper.__wrapped__ = handler
    return wrapper
