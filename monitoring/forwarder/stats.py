"""Count what one invocation did, for the summary line, the own metrics and the answer to the caller."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ITEMS = {"distributions": "points", "series": "points", "traces": "spans", "logs": "logs", "event": "events"}
"""The kind of item in each kind of batch; an `event` is an event that could not be read."""
_ACCOUNTED = ("sent", "known", "spooled", "excluded", "refused")


@dataclass(slots=True)
class Tally:
    """Counters of one invocation; `add` may be called from any thread.

    `items` maps (kind of item, outcome) to a number of items; the outcome `read` is the first sum of the law.
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
        """Record the time of an event; the oldest is kept."""
        if seconds > 0 and (self.oldest == 0.0 or seconds < self.oldest):
            self.oldest = seconds

    def error(self, text: str) -> None:
        """Note a sentence for the summary, once."""
        with self._lock:
            if text not in self.errors and len(self.errors) < 20:
                self.errors.append(text)

    def gap(self) -> dict[str, int]:
        """Return the number of items of each kind that were read and are not accounted for."""
        missing = dict.fromkeys(ITEMS.values(), 0)
        for (item, outcome), count in self.items.items():
            missing[item] += count if outcome == "read" else -count if outcome in _ACCOUNTED else 0
        return missing

    def conservation(self) -> dict[str, dict[str, int]]:
        """Return the two sums of each kind that occurred, and the parts of the second.

        Items that failed are not part of the second sum, so that the two differ.
        """
        sums: dict[str, dict[str, int]] = {}
        for item, gap in self.gap().items():
            parts = {part: count for (kind, part), count in self.items.items() if kind == item and count}
            if parts:
                read = parts.pop("read", 0)
                sums[item] = {"read": read, "accounted": read - gap, **parts}
        return sums

    def summary(self) -> dict[str, Any]:
        """As one JSON object; empty parts are left out."""
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
