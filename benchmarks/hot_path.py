"""The hot path against its peers: import, memory, and one call, in fresh processes, interleaved, medians.

Needs the peers: `pip install 'stepscope[bench]'`. A figure is CPU time, the kernel's included (the machine may be
busy elsewhere). Conditions are those of Lambda: the runtime client is loaded and wraps standard output, every call
has an event and a context of its own, and X-Ray's header is in the environment. Each peer is set up as its
documentation says for a function without the Datadog extension, and Powertools without datadog_lambda beside it,
which it would load.

    python benchmarks/hot_path.py [--rounds N] [--json]

With another checkout of stepscope instead of the peers, which need not be installed then: both take turns, and the
ratio is this checkout's CPU time to that of the other one. Each kind of event is a row.

    python benchmarks/hot_path.py --against PATH [--rounds N] [--json]
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
ALONE = "sys.modules['datadog_lambda'] = None"
OURS = "from monitoring import monitored, count, gauge, histogram, span"
POWERTOOLS = "from aws_lambda_powertools.metrics.provider.datadog import DatadogMetrics"
DATADOG = "from datadog_lambda.wrapper import datadog_lambda_wrapper"
HANDLER = "def handler(event, context):\n    pass\n"
IMPORTS = {  # what is prepared, and what is measured
    "bare runtime client": ("", ""),
    "stepscope": ("", OURS),
    "Powertools DatadogMetrics": (ALONE, POWERTOOLS),
    "datadog_lambda.wrapper": ("", DATADOG),
    "stepscope, and a handler decorated": (HANDLER, f"{OURS}\nmonitored(handler)"),
    "Powertools, and a handler decorated": (
        f"{ALONE}\n{HANDLER}",
        f"{POWERTOOLS}\nDatadogMetrics(namespace='slides', flush_to_log=True).log_metrics(handler)",
    ),
    "datadog_lambda, and a handler decorated": (HANDLER, f"{DATADOG}\ndatadog_lambda_wrapper(handler)"),
}
IMPORT = """
import awslambdaric.bootstrap, sys, time, json
sys.path.insert(0, {root!r})
{prepared}
before = set(sys.modules)
begin = time.process_time()
{imports}
cpu = time.process_time() - begin
memory = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
foreign = sorted({{name.split(".")[0] for name in set(sys.modules) - before}} - {{"monitoring"}})
print(json.dumps({{"ms": cpu * 1000, "kib": memory, "modules": len(set(sys.modules) - before), "foreign": foreign}}), file=sys.stderr)
"""
PREPARE = """
import json, os, statistics, sys, time
from awslambdaric.bootstrap import Unbuffered
from awslambdaric.lambda_context import LambdaContext
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
sys.path.insert(0, sys.argv[2])
sys.stdout = Unbuffered(open(sys.argv[1], "w"))

def invocation(number):
    # The body of a request and the context, as the runtime client makes it for each.
    arn = "".join(["arn:aws:lambda:us-east-1:123456789012:", "function:identify"])
    request_id = f"8f1f8a8e-52fd-4c07-8182-{number:012x}"
    context = LambdaContext(request_id, None, None, int((time.time() + 900) * 1000), arn)
    return BODY, context

BODY = sys.stdin.buffer.read()
CALLS = 100 if len(BODY) < 10_000 else 5  # a turn

def handle_event_request(request_handler, event_body, event, lambda_context):
    # As the runtime client calls a handler, its body in the frame.
    return request_handler(event, lambda_context)
"""
BODY = {"photo": "a.jpg", "talk": "baltimore"}
OURS_CALLED = "stepscope: default metrics, 1 count, trace"
CALLS = {
    OURS_CALLED: """
from monitoring import monitored, count
@monitored
def handler(event, context):
    count("slides.identified", tags=["talk:baltimore", "page:7", "sure:yes"])
""",
    "Powertools DatadogMetrics: 1 metric": """
