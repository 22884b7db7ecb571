"""Compare a monitor's history with the expectations of a case, by a function per kind of expectation."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from monitoring.monitor.history import UNGROUPED, History, Notification, Verdict
from monitoring.monitor.machine import Segment
from monitoring.monitor.notify import preview
from monitoring.monitor.states import Rule, State
from monitoring.query.errors import nearest
from monitoring.testing.cases import At, Case, Expectation, Notifies, Recovers, Throughout, Within
from monitoring.testing.expectations import ABSENT
from monitoring.testing.problems import CaseProblem, Place
from monitoring.testing.times import show_duration, show_moment


class Failure(NamedTuple):
    """One expectation that does not hold; `verdict` is the evaluation that shows it."""

    place: Place
    expected: str
    got: str
    verdict: Verdict | None = None
    at: int | None = None


class _UnjudgedError(Exception):
    def __init__(self, problem: CaseProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def compare(case: Case, history: History) -> tuple[tuple[Failure, ...], tuple[CaseProblem, ...]]:
    """Return the failed expectations, and those that name a group that never exists."""
    failures: list[Failure] = []
    problems: list[CaseProblem] = []
    if not len(history.times):
        return (), (
            CaseProblem(case.place, "the monitor is not evaluated once in this case", _extend(case, history)),
        )
    if not any(_evaluated(segment) for group in history.groups.values() for segment in group.segments):
        hint = (
            f"series whose tags give a group by {', '.join(history.keys)}" if history.keys else "add a series"
        )
        problem = CaseProblem(
            case.place, "no group is ever evaluated, so nothing would be tested", f"submit {hint}"
        )
        return (), (problem,)
    view = _View(case, history)
    for expectation in case.expectations:
        try:
            failures += _CHECKS[type(expectation)](view, expectation)
        except _UnjudgedError as error:
            problems.append(error.problem)
    return tuple(failures), tuple(problems)


def _extend(case: Case, history: History) -> str:
    """Return how long the case must be to contain an evaluation of the monitor's schedule."""
    if not history.monitor.options.scheduled:
        return "write until: with a greater length"
    from monitoring.monitor.schedule import schedule_of

    following = schedule_of(history.monitor.options.scheduling).after(case.start + case.length)
    if following is None:
        return "its schedule has no occurrence in the next five years"
    length = show_duration(following - case.start)
    return f"its schedule next evaluates it at {show_moment(following)}: write until: {length}"


def _evaluated(segment: Segment) -> bool:
    """Return whether the group existed and had data: before that a monitor has no state for it."""
    return segment.state is not None and segment.rule is not Rule.NEVER


class _View:
    """A history as expectations ask for it: moments after the start, groups by name."""

    def __init__(self, case: Case, history: History) -> None:
        self.case, self.history = case, history
        self.notes: dict[int, list[Notification]] = {}
        for note in history.notifications:
            self.notes.setdefault(note.time, []).append(note)

    def group(self, expectation: Any) -> str:
        """Return the one group that an expectation is about."""
        names = self.groups(expectation)
        if len(names) == 1:
            return names[0]
        hint = "add group: one of " + "; ".join(sorted(names)[:8])
        message = f"the case has {len(names)} groups: which one is meant?"
        raise _UnjudgedError(CaseProblem(expectation.place, message, hint))

    def groups(self, expectation: Any) -> list[str]:
        """Return the groups that an expectation is about: the named one, or all."""
        known = list(self.history.groups)
        name = expectation.group
        if name is None:
            return known
        wanted = {part.strip().lower() for part in name.split(",")}
        for group, history in self.history.groups.items():
            if name == group or wanted == {tag.lower() for tag in history.tags}:
                return [group]
        near = nearest(name, known)
        listed = "; ".join(sorted(known)[:8]) or "none"
        hint = f"did you mean {near}?" if near else f"there are: {listed}"
        raise _UnjudgedError(CaseProblem(expectation.place, f"the group {name!r} never exists", hint))

    def index(self, offset: int, expectation: Any) -> int:
        """Return the evaluation at that time, or the last one before it."""
        self.check_inside(offset, expectation)
        index = self.history.index(self.case.start + offset)
        if index < 0:
            first = show_duration(self.offset(0))
            message = f"the monitor is first evaluated at {first}, after {show_duration(offset)}"
            raise _UnjudgedError(CaseProblem(expectation.place, message, f"expect something from {first} on"))
        return index

    def check_inside(self, offset: int, expectation: Any) -> None:
        """Nothing can be said of a moment after the end of the case."""
        if offset > self.case.length:
            end, moment = show_duration(self.case.length), show_duration(offset)
            hint = f"write until: {moment}" + (", or leave until out" if self.case.until is not None else "")
            message = f"the case ends at {end}, before {moment}"
            raise _UnjudgedError(CaseProblem(expectation.place, message, hint))

    def offset(self, index: int) -> int:
        """Return the offset of an evaluation."""
        return int(self.history.times[index]) - self.case.start

    def span(self, expectation: Throughout) -> range:
        """Return the evaluations between two times; at least one of a group has to have a verdict."""
        start, end = expectation.start, expectation.end
        self.check_inside(max(start, end or 0), expectation)
        first = int(np.searchsorted(self.history.times, self.case.start + start))
        last = len(self.history.times) if end is None else self.history.index(self.case.start + end) + 1
        numbers = range(first, last)
        if not any(self._told(group, numbers, expectation.never) for group in self.groups(expectation)):
            until = show_duration(self.case.length if end is None else end)
            message = (
                f"nothing is evaluated from {show_duration(start)} to {until}, so nothing would be tested"
            )
            raise _UnjudgedError(
                CaseProblem(expectation.place, message, "choose other moments for from and to")
            )
        return numbers

    def _told(self, group: str, span: range, never: bool) -> bool:
        segments = self.history.groups[group].segments
        ends = [*(segment.index for segment in segments[1:]), len(self.history.times)]
        return any(
            max(segment.index, span.start) < min(end, span.stop) and (never or _evaluated(segment))
            for segment, end in zip(segments, ends, strict=True)
        )

    def fail(self, expectation: Any, expected: str, got: str, group: str, index: int) -> Failure:
        verdict = self.history.verdict(group, index)
        return Failure(expectation.place, expected, got, verdict, self.offset(index))


