"""Render an execution's steps as rows on one time axis, with a limited number of rows per page.

Repeated steps (iterations of a Map, calls of one kind) are one row with their figures, followed by the failed
ones; steps below the shown depth are a count. Both are links to their own rows. A failed step is never left
out in favour of a successful one.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode

from monitoring.preview.scales import format_value, value_ticks
from monitoring.serve.executions import EXECUTION, RUNNING, machine_of
from monitoring.serve.functions import INVOCATION
from monitoring.serve.pages.shell import item_link, link, page_number, pager, table

Row = Mapping[str, Any]
LAST_TICK = 0.93
"""The share of the time axis after which a label does not fit."""
MOST_ROWS = 300
PAGE = 200
ALIKE = 10
"""Up to this number, similar sibling steps have separate rows."""
FAILED_SHOWN = 5
DETAILED = 40
"""Up to this number of steps, the page has all details; otherwise only those of the selected step."""


@dataclass(slots=True)
class TimedStep:
    """A span with its inner steps: `steps` is the number of all of them, `failed` whether one has failed."""

    span: Row
    inner: "list[TimedStep]" = field(default_factory=list)
    steps: int = 1
    failed: bool = False

    @property
    def id(self) -> str:
        """The span's id."""
        return str(self.span["span_id"])

    @property
    def start(self) -> int:
        """Nanoseconds since the epoch."""
        return int(self.span["start"])

    @property
    def end(self) -> int:
        """Nanoseconds since the epoch."""
        return self.start + int(self.span["duration"])

    def walk(self) -> "Iterator[TimedStep]":
        """Yield the step and all inside it."""
        yield self
        for step in self.inner:
            yield from step.walk()


@dataclass(frozen=True, slots=True)
class Alike:
    """Similar steps inside one step, shown as a single row."""

    name: str
    members: Sequence[TimedStep]
    parent: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The selected part of a waterfall.

    Attributes:
        inside: the id of the span whose inner steps are shown; "" shows the whole execution.
        like: the name of the shown steps inside it; "" shows all.
        page: the page of the steps directly inside, from 1.
        step: the id of the span whose details are shown.
    """

    inside: str = ""
    like: str = ""
    page: int = 1
    step: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Choice":
        """Read the choice from an address."""
        return cls(
            query.get("inside", ""),
            query.get("like", ""),
            page_number(query),
            query.get("step", ""),
        )

    def address(self, **changes: Any) -> str:
        """Return the address of this choice with changes."""
        values = {"inside": self.inside, "like": self.like, "page": self.page, "step": self.step} | changes
        kept = {key: value for key, value in values.items() if value and not (key == "page" and value == 1)}
        return f"?{urlencode(kept)}"


def order(span: Row) -> tuple[int, int, int]:
    """Return a sort key: start in milliseconds, then event id, then end."""
    event = (span.get("metrics") or {}).get("event_id")
    return int(span["start"]), int(event or 0), int(span["start"]) + int(span["duration"])


def tree(spans: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Yield (span, depth) in display order; a span without its parent is on the top level."""
    by_parent: dict[str, list[Row]] = {}
    ids = {str(span["span_id"]) for span in spans}
    for span in sorted(spans, key=order):
        parent = str(span.get("parent_id"))
        by_parent.setdefault(parent if parent in ids and parent != span["span_id"] else "", []).append(span)
    seen: set[str] = set()
    stack = [(span, 0) for span in reversed(by_parent.get("", []))]
    while stack:
        span, depth = stack.pop()
        if str(span["span_id"]) in seen:
            continue
        seen.add(str(span["span_id"]))
        yield span, depth
        stack += [(child, depth + 1) for child in reversed(by_parent.get(str(span["span_id"]), []))]
    yield from ((span, 0) for span in spans if str(span["span_id"]) not in seen)  # circular parents


def steps_of(spans: Sequence[Row]) -> list[TimedStep]:
    """Return the top-level steps with their inner steps."""
    top: list[TimedStep] = []
    path: list[TimedStep] = []
    every: list[TimedStep] = []
    for span, depth in tree(spans):
        step = TimedStep(span, failed=bool(span.get("error")))
        every.append(step)
        del path[depth:]
        (path[-1].inner if path else top).append(step)
        path.append(step)
    for step in reversed(every):
        step.steps += sum(inner.steps for inner in step.inner)
        step.failed = step.failed or any(inner.failed for inner in step.inner)
    return top


