"""How fast queries are read, and how a query over the store compares with DuckDB's own scan and bucketing."""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from monitoring.query import evaluate, parse
from monitoring.query.formatter import format_query
from monitoring.store.batch import Source
from monitoring.store.query_source import StoreSource

SOURCES, POINTS, START = 1000, 10_000, 1_700_000_400
QUERIES = [
    "avg:system.cpu.user{env:prod,service:web} by {host}",
    "sum:requests.errors{env:prod}.as_count() / sum:requests{env:prod}.as_count() * 100",
    "top(avg:lambda.duration{$env,!region:us-east-1} by {functionname}, 10, 'mean', 'desc')",
    "default_zero(sum:states.failed{env:prod AND machine IN (a, b, c)} by {machine}.rollup(sum, 60))",
    "p99:lambda.duration{service:slides}.fill(last, 600), query1 / (query1 + query2)",
]


class Tables:
    """The tables of a store in memory, filled without its journal."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("CREATE TABLE points(series_id INTEGER, time BIGINT, value DOUBLE)")
        self.connection.execute(
            f"INSERT INTO points SELECT s.i, {START} + p.i * 10, (s.i * 31 + p.i * 17) % 1000"
            f" FROM range({POINTS}) p(i), range({SOURCES}) s(i)"
        )

    def sources(self, metric: str) -> dict[int, Source]:
        """The sources of the one metric."""
        return {
            at: Source(metric, f"host{at}", ("env:prod", f"az:{at % 10}"), "gauge", None)
            for at in range(SOURCES)
        }

    @contextmanager
    def reading(self):
        """A cursor."""
        yield self.connection.cursor()


def median(action: Callable[[], object], times: int = 5) -> float:
    """The median seconds of an action, after one run to warm up."""
    action()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def reading() -> None:
    """Queries parsed and formatted a second."""
    nodes = [parse(query) for query in QUERIES]
    parsed = median(lambda: [parse(query) for _ in range(400) for query in QUERIES]) / 2000
    written = median(lambda: [format_query(node) for _ in range(400) for node in nodes]) / 2000
    print(f"{'parse':44} {1 / parsed:12,.0f} queries a second")
    print(f"{'format':44} {1 / written:12,.0f} queries a second")


def scanning() -> None:
    """10 million points of 1,000 sources: a query against the plain scan and bucketing."""
    tables = Tables()
    source = StoreSource(tables)
    end = START + POINTS * 10
    step = 600

    def plain() -> dict[str, np.ndarray]:
        return tables.connection.execute(
            f"SELECT series_id, time // {step} * {step} AS bucket, avg(value) AS value FROM points"
            f" WHERE time >= {START} AND time < {end} GROUP BY series_id, bucket"
        ).fetchnumpy()

    floor = median(plain)
    print(f"{'DuckDB: scan and bucket 10 M points':44} {floor:12.3f} s   1.00")
    for query in ("avg:m{*}", "avg:m{env:prod} by {az}", "max:m{*} by {host}", "avg:m{az:3}"):
        taken = median(lambda query=query: evaluate(query, source, START, end, step))
        print(f"{query:44} {taken:12.3f} s   {taken / floor:.2f}")


if __name__ == "__main__":
    reading()
    scanning()
