"""`@monitored`: around anything that Lambda can call; result, exception and signature stay what they are."""

from __future__ import annotations

from contextlib import suppress
from types import CoroutineType

from monitoring import current
from monitoring.emit import failed
from monitoring.spans import is_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar, overload

    from monitoring.claims import Check, Claim
    from monitoring.labels import Labels

    Handler = TypeVar("Handler", bound=Callable[..., Any])
else:

    def overload(function):
        """Nothing at run time: typing is not loaded."""
        return function


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
    """Print each call's metrics and its trace line: `@monitored`, or `@monitored(tags=[…], verify=check)`.

    Args:
        handler: a function, method, callable object or async function, called as Lambda calls it.
        tags: for every point that a call prints, its own ones and yours.
        verify: a function of (event, result) that looks at the world; False or an exception means that the
        step
            said it was done and was not (`monitoring.verify`).
        on_broken: what a broken claim does: `report` prints `claims.broken`; `raise` also raises
            `monitoring.claims.ClaimBroken`; an exception class raises that one.
        name: what the claim is called; otherwise the check's own name.
    """

    claim = None
    if verify is not None:
        from monitoring.claims import Claim

        claim = Claim(verify, on_broken, name)

    def decorate(inner: Any) -> Any:
        return _wrap(inner, Options(inner, tags, claim))

    return decorate if handler is None else decorate(handler)


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


def _wrap(handler: Any, options: Options) -> Any:
    if isinstance(handler, (staticmethod, classmethod)):
        return type(handler)(_wrap(handler.__func__, options))
    # Not at import: who only counts needs none of it, and decorating is still part of the init phase.
    from monitoring.invocation import begin, end
    from monitoring.process import process

    process.ready()
    if is_async(handler):
        from monitoring.asynchronous import wrap_async

        return _dressed(wrap_async(handler, options), handler)

    def monitored_handler(*args: Any, **kwargs: Any) -> Any:
        event, context = args if len(args) == 2 and not kwargs else event_and_context(args, kwargs)
        # Wrapped twice, the outer one counts.
        variable = current.variable
        outermost = variable is None or variable.get() is None
        call = begin(options, event, context) if outermost else None
        try:
            result = handler(*args, **kwargs)
            if type(result) is CoroutineType:
                from monitoring.asynchronous import end_later

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
