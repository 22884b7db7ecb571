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
    """Raised by a check when the world does not show what was claimed.

    Args:
        reason: a sentence with the actual and the expected state.
        code: one word for the metric's tag `reason`.
    """

    def __init__(self, reason: str, code: str = "broken") -> None:
        super().__init__(reason)
        self.code = code


class ClaimBroken(Exception):  # noqa: N818 - Step Functions shows this name to Retry and Catch
    """The step said it was done and was not: `"ErrorEquals": ["ClaimBroken"]`."""


class Claim:
    """A check with its name and what follows when it fails."""

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
            raise ValueError(f"on_broken={on_broken!r}: say 'report', 'raise', or give an exception class")
        self.check = check
        self.name = name or str(getattr(check, "__name__", type(check).__name__)).strip("<>")

    def settle(self, call: Invocation | None, event: Any, result: Any) -> None:
        """Run the check and report; raises only what `on_broken` asks for."""
        with span("verify", self.name) as made:
            try:
                verdict = self.check(event, result)
                close = getattr(verdict, "close", None)
                if close is not None and hasattr(verdict, "__await__"):
                    close()
                    verdict = Broken("the check is async, and the handler is not: make both async", "async")
            except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing is proven by a check that fails
                verdict = error
            self.report(call, made, verdict)

    def report(self, call: Invocation | None, made: Any, verdict: Any) -> None:
        """Print the outcome of a check: `verdict` is its result, or what it raised; `made` is its span."""
        broken = _reason(verdict)
        tags = tag_list([f"claim:{self.name}", *([f"reason:{broken[0]}"] if broken else [])])
        made.set("claim", self.name)
        try:
            metric = "claims.broken" if broken else "claims.verified"
            if call is not None:
                call.point("count", metric, "1", *tags)
            else:
                count(metric, 1, tags)
            if broken:
                made.set("claim.reason", broken[1])
                made.failed = True
                say(f"the claim {self.name} is broken: {broken[1]}")
        except Exception as error:  # noqa: BLE001
            failed("verify", error)
        if broken and self.error is not None:
            cause = verdict if isinstance(verdict, BaseException) else None
            raise self.error(f"{self.name}: {broken[1]}") from cause


def _reason(verdict: Any) -> tuple[str, str] | None:
    """Return the reason in a word and in a sentence; None for a claim that holds."""
    if isinstance(verdict, BaseException):
        try:
            text = " ".join(str(verdict).split())
        except Exception:  # noqa: BLE001
            text = ""
        word = verdict.code if isinstance(verdict, Broken) else type(verdict).__name__
        return word, text if isinstance(verdict, Broken) else f"{type(verdict).__name__}: {text}".rstrip(": ")
    return ("false", "the check returned False") if denied(verdict) else None


def denied(verdict: Any) -> bool:
    """Return whether a check has said no: False, or NumPy's False."""
    return verdict is False or (type(verdict).__name__ in {"bool", "bool_"} and not verdict)


def _make(kind: type[Exception]) -> None:
    """Refuse an exception class that cannot be raised with one text, at the decorator where it is written."""
    try:
        kind("")
    except Exception as error:
        raise TypeError(f"on_broken={kind.__name__} cannot be made from one text: {error}") from error
