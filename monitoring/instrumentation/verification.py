"""Run a `verify=` check and report its result as a metric, a span and, optionally, an exception."""

from __future__ import annotations

from monitoring.instrumentation.metrics import count
from monitoring.instrumentation.output import failed, tag_list
from monitoring.instrumentation.runtime import say
from monitoring.instrumentation.spans import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from monitoring.instrumentation.invocation import Invocation

    Check = Callable[[Any, Any], Any]


class Broken(Exception):  # noqa: N818 - it states a finding; ClaimBroken is the error
    """Raised by a check if the actual state differs from the expected one.

    Args:
        reason: a sentence with the actual and the expected state.
        code: one word for the metric's tag `reason`.
    """

    def __init__(self, reason: str, code: str = "broken") -> None:
        super().__init__(reason)
        self.code = code


class ClaimBroken(Exception):  # noqa: N818 - Step Functions shows this name to Retry and Catch
    """Raised if the check of a handler's result fails; use it in `"ErrorEquals": ["ClaimBroken"]`."""


class Claim:
    """A check, its name, and the consequence of its failure."""

    __slots__ = ("check", "error", "name")

    def __init__(
        self, check: Check, on_broken: str | type[Exception] = "report", name: str | None = None
    ) -> None:
        if not callable(check):
            raise TypeError(f"verify={check!r} is not a function of (event, result)")
        if isinstance(on_broken, str) and on_broken in {"report", "raise"}:
            self.error: type[Exception] | None = ClaimBroken if on_broken == "raise" else None
        elif isinstance(on_broken, type) and issubclass(on_broken, Exception):
            _make(on_broken)
            self.error = on_broken
        else:
            raise ValueError(
                f"on_broken={on_broken!r} is not valid: write 'report', 'raise', or an exception class"
            )
        self.check = check
        self.name = name or str(getattr(check, "__name__", type(check).__name__)).strip("<>")

    def settle(self, call: Invocation | None, event: Any, result: Any) -> None:
        """Run the check and print its outcome; raise an exception only as `on_broken` says."""
        with span("verify", self.name) as check_span:
            try:
                verdict = self.check(event, result)
                close = getattr(verdict, "close", None)
                if close is not None and hasattr(verdict, "__await__"):
                    close()
                    verdict = Broken("the check is async, and the handler is not: make both async", "async")
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a check with an error proves nothing
                verdict = error
            self.report(call, check_span, verdict)

    def report(self, call: Invocation | None, check_span: Any, verdict: Any) -> None:
        """Print the outcome of a check: `verdict` is its result or exception, `check_span` its span."""
        broken = _reason(verdict)
        tags = tag_list([f"claim:{self.name}", *([f"reason:{broken[0]}"] if broken else [])])
        check_span.set("claim", self.name)
        try:
            metric = "claims.broken" if broken else "claims.verified"
            if call is not None:
                call.point("count", metric, "1", *tags)
            else:
                count(metric, 1, tags)
            if broken:
                check_span.set("claim.reason", broken[1])
                check_span.failed = True
                say(f"the claim {self.name} is broken: {broken[1]}")
        except Exception as error:  # noqa: BLE001
            failed("verify", error)
        if broken and self.error is not None:
            cause = verdict if isinstance(verdict, BaseException) else None
            raise self.error(f"{self.name}: {broken[1]}") from cause


def _reason(verdict: Any) -> tuple[str, str] | None:
    """Return the code and the message of a failed check; None for a successful one."""
    if isinstance(verdict, BaseException):
        try:
            text = " ".join(str(verdict).split())
        except Exception:  # noqa: BLE001
            text = ""
        word = verdict.code if isinstance(verdict, Broken) else type(verdict).__name__
        return word, text if isinstance(verdict, Broken) else f"{type(verdict).__name__}: {text}".rstrip(": ")
    return ("false", "the check returned False") if denied(verdict) else None


def denied(verdict: Any) -> bool:
    """Return whether the result of a check is False, also NumPy's."""
    return verdict is False or (type(verdict).__name__ in {"bool", "bool_"} and not verdict)


def _make(kind: type[Exception]) -> None:
    """Raise TypeError if an exception class cannot be created with a single string, when decorating."""
    try:
        kind("")
    except Exception as error:
        raise TypeError(f"on_broken={kind.__name__} cannot be created from one string: {error}") from error
