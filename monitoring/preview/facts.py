"""Define the data of dashboards other than points: logs, events, spans, checks, SLOs, monitor histories."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.history import History
from monitoring.monitor.search import Record
from monitoring.preview.variables import Variable, as_search
from monitoring.query.sources import SeriesSource, Source
from monitoring.slo import Slo

Test = Callable[[Record], bool]
Body = Mapping[str, Any]


def _no_records(kind: str, start: int, end: int, test: Test, most: int) -> Sequence[Record]:
    return ()


@dataclass(frozen=True, slots=True)
class Facts:
    """The data of widgets other than points; times in seconds since the epoch, ends are exclusive.

    Attributes:
        newest: ("logs", "events" or "spans", start, end, test, most) -> at most `most` matching records,
            the newest first.
        checks: (start, end) -> the results of service checks.
        slos: key or id -> objective.
        corrections: objective -> its status corrections.
        history: (a monitor's id or key, start, end) -> its evaluations, or None.
        points: (queries, start, end) -> points of another time range than the dashboard's.
        sampled: whether the data are generated, which a widget has to show.
    """

    newest: Callable[[str, int, int, Test, int], Sequence[Record]] = _no_records
    checks: Callable[[int, int], Sequence[CheckSeries]] = lambda start, end: ()
    slos: Mapping[str, Body] = field(default_factory=dict)
    corrections: Callable[[Slo], Sequence[Body]] = lambda slo: ()
    history: Callable[[str, int, int], History | None] = lambda ident, start, end: None
    points: Callable[[Sequence[str], int, int], Source] = lambda queries, start, end: SeriesSource(())
    sampled: bool = False


NOTHING = Facts()


def search_of(text: object, variables: Mapping[str, Variable]) -> Test:
    """Compile a search with its template variables filled in; an empty search matches everything.

    Raises:
        InputError: the search cannot be parsed.
    """
    from monitoring.monitor.search import compile_search

    return compile_search(as_search(str(text or ""), variables) or "*")
