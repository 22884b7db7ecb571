"""What the drill of an application comes to, as values and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.drill.breakages import Breakage
from monitoring.drill.watching import Seen


@dataclass(frozen=True, slots=True)
class Noticed:
    """One fault, and who noticed.

    Attributes:
        machine: the state machine in which it was brought about.
        ended: how its executions ended.
        noticed: what the project's monitors did, the quickest first.
        would: the shipped monitors that notice, where none of the project's does.
        remarks: why a monitor does not notice although it looks at it.
    """

    breakage: Breakage
    machine: str
    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    would: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the row as JSON's values."""
        first = self.noticed[0] if self.noticed else None
        return {
            "name": self.breakage.name,
            "target": self.breakage.target,
            "how": self.breakage.how,
            "machine": self.machine,
            "executions": list(self.ended),
            "noticed_by": [seen.key for seen in self.noticed],
            "minutes": first.alert if first else None,
            "told": sorted({handle for seen in self.noticed for handle in seen.handles}),
            "shipped_monitors_that_would": list(self.would),
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True, slots=True)
class ApplicationResult:
    """The whole drill of an application.

    Attributes:
        false_alarms: monitors that alert on an ordinary day.
        not_reached: functions and resources that no drilled execution uses, so that they were not broken.
        left_out: monitors that cannot be drilled, with the reason.
        notes: what was assumed, and what stood in for what does not run here.
    """

    faults: tuple[Noticed, ...]
    false_alarms: tuple[str, ...]
    not_reached: tuple[str, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float

    @property
    def unnoticed(self) -> tuple[str, ...]:
        """Return the names of the faults that no monitor notices."""
        return tuple(row.breakage.name for row in self.faults if not row.noticed)

    @property
    def fine(self) -> bool:
        """Return whether every fault is noticed, and nothing alerts in vain."""
        return not self.unnoticed and not self.false_alarms

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON's values."""
        return {
            "faults": [row.as_data() for row in self.faults],
            "unnoticed": list(self.unnoticed),
            "false_alarms": list(self.false_alarms),
            "not_reached": list(self.not_reached),
            "not_drilled": dict(self.left_out),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
            "fine": self.fine,
        }
