"""Don't trust a claim: what a `verify=` check found, as a metric, a span, and by choice an error."""

from __future__ import annotations

from monitoring.instrumentation import metrics
from monitoring.instrumentation.spans import span
from monitoring.lines import tag_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from monitoring.instrumentation.invocation import Call

    Check = Callable[[Any, Any], Any]


class Broken(Exception):  # noqa: N818 - it states a finding; ClaimBroken is the error
    """What a check raises when the world does not show what was claimed.

    Args:
        reason: a sentence with what was found and what was wanted.
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
            raise TypeError(f"verify={check!r} is no function of (event, result)")
        if isinstance(on_broken, str) and on_broken in {"report", "raise"}:
            self.error: type[Exception] | None = ClaimBroken if on_broken == "raise" else None
        elif isinstance(on_broken, type) and issubclass(on_broken, Exception):
            _make(on_broken)
            self.error = on_broken
        else:
            raise ValueError(f"on_broken={on_broken!r}: say 'report', 'raise', or give an exception class")
        self.check = check
        self.name = name or str(getattr(check, "__name__", type(check).__name__)).strip("<>")

    def settle(self, call: Call | None, event: Any, result: Any) -> None:
        """Run the check and report; raises only what `on_broken` asks for."""
        with span("verify", self.name) as made:
            try:
                found = self.check(event, result)
                close = getattr(found, "close", None)
                if close is not None and hasattr(found, "__await__"):
                    close()
                    found = Broken("the check is async, and the handler is not: make both async", "async")
            except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing is proven by a check that fails
                found = error
            self.report(call, made, found)

    def report(self, call: Call | None, made: Any, found: Any) -> None:
        """Print the outcome of a check: `found` is its result, or what it raised."""
        broken = _reason(found)
        tags = tag_list([f"claim:{self.name}", *([f"reason:{broken[0]}"] if broken else [])])
        made.set("claim", self.name)
        try:
            metric = "claims.broken" if broken else "claims.verified"
            if call is not None:
                call.point("count", metric, "1", *tags)
            else:
                metrics.count(metric, 1, tags)
            if broken:
                made.set("claim.reason", broken[1])
                made.failed = True
                metrics.say(f"the claim {self.name} is broken: {broken[1]}")
        except Exception as error:  # noqa: BLE001
            metrics.failed("verify", error)
        if broken and self.error is not None:
            cause = found if isinstance(found, BaseException) else None
            raise self.error(f"{self.name}: {broken[1]}") from cause


def _reason(found: Any) -> tuple[str, str] | None:
    """The reason in a word and in a sentence; None for a claim that holds."""
    if isinstance(found, BaseException):
        try:
            text = " ".join(str(found).split())
        except Exception:  # noqa: BLE001
            text = ""
        word = found.code if isinstance(found, Broken) else type(found).__name__
        return word, text if isinstance(found, Broken) else f"{type(found).__name__}: {text}".rstrip(": ")
    return ("false", "the check returned False") if denied(found) else None


def denied(found: Any) -> bool:
    """Whether a check has said no: False, or NumPy's False."""
    return found is False or (type(found).__name__ in {"bool", "bool_"} and not found)


def _make(kind: type[Exception]) -> None:
    """A broken claim raises the class with one text: say where it is written if that cannot be."""
    try:
        kind("")
    except Exception as error:
        raise TypeError(f"on_broken={kind.__name__} cannot be made from one text: {error}") from error
