"""The forwarder's speed and memory next to the floor of the same run. `python benchmarks/forwarder.py
[--quick]`

With another checkout, both forward the same file by `stepscope forward`, in turns and in fresh processes; the ratio is
this checkout's log events a second of CPU to those of the other one.

    python benchmarks/forwarder.py --against PATH [--megabytes 200] [--quick]

The floor is what no forwarder can avoid: base64, gunzip, one JSON parse of the payload, and compression of
what is sent. It is printed twice: with the standard library, and with the native libraries that the
forwarder uses.
"""

import argparse
import base64
import gzip
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

EVENTS = 10_000
PEER = {
    "events a second": 10_100,
    "CPU s per 100,000": 9.7,
    "peak MB": 109,
    "cold import ms": 660,
}  # its own forwarder


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    def log_message(self, *_: object) -> None: ...


def _serve(pipe: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    pipe.send(server.server_address[1])
    server.serve_forever()


def invocation(number: int, rng: random.Random, now: int) -> list[str]:
    """Return what one invocation of an ordinary function prints: 12 events."""
    request = f"{rng.getrandbits(32):08x}-0000-4000-8000-{number:012x}"
    span = {
        "trace_id": f"{rng.getrandbits(63):016x}",
        "span_id": f"{rng.getrandbits(63):016x}",
        "parent_id": f"{rng.getrandbits(63):016x}",
        "service": "orders",
        "resource": "orders",
        "name": "aws.lambda",
        "error": 0,
        "start": now * 10**9 + number,
        "duration": rng.randrange(10**9),
        "meta": {
            "_dd.p.tid": "24e8d55f5d50e6a5",
            "_dd.origin": "lambda",
            "env": "prod",
            "request_id": request,
        },
        "metrics": {"_sampling_priority_v1": 1},
        "type": "serverless",
    }
    child = span | {
        "span_id": f"{rng.getrandbits(63):016x}",
        "parent_id": span["span_id"],
        "name": "dynamodb.get",
    }
    duration = rng.random() * 1000
    log = {"level": "INFO", "location": "handler:42", "message": f"order {rng.getrandbits(40)} accepted"}
    log |= {"timestamp": "2026-11-23 10:00:00,123+0000", "service": "orders", "function_request_id": request}
    used = rng.randrange(60, 400)
    cold = "\tInit Duration: 413.61 ms" if number % 20 == 0 else ""
    report = (
        f"REPORT RequestId: {request}\tDuration: {duration:.2f} ms\tBilled Duration: {int(duration) + 1} ms\t"
        f"Memory Size: 512 MB\tMax Memory Used: {used} MB{cold}\t\n"
    )
    return [
        f"START RequestId: {request} Version: $LATEST\n",
        json.dumps(log) + "\n",
        f"[INFO]\t2026-11-23T10:00:00.123Z\t{request}\tread 12 rows in {duration:.3f} ms\n",
        json.dumps(log | {"level": "WARNING", "message": "slow answer of the warehouse, trying once more"})
        + "\n",
        f"MONITORING|{now}|1|count|orders.accepted|#shop:baltimore,kind:web\n",
        f"MONITORING|{now}|{duration:.3f}|histogram|orders.total|#shop:baltimore\n",
        f'{{"m":"orders.lines","v":{number % 7},"e":{now},"t":["shop:baltimore"]}}\n',
        f"plain words of a library that prints what it does, {number}\n",
        "another plain line, as libraries print them\n",
        json.dumps({"traces": [[span, child]]}, separators=(",", ":")) + "\n",
        f"END RequestId: {request}\n",
        report,
    ]


def payload(events: int = EVENTS, seed: int = 1) -> dict[str, Any]:
    """Return a subscription payload of that many events."""
    rng, now = random.Random(seed), int(time.time())
    messages: list[str] = []
    number = 0
    while len(messages) < events:
        messages += invocation(number, rng, now)
        number += 1
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/orders",
        "logStream": "2026/11/23/[$LATEST]0f1e2d3c4b5a",
        "subscriptionFilters": ["stepscope"],
        "logEvents": [
            {"id": f"{seed:08d}{i:048d}", "timestamp": now * 1000 + i % 1000, "message": m}
            for i, m in enumerate(messages[:events])
        ],
    }


