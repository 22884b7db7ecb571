"""Apply of 200 resources at 50 ms of latency, against the floor of the same run: the bare requests, in parallel."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3
from measure import is_quick

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from troubled import troubled

LATENCY = 0.05
APPLY = ("apply", "--yes")


def body(number: int) -> dict[str, object]:
    """One monitor."""
    query = f"sum(last_5m):sum:aws.states.executions_failed{{*}}.as_count() > {number}"
    options = {"thresholds": {"critical": number}}
    return {"type": "query alert", "name": f"m{number}", "query": query, "message": "x", "options": options}


def floor(url: str, resources: int) -> float:
    """Seconds for as many bare POSTs over sixteen connections."""
    pool = urllib3.PoolManager(maxsize=16)
    headers = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a", "Content-Type": "application/json"}
    began = time.perf_counter()
    with ThreadPoolExecutor(16) as threads:
        for answer in threads.map(
            lambda n: pool.request(
                "POST", f"{url}/api/v1/monitor", headers=headers, body=json.dumps(body(n))
            ),
            range(resources),
        ):
            assert answer.status == 200, answer.data
    return time.perf_counter() - began


def apply(url: str, command: tuple[str, ...], resources: int) -> float:
    """Seconds of the whole command, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "monitors")
        root.mkdir()
        for number in range(resources):
            (root / f"m{number}.json").write_text(json.dumps(body(number)))
        began = time.perf_counter()
        argv = [
            sys.executable,
            "-c",
            "from monitoring.cli import main; main()",
            *command,
            "--dir",
            folder,
            "--json",
        ]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DD_URL": url})
        return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    resources = 10 if is_quick(__doc__) else 200
    with troubled(latency=LATENCY) as (url, _):
        bare = floor(url, resources)
    with troubled(latency=LATENCY) as (url, app):
        first, again, empty = (apply(url, command, resources) for command in (APPLY, APPLY, ("plan",)))
        calls = app.calls
    print(f"{resources} monitors, {LATENCY * 1000:.0f} ms of latency a call, {calls} calls in all")
    rows = (
        ("bare requests, 16 at once", bare),
        ("apply from nothing", first),
        ("apply again", again),
        ("plan", empty),
    )
    for name, seconds in rows:
        print(f"  {name:<28}{seconds:6.2f} s   {seconds / bare:5.2f} x")


if __name__ == "__main__":
    main()
