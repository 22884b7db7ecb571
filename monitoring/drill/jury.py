"""Judge the faults of a state machine: which monitors detect them, and which shipped monitors would."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.drill.fault import Fault
from monitoring.drill.judge import UNNOTICED, judge
from monitoring.drill.run import Laid, Played, Scene, asked_for, laid_out, seen_by, why_unnoticed
from monitoring.drill.watching import Seen, Watcher

ORDINARY = "an ordinary day"


class Verdict(NamedTuple):
    """The status of a fault's executions and its detection; for the fields see `Noticed`."""

    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    would: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Jury:
    """The monitors and the healthy recording of a state machine; it can be pickled for another process.

    Attributes:
        watchers: the project's monitors.
        shipped: the monitors of the package.
        health: the recording of healthy executions.
        env: the tag `env` of every metric; `tags` are additional tags.
        false_alarms: monitors that alert without a fault; their alerts do not count.
    """

    watchers: Sequence[Watcher]
    shipped: Sequence[Watcher]
    health: Played
    env: str
    tags: tuple[str, ...] = ()
    false_alarms: frozenset[str] = frozenset()

    def alerting(self) -> list[str]:
        """Return the monitors that notify somebody without a fault."""
        seen = self._seen(self.watchers, Fault(ORDINARY, ORDINARY, control=True), self.health)
        telling = {watcher.key for watcher in self.watchers if watcher.tells}
        alerting = [watched.key for watched in seen if watched.alert is not None or watched.before]
        return [key for key in alerting if key in telling]

    def verdict(self, fault: Fault, recording: Played) -> Verdict:
        """Return the verdict on a fault."""
        laid = self._laid(self.watchers, fault, recording)
        seen = seen_by(self.watchers, laid)
        result = judge(fault, recording.takes, seen, self.watchers, any_monitor=True)
        noticed = tuple(seen for seen in result.noticed if seen.key not in self.false_alarms)
        would: tuple[str, ...] = ()
        if not noticed:
            seen = self._seen(self.shipped, fault, recording)
            shipped = judge(fault, recording.takes, seen, self.shipped, any_monitor=True)
            would = tuple(seen.key for seen in shipped.noticed)
        remarks = (self._why(laid) if sentence == UNNOTICED else sentence for sentence in result.wrong)
        reasons = tuple(
            remark for remark in remarks if not remark.startswith(UNNOTICED)
        )  # the report says that
        return Verdict(result.ended, noticed, would, reasons)

    def _why(self, laid: Laid) -> str:
        return why_unnoticed(self.watchers, laid, asked_for(self.watchers, laid))

    def _seen(self, watchers: Sequence[Watcher], fault: Fault, played: Played) -> list[Seen]:
        return seen_by(watchers, self._laid(watchers, fault, played))

    def _laid(self, watchers: Sequence[Watcher], fault: Fault, played: Played) -> Laid:
        scene = Scene(watchers, self.health, self.env, self.tags, True)
        return laid_out(scene, fault, played, scene.wanted)
