"""`.sync`: how a task waits for what it started, service by service."""

import asyncio
from typing import Any, NamedTuple

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import StateFailedError
from monitoring.local_aws.states.resources import TaskResource
from monitoring.local_aws.states.sdk import known_call, request_of, result_of
from monitoring.local_aws.states.tokens import Pending

POLL_SECONDS = 5.0
"""State machine time between two looks at a job."""


class Job(NamedTuple):
    """How a job is looked at.

    Attributes:
        action: the operation that describes it.
        request: gives the operation's parameters from the response of the call that started the job.
        result: where the job is in the description.
        status: where its status is in the job.
        succeeded, failed: statuses that end it.
        whole: whether the result of the task is the description, not the job in it.
    """

    action: str
    request: dict[str, tuple[str, ...]]
    result: tuple[str | int, ...]
    status: tuple[str, ...]
    succeeded: frozenset[str]
    failed: frozenset[str]
    whole: str = ""


JOBS: dict[str, Job] = {
    "codebuild:startBuild": Job(
        "batchGetBuilds",
        {"Ids[]": ("Build", "Id")},
        ("Builds", 0),
        ("BuildStatus",),
        frozenset({"SUCCEEDED"}),
        frozenset({"FAILED", "FAULT", "TIMED_OUT", "STOPPED"}),
        "Build",
    ),
    "athena:startQueryExecution": Job(
        "getQueryExecution",
        {"QueryExecutionId": ("QueryExecutionId",)},
        ("QueryExecution",),
        ("Status", "State"),
        frozenset({"SUCCEEDED"}),
        frozenset({"FAILED", "CANCELLED"}),
        "QueryExecution",
    ),
    "glue:startJobRun": Job(
        "getJobRun",
        {"JobName": ("JobName",), "RunId": ("JobRunId",)},
        ("JobRun",),
        ("JobRunState",),
        frozenset({"SUCCEEDED"}),
        frozenset({"FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"}),
    ),
}


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


async def wait_for_job(run: Any, job: Job, response: dict[str, Any], parameters: Any = None) -> Any:
    """Return the description of a job when it has ended.

    Raises:
        StateFailedError: it failed; the cause is its description.
    """
    source = {**(parameters or {}), **response}
    request = {
        name.removesuffix("[]"): [_at(source, path)] if name.endswith("[]") else _at(source, path)
        for name, path in job.request.items()
    }
    resource = TaskResource("sdk", "", run.fields["Resource"].split(":")[5], job.action)
    call = known_call(resource)
    while True:
        described = result_of(call, await run.execution.service.call(call, request_of(call, request)))
        state = _at(described, job.result)
        status = _at(state, job.status)
        if status in job.succeeded:
            return {job.whole: state} if job.whole else state
        if status in job.failed:
            raise StateFailedError(
                "States.TaskFailed", text.dumps({job.whole: state} if job.whole else state)
            )
        await run.execution.clock.sleep(POLL_SECONDS)


async def wait_for_child(run: Any, arn: str, pending: Pending, *, parsed: bool) -> Any:
    """Return the description of a started execution when it has ended, or the answer to the task's token.

    Raises:
        StateFailedError: it did not succeed; the cause is its description.
    """
    child = run.execution.service.executions[arn]
    ended = asyncio.create_task(child.wait())
    try:
        await asyncio.wait((ended, pending.answer), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        child.stop(None, None)
        raise
    finally:
        ended.cancel()
    if pending.answer.done():
        return pending.answer.result()
    description = child_description(child.describe(), parsed=parsed)
    if child.status != "SUCCEEDED":
        raise StateFailedError(
            "States.TaskFailed", text.dumps(child_description(child.describe(), parsed=False))
        )
    return description


def child_description(described: dict[str, Any], *, parsed: bool) -> dict[str, Any]:
    """Return DescribeExecution as the result of a task, its input and output as JSON where `parsed`."""
    kept = (
        "cause",
        "error",
        "executionArn",
        "input",
        "name",
        "output",
        "startDate",
        "stateMachineArn",
        "status",
        "stopDate",
    )
    description: dict[str, Any] = {}
    for key in kept:
        if described.get(key) is None:
            continue
        value = described[key]
        value = round(value.timestamp() * 1000) if hasattr(value, "timestamp") else value
        description[key[:1].upper() + key[1:]] = (
            text.loads(value) if parsed and key in {"input", "output"} else value
        )
        if key in {"input", "output"}:
            description[f"{key.capitalize()}Details"] = {"Included": True}
    return description
