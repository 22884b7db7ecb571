"""However an embedded AWS ends, nothing of it is left; and what cannot start says why."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws

CODE = Path(__file__).parent / "code"

SCRIPT = """
import json, signal, sys, threading, time
from pathlib import Path
from monitoring.local_aws import LocalAws

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
home, code, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
machine = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${hangs}", "End": True}}}
try:
    with LocalAws(home, speed=20) as aws:
        aws.deploy_function("hangs", handler="steps.leaves_children", code=code, timeout=900)
        aws.deploy_state_machine("m", machine)
        aws.start("m", {"hang": True})
        aws.client("lambda").invoke(FunctionName="hangs", InvocationType="Event", Payload='{"hang": true}')
        waits = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 99999, "End": True}}}
        aws.deploy_state_machine("waits", waits)
        aws.start("waits")
        children = []
        while len(children) < 2:
            children = [e.message.split()[1] for e in aws.log_events() if e.message.startswith("child ")]
            time.sleep(0.02)
        print(json.dumps({"children": children, "url": aws.endpoint_url}), flush=True)
        if how == "exception":
            raise LookupError("the program's own trouble")
        if how == "interrupt":
            time.sleep(60)
except (KeyboardInterrupt, LookupError) as error:
    print(json.dumps({"error": type(error).__name__}), flush=True)
print(json.dumps({"threads": [t.name for t in threading.enumerate()]}), flush=True)
"""


def alive(pid: str | int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
        except OSError:
            continue
        if fields and fields[1] == str(pid):
            found += [entry.name, *descendants(int(entry.name))]
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", ["normally", "exception", "interrupt"])
def test_nothing_is_left_though_workers_hang(tmp_path: Path, how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(CODE), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    ready = json.loads(process.stdout.readline())
    pids = {*ready["children"], *(descendants(process.pid) if how == "interrupt" else [])}
    began = time.monotonic()
    if how == "interrupt":
        process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 15
    assert process.returncode == 0, errors
    lines = [json.loads(line) for line in rest.splitlines()]
    expected = {"normally": [], "exception": ["LookupError"], "interrupt": ["KeyboardInterrupt"]}[how]
    assert [line["error"] for line in lines if "error" in line] == expected
    assert lines[-1] == {"threads": ["MainThread"]}
    assert errors == ""
    assert [pid for pid in pids if alive(pid)] == []
    port = int(ready["url"].rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_starts_again_after_closing_and_has_forgotten_all(tmp_path: Path) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with LocalAws(tmp_path) as aws:
            aws.client("s3").create_bucket(Bucket="again")
            aws.deploy_function("echo", handler="steps.echo", code=CODE)
            assert aws.invoke("echo", 1) == 1
        aws.close()
        assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 2


def test_only_one_runs_in_a_process(tmp_path: Path) -> None:
    with LocalAws(tmp_path), pytest.raises(InputError, match="an embedded AWS runs in this process already"):
        LocalAws(tmp_path).__enter__()


def test_a_port_in_use_is_refused_and_the_next_start_works(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"
        ):
            LocalAws(tmp_path, port=port).__enter__()
    with LocalAws(tmp_path, port=port) as aws:
        assert aws.endpoint_url == f"http://127.0.0.1:{port}"


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write in .*file/home: Not a directory"):
        LocalAws(tmp_path / "file" / "home").__enter__()


@pytest.mark.parametrize("speed", [0, -1])
def test_a_speed_that_stands_still_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(InputError, match="give numbers above 0"):
        LocalAws(tmp_path, speed=speed)
