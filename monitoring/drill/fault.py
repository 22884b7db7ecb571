"""Define a fault: its description, its injection, and the monitors that have to detect it in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monitoring.drill.inject import Injection


@dataclass(frozen=True, slots=True)
class Added:
    """A simulated CloudWatch metric: one point a minute while the fault lasts."""

    metric: str
    value: float
    tags: tuple[str, ...]
    type: Literal["count", "gauge"] = "count"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, or (`control`) a day without a fault on which no monitor may alert.

    Attributes:
        name: the name on the command line.
        what: the description, in one sentence.
        must: monitor -> minutes after the onset within which it has to alert.
        run: injects it into a lane; None if nothing is executed.
        added: simulated CloudWatch metrics, for faults that the embedded AWS does not support.
        quiet: monitors that must not alert.
        minutes: its duration in minutes.
        share: the share of affected executions.
        rate: the rate of executions during the fault, in multiples of the usual rate.
        usual: the rate of executions before and after, in multiples of the usual rate.
        watch: minutes after its end in which monitors are evaluated.
        forwarder: whether the fault is in the forwarder; the lane then has its own forwarder.
    """

    name: str
    what: str
    must: Mapping[str, int] = field(default_factory=dict)
    run: Injection | None = None
    added: tuple[Added, ...] = ()
    quiet: tuple[str, ...] = ()
    minutes: int = 30
    share: float = 1.0
    rate: float = 1.0
    usual: float = 1.0
    watch: int = 120
    control: bool = False
    forwarder: bool = False

    @property
    def how(self) -> str:
        """`injected` or `simulated`."""
        return "simulated" if self.added else "injected"

    def as_data(self) -> dict[str, Any]:
        """Return what the fault is as JSON's values; `monitors` has the minutes until each has to alert."""
        return {
            "name": self.name,
            "what": self.what,
            "how": self.how,
            "control": self.control,
            "monitors": dict(self.must),
        }


LOG, POLLED = 5, 20
"""Minutes for detection: 5 with metrics from logs, 15 more with metrics from CloudWatch."""