def named(group: str) -> str:
    """Return a group's name for a message."""
    return "" if group == UNGROUPED else f" of {group}"


def state_name(state: State | None) -> str:
    """Return a state's name in a test file."""
    return ABSENT if state is None else str(state)


# --- at


def _at(view: _View, expectation: At) -> Iterator[Failure]:
    group = view.group(expectation)
    for offset in expectation.offsets:
        index = view.index(offset, expectation)
        verdict = view.history.verdict(group, index)
        when = f"at {show_duration(offset)}{named(group)}"
        for expected, got in (*_states(expectation, verdict), *_texts(view, expectation, group, index)):
            yield view.fail(expectation, f"{expected} {when}", got, group, index)


def _states(expectation: At, verdict: Verdict) -> Iterator[tuple[str, str]]:
    if expectation.state is not None and state_name(verdict.state) != expectation.state:
        yield str(expectation.state), state_name(verdict.state)
    if expectation.value is not None and not _close(expectation.value, verdict.value):
        yield f"value {_number(expectation.value)}", f"value {_number(verdict.value)}"
    if expectation.rule is not None and expectation.rule.lower() not in str(verdict.evidence).lower():
        yield f"rule {expectation.rule!r}", f"rule {str(verdict.evidence)!r}"


def _close(wanted: float | str, got: float | None) -> bool:
    if isinstance(wanted, str) or got is None:
        return isinstance(wanted, str) and got is None
    return math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-9)


