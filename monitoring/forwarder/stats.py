"""What one invocation did, counted: for the summary line, the own metrics and the answer to the caller."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counters of one invocation; `add` may be called from any thread."""

    events: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
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

    def saw(self, seconds: float) -> None:
        """An event of that time was read; the oldest is remembered."""
        if seconds > 0 and (self.oldest == 0.0 or seconds < self.oldest):
            self.oldest = seconds

    def error(self, text: str) -> None:
        """Note a sentence for the summary, once."""
        with self._lock:
            if text not in self.errors and len(self.errors) < 20:
                self.errors.append(text)

    def summary(self) -> dict[str, Any]:
        """As one JSON object; empty parts are left out."""
        outcomes: Counter[str] = Counter()
        for (_, outcome), count in self.batches.items():
            outcomes[outcome] += count
        parts: dict[str, Any] = {
            "events": dict(self.events),
            **dict(self.counts),
            "late": dict(self.late),
            "refused": dict(self.refused),
            "batches": dict(outcomes),
            "retries": dict(self.retries),
            "spooled": dict(self.spooled),
            "bytes": dict(self.sent_bytes),
            "errors": list(self.errors),
        }
        return {key: value for key, value in parts.items() if value}
