"""Print metrics and traces of Lambda functions in Step Functions pipelines as log lines.

`monitored` is defined here because one more module adds 0.1 ms to every cold start.
"""

from __future__ import annotations

from monitoring.instrumentation.metrics import count, gauge, histogram, timer
from monitoring.instrumentation.spans import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar, overload

    from monitoring.instrumentation.propagation import inject_attributes, inject_headers, inject_payload
    from monitoring.instrumentation.verification import Broken, Check, ClaimBroken

    Handler = TypeVar("Handler", bound=Callable[..., Any])
else:

    def overload(function):
        """Return the function unchanged: importing `typing` would slow down the cold start."""
        return function


__all__ = [
    "Broken",
    "ClaimBroken",
    "count",
    "gauge",
    "histogram",
    "inject_attributes",
    "inject_headers",
    "inject_payload",
    "monitored",
    "span",
    "timer",
]

_LATER = {
    "Broken": "verification",
    "ClaimBroken": "verification",
    "inject_attributes": "propagation",
    "inject_headers": "propagation",
    "inject_payload": "propagation",
}


@overload
def monitored(handler: Handler, /) -> Handler: ...  # noqa: D103
@overload
def monitored(  # noqa: D103, F811
    *,
    tags: Iterable[str] | dict[str, Any] | str | None = None,
    verify: Check | None = None,
    on_broken: str | type[Exception] = "report",
    name: str | None = None,
) -> Callable[[Handler], Handler]: ...
def monitored(  # noqa: F811 - typing.overload is not imported at run time
    handler: Any = None,
    /,
    *,
    tags: Any = None,
    verify: Any = None,
    on_broken: str | type[Exception] = "report",
    name: str | None = None,
) -> Any:
    """Print the metrics and the trace of each invocation: `@monitored`, `@monitored(tags=[…], verify=check)`.

    Args:
        handler: a function, method, callable object or async function, called as Lambda calls it.
        tags: added to every point that an invocation prints.
        verify: a check, called with (event, result) after the handler has returned; False or an exception
            means that the handler's result is not true (`monitoring.verify`).
        on_broken: what happens if the check fails: `report` prints `claims.broken`; `raise` also raises
            `monitoring.ClaimBroken`; an exception class raises an exception of that class.
        name: the name of the claim in tags and spans; by default the check's `__name__`.
    """
    # Imported here: a function that only counts does not need it, and decorating is part of the init phase.
    from monitoring.instrumentation.decorator import wrap
    from monitoring.instrumentation.invocation import Options

    claim = None
    if verify is not None:
        from monitoring.instrumentation.verification import Claim

        claim = Claim(verify, on_broken, name)

    def decorate(inner: Any) -> Any:
        return wrap(inner, Options(inner, tags), claim)

    return decorate if handler is None else decorate(handler)


def __getattr__(name: str) -> object:
    """Import a name of `_LATER` at its first use: not every function needs it."""
    if name not in _LATER:
        raise AttributeError(f"module 'monitoring' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"monitoring.instrumentation.{_LATER[name]}"), name)
    globals()[name] = value
    return value
