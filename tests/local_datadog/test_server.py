"""The embedded server: what keeps it from starting, and what a kill may not lose."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from monitoring.errors import InputError
from monitoring.local_datadog import Access, LocalDatadog, Settings
from monitoring.store import Store

SERVE = (
    "import sys, time\n"
    "from monitoring.local_datadog import LocalDatadog\n"
    "with LocalDatadog(sys.argv[1]) as server:\n"
    "    print(server.url, flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment_of_the_intake_it_loses_nothing_acknowledged(tmp_path, seed):
    path = tmp_path / "d.duckdb"
    moment = random.Random(seed).uniform(0.2, 0.9)
    acknowledged = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(path)], stdout=subprocess.PIPE, text=True
        )
        url = process.stdout.readline().strip()
        acknowledged = _post_until_killed(process, url, acknowledged, moment)
    with Store.open(path, read_only=True) as store:
        points = {int(value) for one in store.series("m") for value in one.values}
        spans = {int(span["duration"]) for span in store.spans()}
        assert set(range(acknowledged)) <= points
        assert set(range(acknowledged)) <= spans
        assert sum(len(one.values) for one in store.series("d")) - 10 * acknowledged in {0, 10, 20}
    assert acknowledged > 1


def _post_until_killed(process, url, first, moment):
    number = first
    client = httpx.Client(base_url=url, headers={"DD-API-KEY": "k"}, verify=False)
    killer = threading.Timer(moment, process.send_signal, [signal.SIGKILL])
    with client, contextlib.suppress(httpx.HTTPError):
        while True:
            if number == first + 1:  # the moment is counted from the first round that was acknowledged
                killer.start()
            now = int(time.time())
            points = {"metric": "m", "points": [[now, number]], "tags": [f"n:{number}"]}
            client.post("/api/v1/series", json={"series": [points]}).raise_for_status()
            values = {"metric": "d", "points": [[now, [number] * 10]]}
            client.post("/api/v1/distribution_points", json={"series": [values]}).raise_for_status()
            spans = [[{"trace_id": "1", "span_id": "2", "start": 1, "duration": number}]]
            client.post("/api/v0.2/traces", json={"traces": spans}).raise_for_status()
            number += 1
    killer.join()
    process.wait(10)
    process.stdout.close()
    return number


def test_a_port_in_use_is_one_clear_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(InputError, match=f"cannot listen on 127.0.0.1 port {port}"),
            LocalDatadog(port=port),
        ):
            pass


def test_another_address_is_refused_without_a_key():
    with pytest.raises(InputError, match="a key is needed"), LocalDatadog(host="0.0.0.0"):
        pass


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"not a database" * 1000, "not a DuckDB database"), (None, "folder does not exist")],
)
def test_a_database_that_cannot_be_opened_is_one_clear_sentence(tmp_path, content, says):
    path = tmp_path / "x.duckdb" if content else tmp_path / "nowhere" / "x.duckdb"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught, LocalDatadog(path):
        pass
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.jsonl", "x.parquet", "x.csv.gz", "x"])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_points_is_not_opened_as_a_database(tmp_path, name, read_only):
    path = tmp_path / name
    path.write_bytes(b"metric,timestamp\na,1\n")
    with pytest.raises(InputError, match="is not a DuckDB database"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == b"metric,timestamp\na,1\n"


def test_a_database_held_by_another_process_names_the_process(tmp_path):
    path = tmp_path / "d.duckdb"
    script = (
        f"from monitoring.store import Store\nwith Store.open({str(path)!r}): print(1, flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline()
    with pytest.raises(InputError, match=f"in use by another process \\(PID {holder.pid}\\)"):
        Store.open(path)
    holder.communicate("\n", timeout=20)
    Store.open(path).close()


def test_an_address_and_a_key_of_its_own_are_kept_to(tmp_path):
    with LocalDatadog(tmp_path / "d.duckdb", settings=Settings(Access(api_key="secret"))) as server:
        for key, status in (("secret", 200), ("other", 403)):
            assert (
                httpx.get(server.url + "/api/v1/validate", headers={"DD-API-KEY": key}).status_code == status
            )
