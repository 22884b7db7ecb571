"""Define what dashboards show beside points: logs, events, spans, checks, SLOs, monitor histories."""

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
    """Where a widget finds what is not a point; times are seconds, windows end before their end.

    Attributes:
        newest: ("logs", "events" or "spans", start, end, test, most) -> the newest records that pass,
            the newest first.
        checks: (start, end) -> the results of service checks.
        slos: objectives by their key and by their id.
        corrections: an objective -> its status corrections.
        history: (a monitor's id or key, start, end) -> its evaluations, where it is known.
        points: (queries, start, end) -> the points of another time than the dashboard's.
        sampled: all of this is made up, and a widget has to say so.
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
        InputError: it cannot be read.
    """
    from monitoring.monitor.search import compile_search

    return compile_search(as_search(str(text or ""), variables) or "*")
