"""List the metrics of an SLO."""

from collections.abc import Iterator, Mapping

from monitoring.query import Metric, walk
from monitoring.slo.counts import prepared
from monitoring.slo.definition import Slo


def metrics_of_slo(slo: Slo) -> set[str]:
    """Return the names of the metrics in the queries of an SLO; an SLO of monitors has no queries.

    Raises:
        QueryError: a query cannot be parsed.
    """
    return {
        part.name
        for text, queries in _formulas(slo)
        for part in walk(prepared(text, queries, ""))
        if isinstance(part, Metric)
    }


def _formulas(slo: Slo) -> Iterator[tuple[str, Mapping[str, str]]]:
    if slo.count is not None:
        yield from ((text, slo.count.queries) for text in (slo.count.good, slo.count.other))
    if slo.slice is not None:
        yield slo.slice.formula, slo.slice.queries
