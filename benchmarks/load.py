"""The embedded Step Functions under load: many executions at a time, and a Distributed Map over many objects.

Run as `python benchmarks/load.py`. Each row is a process of its own; seconds of the wall clock, and the most memory that
the process held, of which moto's and boto3's modules are about 200 MB. The peer is moto as it comes, which runs no
handler and writes no log, with a fiftieth of the executions (`MOTO`), because its time grows with each; it has no
Distributed Map of many objects that ends.
"""

import json
import subprocess
import sys
from typing import Any

from measure import is_quick

QUICK = is_quick(__doc__) if __name__ == "__main__" else False
EXECUTIONS, ITEMS, OBJECTS, MOTO = (4, 5, 20, 2) if QUICK else (1000, 40, 10_000, 20)
MEMORY = "import resource; peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
REPORT = MEMORY + "print(json.dumps({'seconds': seconds, 'mb': peak, 'ended': ended}))\n"
BEGIN = """
import json, pathlib, sys, tempfile, time
executions, items, objects = map(int, sys.argv[1:4])
"""
OURS = (
    BEGIN
    + """
from monitoring.local_aws import LocalAws
home = pathlib.Path(tempfile.mkdtemp())
code = home / "code"
code.mkdir()
(code / "h.py").write_text("def handler(event, context):\\n    return event\\n")
with LocalAws(home / "aws") as aws:
"""
)
TASK = '{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "${echo}", "Payload.$": "$"}, "End": true}'
PASS = '{"Type": "Pass", "End": true}'
MAP = """{{"StartAt": "Each", "States": {{"Each": {{"Type": "Map", {items} "ItemProcessor": {{"ProcessorConfig": {config}, "StartAt": "Do", "States": {{"Do": {state}}}}}, "ResultPath": null, "End": true}}}}}}"""
INLINE = '{"Mode": "INLINE"}'
DISTRIBUTED = '{"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}'
READER = (
    '"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "objects"}},'
)


def map_of(state: str) -> str:
    """Return a program: so many executions at a time, each with a Map of so many items."""
    definition = MAP.format(items='"ItemsPath": "$.items",', config=INLINE, state=state)
    return (
        OURS
        + f"""
    aws.deploy_function("echo", handler="h.handler", code=code)
    aws.deploy_state_machine("load", json.loads('''{definition}'''))
    event = {{"items": list(range(items))}}
    aws.wait(aws.start("load", event), 60)
    began = time.perf_counter()
    started = [aws.start("load", event) for _ in range(executions)]
    ended = sum(aws.wait(arn, 3600)["status"] == "SUCCEEDED" for arn in started)
    aws.drain(600)
    seconds = time.perf_counter() - began
"""
        + REPORT
    )


def distributed() -> str:
    """Return a program: one Distributed Map over so many objects, each item an execution of its own."""
    definition = MAP.format(items=READER, config=DISTRIBUTED, state=PASS)
    return (
        OURS
        + f"""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="objects")
    for number in range(objects):
        s3.put_object(Bucket="objects", Key=f"photo-{{number:05}}.jpg", Body=b"x")
    aws.deploy_state_machine("load", json.loads('''{definition}'''))
    began = time.perf_counter()
    done = aws.wait(aws.start("load", {{}}), 3600)
    assert done["status"] == "SUCCEEDED", done
    run = aws.client("stepfunctions").list_map_runs(executionArn=done["executionArn"])["mapRuns"][0]
    counts = aws.client("stepfunctions").describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    ended = counts["succeeded"]
    seconds = time.perf_counter() - began
"""
        + REPORT
    )


def stock() -> str:
    """Return a program: the same Map on moto as it comes, of Pass states."""
    definition = MAP.format(items='"ItemsPath": "$.items",', config=INLINE, state=PASS)
    return (
        BEGIN
        + f"""
import boto3
from moto import mock_aws
with mock_aws(config={{"stepfunctions": {{"execute_state_machine": True}}}}):
    states = boto3.client("stepfunctions", region_name="us-east-1")
    role = "arn:aws:iam::123456789012:role/r"
    arn = states.create_state_machine(name="load", definition='''{definition}''', roleArn=role)["stateMachineArn"]
    event = json.dumps({{"items": list(range(items))}})
    began = time.perf_counter()
    ended = 0
    for number in range(executions):
        started = states.start_execution(stateMachineArn=arn, name=f"n{{number}}", input=event)["executionArn"]
        while states.describe_execution(executionArn=started)["status"] == "RUNNING":
            time.sleep(0.002)
        ended += states.describe_execution(executionArn=started)["status"] == "SUCCEEDED"
    seconds = time.perf_counter() - began
"""
        + REPORT
    )


def measured(program: str, executions: int = EXECUTIONS) -> dict[str, Any]:
    """Return the figures of a program in a process of its own."""
    command = [sys.executable, "-c", program, str(executions), str(ITEMS), str(OBJECTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"a measured process failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure and print."""
    rows = [
        (f"{EXECUTIONS} executions, a Map of {ITEMS} Pass states", EXECUTIONS, measured(map_of(PASS))),
        (f"{EXECUTIONS} executions, a Map of {ITEMS} handlers", EXECUTIONS, measured(map_of(TASK))),
        (f"a Distributed Map over {OBJECTS} objects", OBJECTS, measured(distributed())),
        (f"moto: {MOTO} executions, a Map of {ITEMS} Pass states", MOTO, measured(stock(), MOTO)),
    ]
    print(f"{'':52s} {'s':>8s} {'ms each':>8s} {'MB':>6s}")
    for name, count, figures in rows:
        if figures["ended"] != count:
            sys.exit(f"{name}: {figures['ended']} of {count} ended well")
        each = figures["seconds"] * 1000 / count
        print(f"{name:52s} {figures['seconds']:8.1f} {each:8.1f} {figures['mb']:6.0f}")


if __name__ == "__main__":
    main()