sys.modules["datadog_lambda"] = None
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
times = []
for turn in range(-1, 20):  # the first one warms up
    calls = [invocation(turn * CALLS + number) for number in range(CALLS, 2 * CALLS)]
    spent = 0.0
    for body, context in calls:
        # As the runtime client reads it; to parse JSON is its work, and not counted.
        event = LambdaRuntimeClient.marshaller.unmarshal_request(body, "application/json")
        begin = time.process_time()
        handle_event_request(handler, body, event, context)
        spent += time.process_time() - begin
    times.append(spent * 1e6 / CALLS)
print(json.dumps({"us": statistics.median(times[1:]), "least": min(times[1:])}), file=sys.stderr, flush=True)
os._exit(0)
"""
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:slides:5a2b8c4d-9e0f-4a6c-8e1f-0a2b4c6d8e0f"
STEP = {
    "Execution": {
        "Id": EXECUTION,
        "Name": EXECUTION[-36:],
        "Input": BODY,
        "StartTime": "2026-11-23T10:00:00.000Z",
    },
    "StateMachine": {"Id": "arn:aws:states:us-east-1:123456789012:stateMachine:slides", "Name": "slides"},
    "State": {"Name": "Identify", "EnteredTime": "2026-11-23T10:00:01.123Z", "RetryCount": 0},
}
HEADERS = {"x-datadog-trace-id": "5738646823196759501", "x-datadog-parent-id": "9002365303468457351"}
MESSAGE = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "body": json.dumps(BODY),
    "attributes": {"SentTimestamp": "1763892000000"},
    "messageAttributes": {"_datadog": {"dataType": "String", "stringValue": json.dumps(HEADERS)}},
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:photos",
}
EVENTS: dict[str, object] = {
    "an object of the function's own, 39 bytes": BODY,
    "the same, 50 KB": {**BODY, "text": [f"line {number} of a page" for number in range(2_200)]},
    "the same, 1 MB": {**BODY, "text": [f"line {number} of a page" for number in range(40_000)]},
    "Step Functions, the context in _datadog": {**BODY, "_datadog": STEP},
    "Step Functions, the context as Payload": {"Payload": {**STEP, **BODY}},
    "API Gateway": {
        "version": "2.0",
        "routeKey": "GET /slides",
        "headers": {**HEADERS, "accept": "*/*", "host": "a1b2c3.execute-api.us-east-1.amazonaws.com"},
        "requestContext": {"apiId": "a1b2c3", "stage": "$default", "timeEpoch": 1763892000000},
    },
    "SQS, ten messages": {"Records": [MESSAGE] * 10},
}
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
    "_X_AMZN_TRACE_ID": "Root=1-6724e1d3-5a2b8c4d9e0f1a2b3c4d5e6f;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:a:0",
}


def run(code: str, *arguments: str, event: object = None) -> dict[str, object]:
    """Return what a fresh process prints on standard error, as JSON; its standard output is read, and dropped."""
    environ = {**os.environ, **ENVIRON}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH"):
        environ.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=json.dumps(event),
        capture_output=True,
        check=False,
        text=True,
        env=environ,
        cwd="/",
        timeout=300,
    )
    if done.returncode:
        sys.exit(f"a measured process failed:\n{done.stderr[-2000:]}")
    found: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    return found


def medians(codes: dict[str, str], rounds: int, *arguments: str) -> dict[str, dict[str, object]]:
    """Each program's figures, the programs taking turns; the first turn warms the caches and is not counted."""
    found: dict[str, list[dict[str, object]]] = {name: [] for name in codes}
    for turn in range(rounds + 1):
        for name, code in codes.items():
            figures = run(code, *arguments, event=BODY)
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
    options.add_argument("--against", type=Path, metavar="PATH", help="another checkout of stepscope")
    chosen = options.parse_args()
    if chosen.against is not None:
        compare(chosen.against.resolve(), chosen.rounds, chosen.json)
        return
    absent = [
        name for name in ("aws_lambda_powertools", "datadog_lambda") if importlib.util.find_spec(name) is None
    ]
    if absent:
        sys.exit(f"not installed: {', '.join(absent)}. Run: pip install 'stepscope[bench]'")
    programs = {
        name: IMPORT.format(root=str(ROOT), prepared=prepared, imports=imports)
        for name, (prepared, imports) in IMPORTS.items()
    }
    imports = medians(programs, chosen.rounds)
    codes = {name: PREPARE + code + MEASURE for name, code in CALLS.items()}
    with tempfile.TemporaryDirectory() as folder:
        sinks = {
            "/dev/null": os.devnull,
            "a pipe, as in Lambda": "/dev/stdout",
            "a file": f"{folder}/out.txt",
        }
        calls = {where: medians(codes, chosen.rounds, sink, str(ROOT)) for where, sink in sinks.items()}
    if chosen.json:
        print(json.dumps({"imports": imports, "calls": calls}))
        return
    show_imports(imports)
    for where, figures in calls.items():
        show_calls(where, figures)


