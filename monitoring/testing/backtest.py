"""Evaluate a monitor over history, with its own and with other thresholds, and summarize the results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor, Thresholds
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.states import State
from monitoring.monitor.switches import switches_of
from monitoring.query import MetricMonitor, SearchMonitor, SloMonitor, parse_monitor
from monitoring.query.errors import nearest
from monitoring.query.monitors import format_monitor
from monitoring.testing.objectives import Objectives
from monitoring.testing.project import Folder

FLAPPING = 1800
"""An alert that begins fewer seconds after the end of the previous one is flapping."""

_OPTIONS = (
    "evaluation_delay",
    "new_group_delay",
    "no_data_timeframe",
    "notify_no_data",
    "on_missing_data",
    "renotify_interval",
    "require_full_window",
    "timeout_h",
)


class Variant(NamedTuple):
    """A monitor's body under a name: `as it is`, or what was set."""

    name: str
    body: Mapping[str, Any]


class Episode(NamedTuple):
    """A period of a group in a state; `end` is None if it lasts to the end of the history."""

    group: str
    state: State
    start: int
    end: int | None
    seconds: int
    value: float | None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of a variant from `start` to `end`."""

    variant: str
    start: int
    end: int
    groups: int
    episodes: tuple[Episode, ...]
    notifications: Mapping[str, int] = field(default_factory=dict)

    def of(self, state: State) -> list[Episode]:
        """Return the episodes in a state."""
        return [episode for episode in self.episodes if episode.state is state]

    @property
    def alerting(self) -> int:
        """Seconds in Alert, over all groups."""
        return sum(episode.seconds for episode in self.of(State.ALERT))

    @property
    def longest(self) -> int:
        """Seconds of the longest Alert."""
        return max((episode.seconds for episode in self.of(State.ALERT)), default=0)

    @property
    def flapping(self) -> int:
        """Alerts that began within half an hour of the end of the group's one before."""
        count = 0
        ended: dict[str, int] = {}
        for episode in self.of(State.ALERT):
            if episode.group in ended and episode.start - ended[episode.group] < FLAPPING:
                count += 1
            ended[episode.group] = episode.end or self.end
        return count


def backtest(
    variants: Sequence[Variant],
    data: Data,
    start: int,
    end: int,
    stand_in: Mapping[str, str] | None = None,
    switches: Mapping[str, Any] | None = None,
    folder: Folder | None = None,
) -> Iterator[BacktestResult]:
    """Yield the outcome of each variant, in order. `start` and `end` are epoch seconds.

    The groups count as known before `start`: history did not begin there. An SLO alert takes its SLO from the
    project of `folder`.

    Raises:
        InputError: a monitor that cannot be evaluated offline.
    """
    chosen = switches_of(dict(switches or {}), "--switch")
    setting = Setting(switches=chosen, stand_in=stand_in or {}, known_groups=True, texts=False)
    for variant in variants:
        monitor = Monitor.from_body(variant.body, str(variant.body.get("name") or variant.name))
        objectives = Objectives(folder, setting).of([monitor]) if folder else {}
        history = evaluate_monitor(monitor, data, start, end, replace(setting, objectives=objectives))
        yield _summed_up(variant.name, history, start, end)


def _summed_up(name: str, history: History, start: int, end: int) -> BacktestResult:
    counts: dict[str, int] = {}
    for note in history.notifications:
        if not note.muted:
            counts[note.kind] = counts.get(note.kind, 0) + 1
    episodes = sorted(_episodes(history), key=lambda part: (part.start, part.group))
    groups = sum(any(state is not None for _, _, state in part.spans()) for part in history.groups.values())
    return BacktestResult(name, start, end, groups, tuple(episodes), counts)


def _episodes(history: History) -> Iterator[Episode]:
    times = history.times
    for group in history.groups.values():
        for first, last, state in group.spans():
            if state in (None, State.OK) or (state is State.NO_DATA and first == 0):
                continue
            begin = int(times[first])
            finish = int(times[last]) if last < len(times) else None
            seconds = (finish if finish is not None else int(times[-1])) - begin
            yield Episode(group.group, state, begin, finish, seconds, _value(group.values[first]))


def _value(value: float) -> float | None:
    return float(value) if value == value else None  # noqa: PLR0124 - NaN is no value


# --- other thresholds


def variant_of(body: Mapping[str, Any], text: str) -> Variant:
    """Return the body with `critical=5,warning=3` set: thresholds, options, and `window=last_10m`.

    Raises:
        InputError: a name that cannot be set, or a value that it does not take.
    """
    changed: dict[str, Any] = {**body, "options": {**(body.get("options") or {})}}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not value.strip():
            raise InputError(f"{part!r} sets nothing", where="--set", hint="write --set critical=5")
        _set(changed, name.strip(), value.strip())
    return Variant(text, changed)


def _set(body: dict[str, Any], name: str, value: str) -> None:
    options = body["options"]
    if name in Thresholds._fields:
        options["thresholds"] = {**(options.get("thresholds") or {}), name: _number(name, value)}
        if name == "critical":
            body["query"] = _with(body["query"], threshold=_number(name, value))
    elif name == "window":
        window = parse_monitor(f"avg({value}):a{{*}} > 0")
        body["query"] = _with(body["query"], window=getattr(window, "window", None))
    elif name in _OPTIONS:
        options[name] = value if name == "on_missing_data" else _plain(value)
        if name == "on_missing_data":
            options.pop("notify_no_data", None)
            options.pop("no_data_timeframe", None)
    else:
        known = (*Thresholds._fields, "window", *_OPTIONS)
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
        raise InputError(f"{name!r} cannot be set", where="--set", hint=hint)


def _with(query: str, **changes: Any) -> str:
    node = parse_monitor(query)
    if not isinstance(node, MetricMonitor | SearchMonitor | SloMonitor):
        raise InputError("this monitor's query has no threshold", where="--set")
    if isinstance(node, SloMonitor) and "window" in changes:
        raise InputError("an SLO alert has the windows of its query", where="--set", hint="set critical=…")
    return format_monitor(replace(node, **changes))


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise InputError(f"{name}={value} is not a number", where="--set") from error


def _plain(value: str) -> Any:
    if value in {"true", "false"}:
        return value == "true"
    return _number("value", value)