def event(body: dict[str, Any]) -> dict[str, Any]:
    """As Lambda hands it to the forwarder."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()}}


def floors(data: str, sent: list[bytes]) -> dict[str, Callable[[], object]]:
    """Measure what cannot be avoided, with the standard library and with the native ones."""
    import msgspec
    from isal import igzip, isal_zlib

    def standard() -> object:
        json.loads(gzip.decompress(base64.b64decode(data)))
        return [zlib.compress(body) for body in sent]

    def native() -> object:
        msgspec.json.decode(igzip.decompress(base64.b64decode(data)))
        return [isal_zlib.compress(body, 1) for body in sent]

    return {"standard library": standard, "native": native}


def measured(work: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """Return the median wall and CPU seconds of a round."""
    walls, cpus = [], []
    for number in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work(number)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def run(url: str, rounds: int, forward_logs: bool) -> tuple[float, float, list[bytes]]:
    """Wall and CPU of one payload, and the bodies that were sent for it."""
    from monitoring.forwarder.batches import Batch
    from monitoring.forwarder.forwarder import Forwarder
    from monitoring.forwarder.settings import ForwarderSettings

    environ = {"DD_URL": url, "DD_API_KEY": "k", "DD_FORWARD_LOG": str(forward_logs).lower()}
    forwarder = Forwarder(ForwarderSettings.from_env(environ), "eu-west-1")
    events = [event(payload(seed=seed)) for seed in range(rounds + 1)]
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    bodies: list[bytes] = []
    wire = Batch.wire

    def recording(self: Batch) -> tuple[bytes, str]:
        bodies.append(self.body())
        return wire(self)

    Batch.wire = recording  # type: ignore[method-assign]
    forwarder.handle(events[-1], 60)
    Batch.wire = wire  # type: ignore[method-assign]
    wall, cpu = measured(lambda n: forwarder.handle(events[n], 60), rounds)
    sys.stdout = stdout
    return wall, cpu, bodies


def peak(url: str) -> float:
    """MB at peak of a fresh process that handles payloads, as Lambda counts them."""
    script = (
        "import sys,json;from monitoring.forwarder import handler;"
        "e=json.load(sys.stdin)\nfor _ in range(3): handler(e,None)\n"
        "peak=next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(int(peak.split()[1])/1024,file=sys.stderr)"
    )
    env = os.environ | {"DD_URL": url, "DD_API_KEY": "k", "AWS_REGION": "eu-west-1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(event(payload())),
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stderr.split()[-1])


_STREAM = """
import gzip, json, sys, time
from benchmarks.forwarder import payload
from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder import settings
Settings = getattr(settings, "ForwarderSettings", None) or settings.Settings  # its name before 0.2.0

megabytes, url = int(sys.argv[1]), sys.argv[2]

class Body:
    def iter_chunks(self, size):
        packer = gzip.compress
        left, number = megabytes * 1_000_000, 0
        text = b"".join(json.dumps(payload(500, seed)).encode() for seed in range(8))
        packed = packer(text)
        while left > 0:
            left -= len(text)
            for start in range(0, len(packed), size):
                yield packed[start : start + size]
    def close(self): pass

class S3:
    def get_object(self, **_): return {"Body": Body()}

world = World(clients=lambda _: S3())
forwarder = Forwarder(Settings.from_env({"DD_URL": url, "DD_API_KEY": "k"}), "eu-west-1", world)
event = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}
wall, cpu = time.perf_counter(), time.process_time()
summary = forwarder.handle(event, 600)
done = [time.perf_counter() - wall, time.process_time() - cpu, sum(summary["events"].values()),
        int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024]
print(json.dumps(done), file=sys.stderr)
"""


def streamed(url: str, megabytes: int) -> tuple[float, float, int, float]:
    """Wall and CPU seconds, events, and MB at peak for one S3 object of that size, in a process of its
    own."""
    done = subprocess.run(
        [sys.executable, "-c", _STREAM, str(megabytes), url], capture_output=True, text=True, check=True
    )
    wall, cpu, events, memory = json.loads(done.stderr.splitlines()[-1])
    return wall, cpu, events, memory


def cold_import(rounds: int = 9) -> tuple[float, float]:
    """Milliseconds of importing the forwarder's handler in fresh processes, the best: by the clock, and of CPU."""
    script = (
        "import time;a,c=time.perf_counter(),time.process_time();import monitoring.forwarder.lambda_handler;"
        "print((time.perf_counter()-a)*1000,(time.process_time()-c)*1000)"
    )
    ran = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(rounds)
    ]
    return min(float(wall) for wall, _ in ran), min(float(cpu) for _, cpu in ran)


ROOT = Path(__file__).parents[1]
_FORWARD = "import sys; from monitoring.cli import main; main(['forward', sys.argv[1]])"


