"""Task: Lambda functions, activities, optimized integrations and AWS SDK integrations."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.branches import argument_of
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.history import INCLUDED, payload
from monitoring.local_aws.states.interpreter import HANDLERS, StateRun, attempt
from monitoring.local_aws.states.jobs import JOBS, wait_for_child, wait_for_job
from monitoring.local_aws.states.limits import whole_number
from monitoring.local_aws.states.optimized import SPECIAL, plain_call
from monitoring.local_aws.states.resources import SYNC, SYNC2, TOKEN, TaskResource, known_resource
from monitoring.local_aws.states.tokens import ActivityTask, HeartbeatTimeoutError, Pending

Work = Callable[[], Coroutine[Any, Any, Any]]


class TimedOutError(StateFailedError):
    """A task took too long, or sent no heartbeat in time: States.Timeout either way in its events."""

    def __init__(self, *, heartbeat: bool = False) -> None:
        super().__init__("States.Timeout")
        self.heartbeat = heartbeat


async def _task(run: StateRun) -> Any:
    value = run.effective_input()
    resource = known_resource(run.fields["Resource"])
    work = _KINDS[resource.kind]
    return await attempt(run, lambda: work(run, resource, value))


class _Attempt:
    """One attempt of a task: its limits, and the events of how it goes.

    Attributes:
        family: the prefix of its events' types.
        common: the details that all of its events have.
    """

    def __init__(self, run: StateRun, value: Any, family: str, **common: str) -> None:
        self.run = run
        self.family = family
        self.common = common
        self.timeout = whole_number(run, "TimeoutSeconds", value)
        self.heartbeat = whole_number(run, "HeartbeatSeconds", value)

    def scheduled(self, **details: Any) -> None:
        """Add the event of the scheduled task."""
        limits = {"timeoutInSeconds": self.timeout, "heartbeatInSeconds": self.heartbeat}
        known = {key: limit for key, limit in limits.items() if limit is not None}
        self.run.frame.add(
            f"{self.family}Scheduled", {**self.common, **details, **known, **_credentials(self.run)}
        )

    def add(self, outcome: str, **details: Any) -> None:
        """Add another event of the task."""
        self.run.frame.add(f"{self.family}{outcome}", {**self.common, **details} or None)

    async def end(self, work: Work, name: str) -> Any:
        """Return the result of the work within the limits, and add the event of its end."""
        try:
            result = await self.run.execution.clock.limit(work(), self.timeout)
            if text.too_large(text.dumps(result)):
                raise StateFailedError("States.DataLimitExceeded", text.TOO_LARGE.format(name))
        except TimeoutError as late:
            self.add("TimedOut", error="States.Timeout")
            raise TimedOutError(heartbeat=isinstance(late, HeartbeatTimeoutError)) from None
        except StateFailedError as failed:
            details = {"error": failed.error, "cause": failed.cause}
            self.add("Failed", **{key: part for key, part in details.items() if part is not None})
            raise
        return result


def _credentials(run: StateRun) -> dict[str, Any]:
    if "Credentials" not in run.fields:
        return {}
    credentials = run.fields["Credentials"]
    role = (
        run.query.evaluate(credentials, "Credentials")
        if run.state.jsonata
        else run.query.template(credentials, run.query.input)
    )
    return {"taskCredentials": {"roleArn": role.get("RoleArn")}}


async def _function(run: StateRun, resource: TaskResource, value: Any) -> Any:
    argument = argument_of(run, value)
    this = _Attempt(run, value, "LambdaFunction")
    this.scheduled(resource=resource.arn, input=text.dumps(argument), inputDetails=INCLUDED)
    this.add("Started")

    async def work() -> Any:
        with run.execution.clock.working():
            response = await run.execution.service.invoke({"FunctionName": resource.arn, "Payload": argument})
        return response["Payload"]

    result = await this.end(work, resource.arn)
    this.add("Succeeded", **payload(result))
    return result


async def _activity(run: StateRun, resource: TaskResource, value: Any) -> Any:
    service = run.execution.service
    activity = service.activities.get(resource.arn)
    if activity is None:
        raise FatalError(f"The activity {resource.arn} does not exist.")
    argument = text.dumps(argument_of(run, value))
    this = _Attempt(run, value, "Activity")
    this.scheduled(resource=resource.arn, input=argument, inputDetails=INCLUDED)
    pending = service.tokens.create()
    task = ActivityTask(pending, argument)
    activity.schedule(task)

    async def work() -> Any:
        worker = await task.started
        this.add("Started", **({} if worker is None else {"workerName": worker}))
        return await pending.wait(run.execution.clock, this.heartbeat)

    try:
        result = await this.end(work, resource.arn)
    finally:
        task.started.cancel()
        service.tokens.close(pending)
    this.add("Succeeded", **payload(result))
    return result


async def _integration(run: StateRun, resource: TaskResource, value: Any) -> Any:
    service = run.execution.service
    pending: Pending | None = None
    if resource.pattern:
        pending = service.tokens.create()
        run.frame.context["Task"] = {"Token": pending.token}
    try:
        argument = argument_of(run, value)
        this = _Attempt(run, value, "Task", resourceType=resource.resource_type, resource=resource.resource)
        this.scheduled(region=service.region, parameters=text.dumps(argument))
        this.add("Started")
        result = await this.end(lambda: _called(this, resource, argument, pending), resource.resource_type)
    finally:
        run.frame.context.pop("Task", None)
        if pending is not None:
            service.tokens.close(pending)
    this.add("Succeeded", **payload(result))
    return result


async def _called(this: _Attempt, resource: TaskResource, argument: Any, pending: Pending | None) -> Any:
    """Return what a call gives, and what it started in the end where the pattern says so."""
    run = this.run
    special = SPECIAL.get(f"{resource.service}:{resource.action}") if resource.kind == "service" else None
    response = (
        await special(run, resource, argument) if special else await plain_call(run, resource, argument)
    )
    if pending is None:
        return response
    this.add("Submitted", **payload(response))
    if resource.pattern == TOKEN:
        return await pending.wait(run.execution.clock, this.heartbeat)
    if resource.pattern in {SYNC, SYNC2} and resource.service == "states":
        return await wait_for_child(run, response["ExecutionArn"], pending, parsed=resource.pattern == SYNC2)
    return await wait_for_job(run, JOBS[f"{resource.service}:{resource.action}"], response, argument)


_KINDS: dict[str, Callable[[StateRun, TaskResource, Any], Awaitable[Any]]] = {
    "lambda": _function,
    "activity": _activity,
    "service": _integration,
    "sdk": _integration,
}
HANDLERS["Task"] = _task
