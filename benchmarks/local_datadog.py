"""The embedded Datadog under load: 100,000 points a second while a query of a million points is asked.

A client process of its own sends at that rate; the queries are asked by another. The floor to compare with is
appending the same points straight into DuckDB, with no HTTP, no JSON and no journal.

With --live a twentieth of what comes in belongs to the very metric that is asked for.

    python benchmarks/local_datadog.py [--seconds 20] [--per-series 1|10|100] [--live]
"""

import gzip
import json
import multiprocessing
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from measure import parser

RATE = 100_000
BATCH = 20_000
STORED = 1_000_000


def payloads(per_series: int, stamp: int, generation: int, live: bool = False) -> list[bytes]:
    """Return a fifth of a second's points, gzipped as a client sends them: new seconds of the same series."""
    metrics = ["stored.metric" if live else "load.metric_0", *(f"load.metric_{k}" for k in range(1, 20))]
    series = [
        {
            "metric": metrics[index % 20],
            "type": 3,
            "points": [{"timestamp": stamp + k, "value": index + k / 7} for k in range(per_series)],
            "tags": [f"function:f{index % 50}", "env:prod", f"shard:{generation}-{index}"],
            "resources": [{"type": "host", "name": f"h{index // 20 % 10}" if live else f"host-{index % 30}"}],
        }
        for index in range(BATCH // per_series)
    ]
    size = max(1, len(series) // 8)
    return [
        gzip.compress(json.dumps({"series": series[at : at + size]}).encode(), 1)
        for at in range(0, len(series), size)
    ]


def send(url: str, seconds: float, per_series: int, live: bool, ready: Any, results: Any) -> None:
    """Send at the rate; behind it, as fast as it goes."""
    import http.client

    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = {"DD-API-KEY": "k", "Content-Type": "application/json", "Content-Encoding": "gzip"}
    first = int(time.time()) - 3000
    # New series take over before their times would be more than ten minutes ahead.
    fit = 3000 // per_series
    prepared = [
        payloads(per_series, first + per_series * (k % fit), k // fit, live)
        for k in range(int(seconds * RATE / BATCH))
    ]
    ready.set()
    start, sent, batch = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - start) < seconds:
        if sent > RATE * elapsed:
            time.sleep(sent / RATE - elapsed)
            continue
        if batch == len(prepared):
            break
        for body in prepared[batch]:
            connection.request("POST", "/api/v2/series", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 202:
                raise RuntimeError(f"HTTP {answer.status}")
        sent += BATCH
        batch += 1
    results.put({"points": sent, "seconds": time.monotonic() - start})


def ask(url: str, seconds: float, window: tuple[int, int], results: Any) -> None:
    """Ask the query of a million points twice a second."""
    query = "avg:stored.metric{*}%20by%20{host}"
    request = urllib.request.Request(
        f"{url}/api/v1/query?from={window[0]}&to={window[1]}&query={query}", headers={"DD-API-KEY": "k"}
    )
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            found = json.load(answer)
        times.append((time.perf_counter() - start) * 1000)
        if len(found["series"]) != 10:
            raise RuntimeError("the query found other series")
        time.sleep(0.5)
    times.sort()
    results.put(
        {"median": statistics.median(times), "p95": times[int(len(times) * 0.95)], "asked": len(times)}
    )


def serve(path: str, url: Any, stop: Any) -> None:
    """Run the server in a process of its own, with a million points stored."""
    import numpy as np

    from monitoring.local_datadog import LocalDatadog
    from monitoring.query.series import Series

    with LocalDatadog(path) as server:
        now = int(time.time())
        times = np.arange(now - STORED // 100, now)
        server.store.add_points(
            Series("stored.metric", (f"shard:{k}",), times, np.sin(times + k), host=f"h{k % 10}")
            for k in range(100)
        )
        server.store.flush()
        url.put(server.url)
        stop.wait()
        print("  counters:", dict(server.store.counters), server.store.trouble or "")


def floor(per_series: int) -> float:
    """Seconds that a million points take straight into DuckDB, in batches of 20,000, each committed."""
    import duckdb
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(str(Path(folder) / "floor.duckdb"))
        connection.execute("CREATE TABLE points(series_id INTEGER, time BIGINT, value DOUBLE)")
        start = time.perf_counter()
        for batch in range(1_000_000 // BATCH):
            rows = {
                "s": np.repeat(np.arange(BATCH // per_series, dtype=np.int32), per_series),
                "t": np.full(BATCH, batch, np.int64),
                "v": np.random.default_rng(batch).random(BATCH),
            }
            connection.register("rows", rows)
            connection.execute("INSERT INTO points SELECT s, t, v FROM rows")
        return time.perf_counter() - start


def run(seconds: float, per_series: int, live: bool = False) -> None:
    """One round, printed."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        url_queue, results, stop = context.Queue(), context.Queue(), context.Event()
        server = context.Process(target=serve, args=(str(Path(folder) / "d.duckdb"), url_queue, stop))
        server.start()
        url = url_queue.get(timeout=60)
        now = int(time.time())
        window = (now - STORED // 100, now)
        alone = context.Process(target=ask, args=(url, 4, window, results))
        alone.start()
        idle = results.get(timeout=60)
        alone.join()
        ready = context.Event()
        jobs = [
            context.Process(target=send, args=(url, seconds, per_series, live, ready, results)),
            context.Process(target=ask, args=(url, seconds, window, results)),
        ]
        jobs[0].start()
        ready.wait()
        jobs[1].start()
        found = [results.get(timeout=60) for _ in jobs]
        for job in jobs:
            job.join()
        stop.set()
        server.join()
    merged = found[0] | found[1]
    rate = merged["points"] / merged["seconds"]
    print(f"  {per_series} point(s) a series: {rate:,.0f} points/s taken in over {merged['seconds']:.0f} s")
    print(f"  query of {STORED:,} points, idle: median {idle['median']:.0f} ms, p95 {idle['p95']:.0f} ms")
    print(f"  the same during intake:    median {merged['median']:.0f} ms, p95 {merged['p95']:.0f} ms")


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--per-series", type=int, nargs="*", default=[10])
    options.add_argument("--live", action="store_true", help="write into the metric that is asked for, too")
    chosen = options.parse_args()
    seconds = 1 if chosen.quick else chosen.seconds
    print(f"floor, straight into DuckDB: {1_000_000 / floor(10):,.0f} points/s")
    for per_series in chosen.per_series:
        run(seconds, per_series, chosen.live)


if __name__ == "__main__":
    main()
