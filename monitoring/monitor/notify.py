"""Decide which notifications are sent: transitions, renotifications, mutes, and grouping by notify_by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitoring.monitor.history import UNGROUPED, GroupHistory, History, Notification
from monitoring.monitor.message import KINDS, NO_TEXT, MessageText, Moment, compose
from monitoring.monitor.mutes import ActiveMutes, Mute, fixed_tags
from monitoring.monitor.states import Rule, State, worst
from monitoring.monitor.switches import DEFAULTS, Switches

if TYPE_CHECKING:
    from monitoring.monitor.definition import Monitor


@dataclass(slots=True)
class _Line:
    """The last notified state of a notification group."""

    state: State | None = None
    told: State | None = None
    first: int = 0
    last: int = 0
    sent: int = 0
    repeats: int = 0
    muted: bool = False
    through: bool = False
    """Return whether it is in No Data after Alert or Warn."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A group of a notification group."""

    group: str
    tags: tuple[str, ...]
    spans: tuple[tuple[int, int, State | None], ...] = field(repr=False)


def notifications(
    history: History, mutes: Sequence[Mute] = (), texts: bool = True, switches: Switches = DEFAULTS
) -> tuple[Notification, ...]:
    """Return all notifications of a history in the order of time; without `texts` their texts are empty."""
    monitor = history.monitor
    silenced = [Mute(scope, 0, until, "silenced") for scope, until in monitor.options.silenced]
    everywhere = fixed_tags(monitor) if mutes or silenced else frozenset()
    sent: list[Notification] = []
    for tags, members in _lines(history).items():
        around = {*everywhere, *(members[0].tags if len(members) == 1 else tags)}
        quiet = ActiveMutes([*mutes, *silenced], around, history.times)
        teller = _Teller(history, tags, members, quiet, texts, switches)
        sent.extend(teller.each() if monitor.options.scheduled else teller.tell())
    return tuple(sorted(sent, key=lambda notification: (notification.time, notification.group)))


def _lines(history: History) -> dict[tuple[str, ...], list[_Member]]:
    """Return the groups that share notifications: by notify_by, all of them for `["*"]`, or each its own."""
    keys = history.monitor.options.notify_by
    lines: dict[tuple[str, ...], list[_Member]] = {}
    for group in history.groups.values():
        tags = group.tags
        if keys is not None and history.grouped:
            tags = tuple(tag for tag in tags if tag.split(":", 1)[0] in keys)
        member = _Member(group.group, group.tags, tuple(group.spans()))
        lines.setdefault(tags, []).append(member)
    return lines


def _merged(members: list[_Member]) -> list[tuple[int, State | None, tuple[_Member, ...]]]:
    """Yield (evaluation, overall state, its members) for each change of the overall state."""
    if len(members) == 1:
        return [(start, state, (members[0],)) for start, _, state in members[0].spans]
    points = sorted({start for member in members for start, _, _ in member.spans})
    rows: list[tuple[int, State | None, tuple[_Member, ...]]] = []
    for point in points:
        states = {member: _state(member, point) for member in members}
        alive = [state for state in states.values() if state is not None]
        whole = worst(alive) if alive else None
        inside = tuple(member for member, state in states.items() if state is whole)
        if not rows or rows[-1][1] is not whole:
            rows.append((point, whole, inside))
    return rows


def _state(member: _Member, index: int) -> State | None:
    return next((state for start, end, state in member.spans if start <= index < end), None)


_RESULTS = (Rule.CRITICAL, Rule.WARNING, Rule.SHOWN_MISSING, Rule.TIMEFRAME)
"""The rules by which an independent evaluation has a state other than OK."""


