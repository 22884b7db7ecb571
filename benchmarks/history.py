"""How a query over the Parquet files of a replay compares with DuckDB alone over the same files: time and memory.

`--points 100000000` writes 100 million points of a week (2 GB) and asks; each query runs in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from measure import parser

sys.path.insert(0, str(Path(__file__).parents[1]))

from monitoring.replay.parquet import source_number

START, DAYS, DAY, SOURCES, METRIC = 1_700_006_400, 7, 86_400, 1000, "shop.paid"
STEP = 3600
QUERIES = {
    "avg:shop.paid{*}": ("0", "avg(value)"),
    "max:shop.paid{*} by {az}": ("tags[1]", "max(value)"),
    "p95:shop.paid{*}": ("0", "quantile_disc(value, 0.95)"),
    "p95:shop.paid{*} by {az}": ("tags[1]", "quantile_disc(value, 0.95)"),
    "p99:shop.paid{az:3}": ("0", "quantile_disc(value, 0.99) FILTER (tags[1] = 'az:3')"),
}
"""Query -> the group and the aggregate with which DuckDB alone answers it."""
ASK = (
    "import resource, sys, time, os; sys.path.insert(0, sys.argv[1]); folder, text = sys.argv[2:4]\n"
    "from monitoring.query import evaluate\n"
    "from monitoring.store.parquet_source import ParquetSource, Partitions\n"
    "import duckdb\n"
    "began, before = time.perf_counter(), sum(os.times()[:2])\n"
    "if text.startswith('SELECT'):\n"
    "    connection = duckdb.connect()\n    connection.execute('SET enable_progress_bar = false')\n    answer = connection.execute(text).fetchnumpy()\n"
    f"else:\n    answer = evaluate(text, ParquetSource(Partitions(folder)), {START}, {START + DAYS * DAY - 1}, {STEP})\n"
    "took = time.perf_counter() - began\n"
    "used = sum(os.times()[:2]) - before\n"
    "print(took, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)


def write(folder: Path, points: int) -> None:
    """Write a week of one metric from 1,000 sources, two files a day, as a replay writes them."""
    tags = [(f"az:{at % 10}", "env:prod", f"host:h{at}", "service:shop") for at in range(SOURCES)]
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute("CREATE TABLE source (slot INTEGER, tags VARCHAR[], source BIGINT)")
    rows = [(at, list(names), source_number(names)) for at, names in enumerate(tags)]
    connection.executemany("INSERT INTO source VALUES (?, ?, ?)", rows)
    footer = (
        "{" + ", ".join(f'"{number}": {list(names)}' for _, names, number in rows).replace("'", '"') + "}"
    )
    part = max(1, points // DAYS // 2)
    for half in range(2 * DAYS):
        start = START + half // 2 * DAY
        place = folder / f"day={datetime.fromtimestamp(start, UTC):%Y-%m-%d}" / f"metric={METRIC}"
        place.mkdir(parents=True, exist_ok=True)
        connection.execute(
            "COPY (SELECT timestamp, value, 'distribution' AS type, tags, source FROM ("
            f"SELECT {start} + i * {DAY / part}::DOUBLE AS timestamp, exp(2 + random() * 4) AS value,"
            f" (hash(i + {half}) % {SOURCES})::INTEGER AS slot FROM range({part}) t(i)) JOIN source USING (slot)"
            f" ORDER BY timestamp) TO '{place}/{half % 2}.parquet' (FORMAT parquet, KV_METADATA {{stepscope_sources: '{footer}'}})"
        )


def asked(folder: Path, text: str, rounds: int) -> tuple[float, float, float]:
    """Return the least seconds by the clock and of the processor, and MB, of a query in processes of their own."""
    command = [sys.executable, "-c", ASK, str(Path(__file__).parents[1]), str(folder), text]
    lines = [subprocess.check_output(command, text=True).split() for _ in range(rounds)]
    clock, processor, memory = (min(map(float, column)) for column in zip(*lines, strict=True))
    return clock, processor, memory


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--points", type=int, default=10_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--write", action="store_true", help="only write the files")
    options.add_argument(
        "--folder", help="where the files go, 20 bytes a point, and stay; else they are deleted"
    )
    chosen = options.parse_args()
    points, rounds = (20_000, 1) if chosen.quick else (chosen.points, chosen.rounds)
    if chosen.write:
        write(Path(chosen.folder), points)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(chosen.folder or name)
        if not any(folder.glob("day=*")):  # in a process of its own, whose memory would count as the queries'
            command = [sys.executable, __file__, "--write", "--folder", str(folder), "--points", str(points)]
            subprocess.run(command, check=True)
        files = f"read_parquet('{folder}/day=*/*/*.parquet')"
        print(f"{points:,} points, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"{'query':28} {'DuckDB alone':>24} {'stepscope':>24}   ratio by the clock, of the processor")
        for query, (group, aggregate) in QUERIES.items():
            plain = (
                f"SELECT {group} AS own, floor(timestamp / {STEP}) AS bucket, {aggregate} AS value"
                f" FROM {files} GROUP BY own, bucket"
            )
            floor, ours = asked(folder, plain, rounds), asked(folder, query, rounds)
            cells = [f"{clock:8.2f} s {memory:8.0f} MB" for clock, _, memory in (floor, ours)]
            ratios = f"{ours[0] / floor[0]:.2f}   {ours[1] / floor[1]:.2f}"
            print(f"{query:28} {cells[0]:>24} {cells[1]:>24}   {ratios}", flush=True)


if __name__ == "__main__":
    main()
