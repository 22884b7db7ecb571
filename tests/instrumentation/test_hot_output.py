"""Below the runtime client's standard output: whole lines, in order, one write each, and never in the way."""

import contextlib
import io
import itertools
import json
import os
import socket
import subprocess
import sys

from awslambdaric.bootstrap import Unbuffered

from monitoring import count, monitored, span
from monitoring.capture import LambdaContext
from monitoring.instrumentation import spans

ROOM = 1 << 20


@contextlib.contextmanager
def runtime_output():
    """Standard output as the runtime client wraps it, over a socket on which each write is one message."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
    theirs.settimeout(10)
    writes = []
    with ours, theirs, open(ours.fileno(), "w", encoding="utf-8", closefd=False) as stream:
        with contextlib.redirect_stdout(Unbuffered(stream)):
            yield writes
        ours.shutdown(socket.SHUT_WR)
        writes += iter(lambda: theirs.recv(ROOM), b"")


def test_each_line_reaches_the_kernel_in_one_write_of_its_own():
    with runtime_output() as writes:
        monitored(lambda event, context: count("a", tags=["b:c"]))({"photo": "a.jpg"}, LambdaContext())
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in writes)
    names = [data.split(b"|")[4] for data in writes if data.startswith(b"MONITORING|")]
    assert names[0] == b"stepscope.invocations"
    assert names[-2:] == [b"a", b"stepscope.duration"]
    assert json.loads(writes[-1])["traces"][0][0]["name"] == "aws.lambda"


def test_a_trace_that_the_kernel_may_divide_arrives_whole():
    @monitored
    def handler(event, context):
        for number in range(60):
            with span(f"step-{number}"):
                pass

    with runtime_output() as writes:
        handler({}, LambdaContext())
    last = b"".join(writes).splitlines()[-1]
    assert len(last) > 4096
    assert len(json.loads(last)["traces"][0]) == 61


def test_lines_keep_their_place_between_what_the_handler_prints():
    def handler(event, context):
        print("before")
        count("a")
        print("after")

    with runtime_output() as writes:
        monitored(handler)({}, LambdaContext())
    lines = b"".join(writes).decode().splitlines()
    own = [line if "|" not in line else line.split("|")[4] for line in lines[:-1]]
    assert own[own.index("before") :] == ["before", "a", "after", "stepscope.duration"]


def test_letters_beyond_ascii_arrive_as_utf_8():
    with runtime_output() as writes:
        count("a", tags=["stadt:köln"])
    assert writes[0].endswith("|a|#stadt:köln\n".encode())


def test_a_stream_of_another_encoding_is_written_in_that_encoding(monkeypatch, tmp_path):
    with open(tmp_path / "out", "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", Unbuffered(stream))
        count("a", tags=["stadt:köln"])
    assert "|a|#stadt:köln\n" in (tmp_path / "out").read_text("latin-1")


def test_output_that_is_redirected_in_the_middle_of_a_call_follows():
    def handler(event, context):
        count("first")
        with contextlib.redirect_stdout(io.StringIO()) as kept:
            count("second")
        count("third")
        return kept.getvalue()

    with runtime_output() as writes:
        aside = monitored(handler)({}, LambdaContext())
    assert "|second|" in aside
    direct = b"".join(writes)
    assert b"|first|" in direct
    assert b"|second|" not in direct
    assert b"|third|" in direct


def test_a_full_pipe_or_a_closed_file_below_leaves_the_result(monkeypatch, tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    full = open(write, "w", encoding="utf-8")  # noqa: SIM115 - closed below, where it fails
    closed = open(tmp_path / "out", "w", encoding="utf-8")  # noqa: SIM115
    handler = monitored(lambda event, context: count("a") or 42)
    monkeypatch.setattr(sys, "stdout", Unbuffered(closed))
    assert handler({}, LambdaContext()) == 42  # seen while it was open
    closed.close()
    assert handler({}, LambdaContext()) == 42
    monkeypatch.setattr(sys, "stdout", Unbuffered(full))
    assert handler({}, LambdaContext()) == 42
    os.close(read)
    with contextlib.suppress(OSError):
        full.close()


def test_what_a_pipe_takes_only_in_part_is_completed(monkeypatch):
    read, write = os.pipe()
    with open(read, "rb") as reader:
        with open(write, "w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdout", Unbuffered(stream))
            count("whole")
            from monitoring.instrumentation import output

            straight = output._straight
            monkeypatch.setattr(output, "_straight", lambda data: straight(data[:7]))
            count("divided", tags=["stadt:köln"])
        lines = reader.read().decode().splitlines()
    assert [line.split("|")[4:] for line in lines] == [["whole", ""], ["divided", "#stadt:köln"]]


def test_ids_stay_apart_in_processes_restored_from_one_snapshot(monkeypatch):
    """Secret and counter are the same on both sides: the time tells them apart."""
    spans.new_id()
    made = []
    for start in (10**18, 10**18 + 1):
        monkeypatch.setattr(spans, "_counter", itertools.count(7))
        made += [made_id for now in range(start, start + 40_000, 2) for made_id in spans.new_ids(now)]
    assert len(made) == len(set(made)) == 80_000


def test_ids_stay_apart_in_forked_processes_at_the_same_moment():
    """The child counts on from where its parent was, and has another secret."""
    code = (
        "import os\nfrom monitoring.instrumentation.spans import new_id, new_ids\nnew_id()\n"
        "child = os.fork()\n"
        "os.write(1, (' '.join(new_ids(10**18)) + '\\n').encode())\n"
        "os._exit(0) if not child else os.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(set(done.stdout.split())) == 4


def test_ids_stay_apart_in_forked_processes():
    code = (
        "import os\nfrom monitoring.instrumentation.spans import new_id\nnew_id()\n"
        "child = os.fork()\n"
        "text = ''.join(new_id() + '\\n' for _ in range(20_000))\n"
        "os.write(1, text.encode()) if child else open('/dev/stderr', 'w').write(text)\n"
        "os._exit(0) if not child else os.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    ids = (done.stdout + done.stderr).split()
    assert len(ids) == len(set(ids)) >= 20_000
    assert all(len(made) == 16 and 0 < int(made, 16) < 1 << 63 for made in ids)