def compare(other: Path, rounds: int, as_json: bool) -> None:
    """Measure this checkout and another one in turns, and print the ratios."""
    if not (other / "monitoring" / "__init__.py").is_file():
        sys.exit(f"{other} is not a checkout of stepscope: it has no monitoring/__init__.py")
    rows = {}
    for name in OWN:
        prepared, imports = IMPORTS[name]
        code = IMPORT.replace("{root!r}", "sys.argv[2]").format(prepared=prepared, imports=imports)
        rows[name] = taking_turns(other, rounds, code, "ms")
    code = PREPARE + CALLS[OURS_CALLED] + MEASURE
    for name, event in EVENTS.items():
        rows[f"a call: {name}"] = taking_turns(other, rounds, code, "us", event)
    if as_json:
        print(json.dumps(rows))
        return
    print(
        f"{'CPU, ms for an import and µs for a call':52} {'there':>9} {'here':>9} {'ratio':>7} {'of the least':>13}"
    )
    for name, row in rows.items():
        print(f"{name:52} {row['there']:9.2f} {row['here']:9.2f} {row['ratio']:7.2f} {row['least']:13.2f}")


def taking_turns(other: Path, rounds: int, code: str, unit: str, event: object = None) -> dict[str, float]:
    """Return the medians of both checkouts, and the ratios of the medians and of the least figures."""
    roots = (str(other), str(ROOT))
    turns = [[run(code, "/dev/stdout", root, event=event) for root in roots] for _ in range(rounds + 1)]
    there, here = zip(*turns[1:], strict=True)  # the first turn compiles
    before, after = (statistics.median(row[unit] for row in rows) for rows in (there, here))
    least_before, least = (min(row.get("least", row[unit]) for row in rows) for rows in (there, here))
    return {"there": before, "here": after, "ratio": after / before, "least": least / least_before}


def show_imports(found: dict[str, dict[str, object]]) -> None:
    """Print the table of imports; what decorates is compared with what decorates."""
    bare = found["bare runtime client"]
    print(
        f"{'import, after the runtime client':42} {'CPU ms':>8} {'ratio':>7} {'KiB more':>9} {'modules':>8}"
    )
    for name, row in found.items():
        ours = found[next(own for own in OWN if own.endswith("decorated") == name.endswith("decorated"))]
        ratio = float(row["ms"]) / float(ours["ms"])  # type: ignore[arg-type]
        more = float(row["kib"]) - float(bare["kib"])  # type: ignore[arg-type]
        print(f"{name:42} {row['ms']:8.2f} {ratio:7.1f} {more:9.0f} {row['modules']:8}")
    foreign = found["stepscope"]["foreign"]
    print(f"modules of others that stepscope loads: {', '.join(foreign) or 'none'}\n")  # type: ignore[arg-type]


OWN = [name for name in IMPORTS if name.startswith("stepscope")]


def show_calls(where: str, found: dict[str, dict[str, object]]) -> None:
    """Print the table of calls."""
    ours = float(next(iter(found.values()))["us"])  # type: ignore[arg-type]
    print(f"{'one call, printed to ' + where:46} {'CPU µs':>8} {'ratio':>7}")
    for name, row in found.items():
        print(f"{name:46} {row['us']:8.1f} {float(row['us']) / ours:7.2f}")  # type: ignore[arg-type]
    print()


if __name__ == "__main__":
    main()
