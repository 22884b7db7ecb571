"""A fault as a value: what breaks, how it is brought about, which monitors have to notice, and by when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monitoring.drill.inject import Injection


@dataclass(frozen=True, slots=True)
class Added:
    """A metric of CloudWatch that is simulated: one point a minute while the fault lasts."""

    metric: str
    value: float
    tags: tuple[str, ...]
    type: Literal["count", "gauge"] = "count"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, or (`control`) an ordinary day on which no monitor may alert.

    Attributes:
        name: as the command takes it.
        what: what breaks, in one sentence.
        must: monitor -> minutes after the onset by which it has to alert.
        run: brings it about in a lane, for real; None where nothing is executed.
        added: what the embedded AWS cannot do, as the metrics that CloudWatch would publish.
        quiet: monitors that must not alert.
        minutes: how long it lasts.
        share: which part of the executions it hits.
        rate: executions meanwhile, in multiples of the usual rate.
        usual: executions before and after, likewise.
        watch: minutes for which monitors are watched after its end.
        forwarder: it is one of the forwarder, which a lane then has for itself.
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
"""Minutes: what comes from logs is noticed within five; what comes from CloudWatch, fifteen later."""
