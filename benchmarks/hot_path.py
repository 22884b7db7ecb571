"""The hot path against its peers: import, memory, and one call, in fresh processes, interleaved, medians.

Needs the peers: `pip install 'stepscope[bench]'`. A figure is CPU time (the machine may be busy elsewhere).

    python benchmarks/hot_path.py [--rounds N] [--json]
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTS = {
    "bare runtime client": "",
    "stepscope": "from monitoring import monitored, count, gauge, histogram, span",
    "Powertools DatadogMetrics": "sys.modules['datadog_lambda'] = None; from aws_lambda_powertools.metrics.provider.datadog import DatadogMetrics",
    "datadog_lambda.wrapper": "from datadog_lambda.wrapper import datadog_lambda_wrapper",
}
IMPORT = """
import awslambdaric.bootstrap, sys, time, json
before = set(sys.modules)
begin = time.process_time()
{imports}
cpu = time.process_time() - begin
memory = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
foreign = sorted({{name.split(".")[0] for name in set(sys.modules) - before}} - {{"monitoring"}})
print(json.dumps({{"ms": cpu * 1000, "kib": memory, "modules": len(set(sys.modules) - before), "foreign": foreign}}))
"""
PREPARE = """
import gc, json, os, statistics, sys, time
from awslambdaric.bootstrap import Unbuffered
from awslambdaric.lambda_context import LambdaContext
real, sys.stdout = sys.stdout, Unbuffered(open(sys.argv[1], "w"))
ARN = "arn:aws:lambda:us-east-1:123456789012:function:identify"
context = LambdaContext("8f1f8a8e-52fd-4c07-8182-654f163f5f0f", None, None, int((time.time() + 900) * 1000), ARN)
EVENT = {"photo": "a.jpg", "talk": "baltimore"}

def handle_event_request(handler, event_body):
    # As the runtime client calls a handler, its body in the frame.
    return handler(EVENT, context)
"""
CALLS = {
    "stepscope: default metrics, 1 count, trace": """
from monitoring import monitored, count
@monitored
def handler(event, context):
    count("slides.identified", tags=["talk:baltimore", "page:7", "sure:yes"])
""",
    "Powertools DatadogMetrics: 1 metric": """
from aws_lambda_powertools.metrics.provider.datadog import DatadogMetrics
metrics = DatadogMetrics(namespace="slides", flush_to_log=True)
@metrics.log_metrics
def handler(event, context):
    metrics.add_metric(name="slides.identified", value=1, talk="baltimore", page="7", sure="yes")
""",
    "datadog_lambda: 1 metric, trace": """
from datadog_lambda.wrapper import datadog_lambda_wrapper
from datadog_lambda.metric import lambda_metric
@datadog_lambda_wrapper
def handler(event, context):
    lambda_metric("slides.identified", 1, tags=["talk:baltimore", "page:7", "sure:yes"])
""",
    "nothing: the handler alone": "def handler(event, context):\n    pass\n",
}
MEASURE = """
body = json.dumps(EVENT).encode()
for _ in range(50):
    handle_event_request(handler, body)
times = []
for _ in range(20):
    begin = time.process_time()
    for _ in range(100):
        handle_event_request(handler, body)
    times.append((time.process_time() - begin) * 1e4)
print(json.dumps({"us": statistics.median(times)}), file=real)
sys.stdout.stream.flush(); real.flush(); os._exit(0)
"""
ENVIRON = {
    "AWS_LAMBDA_FUNCTION_NAME": "identify",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/identify",
    "AWS_LAMBDA_LOG_STREAM_NAME": "x",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    "AWS_REGION": "us-east-1",
    "DD_FLUSH_TO_LOG": "true",
    "DD_TRACE_ENABLED": "true",
    "DD_LAMBDA_HANDLER": "handler.handler",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "PYTHONPATH": str(ROOT),
}


def run(code: str, *arguments: str) -> dict[str, object]:
    """What a fresh process prints, as JSON."""
    environ = {**os.environ, **ENVIRON}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=environ,
        cwd="/",
        timeout=300,
    )
    if done.returncode:
        sys.exit(f"a measured process failed:\n{done.stderr[-2000:]}")
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(codes: dict[str, str], rounds: int, *arguments: str) -> dict[str, dict[str, object]]:
    """Each program's figures, the programs taking turns; the first turn warms the caches and is not counted."""
    found: dict[str, list[dict[str, object]]] = {name: [] for name in codes}
    for turn in range(rounds + 1):
        for name, code in codes.items():
            figures = run(code, *arguments)
            if turn:
                found[name].append(figures)
    return {name: _median(rows) for name, rows in found.items()}


def _median(rows: list[dict[str, object]]) -> dict[str, object]:
    numbers = {key for key, value in rows[0].items() if isinstance(value, int | float)}
    return {**rows[0], **{key: statistics.median([row[key] for row in rows]) for key in numbers}}  # type: ignore[type-var]


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    absent = [
        name for name in ("aws_lambda_powertools", "datadog_lambda") if importlib.util.find_spec(name) is None
    ]
    if absent:
        sys.exit(f"not installed: {', '.join(absent)}. Run: pip install 'stepscope[bench]'")
    imports = medians({n: IMPORT.format(imports=i) for n, i in IMPORTS.items()}, chosen.rounds)
    codes = {name: PREPARE + code + MEASURE for name, code in CALLS.items()}
    calls = {"/dev/null": medians(codes, chosen.rounds, os.devnull)}
    with tempfile.TemporaryDirectory() as folder:
        calls["a file"] = medians(codes, chosen.rounds, f"{folder}/out.txt")
    if chosen.json:
        print(json.dumps({"imports": imports, "calls": calls}))
        return
    show_imports(imports)
    for where, figures in calls.items():
        show_calls(where, figures)


def show_imports(found: dict[str, dict[str, object]]) -> None:
    """The table of imports."""
    ours, bare = found["stepscope"], found["bare runtime client"]
    print(
        f"{'import, after the runtime client':42} {'CPU ms':>8} {'ratio':>7} {'KiB more':>9} {'modules':>8}"
    )
    for name, row in found.items():
        ratio = float(row["ms"]) / float(ours["ms"])  # type: ignore[arg-type]
        more = float(row["kib"]) - float(bare["kib"])  # type: ignore[arg-type]
        print(f"{name:42} {row['ms']:8.2f} {ratio:7.1f} {more:9.0f} {row['modules']:8}")
    print(f"modules of others that stepscope loads: {', '.join(ours['foreign']) or 'none'}\n")  # type: ignore[arg-type]


def show_calls(where: str, found: dict[str, dict[str, object]]) -> None:
    """The table of calls."""
    ours = float(next(iter(found.values()))["us"])  # type: ignore[arg-type]
    print(f"{'one call, printed to ' + where:46} {'CPU µs':>8} {'ratio':>7}")
    for name, row in found.items():
        print(f"{name:46} {row['us']:8.1f} {float(row['us']) / ours:7.2f}")  # type: ignore[arg-type]
    print()


if __name__ == "__main__":
    main()
