"""Define spans, their ids and values, and track the innermost open span of threads and tasks."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import count

from monitoring.instrumentation.output import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar, Token
    from types import TracebackType
    from typing import Any, TypeVar

    from monitoring.instrumentation.settings import Settings

    Function = TypeVar("Function", bound=Callable[..., Any])

NO_ID = "0" * 16
MAX_SPANS = 5_000  # per invocation; further spans are only counted
_ASYNC = 0x80  # the code flag of `async def`

variable: ContextVar[Span | None] | None = None
"""The context variable of the innermost open span; `prepare` creates it."""
roots: set[RootSpan] = set()
"""The root spans of the running invocations."""


class Span:
    """An operation with a name, a resource, a time, and values by key.

    `set(key, value)` adds a value: numbers become metrics of the span, anything else text; values of secret
    keys are masked. `trace_id`, `span_id` and `parent_id` are 16 hex digits.
    """

    trace_id: str
    # Class attributes are the defaults of fields that most spans do not set, which saves time.
    service: str | None = None
    type = "custom"
    duration: int | None = None
    error: dict[str, str] | None = None  # its type, message and stack by Datadog's keys
    failed = False
    meta: dict[str, str] | None = None
    metrics: dict[str, float] | None = None
    links: list[dict[str, Any]] | None = None

    def __init__(self, call: RootSpan | None, name: str, resource: str, parent_id: str) -> None:
        self.call, self.name, self.resource = call, name, resource
        self.trace_id, self.span_id, self.parent_id = call.trace_id if call else NO_ID, new_id(), parent_id
        self.start, self.began = time.time_ns(), time.perf_counter_ns()

    def set(self, key: str, value: Any) -> None:
        """Add a value: `span.set("slide", 7)`. A later value of the same key replaces it. Never raises."""
        try:
            self._set(str(key), value)
        except Exception as error:  # noqa: BLE001
            failed("span.set", error)

    def _set(self, key: str, value: Any) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and value - value == 0 and abs(value) < 1 << 53:
            self.metrics = self.metrics if self.metrics is not None else {}
            self.metrics[key] = value
            return
        from monitoring.instrumentation.trace_line import meta_text

        self.meta = self.meta if self.meta is not None else {}
        self.meta[key] = meta_text(key, value)

    def link(self, trace_id: str, span_id: str, attributes: dict[str, str] | None = None) -> None:
        """Add a link to a span of another trace: ids in hex digits, the trace's 16 or 32. Never raises."""
        try:
            links = self.links if self.links is not None else []
            texts = {str(key): str(value) for key, value in (attributes or {}).items()}
            trace, other = f"{int(trace_id, 16):032x}", f"{int(span_id, 16):016x}"
            links.append({"trace_id": trace, "span_id": other, "attributes": texts})
            self.links = links
        except Exception as error:  # noqa: BLE001
            failed("span.link", error)

    def end(self, error: BaseException | None = None) -> None:
        """Set the duration of the span, and the error if there is one."""
        self.duration = max(0, time.perf_counter_ns() - self.began)
        if error is not None:
            self.failed = True
            if self.call is not None:  # as text, because the exception has references to its frames
                from monitoring.instrumentation.trace_line import error_meta

                self.error = error_meta(error)

    def to_json(self, service: str, now: int, fixed: str) -> str:
        """Return the span as JSON. `fixed`: encoded members of `meta`; `now`: the end of an open span."""
        from monitoring.instrumentation.runtime import encode
        from monitoring.instrumentation.trace_line import MAX_VALUE, span_json

        meta = {**(self.error or {}), **(self.meta or {})}
        if self.duration is None:
            meta["unfinished"] = "true"
        if self.links:
            meta["_dd.span_links"] = encode(self.links)
        fields = {
            "trace_id": self.trace_id,
            "parent_id": self.parent_id,
            "span_id": self.span_id,
            "service": self.service or service,
            "resource": self.resource[:MAX_VALUE],
            "name": self.name[:200],
            "error": int(self.failed),
            "start": self.start,
            "duration": max(0, now - self.began) if self.duration is None else self.duration,
            "metrics": self.metrics or {},
            "type": self.type,
        }
        return span_json(fields, meta, fixed)


class RootSpan(Span):
    """The span of an invocation, with the spans inside it.

    `high` is the upper half of the trace id; `scope` are the tags of the invocation's points.
    """

    high: str
    priority: int
    scope: str
    settings: Settings
    spans: list[Span] | None = None
    open: dict[int, Span] | None = None
    dropped = 0

    def opened(self, span: Span) -> None:
        """Add a span that has begun."""
        if self.open is None:
            self.open, self.spans = {}, []
        self.open[id(span)] = span

    def closed(self, span: Span) -> None:
        """Handle the end of a span inside."""
        if self.open is not None and self.spans is not None:
            self.open.pop(id(span), None)
            if len(self.spans) < MAX_SPANS:
                self.spans.append(span)
            else:
                self.dropped += 1