def _number(value: float | str | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else f"{value:.12g}"


def _texts(view: _View, expectation: At, group: str, index: int) -> Iterator[tuple[str, str]]:
    asked = (
        expectation.message or expectation.not_message or expectation.title or expectation.handles is not None
    )
    if not asked and expectation.notified is None:
        return
    sent = _sent(view, group, index)
    if expectation.notified is not None and expectation.notified != (sent is not None and not sent.muted):
        got = (
            "none"
            if sent is None
            else f"held back by {sent.muted}"
            if sent.muted
            else f"{sent.kind}: {sent.title}"
        )
        yield "a notification" if expectation.notified else "no notification", got
    if asked:
        yield from _words(expectation, sent or preview(view.history, group, index))


def _words(expectation: At, note: Notification) -> Iterator[tuple[str, str]]:
    text = note.message
    for wanted in expectation.message:
        if wanted not in text:
            yield f"a message with {wanted!r}", f"the message {text!r}{_empty(note)}"
    for unwanted in expectation.not_message:
        if unwanted in text:
            yield f"a message without {unwanted!r}", f"the message {text!r}"
    if expectation.title is not None and expectation.title not in note.title:
        yield f"a title with {expectation.title!r}", f"the title {note.title!r}{_empty(note)}"
    if expectation.handles is not None and set(expectation.handles) != set(note.handles):
        yield f"handles {_listed(expectation.handles)}", f"handles {_listed(note.handles)}"


def _empty(note: Notification) -> str:
    names = ", ".join("{{" + name + "}}" for name in note.empty)
    return f" ({names} had no value)" if names else ""


def _listed(handles: Iterable[str]) -> str:
    return ", ".join(handles) or "none"


def _sent(view: _View, group: str, index: int) -> Notification | None:
    """Return what was sent for the group at this evaluation."""
    notes = view.notes.get(int(view.history.times[index]), [])
    return next((note for note in notes if group in note.groups or note.group == group), None)


# --- never, always


def _throughout(view: _View, expectation: Throughout) -> Iterator[Failure]:
    word = "never" if expectation.never else "always"
    span = view.span(expectation)
    for group in view.groups(expectation):
        for start, end, state in view.history.groups[group].spans():
            bad = (state is expectation.state) == expectation.never
            inside = range(max(start, span.start), min(end, span.stop))
            if (
                bad
                and inside
                and (expectation.never or _evaluated(view.history.groups[group].segment(start)))
            ):
                index = inside[0]
                got = f"{state_name(state)} at {show_duration(view.offset(index))}"
                yield view.fail(expectation, f"{word} {expectation.state}{named(group)}", got, group, index)
                break


# --- within, recovers, notifications


def _within(view: _View, expectation: Within) -> Iterator[Failure]:
    group = view.group(expectation)
    of, limit = expectation.of, expectation.of + expectation.within
    view.check_inside(limit, expectation)
    what = (
        f"{expectation.state}{named(group)} within {show_duration(expectation.within)} of {show_duration(of)}"
    )
    history = view.history.groups[group]
    known = view.history.index(view.case.start + of)
    before = history.segment(known).state if known >= 0 else None
    if before is expectation.state:
        yield view.fail(expectation, what, f"{before} already at {show_duration(of)}", group, known)
        return
    entered = [start for start, _, state in history.spans() if state is expectation.state]
    later = [view.offset(start) for start in entered if view.offset(start) > of]
    if later and later[0] <= limit:
        return
    got = f"only at {show_duration(later[0])}" if later else f"{state_name(before)}, and never after"
    yield view.fail(expectation, what, got, group, view.index(limit, expectation))


def _recovers(view: _View, expectation: Recovers) -> Iterator[Failure]:
    group = view.group(expectation)
    what = f"recovery{named(group)} by {show_duration(expectation.by)}"
    spans = list(view.history.groups[group].spans())
    trouble = [span for span in spans if span[2] in (State.ALERT, State.WARN) or _lost(view, span)]
    at = view.index(expectation.by, expectation)
    if not any(start < at for start, _, _ in trouble):
        yield view.fail(expectation, what, "it was never in Warn, Alert or No Data", group, at)
        return
    for start, end, state in spans:
        if end > at and state is not State.OK:
            index = max(start, at)
            got = f"{state_name(state)} at {show_duration(view.offset(index))}"
            yield view.fail(expectation, what, got, group, index)
            return


def _lost(view: _View, span: tuple[int, int, State | None]) -> bool:
    """No Data after there was data; a monitor that has not been evaluated yet is in no trouble."""
    return span[2] is State.NO_DATA and span[0] > 0


def _notifies(view: _View, expectation: Notifies) -> Iterator[Failure]:
    groups = set(view.groups(expectation))
    notes = [
        note
        for note in view.history.notifications
        if not note.muted
        and expectation.kind in (None, note.kind)
        and (expectation.group is None or groups & {*note.groups, note.group})
    ]
    if len(notes) == expectation.count:
        return
    kind = f" of kind {expectation.kind}" if expectation.kind else ""
    sent = "; ".join(f"{show_duration(note.time - view.case.start)} {note.kind}" for note in notes[:8])
    got = f"{len(notes)}" + (f": {sent}" if sent else "")
    yield Failure(expectation.place, f"{expectation.count} notifications{kind}", got)


_CHECKS: dict[type[Expectation], Callable[[_View, Any], Iterator[Failure]]] = {
    At: _at,
    Throughout: _throughout,
    Within: _within,
    Recovers: _recovers,
    Notifies: _notifies,
}


# --- two forms of one case


def same(history: History, other: History, shift: int) -> str | None:
    """None where two histories tell the same, `other` being `shift` seconds later; else what differs."""
    if history.groups.keys() != other.groups.keys():
        return f"other groups: {', '.join(sorted(history.groups.keys() ^ other.groups.keys()))}"
    for name, group in history.groups.items():
        twin = other.groups[name]
        states = [(segment.index, segment.state) for segment in group.segments]
        if states != [(segment.index, segment.state) for segment in twin.segments]:
            return f"other states{named(name)}"
        if not np.allclose(group.values, twin.values, rtol=1e-9, atol=1e-9, equal_nan=True):
            return f"other values{named(name)}"
    notes = [(note.time + shift, note.group, note.kind, note.muted) for note in history.notifications]
    if notes != [(note.time, note.group, note.kind, note.muted) for note in other.notifications]:
        return "other notifications"
    return None