class _Teller:
    """Follow a notification group over time, and decide what is sent."""

    def __init__(
        self,
        history: History,
        tags: tuple[str, ...],
        members: list[_Member],
        quiet: ActiveMutes,
        texts: bool = True,
        switches: Switches = DEFAULTS,
    ) -> None:
        self.history, self.tags, self.members, self.quiet = history, tags, members, quiet
        self.texts = texts
        self.after_no_data = switches.recovery_after_no_data == "notify"
        self.monitor: Monitor = history.monitor
        self.line = _Line()

    def tell(self) -> Iterator[Notification]:
        """Return all notifications of the group."""
        rows = _merged(self.members)
        ends = [*(row[0] for row in rows[1:]), len(self.history.times)]
        for (index, state, inside), end in zip(rows, ends, strict=True):
            if state is not None:
                yield from self._change(index, state, inside)
                yield from self._repeats(index, end, state, inside)
            self.line.state = state

    def each(self) -> Iterator[Notification]:
        """Return those of a custom schedule: one for every evaluation that is not OK."""
        for index, time in enumerate(self.history.times.tolist()):
            results = {member: self._result(member, index) for member in self.members}
            state = worst([result for result in results.values() if result is not None] or [State.OK])
            if state is not State.OK:
                self.line.first = self.line.last = time
                inside = tuple(member for member, result in results.items() if result is state)
                yield self._compose(index, KINDS[state], state, None, inside)

    def _result(self, member: _Member, index: int) -> State | None:
        """Return the notification of this evaluation; None where the state stays or is not to be notified."""
        segment = self.history.groups[member.group].segment(index)
        if segment.rule in (Rule.SHOWN_MISSING, Rule.TIMEFRAME) and not self._asks_for_no_data():
            return None
        return segment.state if segment.rule in _RESULTS else None

    def _asks_for_no_data(self) -> bool:
        options = self.monitor.options
        return options.notify_no_data or options.on_missing_data == "show_and_notify_no_data"

    def _change(self, index: int, state: State, inside: tuple[_Member, ...]) -> Iterator[Notification]:
        time = int(self.history.times[index])
        previous = self.line.state
        if state is State.NO_DATA:
            self.line.through = self.line.through or previous in (State.ALERT, State.WARN)
        if state is not State.OK and state is not previous:
            self.line.last = time
            if previous in (None, State.OK):
                self.line.first = time
        self.line.muted = False
        worth = self._worth_telling(state)
        if state is not State.NO_DATA:
            self.line.through = False
        if not worth:
            self.line.told = None if state is State.OK else self.line.told
            return
        notification = self._compose(index, KINDS[state], state, previous, inside)
        self.line.muted = bool(notification.muted)
        if not notification.muted:
            self.line.told = None if state is State.OK else state
        self.line.sent, self.line.repeats = time, 0
        if state is State.OK:
            self.line.told = None
        yield notification

    def _worth_telling(self, state: State) -> bool:
        """Return whether to notify: recoveries of notified states, and No Data if the options say so."""
        if state is self.line.told:
            return False
        if state is State.OK:
            return self.line.told is not None and (self.after_no_data or not self.line.through)
        if state is State.NO_DATA:
            return self._asks_for_no_data() and self.line.state is not None and self._evaluated()
        return True

    def _evaluated(self) -> bool:
        """Return whether the monitor was evaluated before: its first No Data is not notified."""
        return self.line.state is not State.NO_DATA

    def _repeats(
        self, index: int, end: int, state: State, inside: tuple[_Member, ...]
    ) -> Iterator[Notification]:
        """Yield notifications while the state is constant: those after a downtime, and renotifications."""
        if state is State.OK or not (self.line.told or self.line.muted):
            return
        while (at := self._next_repeat(index, end, state)) is not None:
            over, time = at == self.quiet.next_end(index, end), int(self.history.times[at])
            index = at
            if over and not self.quiet.tells(at, state):
                self.line.told, self.line.muted, self.line.sent = state, False, time
                continue
            kind = KINDS[state] if self.line.muted else "renotify"
            notification = self._compose(at, kind, state, state, inside)
            if not notification.muted:
                self.line.told, self.line.muted = state, False
            self.line.repeats += not over
            self.line.sent = time
            yield notification

    def _next_repeat(self, index: int, end: int, state: State) -> int | None:
        """Return the next evaluation that renotifies the same state: a mute ends, or the interval is over."""
        times = (self.quiet.next_end(index, end), self._next_renotification(end, state))
        return min((at for at in times if at is not None), default=None)

    def _next_renotification(self, end: int, state: State) -> int | None:
        options = self.monitor.options
        limit = options.renotify_occurrences
        wanted = KINDS[state] in options.renotify_statuses and self.line.told is not None
        if self.line.muted or not options.renotify_interval or not wanted:
            return None
        if limit is not None and self.line.repeats >= limit:
            return None
        at = int(self.history.times.searchsorted(self.line.sent + options.renotify_interval))
        return at if at < end else None

    def _compose(
        self, index: int, kind: str, state: State, previous: State | None, inside: tuple[_Member, ...]
    ) -> Notification:
        time = int(self.history.times[index])
        text = self._text(time, index, kind, state, previous, inside) if self.texts else NO_TEXT
        return Notification(
            time=time,
            group=",".join(self.tags) or UNGROUPED,
            kind=kind,
            state=state,
            previous=self.line.told if kind == "recovery" else previous,
            title=text.title,
            message=text.message,
            handles=text.handles,
            groups=tuple(member.group for member in inside),
            muted=self.quiet.held_by(index, kind),
            empty=text.empty,
        )

    def _text(
        self,
        time: int,
        index: int,
        kind: str,
        state: State,
        previous: State | None,
        inside: tuple[_Member, ...],
    ) -> MessageText:
        values = (_value(self.history.groups[member.group], index) for member in inside)
        moment = Moment(
            time=time,
            kind=kind,
            state=state,
            previous=self.line.told if kind == "recovery" else previous,
            tags=self.tags,
            value=next((value for value in values if value is not None), None),
            first_triggered=self.line.first,
            last_triggered=self.line.last,
        )
        return compose(self.monitor, moment)


def preview(history: History, group: str, index: int) -> Notification:
    """Return the notification that the group's state at evaluation `index` would send."""
    member = history.groups[group]
    teller = _Teller(
        history,
        member.tags,
        [_Member(group, member.tags, tuple(member.spans()))],
        ActiveMutes((), (), history.times),
    )
    state = member.segment(index).state or State.NO_DATA
    entered = next(start for start, end, _ in member.spans() if start <= index < end)
    teller.line.first = teller.line.last = int(history.times[entered])
    return teller._compose(index, KINDS[state], state, None, tuple(teller.members))


def _value(group: GroupHistory, index: int) -> float | None:
    value = float(group.values[index])
    return None if value != value else value  # noqa: PLR0124 - NaN is no value
