"""Count the items of an invocation, for the summary line, the forwarder's metrics and the response."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ITEMS = {"distributions": "points", "series": "points", "traces": "spans", "logs": "logs", "event": "events"}
"""The kind of item in each kind of batch; an `event` is an event that could not be read."""
_ACCOUNTED = ("sent", "known", "spooled", "excluded", "refused")


@dataclass(slots=True)
class Tally:
    """The counters of an invocation; `add` may be called from any thread.

    `items` maps (kind of item, outcome) to a number of items. The count of `read` equals the sum of the
    counts of all other outcomes except `failed` if no item was lost.
    """

    events: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    items: Counter[tuple[str, str]] = field(default_factory=Counter)
    batches: Counter[tuple[str, str]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    spooled: Counter[str] = field(default_factory=Counter)
    sent_bytes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    oldest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, counter: Counter[Any], key: Any, amount: float = 1) -> None:
        """Add to one of the counters."""
        with self._lock:
            counter[key] += amount  # type: ignore[assignment]

    def settle(self, kind: str, outcome: str, items: int) -> None:
        """Count the outcome of a batch and of its items."""
        with self._lock:
            self.batches[kind, outcome] += 1
            self.items[ITEMS[kind], outcome] += items

    def saw(self, seconds: float) -> None:
        """Update the time of the oldest event, in epoch seconds."""
        if seconds > 0 and (self.oldest == 0.0 or seconds < self.oldest):
            self.oldest = seconds

    def error(self, text: str) -> None:
        """Add an error message to the summary, once and 20 at most."""
        with self._lock:
            if text not in self.errors and len(self.errors) < 20:
                self.errors.append(text)

    def gap(self) -> dict[str, int]:
        """Return, by kind, the number of items that were read and have no outcome."""
        missing = dict.fromkeys(ITEMS.values(), 0)
        for (item, outcome), count in self.items.items():
            missing[item] += count if outcome == "read" else -count if outcome in _ACCOUNTED else 0
        return missing

    def conservation(self) -> dict[str, dict[str, int]]:
        """Return, by kind, the items that were read, the sum of those accounted for, and its parts.

        Failed items are not part of the second sum, so that the two differ.
        """
        sums: dict[str, dict[str, int]] = {}
        for item, gap in self.gap().items():
            parts = {part: count for (kind, part), count in self.items.items() if kind == item and count}
            if parts:
                read = parts.pop("read", 0)
                sums[item] = {"read": read, "accounted": read - gap, **parts}
        return sums

    def summary(self) -> dict[str, Any]:
        """Return the counters as a JSON object, without empty parts."""
        outcomes: Counter[str] = Counter()
        for (_, outcome), count in self.batches.items():
            outcomes[outcome] += count
        parts: dict[str, Any] = {
            "events": dict(self.events),
            **dict(self.counts),
            "conservation": self.conservation(),
            "late": dict(self.late),
            "refused": dict(self.refused),
            "batches": dict(outcomes),
            "retries": dict(self.retries),
            "spooled": dict(self.spooled),
            "bytes": dict(self.sent_bytes),
            "errors": list(self.errors),
        }
        return {key: value for key, value in parts.items() if value}
