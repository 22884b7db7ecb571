"""The server killed while ten clients write every kind of data: what it acknowledged is stored, and once."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from monitoring.store import Store

RUNS = int(os.environ.get("STEPSCOPE_SERVER_KILLS", "2"))
CLIENTS, KILLS = 10, 2
SERVE = """
import sys, time
from monitoring.local_datadog import LocalDatadog
with LocalDatadog(sys.argv[1]) as server:
    print(server.url, flush=True)
    time.sleep(600)
"""
MONITOR = {"type": "query alert", "query": "avg(last_5m):avg:a{*} > 1", "message": "m"}
BOARD = {"layout_type": "ordered", "widgets": [{"definition": {"type": "note", "content": "a"}}]}
OBJECTIVE = {
    "type": "metric",
    "thresholds": [{"timeframe": "7d", "target": 99}],
    "query": {"numerator": "sum:a{*}.as_count()", "denominator": "sum:b{*}.as_count()"},
}
OFF = {"scope": "env:dev", "monitor_identifier": {"monitor_tags": ["team:a"]}}


def now() -> int:
    return int(time.time())


KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "series v1": (
        "/api/v1/series",
        lambda n: {"series": [{"metric": "v1", "points": [[now(), 1]], "tags": [f"n:{n}"]}]},
    ),
    "series v2": (
        "/api/v2/series",
        lambda n: {
            "series": [
                {"metric": "v2", "type": 3, "points": [{"timestamp": now(), "value": 1}], "tags": [f"n:{n}"]}
            ]
        },
    ),
    "distribution": (
        "/api/v1/distribution_points",
        lambda n: {"series": [{"metric": "d", "points": [[now(), [1, 2]]], "tags": [f"n:{n}"]}]},
    ),
    "log": ("/api/v2/logs", lambda n: [{"message": n}]),
    "span": (
        "/api/v0.2/traces",
        lambda n: {
            "traces": [[{"trace_id": "1", "span_id": "2", "start": now() * 10**9, "duration": 1, "name": n}]]
        },
    ),
    "check": (
        "/api/v1/check_run",
        lambda n: {"check": "c", "host_name": "h", "status": 0, "tags": [f"n:{n}"]},
    ),
    "event": ("/api/v1/events", lambda n: {"title": n, "text": "t"}),
    "monitor": ("/api/v1/monitor", lambda n: {**MONITOR, "name": n}),
    "dashboard": ("/api/v1/dashboard", lambda n: {**BOARD, "title": n}),
    "objective": ("/api/v1/slo", lambda n: {**OBJECTIVE, "name": n}),
    "downtime": (
        "/api/v2/downtime",
        lambda n: {"data": {"type": "downtime", "attributes": {**OFF, "message": n}}},
    ),
}
"""What is written -> its route, and its body with a name of its own."""
KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}


def write(
    url: str, client: str, acknowledged: Counter[tuple[str, str]], attempted: set[tuple[str, str]]
) -> None:
    """Write every kind in turn until the server is gone, from another kind on for each client."""
    pool = urllib3.PoolManager(retries=False, timeout=60)
    order = [*KINDS.items()]
    random.Random(client).shuffle(order)
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        for number, (kind, (route, body)) in zip(itertools.count(), itertools.cycle(order), strict=False):
            name = f"{client}-{number}"
            attempted.add((kind, name))
            answer = pool.request("POST", url + route, json=body(name), headers=KEYS)
            assert answer.status in {200, 201, 202}, (kind, answer.status, answer.data)
            acknowledged[kind, name] += 1


def killed_once(
    path: Path, life: int, moment: float
) -> tuple[Counter[tuple[str, str]], set[tuple[str, str]]]:
    """Start the server, let ten clients write, and kill it; what was acknowledged, and what was tried."""
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(path)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    acknowledged: Counter[tuple[str, str]] = Counter()
    attempted: set[tuple[str, str]] = set()
    failures: list[BaseException] = []

    def run(client: str) -> None:
        try:
            write(url, client, acknowledged, attempted)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(f"{life}.{number}",)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while {kind for kind, _ in acknowledged} != set(KINDS) and not failures:
        time.sleep(0.01)  # the moment is counted from when every kind was acknowledged once
    time.sleep(moment)
    server.send_signal(signal.SIGKILL)
    server.wait(60)
    server.stdout.close()
    for thread in threads:
        thread.join(120)
    assert failures == []
    return acknowledged, attempted


def stored(path: Path) -> Counter[tuple[str, str]]:
    """How often each name of each kind is in the file, opened again."""
    found: Counter[tuple[str, str]] = Counter()
    with Store.open(path) as store:
        for kind, metric in (("series v1", "v1"), ("series v2", "v2"), ("distribution", "d")):
            for series in store.series(metric):
                (name,) = (tag[2:] for tag in series.tags if tag.startswith("n:"))
                found[kind, name] += len(series.values) // (2 if kind == "distribution" else 1)
        found.update(("span", span["name"]) for span in store.spans())
        with store.reading() as cursor:
            found.update(("log", text) for (text,) in cursor.execute("SELECT message FROM logs").fetchall())
            tags = cursor.execute("SELECT tags FROM checks").fetchall()
        found.update(("check", tag[2:]) for (row,) in tags for tag in row if tag.startswith("n:"))
        for kind, table, field in DOCUMENTS:
            found.update((kind, field(body)) for body in store.documents.all(table))
    return found


DOCUMENTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("event", "event", lambda body: body["title"]),
    ("monitor", "monitor", lambda body: body["name"]),
    ("dashboard", "dashboard", lambda body: body["title"]),
    ("objective", "slo", lambda body: body["name"]),
    ("downtime", "downtime", lambda body: body["message"]),
)


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_ten_clients_were_told_is_stored_is_stored_once(tmp_path: Path, seed: int, capsys):
    path, chance = tmp_path / "d.duckdb", random.Random(seed)
    acknowledged: Counter[tuple[str, str]] = Counter()
    attempted: set[tuple[str, str]] = set()
    for life in range(KILLS):
        told, tried = killed_once(path, life, chance.uniform(0.0, 1.5))
        acknowledged += told
        attempted |= tried
    found = stored(path)
    assert not acknowledged - found
    assert set(found) <= attempted
    assert set(found.values()) == {1}
    assert {kind for kind, _ in acknowledged} == set(KINDS)
    with capsys.disabled():
        extra = len(found) - len(acknowledged)
        print(
            f"seed {seed}: {KILLS} kills, {len(acknowledged)} acknowledged, 0 lost, 0 twice, {extra} in flight"
        )
