"""Metrics and traces of Lambda functions in Step Functions pipelines, printed as log lines.

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
        """Do nothing at run time: typing is not loaded."""
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
def monitored(  # noqa: F811 - typing.overload is not there at run time
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
        tags: for every point that an invocation prints, its own ones and yours.
        verify: a function of (event, result) that looks at the world; False or an exception means that the
            step said it was done and was not (`monitoring.verify`).
        on_broken: what a broken claim does: `report` prints `claims.broken`; `raise` also raises
            `monitoring.ClaimBroken`; an exception class raises that one.
        name: what the claim is called; otherwise the check's own name.
    """
    # Not at import: who only counts needs none of it, and decorating is still part of the init phase.
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
    """Load what not every function uses when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'monitoring' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"monitoring.instrumentation.{_LATER[name]}"), name)
    globals()[name] = value
    return value
