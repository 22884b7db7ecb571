"""Retry and Catch: which error they take, how long a retry waits, and what a Catch passes on."""

import random
from collections.abc import Sequence
from typing import Any

from monitoring.local_aws.states.errors import StateFailedError

DEFAULT_ATTEMPTS, DEFAULT_INTERVAL, DEFAULT_BACKOFF = 3, 1, 2.0


def matches(names: Sequence[str], failed: StateFailedError) -> bool:
    """Return whether an ErrorEquals takes a failure."""
    error_names = {
        failed.error,
        "States.ALL",
        "States.HeartbeatTimeout" if failed.heartbeat else "States.ALL",
    }
    if failed.error != "States.Timeout":
        error_names.add("States.TaskFailed")
    return not error_names.isdisjoint(names)


class Retries:
    """How often each retrier of a state was used."""

    def __init__(self, retriers: Sequence[dict[str, Any]]) -> None:
        self._retriers = retriers
        self._used = [0] * len(retriers)

    def delay(self, failed: StateFailedError) -> float | None:
        """Return the seconds until the next attempt, or None if there is none."""
        for number, retrier in enumerate(self._retriers):
            if not matches(retrier["ErrorEquals"], failed):
                continue
            used = self._used[number]
            if used >= retrier.get("MaxAttempts", DEFAULT_ATTEMPTS):
                return None
            self._used[number] += 1
            seconds = (
                retrier.get("IntervalSeconds", DEFAULT_INTERVAL)
                * retrier.get("BackoffRate", DEFAULT_BACKOFF) ** used
            )
            seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))
            return float(random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds)  # noqa: S311
        return None


def catcher_of(catchers: Sequence[dict[str, Any]], failed: StateFailedError) -> int | None:
    """Return the number of the first catcher that takes an error."""
    return next((n for n, catcher in enumerate(catchers) if matches(catcher["ErrorEquals"], failed)), None)
