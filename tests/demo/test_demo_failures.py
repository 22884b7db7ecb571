"""A handler that raises, exits, is killed or hangs: history, log lines and stored points tell the same story."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import spec_reader

from monitoring.local_aws import LocalAws
from monitoring.local_datadog import LocalDatadog

CODE = Path(__file__).parent / "code"
WAYS = {
    "raises": ("ValueError", "no such row: 7"),
    "exits": ("Runtime.ExitError", "exit status 3"),
    "killed": ("Runtime.ExitError", "signal: killed"),
    "hangs": ("Sandbox.Timedout", "timed out after 1.00 seconds"),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Each way once, in a state machine of its own; everything has been delivered."""
    with LocalDatadog() as datadog, LocalAws(tmp_path_factory.mktemp("aws"), speed=20) as aws:
        settings = {"DD_URL": datadog.url, "DD_API_KEY": "local", "MONITORING_LOG_PLATFORM": "true"}
        aws.deploy_function(
            "forwarder", handler="monitoring.forwarder.handler", timeout=30, memory=512, environment=settings
        )
        arns = {}
        for way in WAYS:
            aws.deploy_function(way, handler=f"failing_steps.{way}", code=CODE, timeout=1, memory=256)
            task = {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": f"${{{way}}}", "Payload": {"a": 1}},
                "End": True,
            }
            aws.deploy_state_machine(f"machine-{way}", {"StartAt": "Step", "States": {"Step": task}})
            aws.subscribe(f"/aws/lambda/{way}", "forwarder")
            arns[way] = aws.start(f"machine-{way}", name=way)
        ended = {way: aws.wait(arn) for way, arn in arns.items()}
        aws.drain()
        yield SimpleNamespace(aws=aws, store=datadog.store, arns=arns, ended=ended)


def lines(story, way: str) -> list[str]:
    return [event.message for event in story.aws.log_events() if event.log_group == f"/aws/lambda/{way}"]


def stored(story, metric: str, way: str) -> float:
    found = story.store.series(metric, tags=[f"functionname:{way}"])
    return sum(float(series.values.sum()) for series in found)


@pytest.mark.parametrize("way", WAYS)
def test_the_history_names_the_error(story, way: str):
    error, cause = WAYS[way]
    assert story.ended[way]["status"] == "FAILED"
    assert story.ended[way]["error"] == error
    failed = [event for event in story.aws.history(story.arns[way]) if event["type"] == "TaskFailed"]
    assert len(failed) == 1
    assert failed[0]["taskFailedEventDetails"]["error"] == error
    assert cause in failed[0]["taskFailedEventDetails"]["cause"]


@pytest.mark.parametrize("way", WAYS)
def test_the_log_has_one_invocation_and_says_how_it_ended(story, way: str):
    said = lines(story, way)
    assert sum(line.startswith("REPORT ") for line in said) == 1
    assert any(WAYS[way][1] in line for line in said)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_printed_before_the_end_is_stored(story, way: str):
    points, traces, _ = spec_reader.read_output("\n".join(lines(story, way)))
    begun = [point for point in points if point.metric == "bad.begun"]
    assert len(begun) == stored(story, "bad.begun", way) == 1
    for point in points:
        same = sum(float(other.value) for other in points if other.metric == point.metric)
        assert stored(story, point.metric, way) == pytest.approx(same)
    printed = {span["span_id"] for spans in traces for span in spans}
    assert printed <= {span["span_id"] for span in story.store.spans()}


@pytest.mark.parametrize("way", WAYS)
def test_datadog_counts_one_invocation_and_one_failure(story, way: str):
    assert stored(story, "aws.lambda.enhanced.invocations", way) == 1
    failures = ("stepscope.errors", "stepscope.timeouts", "aws.lambda.enhanced.errors")
    assert {stored(story, name, way) for name in failures} <= {0, 1}
    assert any(stored(story, name, way) for name in failures)
    assert stored(story, "aws.lambda.enhanced.timeouts", way) == (way == "hangs")
