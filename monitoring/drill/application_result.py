"""Define the result of the drill of an application, as values and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.drill.breakages import Breakage
from monitoring.drill.watching import Seen


@dataclass(frozen=True, slots=True)
class Noticed:
    """One fault, and the monitors that detected it.

    Attributes:
        machine: the state machine with the fault.
        ended: the status of each of its executions.
        noticed: the project's monitors that detected it, the fastest first.
        would: the shipped monitors that detect it, if none of the project's does.
        remarks: the reasons why a monitor of the affected metrics does not detect it.
    """

    breakage: Breakage
    machine: str
    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    would: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
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
    """The result of the drill of an application.

    Attributes:
        false_alarms: monitors that alert without a fault.
        not_reached: functions and resources that no drilled execution uses; they have no faults.
        left_out: monitors that cannot be drilled, with the reason.
        notes: assumptions, and stand-ins for resources that do not run locally.
    """

    faults: tuple[Noticed, ...]
    false_alarms: tuple[str, ...]
    not_reached: tuple[str, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float

    @property
    def unnoticed(self) -> tuple[str, ...]:
        """Return the names of the faults that no monitor detects."""
        return tuple(row.breakage.name for row in self.faults if not row.noticed)

    @property
    def fine(self) -> bool:
        """Return whether every fault is detected, without false alarms."""
        return not self.unnoticed and not self.false_alarms

    def as_data(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
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