def waterfall(spans: Sequence[Row], choice: Choice) -> str:
    """Return the selected rows below a time axis."""
    top = steps_of(spans)
    steps = {step.id: step for root in top for step in root.walk()}
    chosen = steps.get(choice.inside)
    level = chosen.inner if chosen else top
    if choice.like:
        level = [step for step in level if _kind(step) == choice.like]
    start = min((step.start for step in level), default=0)
    end = max((step.end for step in level), default=0)
    if not choice.like:
        start, end = min((step.start for step in steps.values()), default=0), _end(steps.values())
    fall = _Fall(start, max(end - start, 1), choice, detailed=len(steps) <= DETAILED)
    at = (choice.page - 1) * PAGE
    units: Sequence[TimedStep | Alike] = level if choice.like else _units(level, choice.inside)
    shown = units[at : at + PAGE]
    rest = [
        unit for unit in (*units[:at], *units[at + PAGE :]) if isinstance(unit, TimedStep) and unit.failed
    ]
    body = "".join(fall.rows([*shown, *rest[:PAGE]], _depth_of(shown)))
    pages = pager(choice.page, PAGE, len(units), "steps", lambda page: choice.address(page=page))
    extra = f'<p class="muted">and the {len(rest)} failed ones of other pages</p>' if rest else ""
    return f'{_way(choice, chosen)}{pages}{extra}<div class="panel fall">{_axis(fall.total)}{body}</div>'


def _end(steps: Any) -> int:
    return max((step.end for step in steps), default=0)


def _way(choice: Choice, chosen: TimedStep | None) -> str:
    """Return the link from the inside of a step back to all steps."""
    if chosen is None:
        return ""
    words = escape(f"{label_of(chosen.span)}{f': {choice.like}' if choice.like else ''}")
    return f'<p><a href="?">All steps</a> › {words}</p>'


def _kind(step: TimedStep) -> str:
    """Return the name by which steps are grouped: a state, `iterations`, or a call with its resource."""
    name = str(step.span.get("name"))
    return "iterations" if name.endswith(".iteration") else label_of(step.span)


def label_of(span: Row) -> str:
    """Return the label of a span's row."""
    name, resource = str(span.get("name")), str(span.get("resource"))
    if name.endswith(".iteration"):
        index = (span.get("metrics") or {}).get("map_index")
        return f"[{int(index)}]" if index is not None else resource
    return resource if name.startswith(EXECUTION) else f"{name} {resource}"


def _units(level: Sequence[TimedStep], parent: str) -> list[TimedStep | Alike]:
    """Group repeated steps into one unit each, followed by the failed ones among them."""
    by_kind: dict[str, list[TimedStep]] = {}
    for step in level:
        by_kind.setdefault(_kind(step), []).append(step)
    units: list[TimedStep | Alike] = []
    for kind, members in by_kind.items():
        if len(members) > ALIKE:
            units.append(Alike(kind, members, parent))
            units += [step for step in members if step.failed][:FAILED_SHOWN]
        else:
            units += members
    begins = {id(unit): at for at, unit in enumerate(units)}
    return sorted(units, key=lambda unit: (_first(unit), begins[id(unit)]))


def _first_and_failed(units: Sequence[TimedStep | Alike], most: int) -> list[TimedStep | Alike]:
    """Return the first units, and the failed ones among the others."""
    return [*units[:most], *(unit for unit in units[most:] if isinstance(unit, TimedStep) and unit.failed)]


def _first(unit: TimedStep | Alike) -> tuple[int, int, int]:
    return order(unit.span if isinstance(unit, TimedStep) else unit.members[0].span)


def _depth_of(units: Sequence[TimedStep | Alike]) -> int:
    """Return the deepest level at which there are at most `MOST_ROWS` rows."""
    total, depth = 0, 0
    level: list[TimedStep | Alike] = list(units)
    while level:
        total += len(level)
        if total > MOST_ROWS:
            return max(depth, 1)
        depth += 1
        level = [
            unit
            for step in level
            if isinstance(step, TimedStep) and step.inner
            for unit in _units(step.inner, step.id)
        ]
    return depth