def write_log(path: Path, megabytes: int) -> int:
    """Write a log file of that size; return the number of its lines."""
    rng, now, lines = random.Random(1), int(time.time()), 0
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            messages = invocation(lines, rng, now)
            file.write("".join(messages))
            lines += len(messages)
    return lines


def forwarded(checkout: Path, log: Path, url: str) -> tuple[float, float]:
    """CPU seconds and MB at peak of `stepscope forward` of a checkout over the file."""
    env = os.environ | {"DD_URL": url, "DD_API_KEY": "k", "PYTHONPATH": str(checkout)}
    child = subprocess.Popen(
        [sys.executable, "-c", _FORWARD, str(log)], env=env, cwd=checkout, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{checkout}: stepscope forward ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(url: str, against: Path, megabytes: int, rounds: int) -> None:
    """Print events a second of CPU and memory of both checkouts, in turns."""
    checkouts = {"this checkout": ROOT, str(against): against}
    with tempfile.TemporaryDirectory() as folder:
        log, small = Path(folder, "function.log"), Path(folder, "small.log")
        lines = write_log(log, megabytes)
        write_log(small, max(1, megabytes // 10))
        runs = {name: [forwarded(checkouts[name], log, url)] for name in checkouts}
        for _ in range(rounds - 1):
            for name, row in runs.items():
                row.append(forwarded(checkouts[name], log, url))
        first = {name: forwarded(path, small, url)[1] for name, path in checkouts.items()}
    rates = {name: lines / statistics.median(cpu for cpu, _ in row) for name, row in runs.items()}
    print(f"{lines:,} log events, {megabytes} MB, medians of {rounds}\n")
    print(f"{'':40}{'events/CPU s':>14}{'peak MB':>9}{'a tenth: MB':>13}")
    for name, row in runs.items():
        print(f"{name[-40:]:40}{rates[name]:14,.0f}{max(mb for _, mb in row):9.0f}{first[name]:13.0f}")
    ours, theirs = rates.values()
    print(f"{'ratio':40}{ours / theirs:14.2f}")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    options.add_argument("--against", type=Path, metavar="PATH", help="another checkout of stepscope")
    options.add_argument("--megabytes", type=int, default=200, help="size of the file to compare over")
    chosen = options.parse_args()
    rounds = 3 if chosen.quick else 15
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    if chosen.against is not None:
        compare(url, chosen.against.resolve(), chosen.megabytes, 1 + rounds // 3)
        server.terminate()
        return
    data = event(payload())["awslogs"]["data"]
    print(f"{EVENTS:,} events, {len(data):,} bytes base64\n")
    print(
        "ratios are of CPU time, which other work on the machine disturbs least; x peer: events a CPU second\n"
    )
    print(f"{'':28}{'ms':>8}{'events/s':>11}{'CPU s/100k':>12}{'x floor':>9}{'x native':>10}{'x peer':>8}")
    for name, logs in (("logs on", True), ("logs off", False)):
        wall, cpu, sent = run(url, rounds, logs)
        base = {
            key: measured(lambda _, work=work: work(), rounds) for key, work in floors(data, sent).items()
        }
        for key, (w, c) in base.items():
            print(f"floor, {key:21}{w * 1000:8.1f}{EVENTS / w:11,.0f}{c * 10:12.2f}")
        std, native = base["standard library"][1], base["native"][1]
        peer = f"{PEER['CPU s per 100,000'] / (cpu * 10):8.1f}" if logs else ""
        print(
            f"forwarder, {name:17}{wall * 1000:8.1f}{EVENTS / wall:11,.0f}{cpu * 10:12.2f}"
            f"{cpu / std:9.2f}{cpu / native:10.2f}{peer}\n"
        )
    print(f"{'one S3 object':28}{'s':>8}{'events/s':>11}{'CPU s/100k':>12}{'peak MB':>9}")
    for megabytes in (5, 25, 100):
        wall, cpu, events, memory = streamed(url, megabytes)
        rate = f"{events / wall:11,.0f}{cpu / events * 1e5:12.2f}"
        print(f"{megabytes:4} MB{'':21}{wall:8.2f}{rate}{memory:9.1f}")
    print(f"\npeak memory  {peak(url):6.1f} MB   (Datadog's forwarder: {PEER['peak MB']})")
    wall, cpu = cold_import()
    print(f"cold import  {wall:6.1f} ms, {cpu:.1f} of CPU   (Datadog's forwarder: {PEER['cold import ms']})")
    server.terminate()


if __name__ == "__main__":
    main()
