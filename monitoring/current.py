"""Which span, and so which call, the running code belongs to: safe in async code and in threads."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import ContextVar, Token
    from typing import Any

    from monitoring.spans import Span

variable: ContextVar[Span | None] | None = None
roots: dict[int, Span] = {}  # the root spans of the calls that run now, by id()


def here() -> Span | None:
    """The innermost open span of this very context; None outside a call."""
    return None if variable is None else variable.get()


def anywhere() -> Span | None:
    """Like `here`; in a thread that a handler started, the root span of that call, if only one is running.

    Threads do not inherit context variables, and Lambda runs one call at a time.
    """
    span = None if variable is None else variable.get()
    if span is None and len(roots) == 1:
        try:
            return next(iter(roots.values()))
        except (StopIteration, RuntimeError):  # that call ended in the meantime
            return None
    return span


def enter(span: Span) -> Token[Span | None]:
    """Make `span` the innermost one; `leave` takes it back."""
    global variable  # noqa: PLW0603
    if variable is None:
        # Here and not at import: the runtime client has not loaded this module.
        from _contextvars import ContextVar as Variable

        variable = Variable("monitoring.span", default=None)
    return variable.set(span)


def leave(token: Token[Span | None]) -> None:
    """Go back to what was innermost before `enter`."""
    try:
        token.var.reset(token)
    except ValueError:  # left in another context than entered: a generator closed elsewhere
        before: Any = token.old_value
        token.var.set(None if before is token.MISSING else before)