@dataclass(slots=True)
class _Fall:
    """Write rows: `start` and `total` (nanoseconds) define the axis, `left` the number of remaining rows."""

    start: int
    total: int
    choice: Choice
    detailed: bool
    left: int = MOST_ROWS + PAGE

    def rows(self, units: Sequence[TimedStep | Alike], depth: int, level: int = 0) -> Iterator[str]:
        """Yield the rows of steps down to a depth, and the path to each failed step at any depth."""
        for unit in units:
            self.left -= 1
            if isinstance(unit, Alike):
                yield self._alike(unit, level)
                continue
            expanded = level + 1 < depth
            opened = bool(unit.inner) and (expanded or level == 0 or (unit.failed and self.left > 0))
            yield self._step(unit, level, folded=bool(unit.inner) and not opened)
            if opened:
                units_inside = _units(unit.inner, unit.id)
                shown = units_inside if expanded else _first_and_failed(units_inside, 0 if level else PAGE)
                yield from self.rows(shown, depth, level + 1)
                yield self._more(unit, len(units_inside) - len(shown), level + 1)

    def _step(self, step: TimedStep, level: int, *, folded: bool) -> str:
        words = escape(label_of(step.span)) + (f" +{step.steps - 1}" if folded else "")
        inside = self._cells(words, level, (step.start, step.end), _look(step.span), _duration(step.span))
        mark = f' id="s-{escape(step.id, quote=True)}"'
        if self.detailed or step.id == self.choice.step:
            opened = " open" if step.id == self.choice.step else ""
            return f"<details{mark}{opened}><summary>{inside}</summary>{_detail(step.span)}</details>"
        address = (
            self.choice.address(inside=step.id, like="", page=1, step="")
            if folded
            else f"{self.choice.address(step=step.id)}#s-{step.id}"
        )
        return f'<a class="row"{mark} href="{escape(address, quote=True)}">{inside}</a>'

    def _more(self, step: TimedStep, count: int, level: int) -> str:
        """Return a link to the hidden steps inside a step."""
        if not count:
            return ""
        address = self.choice.address(inside=step.id, like="", page=1, step="")
        words = f"{count:,} more steps"
        name = f'<span class="name" style="padding-left:{min(level, 12) * 14}px">{words}</span>'
        return f'<a class="row" href="{escape(address, quote=True)}">{name}</a>'

    def _alike(self, unit: Alike, level: int) -> str:
        times = [int(step.span["duration"]) for step in unit.members]
        failed = sum(step.failed for step in unit.members)
        words = f"{escape(unit.name)} × {len(times):,}{f', {failed:,} failed' if failed else ''}"
        middle = format_value(float(statistics.median(times)), "nanosecond")
        span = (min(step.start for step in unit.members), max(step.end for step in unit.members))
        look = "error" if failed else "many"
        address = self.choice.address(inside=unit.parent, like=unit.name, page=1, step="")
        cells = self._cells(words, level, span, look, f"p50 {middle}")
        return f'<a class="row" href="{escape(address, quote=True)}">{cells}</a>'

    def _cells(self, words: str, level: int, span: tuple[int, int], look: str, time: str) -> str:
        left, width = (span[0] - self.start) / self.total * 100, (span[1] - span[0]) / self.total * 100
        place = f"left:{left:.3f}%;width:{width:.3f}%"
        return (
            f'<span class="name" style="padding-left:{min(level, 12) * 14}px">{words}</span>'
            f'<span class="track"><i class="bar {look}" style="{place}"></i></span>'
            f'<span class="time">{time}</span>'
        )


def _look(span: Row) -> str:
    if span.get("error"):
        return "error"
    if (span.get("meta") or {}).get("status") == RUNNING:
        return RUNNING
    return "retry" if str(span.get("name")).endswith(".attempt") else ""


def _duration(span: Row) -> str:
    running = (span.get("meta") or {}).get("status") == RUNNING
    return format_value(float(span["duration"]), "nanosecond") + ("…" if running else "")


def _axis(total: int) -> str:
    """Return the time axis: labels at round durations since the start."""
    ticks = [tick for tick in value_ticks(0, total, 6, "nanosecond") if tick <= total]
    shown = "".join(
        f'<i style="left:{tick / total * 100:.3f}%">{format_value(tick, "nanosecond")}</i>'
        for tick in ticks
        if tick / total < LAST_TICK
    )
    return f'<div class="axis" aria-hidden="true"><span></span><span class="track">{shown}</span></div>'


def _detail(span: Row) -> str:
    facts = {"name": span.get("name"), "service": span.get("service"), "span": span.get("span_id")}
    facts |= {**(span.get("metrics") or {}), **(span.get("meta") or {})}
    rows = [(escape(str(key)), f"<pre>{escape(str(value))}</pre>") for key, value in facts.items()]
    return f'<div class="detail">{_ways(span)}{table(("Field", "Value"), rows, "")}</div>'


def _ways(span: Row) -> str:
    """Return links from a call to its function and log lines, and from a state to its state machine."""
    meta = span.get("meta") or {}
    ways = []
    if span.get("name") == INVOCATION:
        name = str(span.get("resource"))
        ways.append(item_link("functions", name, f"Function {name}"))
    elif machine := machine_of(str(meta.get("executionarn") or "")):
        ways.append(item_link("machines", machine, f"State machine {machine}"))
    if meta.get("request_id"):
        around = f"{int(span['start']) // 10**9 - 60}..{_seconds_after(span)}"
        ways.append(link("/logs", "Its log lines", {"query": f'"{meta["request_id"]}"', "from": around}))
    return f"<p>{' · '.join(ways)}</p>" if ways else ""


def _seconds_after(span: Row) -> int:
    return (int(span["start"]) + int(span["duration"])) // 10**9 + 60


def failures(spans: Sequence[Row]) -> list[TimedStep]:
    """Return the failed steps without failed steps inside them (the causes), in order of time."""
    steps = [step for root in steps_of(spans) for step in root.walk()]
    return [step for step in steps if step.failed and not any(inner.failed for inner in step.inner)]
