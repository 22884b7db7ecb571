"""Judges the faults of a state machine: which of the monitors notice, and which shipped ones would."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.drill.fault import Fault
from monitoring.drill.judge import UNNOTICED, judge
from monitoring.drill.run import Laid, Played, Scene, asked_for, laid_out, seen_by, why_unnoticed
from monitoring.drill.watching import Seen, Watcher

ORDINARY = "an ordinary day"


class Verdict(NamedTuple):
    """How a fault's executions ended, and who noticed: see `Noticed`."""

    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    would: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Jury:
    """The monitors, and a state machine in health; it holds values alone, so that a process can be sent it.

    Attributes:
        watchers: the project's monitors.
        shipped: those that come with the package.
        health: the recording of healthy executions.
        env: the tag `env` of every metric; `tags` are further ones.
        false_alarms: monitors that alert on an ordinary day, and so notice nothing.
    """

    watchers: Sequence[Watcher]
    shipped: Sequence[Watcher]
    health: Played
    env: str
    tags: tuple[str, ...] = ()
    false_alarms: frozenset[str] = frozenset()

    def alerting(self) -> list[str]:
        """Return the monitors that tell somebody although nothing is broken."""
        seen = self._seen(self.watchers, Fault(ORDINARY, ORDINARY, control=True), self.health)
        telling = {watcher.key for watcher in self.watchers if watcher.tells}
        alerting = [watched.key for watched in seen if watched.alert is not None or watched.before]
        return [key for key in alerting if key in telling]

    def verdict(self, fault: Fault, recording: Played) -> Verdict:
        """Return who notices a fault."""
        laid = self._laid(self.watchers, fault, recording)
        seen = seen_by(self.watchers, laid)
        result = judge(fault, recording.takes, seen, self.watchers, any_monitor=True)
        noticed = tuple(seen for seen in result.noticed if seen.key not in self.false_alarms)
        would: tuple[str, ...] = ()
        if not noticed:
            seen = self._seen(self.shipped, fault, recording)
            other = judge(fault, recording.takes, seen, self.shipped, any_monitor=True)
            would = tuple(seen.key for seen in other.noticed)
        remarks = (self._why(laid) if sentence == UNNOTICED else sentence for sentence in result.wrong)
        told = tuple(remark for remark in remarks if not remark.startswith(UNNOTICED))  # the report says that
        return Verdict(result.ended, noticed, would, told)

    def _why(self, laid: Laid) -> str:
        return why_unnoticed(self.watchers, laid, asked_for(self.watchers, laid))

    def _seen(self, watchers: Sequence[Watcher], fault: Fault, played: Played) -> list[Seen]:
        return seen_by(watchers, self._laid(watchers, fault, played))

    def _laid(self, watchers: Sequence[Watcher], fault: Fault, played: Played) -> Laid:
        scene = Scene(watchers, self.health, self.env, self.tags, True)
        return laid_out(scene, fault, played, scene.wanted)
