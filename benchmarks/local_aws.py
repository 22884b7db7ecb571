"""How fast the embedded AWS starts and runs: against moto as it comes, and against a bare worker process.

Run as `python benchmarks/local_aws.py`. Medians; the ratio is to the line's own peer, of the same run.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import is_quick

START = """
import time
began = time.perf_counter()
{body}
print(time.perf_counter() - began)
"""
OURS = """
from pathlib import Path
from monitoring.local_aws import LocalAws
aws = LocalAws(Path({home!r}))
aws.__enter__()
import atexit; atexit.register(aws.close)
"""
STOCK = """
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
"""
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload"}
ECHO = """
import sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""


def machine(function: str) -> dict[str, Any]:
    """Two tasks, one after the other."""
    task = {**TASK, "Parameters": {"FunctionName": function, "Payload.$": "$"}}
    return {"StartAt": "A", "States": {"A": {**task, "Next": "B"}, "B": {**task, "End": True}}}


def start_seconds(body: str) -> float:
    """From the first import to being ready, in a new process."""
    runs = [
        float(
            subprocess.run(
                [sys.executable, "-c", START.format(body=body)], capture_output=True, check=True
            ).stdout
        )
        for _ in range(1 if QUICK else 3)
    ]
    return statistics.median(runs)


QUICK = is_quick(__doc__) if __name__ == "__main__" else False


def rate(work: Callable[[], Any], count: int) -> float:
    """How many a second, the median of five rounds."""
    rounds = []
    count = min(count, 2) if QUICK else count
    for _ in range(1 if QUICK else 5):
        began = time.perf_counter()
        for _ in range(count):
            work()
        rounds.append(count / (time.perf_counter() - began))
    return statistics.median(rounds)


def ours(home: Path) -> dict[str, float]:
    """Measure executions and invocations on the local AWS, with real handlers."""
    from monitoring.local_aws import LocalAws

    code = home / "code"
    code.mkdir()
    (code / "h.py").write_text("def handler(event, context):\n    return event\n")
    with LocalAws(home / "aws") as aws:
        aws.deploy_function("echo", handler="h.handler", code=code)
        aws.deploy_state_machine("two", machine("${echo}"))
        aws.wait(aws.start("two", 1))
        return {
            "executions": rate(lambda: aws.wait(aws.start("two", 1)), 20),
            "together": rate(lambda: [aws.wait(arn) for arn in [aws.start("two", 1) for _ in range(20)]], 1)
            * 20,
            "invocations": rate(lambda: aws.invoke("echo", 1), 200),
        }


def stock() -> dict[str, float]:
    """Measure the same machine on unpatched moto: nothing runs, the input is echoed, nothing is logged."""
    import boto3
    from moto import mock_aws

    role = "arn:aws:iam::123456789012:role/r"
    settings = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
    with mock_aws(config=settings):
        states = boto3.client("stepfunctions", region_name="us-east-1")
        arn = states.create_state_machine(name="two", definition=json.dumps(machine("echo")), roleArn=role)

        def run() -> None:
            run.count += 1  # type: ignore[attr-defined]
            started = states.start_execution(
                stateMachineArn=arn["stateMachineArn"],
                name=f"n{run.count}",
                input="1",  # type: ignore[attr-defined]
            )
            while states.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
                time.sleep(0.002)

        run.count = 0  # type: ignore[attr-defined]
        run()
        return {"executions": rate(run, 10)}


def pipe() -> float:
    """Measure the floor of an invocation: a line to a Python process and back."""
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def call() -> None:
            process.stdin.write(b"1\n")
            process.stdin.flush()
            process.stdout.readline()

        call()
        found = rate(call, 500)
        process.stdin.close()
    return found


def main() -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("start, s", start_seconds(OURS.format(home=folder)), start_seconds(STOCK), "moto's own server")
        ]
        found, peer = ours(Path(folder)), stock()
    rows += [
        (
            "executions of two tasks a second",
            found["executions"],
            peer["executions"],
            "moto, without handlers",
        ),
        ("the same, 20 at a time", found["together"], peer["executions"], "moto, without handlers"),
        ("invocations a second", found["invocations"], pipe(), "a line to a process and back"),
    ]
    print(f"{'':34s} {'here':>8s} {'peer':>9s} {'ratio':>6s}  peer")
    for name, value, other, what in rows:
        print(f"{name:34s} {value:8.2f} {other:9.2f} {value / other:6.2f}  {what}")


if __name__ == "__main__":
    main()
