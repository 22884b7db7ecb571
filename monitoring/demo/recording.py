"""Record single executions of the example: `python -m monitoring.demo.recording` writes `recording.json.gz`.

It runs every scenario in real time, one after the other, which takes a few minutes.
"""

import gzip
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

import monitoring
from monitoring.demo.findings import execution_result
from monitoring.demo.recorded import FILE, RecordedExample, RecordedPoints, RecordedSamples, Recording
from monitoring.demo.run import execution_of
from monitoring.demo.scenarios import FIRST, OUTAGE, SCENARIOS, Scenario
from monitoring.demo.stage import Stage, set_up, template_of_the_example
from monitoring.local_aws.cloudwatch import columns
from monitoring.local_aws.samples import Sample, execution_samples, invocation_samples
from monitoring.store import Store
from monitoring.store.definitions import recorded_definition

SPEED = 1.0
"""Waits are not shortened: a recording has the durations of an account."""
NANOSECONDS = 10**9
_TRIES = 5
_BETWEEN = 2.0
"""Seconds between two executions, so that a point (whole seconds) belongs to only one of them."""
_PLATFORM = re.compile(r"(INIT_START|START|END|REPORT) ")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+")


def record_example() -> RecordedExample:
    """Run every scenario in real time, one after the other."""
    with (
        tempfile.TemporaryDirectory(prefix="stepscope-recording-") as folder,
        set_up(template_of_the_example(), Path(folder) / "datadog.duckdb", SPEED, 0, print) as stage,
    ):
        recordings = list(_recordings(stage))
        listed = stage.aws.client("lambda").list_functions()["Functions"]
        settings = {
            function["FunctionName"]: (function["Timeout"], function["MemorySize"]) for function in listed
        }
        machine = stage.machine.rpartition(":")[2]
        definition = dict(recorded_definition(stage.datadog.store, machine) or {})
    return RecordedExample(machine, definition, settings, recordings)


def _recordings(stage: Stage) -> Iterator[Recording]:
    """Yield the execution with cold starts, then each scenario with warm functions, the new slide again.

    Raises:
        StopIteration: an execution does not end as expected.
    """
    rest = [scenario for scenario in SCENARIOS if scenario not in (FIRST, OUTAGE)]
    runs = [("cold-start", FIRST), *((scenario.name, scenario) for scenario in rest[:2]), (FIRST.name, FIRST)]
    runs += [(scenario.name, scenario) for scenario in rest[2:]]
    for name, scenario in runs:
        yield next(filter(None, (_take(stage, name, scenario) for _ in range(_TRIES))))


def _take(stage: Stage, name: str, scenario: Scenario) -> Recording | None:
    """Return the recording of one execution; None if it did not end as expected (on a slow machine)."""
    time.sleep(_BETWEEN)
    began = time.time()
    stage.send(scenario)
    arn = execution_of(stage, scenario, began)
    described = stage.aws.wait(arn, 600.0)
    stage.aws.drain(60.0)
    ended = execution_result(scenario, described, stage.aws.history(arn))
    sys.stdout.write(f"{name}: {ended.status} after {ended.duration_ms / 1000:.1f} s\n")
    if not ended.as_expected:
        return None
    return _recording(stage, name, arn, (described["startDate"].timestamp(), began), ended.duration_ms / 1000)


def _recording(stage: Stage, name: str, arn: str, starts: tuple[float, float], seconds: float) -> Recording:
    start, began = starts
    calls = [call for call in stage.aws.invocations() if call.began >= began]
    machine = arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    samples = [*invocation_samples(calls), *execution_samples(machine, stage.aws.history(arn))]
    store = stage.datadog.store
    return Recording(
        name,
        arn,
        start,
        seconds,
        list(_points(store, int(began), start)),
        _samples(samples, start),
        [
            {**span, "start": span["start"] - int(start * NANOSECONDS)}
            for span in store.spans(start=int(began))
        ],
        list(_logs(store, int(began), start)),
    )


def _points(store: Store, began: int, start: float) -> Iterator[RecordedPoints]:
    """Yield the points since a moment; the forwarder's own points include the effect of the recording."""
    query = (
        "SELECT metric, type, tags, list((time - $start, value) ORDER BY time) FROM series JOIN"
        " (SELECT * FROM points UNION ALL SELECT * FROM samples) USING (series_id)"
        " WHERE time >= $began GROUP BY ALL ORDER BY ALL"
    )
    with store.reading() as cursor:
        rows = cursor.execute(query, {"began": began, "start": start}).fetchall()
    for metric, kind, tags, points in rows:
        yield RecordedPoints(metric, kind, tuple(tags), [(round(at, 3), value) for at, value in points])


def _samples(samples: Iterable[Sample], start: float) -> list[RecordedSamples]:
    return [
        RecordedSamples(
            key.namespace,
            key.metric,
            key.tags,
            [(round(float(at) - start, 3), float(value)) for at, value in zip(times, values, strict=True)],
        )
        for key, (times, values) in columns(samples).items()
    ]


def _logs(store: Store, began: int, start: float) -> Iterator[dict[str, Any]]:
    """Yield the log entries since a moment, without Lambda's platform lines."""
    for log in store.logs(start=began):
        if not _PLATFORM.match(log["message"]):
            yield {**log, "timestamp": log["timestamp"] - int(start * 1000)}


def without_this_machine(text: str) -> str:
    """Replace the folder of this installation by Lambda's, and remove loopback addresses."""
    folders = (sys.prefix, str(Path(str(monitoring.__file__)).parent.parent))
    for folder in folders:
        text = text.replace(folder, "/var/task")
    return _LOOPBACK.sub("https://figures.example", text)


def main() -> None:
    """Write the recordings."""
    data = gzip.compress(
        without_this_machine(msgspec.json.encode(record_example()).decode()).encode(), 9, mtime=0
    )
    FILE.write_bytes(data)
    sys.stdout.write(f"wrote {FILE}: {len(data):,} bytes\n")


if __name__ == "__main__":
    main()
