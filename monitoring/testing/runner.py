"""Run a case: build the data, evaluate the monitor, compare, and repeat it in equivalent forms."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import lcm
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.codes import missing_critical
from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.evaluation import Data, Objective, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.mutes import Mute
from monitoring.monitor.search import Record
from monitoring.monitor.switches import switches_of
from monitoring.query.series import Series
from monitoring.testing.cases import Case, SeriesSpec
from monitoring.testing.compare import Failure, compare, same
from monitoring.testing.objectives import Objectives
from monitoring.testing.problems import CaseProblem
from monitoring.testing.project import Folder, Loaded, load_monitor
from monitoring.testing.references import check_inputs, rollups


class CaseResult(NamedTuple):
    """Hold a case's result: `failures` are failed expectations, `problems` make the case unusable."""

    case: Case
    failures: tuple[Failure, ...] = ()
    problems: tuple[CaseProblem, ...] = ()
    seconds: float = 0.0
    history: History | None = None

    @property
    def passed(self) -> bool:
        """Return whether the case could be run and everything held."""
        return not self.failures and not self.problems

    @property
    def status(self) -> str:
        """passed, failed or error."""
        return "error" if self.problems else "failed" if self.failures else "passed"


def run_case(case: Case, folder: Folder | Path) -> CaseResult:
    """Run one case against the monitors of a folder; never raises for what the user can correct."""
    began = time.perf_counter()
    if isinstance(folder, Path):
        folder = Folder(folder)
    try:
        history, failures, problems = _run(case, folder.with_values(case.variables))
    except InputError as error:
        problems = (_problem(case, error),)
        history, failures = None, ()
    return CaseResult(case, failures, problems, time.perf_counter() - began, history)


def _problem(case: Case, error: InputError) -> CaseProblem:
    """Return an error of the monitor as a problem at its place in the test file."""
    where = f"{error.where}: " if error.where else ""
    caret = getattr(error, "caret", None)
    shown = f"\n{caret()}" if caret else ""
    return CaseProblem(case.monitor_place or case.place, f"{where}{error.message}{shown}", error.hint)


def _run(case: Case, folder: Folder) -> tuple[History | None, tuple[Failure, ...], tuple[CaseProblem, ...]]:
    loaded = load_monitor(case.monitor, folder)
    members = _members(case, folder, loaded)
    _check_thresholds([loaded.monitor, *members.values()])
    problems = check_inputs(case, [loaded.monitor, *members.values()])
    if problems:
        return None, (), problems
    setting = Setting(switches_of(dict(case.switches)), case.stand_in, known_groups=True, texts=False)
    objectives = Objectives(folder, setting, case.slos, case.members, str(case.place))
    form = Form(case, loaded.monitor, members, objectives.of([loaded.monitor, *members.values()]))
    history = form.evaluate(case.start, case.series)
    failures, problems = compare(case, history)
    if not failures and not problems:
        failures = tuple(_other_forms(form, history))
    return history, failures, problems


def _check_thresholds(monitors: Sequence[Monitor]) -> None:
    """Require the threshold in the options too, because a deployed monitor needs it there."""
    for monitor in monitors:
        threshold = getattr(parsed(monitor.query), "threshold", None)
        if threshold is not None and monitor.thresholds.critical is None:
            raise missing_critical(monitor, threshold)


def _members(case: Case, folder: Folder, loaded: Loaded) -> dict[int, Monitor]:
    """Return the members of a composite: by key in its query, or as the case defines them."""
    members = {identity: folder.monitor(key).monitor for identity, key in loaded.members.items()}
    for name, state in case.members.items():
        if not name.isdigit():
            raise InputError(f"members: {name!r} is not in the composite's query", where=str(case.place))
        members[int(name)] = load_monitor(state, folder).monitor
    return members


