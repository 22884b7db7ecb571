"""What a server on one's own machine has to bear: huge bodies, idle connections, half requests, a full
disk.
"""

import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

KEY = {"DD-API-KEY": "k"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """The address of a `stepscope serve` of its own process, and the process."""
    database = str(tmp_path_factory.mktemp("serving") / "d.duckdb")
    command = [sys.executable, "-c", "from monitoring.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--database", database], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    url = "http://" + process.stderr.readline().partition("http://")[2].split()[0]
    try:
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stderr.close()


def memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


def point():
    return {"series": [{"metric": "m", "points": [[int(time.time()), 1]]}]}


def test_a_body_of_100_mb_is_refused_with_a_413_and_costs_no_memory(serving):
    url, process = serving
    with httpx.Client(base_url=url, headers=KEY, timeout=60, verify=False) as client:
        assert client.post("/api/v1/series", json=point()).status_code == 202
        before = memory(process)
        assert client.post("/api/v1/series", content=b"x" * 100_000_000).status_code == 413

        def chunks():
            for _ in range(100):
                yield b"x" * 1_000_000

        assert client.post("/api/v2/logs", content=chunks()).status_code == 413
        assert memory(process) - before < 50
        assert client.post("/api/v1/series", json=point()).status_code == 202


def test_ten_thousand_idle_connections_leave_room_for_a_client(serving):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10_500:
        pytest.skip(f"this machine allows {hard} open files a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 10_500), hard))
    url, _ = serving
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    with contextlib.ExitStack() as idle:
        for _ in range(10_000):
            idle.enter_context(socket.create_connection(address, timeout=20))
        started = time.monotonic()
        answer = httpx.post(f"{url}/api/v1/series", json=point(), headers=KEY, timeout=20)
        assert answer.status_code == 202
        assert time.monotonic() - started < 10


def test_half_a_request_and_nonsense_cost_nobody_else(serving):
    url, _ = serving
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    with (
        socket.create_connection(address) as half,
        socket.create_connection(address) as nonsense,
        socket.create_connection(address) as gone,
    ):
        half.sendall(
            b"POST /api/v1/series HTTP/1.1\r\nHost: localhost\r\nDD-API-KEY: k\r\nContent-Length: 99\r\n\r\n{"
        )
        nonsense.sendall(b"\x16\x03\x01\x00\xff\r\n\r\n")
        assert nonsense.recv(100).startswith(b"HTTP/1.1 400")
        gone.sendall(b"POST /api/v1/series HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        gone.close()
        answer = httpx.post(f"{url}/api/v1/series", json=point(), headers=KEY)
        assert answer.status_code == 202


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/dashboard/..%2f..%2fetc"]
)
def test_a_path_out_of_the_folder_finds_nothing(serving, path):
    host, _, port = serving[0].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nDD-API-KEY: k\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer


def test_a_disk_that_is_full_is_an_error_to_the_sender_and_loses_nothing_before(tmp_path, monkeypatch):
    from monitoring.local_datadog import LocalDatadog
    from monitoring.store import Store, journal

    path = tmp_path / "d.duckdb"
    with LocalDatadog(path) as server, httpx.Client(base_url=server.url, headers=KEY, verify=False) as client:
        assert client.post("/api/v1/series", json=point()).status_code == 202
        whole = journal._write_all

        def full(file, data):
            whole(file, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(journal, "_write_all", full)
        new = {"series": [{"metric": "new", "points": [[int(time.time()), 1]]}]}
        refused = client.post("/api/v1/series", json=new)
        assert refused.status_code == 503
        assert "No space left" in json.dumps(refused.json())
        monkeypatch.undo()
        assert client.post("/api/v1/series", json=new).status_code == 202
    with Store.open(path, read_only=True) as store:
        assert [(m.name, m.points) for m in store.metrics()] == [("m", 1), ("new", 1)]