def new_id() -> str:
    """Return a random id of 16 hex digits, never 0 and below 2**63, which is valid for every reader."""
    return new_ids(time.time_ns())[0]


def new_ids(now: int) -> tuple[str, str]:
    """Return two random ids for the time `now` in nanoseconds.

    They are a mix of a secret of the process, the time and a counter, without a system call. The time makes
    ids differ between processes that were restored from the same snapshot, with the same secret and counter.
    """
    if not _secret:
        _draw_secret()
        if hasattr(os, "register_at_fork"):  # after a fork, parent and child have the same counter and clock
            os.register_at_fork(after_in_child=_draw_secret)
    digits = hex(hash((_secret, now, next(_counter))) * _secret & _DIGITS | _LED_BY_1)
    return digits[2:18], digits[18:]


def _draw_secret() -> None:
    global _secret  # noqa: PLW0603
    _secret = int.from_bytes(os.urandom(16), "big") | 1


_DIGITS = (1 << 124) - (1 << 64) | (1 << 60) - 1  # 15 digits of each id, after a leading 1
_LED_BY_1 = 1 << 124 | 1 << 60
_secret = 0
_counter = count()


def prepare() -> ContextVar[Span | None]:
    """Return the context variable of the innermost span, created at its first use.

    It is not created at import because the runtime client has not imported `contextvars`.
    """
    global variable  # noqa: PLW0603
    if variable is None:
        from _contextvars import ContextVar as Variable

        variable = Variable("monitoring.span", default=None)
    return variable


def here() -> Span | None:
    """Return the innermost open span of the present context; None outside an invocation."""
    return None if variable is None else variable.get()


def anywhere() -> Span | None:
    """Return the span of `here`; in another thread the root span, if exactly one invocation is running.

    Threads do not inherit context variables, and usually Lambda runs one invocation at a time.
    """
    span = None if variable is None else variable.get()
    if span is None and len(roots) == 1:
        try:
            return next(iter(roots))
        except (StopIteration, RuntimeError):  # the invocation has ended in the meantime
            return None
    return span


def enter(span: Span) -> Token[Span | None]:
    """Make `span` the innermost span; return the token for `leave`."""
    return prepare().set(span)


def leave(token: Token[Span | None]) -> None:
    """Restore the innermost span before `enter`."""
    try:
        token.var.reset(token)
    except ValueError:  # a generator may be closed in another context
        before: Any = token.old_value
        token.var.set(None if before is token.MISSING else before)


def span(
    name: str,
    resource: str | None = None,
    *,
    service: str | None = None,
    type: str = "custom",  # noqa: A002 - Datadog's word
    tags: dict[str, Any] | None = None,
) -> OpenSpan:
    """Open a span around a block (`with span("dynamodb.get_item", resource="slides") as s:`), or a function.

    An exception is recorded and raised. `type` is Datadog's span type: web, http, sql, cache, custom.
    """
    return OpenSpan(name, resource, service, type, tags)


class OpenSpan:
    """The result of `span`: a context manager and a decorator."""

    __slots__ = ("_made", "_span", "_token")

    def __init__(self, *made: Any) -> None:
        self._made = made
        self._span: Span | None = None
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Span:
        name, resource, service, kind, tags = self._made
        try:
            parent = anywhere()
            call = parent.call if parent is not None else None
            made = Span(
                call,
                str(name),
                str(name if resource is None else resource),
                parent.span_id if parent is not None else NO_ID,
            )
            made.service, made.type = None if service is None else str(service), str(kind)
            self._span = made
            if call is not None:
                call.opened(made)
            self._token = enter(made)
            if tags:
                for key, value in tags.items():
                    made.set(key, value)
        except Exception as error:  # noqa: BLE001
            failed("span", error)
            return self._span or Span(None, "", "", NO_ID)
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        try:
            if self._token is not None:
                leave(self._token)
            if self._span is not None:
                self._span.end(error)
                if self._span.call is not None:
                    self._span.call.closed(self._span)
        except Exception as second:  # noqa: BLE001
            failed("span", second)
        finally:
            self._span = self._token = None

    def __call__(self, function: Function) -> Function:
        """Decorate a function: each call has its own span."""
        wrapped: Function = around(function, lambda: OpenSpan(*self._made))
        return wrapped


def is_async(function: Any) -> bool:
    """Return whether a function, partial, method or callable object is async."""
    while isinstance(function, partial):
        function = function.func
    called = function if hasattr(function, "__code__") else type(function).__call__
    code = getattr(called, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _ASYNC)


def around(function: Any, manager: Callable[[], Any]) -> Any:
    """Wrap a function so that each call is within a new context manager; an async function remains async."""
    from functools import wraps

    if is_async(function):

        @wraps(function)
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            with manager():
                return await function(*args, **kwargs)

        return awaiting

    @wraps(function)
    def calling(*args: Any, **kwargs: Any) -> Any:
        with manager():
            return function(*args, **kwargs)

    return calling