@dataclass(frozen=True, slots=True)
class Form:
    """A case that can be evaluated at another start and with its series in another order."""

    case: Case
    monitor: Monitor
    members: dict[int, Monitor]
    objectives: Mapping[str, Objective] = field(default_factory=dict)

    def evaluate(self, start: int, series: Sequence[SeriesSpec], texts: bool = True) -> History:
        """Return the history of the case, as if it had begun at `start`; `texts`: see `Setting`."""
        case = self.case
        data = Data(
            [build(spec, start) for spec in series],
            [_check(spec, start) for spec in case.checks],
            [record for event in case.events for record in _records(event, start)],
        )
        setting = Setting(
            switches=switches_of(dict(case.switches), str(case.place)),
            stand_in=case.stand_in,
            mutes=[_mute(downtime, start) for downtime in case.downtimes],
            members=self.members,
            known_groups=case.known_groups,
            phase=start,
            texts=texts,
            objectives=self.objectives,
        )
        return evaluate_monitor(
            _moved(self.monitor, start - case.start), data, start, start + case.length, setting
        )


def build(spec: SeriesSpec, start: int) -> Series:
    """Return the points of one source."""
    origin = start + spec.offset
    filled = [(at, value) for at, slot in enumerate(spec.slots) if slot is not None for value in slot]
    times = np.array([at for at, _ in filled], dtype=np.int64) * spec.every + origin
    values = np.array([value for _, value in filled], dtype=np.float64)
    kind: Any = spec.type
    return Series(spec.metric, tuple(sorted(spec.tags)), times, values, kind, spec.interval, spec.host)


def _check(spec: Any, start: int) -> CheckSeries:
    filled = [(at, slot[0]) for at, slot in enumerate(spec.slots) if slot is not None]
    times = np.array([at for at, _ in filled], dtype=np.int64) * spec.every + start + spec.offset
    return CheckSeries(
        spec.check, spec.tags, times, np.array([value for _, value in filled], dtype=np.float64)
    )


def _records(event: Any, start: int) -> list[Record]:
    return [Record(start + offset, event.message, event.tags, event.attributes) for offset in event.offsets]


def _mute(downtime: Any, start: int) -> Mute:
    end = None if downtime.end is None else start + downtime.end
    return Mute(downtime.scope, start + downtime.start, end)


def _moved(monitor: Monitor, shift: int) -> Monitor:
    """Silences have their own clock: they move with the case."""
    if not shift or not monitor.options.silenced:
        return monitor
    silenced = tuple(
        (scope, None if until is None else until + shift) for scope, until in monitor.options.silenced
    )
    return monitor._replace(options=replace(monitor.options, silenced=silenced))


def _other_forms(form: Form, history: History) -> list[Failure]:
    """Yield failures of the case shifted by whole rollups, and with its series in another order."""
    case = form.case
    failures = []
    shift = shift_of(form)
    if shift:
        moved = form.evaluate(case.start + shift, case.series, texts=False)
        failures += _difference(case, history, moved, f"shifted by {shift} s", shift)
    if len(case.series) > 1:
        turned = form.evaluate(case.start, case.series[::-1], texts=False)
        failures += _difference(case, history, turned, "with its series in reverse order", 0)
    return failures


def shift_of(form: Form) -> int:
    """Seconds that are whole buckets, cadences and periods; 0 where calendar months or zones rule it out."""
    monitors = (form.monitor, *form.members.values())
    if any(_by_the_clock(monitor) for monitor in monitors):
        return 0
    steps = [rollups(parsed(monitor.query)) for monitor in monitors]
    return 0 if None in steps else lcm(3600, *(step for step in steps if step))


def _by_the_clock(monitor: Monitor) -> bool:
    """Return whether the clock of a time zone says when it is evaluated, or where its window begins."""
    window = monitor.options.scheduling.get("evaluation_window") or {}
    return monitor.options.scheduled or str(window.get("timezone") or "UTC").upper() != "UTC"


def _difference(case: Case, history: History, other: History, how: str, shift: int) -> list[Failure]:
    difference = same(history, other, shift)
    return [] if difference is None else [Failure(case.place, f"the same states {how}", difference)]
