"""Format the results of a backtest as a table and as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from monitoring import terminal
from monitoring.monitor.states import State
from monitoring.terminal import plain
from monitoring.testing.backtest import BacktestResult
from monitoring.testing.times import show_duration, show_moment

SHOWN = 20
"""Episodes that are listed; all of them are in --json."""


def as_json(outcomes: Sequence[BacktestResult]) -> list[dict[str, Any]]:
    """Return an object per variant, with its totals and all episodes."""
    return [
        {**_totals(outcome), "episodes": [_episode(episode) for episode in outcome.episodes]}
        for outcome in outcomes
    ]


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
    ("alerts", lambda outcome: str(len(outcome.of(State.ALERT)))),
    ("warnings", lambda outcome: str(len(outcome.of(State.WARN)))),
    ("no data", lambda outcome: str(len(outcome.of(State.NO_DATA)))),
    ("time in alert", lambda outcome: show_duration(outcome.alerting)),
    ("longest alert", lambda outcome: show_duration(outcome.longest)),
    ("flapping", lambda outcome: str(outcome.flapping)),
    ("notifications", lambda outcome: str(sum(outcome.notifications.values()))),
    ("groups", lambda outcome: str(outcome.groups)),
)


def table(outcomes: Sequence[BacktestResult]) -> list[str]:
    """Return a table with a column per variant."""
    columns = [[outcome.variant, *(show(outcome) for _, show in _ROWS)] for outcome in outcomes]
    names = ["", *(name for name, _ in _ROWS)]
    rows = [(name, *(column[at] for column in columns)) for at, name in enumerate(names)]
    return [plain(*line) for line in terminal.table(rows, right=range(1, len(columns) + 1))]


def episodes(outcome: BacktestResult) -> list[str]:
    """Return the first episodes of a variant: start, length, group, and the value at the start."""
    rows = [
        (
            show_moment(episode.start),
            str(episode.state),
            show_duration(episode.seconds) + ("+" if episode.end is None else ""),
            episode.group,
            "" if episode.value is None else f"{episode.value:.6g}",
        )
        for episode in outcome.episodes[:SHOWN]
    ]
    lines = [plain(*line) for line in terminal.table(rows, right={2, 4})]
    if len(outcome.episodes) > SHOWN:
        lines.append(f"… and {len(outcome.episodes) - SHOWN} more: --json lists them all")
    return lines
