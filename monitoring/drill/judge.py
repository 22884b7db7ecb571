"""Judge a drill: each fault has to be detected in time by its monitors, without false alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from monitoring.drill.fault import Fault
from monitoring.drill.recordings import Take
from monitoring.drill.watching import Seen, Watcher


@dataclass(frozen=True, slots=True)
class FaultResult:
    """The result of one fault.

    Attributes:
        fault: the fault.
        ended: the status of each real execution, in order.
        noticed: the monitors that alerted, the fastest first, without members of composites.
        wrong: deviations from the expectation, as sentences.
        asked: (monitor, tag of its scope) -> whether a series of the monitor's metric has the tag.
    """

    fault: Fault
    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    wrong: tuple[str, ...]
    asked: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def fine(self) -> bool:
        """Return whether the result is as expected."""
        return not self.wrong

    def as_data(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        fault = self.fault
        return {
            "fault": fault.name,
            "what": fault.what,
            "control": fault.control,
            "how": fault.how,
            "minutes": fault.minutes,
            "expected": dict(fault.must),
            "executions": list(self.ended),
            "noticed": [asdict(seen) for seen in self.noticed],
            "wrong": list(self.wrong),
            "fine": self.fine,
        }


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The result of a drill; `complete` if it included every fault of the table."""

    outcomes: tuple[FaultResult, ...]
    watchers: tuple[Watcher, ...]
    left_out: Mapping[str, str]
    complete: bool
    seconds: float

    @property
    def idle(self) -> tuple[str, ...]:
        """Monitors that notify somebody, and that no fault triggers."""
        noticed = {
            seen.key for outcome in self.outcomes if not outcome.fault.control for seen in outcome.noticed
        }
        return tuple(outcome.key for outcome in self.watchers if outcome.tells and outcome.key not in noticed)

    @property
    def absent(self) -> dict[str, tuple[str, ...]]:
        """Tags in scopes that no series has, with their monitors."""
        carried = {pair for outcome in self.outcomes for pair, carries in outcome.asked.items() if carries}
        queried = {pair for outcome in self.outcomes for pair in outcome.asked}
        absent: dict[str, tuple[str, ...]] = {}
        for key, tag in sorted(queried - carried):
            absent[tag] = (*absent.get(tag, ()), key)
        return absent

    @property
    def wrong(self) -> tuple[str, ...]:
        """All deviations from the expectation."""
        sentences = [
            f"{outcome.fault.name}: {sentence}" for outcome in self.outcomes for sentence in outcome.wrong
        ]
        if self.complete:
            sentences += [f"{key}: no fault sets it off" for key in self.idle]
        return tuple(sentences)

    @property
    def fine(self) -> bool:
        """Return whether every fault was detected as expected, without false alarms."""
        return not self.wrong

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON-compatible data."""
        return {
            "outcomes": [outcome.as_data() for outcome in self.outcomes],
            "never_set_off": list(self.idle) if self.complete else None,
            "not_drilled": dict(self.left_out),
            "absent_tags": {tag: list(keys) for tag, keys in self.absent.items()},
            "wrong": list(self.wrong),
            "seconds": round(self.seconds, 1),
            "fine": self.fine,
        }


UNNOTICED = "no monitor notices"


def judge(
    fault: Fault, takes: Sequence[Take], seen: Sequence[Seen], watchers: Sequence[Watcher], any_monitor: bool
) -> FaultResult:
    """Return the result of a fault, with deviations in `wrong`."""
    telling = {watched.key for watched in watchers if watched.tells}
    known = {watched.key: watched for watched in seen if watched.key in telling}
    noticed = sorted((watched for watched in known.values() if watched.alert is not None), key=_quickest)
    wrong = [f"{key} alerts before anything is broken" for key, watched in known.items() if watched.before]
    if fault.control:
        wrong += [f"{watched.key} alerts in vain after {_minutes(watched.alert)}" for watched in noticed]
    elif any_monitor:
        wrong += _by_any(fault, known, noticed)
    else:
        wrong += _by_each(fault, known, telling)
    wrong += [
        f"{key} alerts, and should not" for key in fault.quiet if key in {watched.key for watched in noticed}
    ]
    wrong += [
        f"{watched.key} does not recover within {fault.watch} minutes"
        for watched in noticed
        if watched.recovered is None and watched.key in fault.must
    ]
    ended = tuple(watched.status + (f" {watched.error}" if watched.error else "") for watched in takes)
    return FaultResult(fault, ended, tuple(noticed), tuple(wrong))


def _by_each(fault: Fault, known: Mapping[str, Seen], telling: set[str]) -> list[str]:
    takes_by_key = []
    for key, within in fault.must.items():
        seen = known.get(key)
        if key not in telling:
            takes_by_key.append(f"there is no monitor {key}, which has to notice")
        elif seen is None or seen.alert is None:
            takes_by_key.append(f"{key} does not notice" if seen is None else _unnoticed(seen))
        elif seen.alert > within:
            takes_by_key.append(f"{key} notices after {_minutes(seen.alert)}, and has to within {within}")
    return takes_by_key


def _unnoticed(seen: Seen) -> str:
    if seen.untold is None and seen.held_back:
        return f"{seen.key} does not notice: it evaluates a new group only after new_group_delay"
    if seen.untold is None:
        return f"{seen.key} does not notice"
    minutes = _minutes(seen.untold)
    return (
        f"{seen.key} alerts after {minutes}, and nobody is notified: its message has no @handle for an alert"
    )


def _by_any(fault: Fault, known: Mapping[str, Seen], noticed: Sequence[Seen]) -> list[str]:
    within = max(fault.must.values())
    if not noticed:
        return [
            UNNOTICED,
            *(_unnoticed(seen) for seen in known.values() if seen.untold is not None),
        ]
    minutes, key = _quickest(noticed[0])
    return [f"{key} is the first to notice, after {_minutes(minutes)}"] if minutes > within else []


def _quickest(seen: Seen) -> tuple[float, str]:
    return cast(float, seen.alert), seen.key


def _minutes(value: float | None) -> str:
    return f"{value or 0:.0f} min"
