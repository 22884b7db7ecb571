"""Generate a day of the example in seconds: copies of recorded executions, an incident, two deployments.

A copy is a recorded execution at another time, with other ids, and slightly faster or slower. The start times
of copies depend only on the time of day, so that a server can continue the day while it runs.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.demo.copies import Copy, Tape
from monitoring.demo.recorded import RecordedExample, read_example
from monitoring.local_aws.cloudwatch import published, settings_series
from monitoring.query.series import Series
from monitoring.resources.catalogue import known_metrics
from monitoring.store import Store
from monitoring.store.definitions import record_definition

DAY = 86_400
HISTORY = 26 * 3600
"""The generated time range in seconds: a day, and the time before that monitors compare it with."""
SLOT = 240
"""Length in seconds of a slot, in which at most one execution starts."""
SETTLED = 90
"""The minimum age in seconds of an execution's start, so that all its telemetry is in the past."""
COMMON = ("aws_account:123456789012", "env:demo", "region:us-east-1", "service:slides")
BROKEN_FROM, BROKEN_UNTIL = 7 * 3600, 5 * 3600 + 900
"""Start and end of the incident in seconds before the day's end: a release calls a server that hangs."""
FAILED_SHARE = 0.75
HEALTHY = {"next-slide": 0.5, "same-slide": 0.16, "new-slide": 0.31, "cold-start": 0.03}
"""Recording -> its share of the executions on a normal day."""
FAULTY = "slow-figure"
RELEASES = (
    (20 * 3600, "slides 1.4.0 deployed", "success", "Captions are read from the slide's notes.", "1.4.0"),
    (BROKEN_FROM + 120, "slides 1.5.0 deployed", "info", "Live figures are fetched while building.", "1.5.0"),
    (
        BROKEN_UNTIL + 60,
        "slides 1.4.0 deployed",
        "warning",
        "Rolled back: CreateDocument timed out.",
        "1.4.0",
    ),
)
"""(seconds before the day's end, title, alert type, text, version) of each deployment."""


@dataclass(slots=True)
class Demonstration:
    """The example over time, in a store.

    Args:
        store: receives the telemetry.
        now: seconds since the epoch at which the day ends.
        example: the recordings; by default those in the package.
    """

    store: Store
    now: int
    example: RecordedExample
    until: int = 0
    """End of the generated time range, in seconds since the epoch."""

    @classmethod
    def begin(cls, store: Store, now: int, example: RecordedExample | None = None) -> "Demonstration":
        """Generate the `HISTORY` before `now`."""
        shown = cls(store, now, example or read_example(), now - HISTORY)
        record_definition(store, shown.example.machine, shown.example.definition)
        shown._release()
        shown.go_on(now)
        return shown

    def go_on(self, now: int) -> int:
        """Generate the executions since the last call, up to `SETTLED` seconds ago; return their number."""
        start, self.until = self.until, max(self.until, now - SETTLED)
        tape = Tape()
        copies = list(self._copies(start, self.until))
        for copy in copies:
            copy.add_to(tape)
        self._write(tape, start, self.until)
        return len(copies)

    def _copies(self, start: int, end: int) -> Iterator[Copy]:
        by_name = {recorded.name: recorded for recorded in self.example.recordings}
        for slot in range(start // SLOT, end // SLOT + 1):
            chance = np.random.default_rng(slot)
            moment = (slot + chance.random() * 0.6) * SLOT
            if not start <= moment < end or chance.random() > _load(moment):
                continue
            broken = self.now - BROKEN_FROM <= moment < self.now - BROKEN_UNTIL
            if broken and chance.random() < FAILED_SHARE:
                yield Copy(by_name[FAULTY], moment, f"photo-{slot}", chance, 1.0)
            else:
                name = str(chance.choice(list(HEALTHY), p=list(HEALTHY.values())))
                yield Copy(by_name[name], moment, f"photo-{slot}", chance, float(chance.lognormal(0.0, 0.16)))

    def _write(self, tape: Tape, start: int, end: int) -> None:
        names = frozenset(known_metrics())
        series = [*published(tape.samples(), COMMON, names), *tape.series()]
        series += settings_series(self.example.functions, COMMON, start, end)
        self.store.add_points(_of_type(series, raw=False))
        self.store.add_samples(_of_type(series, raw=True))
        self.store.add_spans(tape.spans)
        self.store.add_logs(tape.logs)
        self.store.flush()

    def _release(self) -> None:
        """Store the deployments as events, as a deployment pipeline would post them."""
        for number, (before, title, kind, text, version) in enumerate(RELEASES, 1):
            self.store.documents.put(
                "event", str(number), _event(number, self.now - before, title, kind, text, version)
            )


def _event(number: int, moment: int, *words: str) -> dict[str, Any]:
    title, kind, text, version = words
    return {
        "id": number,
        "id_str": str(number),
        "title": title,
        "text": text,
        "date_happened": moment,
        "handle": None,
        "priority": "normal",
        "related_event_id": None,
        "tags": ["env:demo", "service:slides", f"version:{version}"],
        "url": f"/event/event?id={number}",
        "alert_type": kind,
        "aggregation_key": None,
        "host": None,
        "device_name": None,
        "source": "deployment",
    }


def _of_type(series: Iterable[Series], *, raw: bool) -> list[Series]:
    return [line for line in series if (line.type == "distribution") == raw]


def _load(moment: float) -> float:
    """Return the share of slots in which an execution starts: more by day than by night."""
    return 0.72 - 0.25 * math.cos(2 * math.pi * (moment % DAY) / DAY)
