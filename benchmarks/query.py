"""How fast queries are read, and how a query over the store compares with DuckDB's own scan and bucketing."""

import sys
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
from measure import is_quick, timed

sys.path.insert(0, str(Path(__file__).parents[1]))

from monitoring.query import evaluate, parse
from monitoring.query.formatter import format_query
from monitoring.store.batch import SeriesIdentity
from monitoring.store.query_source import StoreSource

SOURCES, START = 1000, 1_700_000_400
QUERIES = [
    "avg:system.cpu.user{env:prod,service:web} by {host}",
    "sum:requests.errors{env:prod}.as_count() / sum:requests{env:prod}.as_count() * 100",
    "top(avg:lambda.duration{$env,!region:us-east-1} by {functionname}, 10, 'mean', 'desc')",
    "default_zero(sum:states.failed{env:prod AND machine IN (a, b, c)} by {machine}.rollup(sum, 60))",
    "p99:lambda.duration{service:slides}.fill(last, 600)",
    "moving_rollup(avg:queue.depth{queue:slides} by {region}, 600, 'max')",
]


class Tables:
    """The tables of a store in memory, filled without its journal."""

    def __init__(self, points: int) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("CREATE TABLE points(series_id INTEGER, time BIGINT, value DOUBLE)")
        self.connection.execute(
            f"INSERT INTO points SELECT s.i, {START} + p.i * 10, (s.i * 31 + p.i * 17) % 1000"
            f" FROM range({points}) p(i), range({SOURCES}) s(i)"
        )

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the sources of the one metric."""
        return {
            at: SeriesIdentity(metric, f"host{at}", ("env:prod", f"az:{at % 10}"), "gauge", None)
            for at in range(SOURCES)
        }

    @contextmanager
    def reading(self, keys: object = None):
        """Yield a cursor."""
        yield self.connection.cursor()


def reading(times: int) -> None:
    """Print the queries parsed and formatted a second."""
    nodes = [parse(query) for query in QUERIES]
    count = times * len(QUERIES)
    parsed = timed(lambda: [parse(query) for _ in range(times) for query in QUERIES]).processor / count
    written = timed(lambda: [format_query(node) for _ in range(times) for node in nodes]).processor / count
    print(f"{'parse':44} {1 / parsed:12,.0f} queries a second")
    print(f"{'format':44} {1 / written:12,.0f} queries a second")


def scanning(points: int) -> None:
    """Print what a query of 1,000 sources takes, against the plain scan and bucketing."""
    tables = Tables(points)
    source = StoreSource(tables)
    end = START + points * 10
    step = 600

    def plain() -> dict[str, np.ndarray]:
        return tables.connection.execute(
            f"SELECT series_id, time // {step} * {step} AS bucket, avg(value) AS value FROM points"
            f" WHERE time >= {START} AND time < {end} GROUP BY series_id, bucket"
        ).fetchnumpy()

    floor = timed(plain).clock
    print(f"{f'DuckDB: scan and bucket {points * SOURCES:,} points':44} {floor:12.3f} s   1.00")
    for query in ("avg:m{*}", "avg:m{env:prod} by {az}", "max:m{*} by {host}", "avg:m{az:3}"):
        taken = timed(lambda query=query: evaluate(query, source, START, end, step)).clock
        print(f"{query:44} {taken:12.3f} s   {taken / floor:.2f}")


if __name__ == "__main__":
    quick = is_quick(__doc__)
    reading(4 if quick else 400)
    scanning(100 if quick else 10_000)
