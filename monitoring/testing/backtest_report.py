"""The outcomes of a backtest, side by side for people and as JSON for machines."""

from collections.abc import Callable, Sequence
from typing import Any

from monitoring.monitor.states import State
from monitoring.testing.backtest import BacktestResult
from monitoring.testing.times import show_duration, show_moment

SHOWN = 20
"""Episodes that are listed; all of them are in --json."""


def as_json(outcomes: Sequence[BacktestResult]) -> list[dict[str, Any]]:
    """One object a variant, with its totals and every episode."""
    return [{**_totals(each), "episodes": [_episode(one) for one in each.episodes]} for each in outcomes]


def _totals(outcome: BacktestResult) -> dict[str, Any]:
    return {
        "variant": outcome.variant,
        "start": outcome.start,
        "end": outcome.end,
        "groups": outcome.groups,
        "alerts": len(outcome.of(State.ALERT)),
        "warnings": len(outcome.of(State.WARN)),
        "no_data": len(outcome.of(State.NO_DATA)),
        "seconds_alerting": outcome.alerting,
        "longest_alert": outcome.longest,
        "flapping": outcome.flapping,
        "notifications": dict(outcome.notifications),
    }


def _episode(episode: Any) -> dict[str, Any]:
    return {**episode._asdict(), "state": str(episode.state)}


_ROWS: tuple[tuple[str, Callable[[BacktestResult], str]], ...] = (
    ("alerts", lambda each: str(len(each.of(State.ALERT)))),
    ("warnings", lambda each: str(len(each.of(State.WARN)))),
    ("no data", lambda each: str(len(each.of(State.NO_DATA)))),
    ("time in alert", lambda each: show_duration(each.alerting)),
    ("longest alert", lambda each: show_duration(each.longest)),
    ("flapping", lambda each: str(each.flapping)),
    ("notifications", lambda each: str(sum(each.notifications.values()))),
    ("groups", lambda each: str(each.groups)),
)


def table(outcomes: Sequence[BacktestResult]) -> list[str]:
    """One column a variant."""
    columns = [[each.variant, *(show(each) for _, show in _ROWS)] for each in outcomes]
    names = ["", *(name for name, _ in _ROWS)]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for at, name in enumerate(names):
        cells = (column[at].rjust(width) for column, width in zip(columns, widths, strict=True))
        lines.append(f"{name:<14}  {'  '.join(cells)}".rstrip())
    return lines


def episodes(outcome: BacktestResult) -> list[str]:
    """Return the first episodes of a variant: start, length, group, and the value at the start."""
    lines = []
    for one in outcome.episodes[:SHOWN]:
        value = "" if one.value is None else f"  {one.value:.6g}"
        length = show_duration(one.seconds) + ("+" if one.end is None else "")
        lines.append(f"{show_moment(one.start)}  {one.state!s:<7}  {length:>8}  {one.group}{value}")
    if len(outcome.episodes) > SHOWN:
        lines.append(f"… and {len(outcome.episodes) - SHOWN} more: --json lists them all")
    return lines
