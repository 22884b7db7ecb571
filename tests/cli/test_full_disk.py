"""A disk that takes no more: a sentence and status 2, and nothing that was acknowledged is lost."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

from monitoring.store import Store

FULL = Path("/dev/full")
COMMAND = (sys.executable, "-c", "from monitoring.cli import main; main()")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
MONITOR = {
    "name": "Load",
    "type": "query alert",
    "query": "avg(last_5m):avg:system.load.1{*} > 5",
    "message": "High. @slack-ops",
    "options": {"thresholds": {"critical": 5.0}},
}
CASE = """
series: [{metric: system.load.1, tags: ["a:b"], values: 1x20}]
expect: [{never: Alert}]
"""


def stepscope(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=120, **more)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "load.json").write_text(json.dumps(MONITOR))
    (tmp_path / "monitors" / "load.test.yaml").write_text(CASE)
    return tmp_path


OUTPUTS = [
    ["lint"],
    ["lint", "--json"],
    ["lint", "--rules"],
    ["test"],
    ["test", "--json"],
    ["export", "terraform"],
    ["drill", "--list"],
    ["query", "--help"],
    ["--version"],
]


@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_standard_output_that_takes_no_more_is_said(project: Path, arguments: list[str]):
    with FULL.open("w") as full:
        ended = stepscope(*arguments, stdout=full, cwd=project)
    assert ended.stderr == "stepscope: the output: cannot be written: No space left on device\n"
    assert ended.returncode == 2


FILES = [["test", "--junit"], ["export", "terraform", "--out"]]


@pytest.mark.parametrize("arguments", FILES, ids=" ".join)
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("full", "No space left on device"),
        ("missing/out", "No such file or directory"),
        ("monitors", " directory"),
        ("monitors/load.json/out", "Not a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_said(project: Path, arguments: list[str], target: str, said: str):
    (project / "full").symlink_to(FULL)
    ended = stepscope(*arguments, target, stdout=subprocess.DEVNULL, cwd=project)
    last = ended.stderr.splitlines()[-1]
    assert target in last
    assert said in last
    assert "a bug" not in ended.stderr
    assert ended.returncode == 2


def test_an_intake_whose_disk_is_full_refuses_and_loses_nothing_that_it_acknowledged(tmp_path: Path):
    """The limit of a file's size is the disk here: the journal and the database stop at two megabytes."""
    database, log = tmp_path / "datadog.duckdb", tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))}
    command = [*COMMAND, "serve", "--port", str(port), "--db", str(database)]
    with log.open("w") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said, cwd=tmp_path, **limited)
    try:
        acknowledged = fill(f"http://127.0.0.1:{port}")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    assert "a bug" not in log.read_text()
    assert "Traceback" not in log.read_text()
    shutil.copytree(tmp_path, tmp_path.with_name("moved"))  # to a disk with room
    with Store.open(tmp_path.with_name("moved") / database.name) as store:
        stored = {series.metric for series in store.series()}
    assert acknowledged <= stored


def fill(url: str) -> set[str]:
    """Post until three requests in a row are refused; the metrics of those that were acknowledged."""
    pool = urllib3.PoolManager(
        retries=urllib3.Retry(total=None, connect=60, backoff_factor=0.1, backoff_max=1)
    )
    acknowledged, refused = set(), 0
    for number in range(1_000):
        names = [f"m{number}.{part}" for part in range(20)]
        points = [[int(time.time()), number]]
        series = [
            {"metric": name, "type": "gauge", "points": points, "tags": [os.urandom(2_000).hex()]}
            for name in names
        ]
        body, key = {"series": series}, {"DD-API-KEY": "k"}
        answer = pool.request("POST", f"{url}/api/v1/series", json=body, headers=key)
        if answer.status == 202:
            acknowledged.update(names)
            refused = 0
            continue
        assert answer.status == 503
        assert answer.json()["errors"][0].startswith("not stored: ")
        refused += 1
        if refused == 3:
            return acknowledged
    pytest.fail("the disk was never full")
