"""Decide the next step after a response of an intake: done, retry, split, refresh the key, or give up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

BASE, CEILING = 0.25, 20.0  # seconds: the first backoff, and the longest without a Retry-After header
_AGAIN = frozenset({0, 408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class IntakeResponse:
    """A response: its status, or 0 and the error; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def reason(self) -> str:
        """The status, or the kind of the error, for a tag or a message."""
        return str(self.status) if self.status else self.error.partition(":")[0] or "connection"


class Step(NamedTuple):
    """The next step: `accepted`, `wait` (seconds, then again), `split`, `refresh` (the key) or `refuse`."""

    action: Literal["accepted", "wait", "split", "refresh", "refuse"]
    wait: float = 0.0


def decide(answer: IntakeResponse, attempt: int, chance: float, now: float) -> Step:
    """Return the step after the `attempt`-th response (from 0).

    Args:
        chance: the jitter, a random number in [0, 1).
        now: seconds since the epoch, to convert a Retry-After date.
    """
    status = answer.status
    if 200 <= status < 300:
        return Step("accepted")
    if status == 413:
        return Step("split")
    if status in {401, 403}:
        return Step("refresh")
    if status in _AGAIN or status > 500:
        requested = _requested_wait(answer.headers, now)
        backoff = min(CEILING, BASE * 2 ** min(attempt, 16)) * (0.5 + chance / 2)
        return Step("wait", backoff if requested is None else requested + chance * BASE)
    return Step("refuse")


def _requested_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of Retry-After (a number or a date) or X-RateLimit-Reset; None without them."""
    for name in ("retry-after", "x-ratelimit-reset"):
        text = headers.get(name, "").strip()
        if not text:
            continue
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - now
            except (ValueError, TypeError, OverflowError):
                continue
        if seconds < 1e6:  # NaN is not
            return max(0.0, seconds)
    return None
