"""Step Functions of one embedded AWS: what is deployed, what runs, and the event loop in which it does."""

import asyncio
import base64
import concurrent.futures
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from monitoring.local_aws.authorization import ApiCall, Location, denial, resource_refusal
from monitoring.local_aws.clock import Clock
from monitoring.local_aws.invocation import Invocation, ThrottledError
from monitoring.local_aws.permissions import Permissions
from monitoring.local_aws.refusals import BrokenResources
from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import ApiError, FatalError, StateFailedError
from monitoring.local_aws.states.executions import ROLE, Execution
from monitoring.local_aws.states.history import Event
from monitoring.local_aws.states.optimized import lambda_payload
from monitoring.local_aws.states.resources import function_parts
from monitoring.local_aws.states.sdk import SdkCall, failure_of, http_metadata, refusal_of
from monitoring.local_aws.states.state_machines import Alias, StateMachine, Version
from monitoring.local_aws.states.tokens import ActivityQueue, Tokens
from monitoring.local_aws.vended import log_level_takes, log_message, stream_name

if TYPE_CHECKING:
    from monitoring.local_aws.states.machine import Machine

T = TypeVar("T")
THREADS = 256
CALLS = 32
"""Calls of AWS's API that are under way at a time."""


class Host(Protocol):
    """Define what Step Functions needs of the local AWS around it."""

    speed: float
    work_speed: float
    permissions: Permissions
    broken: BrokenResources

    def find_function(self, name: str, qualifier: str) -> Any:
        """Return a function of Lambda, or None."""

    def invoke_function(self, function: Any, payload: bytes) -> Invocation:
        """Run a function."""

    def invoke_later(self, function_arn: str, payload: bytes, source: str, *, in_turn: bool) -> None:
        """Queue an asynchronous invocation."""

    def status_changed(self, execution: Any, status: str) -> None:
        """Note that an execution starts or has ended."""

    def write_log(self, group: str, stream: str, milliseconds: int, message: str) -> None:
        """Write a log event if the log group exists."""

    def find_connection(self, arn: str) -> dict[str, Any] | None:
        """Return the parameters of an EventBridge connection, or None."""

    def find_api(self, endpoint: str) -> str:
        """Return the address at which an endpoint of API Gateway is served here, or ""."""


class StatesService:
    """Step Functions in one account and region; everything in it happens in the thread of its event loop."""

    def __init__(
        self, host: Host, account: str, region: str, client: Callable[[str], Any], max_workers: int
    ) -> None:
        self.host = host
        self.account = account
        self.region = region
        self._place = Location(region, account)
        self._client = client
        self._max_workers = max_workers
        self.state_machines: dict[str, StateMachine] = {}
        self.executions: dict[str, Execution] = {}
        self.activities: dict[str, ActivityQueue] = {}
        self.map_runs: dict[str, Any] = {}
        self.tokens = Tokens()
        self._functions: dict[str, asyncio.Semaphore] = {}
        self._closing = False
        self._pool = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="states")
        self._loop = asyncio.new_event_loop()
        self._calls = asyncio.Semaphore(CALLS)
        self._thread = threading.Thread(target=self._loop.run_forever, name="step functions", daemon=True)
        self._thread.start()

    # -- the loop

    def ask(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what `work` gives in the thread of the loop; a coroutine is awaited there."""

        async def call() -> Any:
            result: Any = work(*arguments, **named)
            return await result if asyncio.iscoroutine(result) else result

        if threading.current_thread() is self._thread:
            return work(*arguments, **named)
        coroutine = call()
        try:
            result: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()
            raise
        return result.result()

    def close(self, seconds: float) -> None:
        """Stop every execution and end the loop, within so many seconds."""
        if self._closing:
            return
        self._closing = True
        ended = asyncio.run_coroutine_threadsafe(self._stop_all(), self._loop)
        try:
            ended.result(seconds)
        except (concurrent.futures.TimeoutError, TimeoutError):
            ended.cancel()

    def join(self, seconds: float) -> None:
        """End the loop and its threads; what they call has to have ended."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(seconds)
        self._pool.shutdown(wait=True, cancel_futures=True)
        if not self._thread.is_alive():
            self._loop.run_until_complete(_cancel_tasks())  # what was asked for after the loop was stopped
            self._loop.close()

    async def _stop_all(self) -> None:
        running = [execution for execution in self.executions.values() if execution.status == "RUNNING"]
        for execution in running:
            execution.stop(None, None)
        for execution in running:
            await execution.wait()
        await _cancel_tasks()

    async def blocking(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what `work` gives in a thread of its own.

        Raises:
            StateFailedError, FatalError: it failed as a state does, or the embedded AWS failed on it.
        """
        try:
            return await self._loop.run_in_executor(self._pool, work, *arguments)
        except (StateFailedError, FatalError, ThrottledError):
            raise
        except Exception:  # noqa: BLE001  no exception of Python's may become the error of a state
            raise FatalError(
                "The embedded AWS failed on this call. This is a fault of the embedded AWS."
            ) from None

    # -- what tasks call

    async def call(self, call: SdkCall, request: dict[str, Any]) -> dict[str, Any]:
        """Return the response of an operation of AWS's API."""

        api_call = ApiCall(call.service, call.model.name, request)
        refusal = self.denial(api_call)
        if refusal:
            response_metadata = {"RequestId": str(uuid.uuid4())}
            raise StateFailedError(*call.describe("AccessDeniedException", refusal, 400, response_metadata))
        broken = resource_refusal(self.host.broken, api_call, self._place)
        if broken:
            raise refusal_of(call, broken)

        def perform() -> dict[str, Any]:
            client = self._client(call.service)
            try:
                response: dict[str, Any] = getattr(client, call.method)(**request) or {}
                return {key: _read(value) for key, value in response.items()}
            except Exception as failed:  # noqa: BLE001  all of botocore's are told as AWS tells them
                raise failure_of(call, failed) from None

        async with self._calls:
            return await self.blocking(perform)

    def denial(self, call: ApiCall) -> str:
        """Return why the role of the execution does not allow a call; "" where it does."""
        return denial(self.host.permissions, ROLE.get().rpartition("/")[2], call, self._place)

    async def invoke(self, parameters: dict[str, Any], *, metadata: bool = False) -> dict[str, Any]:
        """Return the response of Lambda's Invoke.

        Raises:
            StateFailedError: there is no such function, it was throttled, or it failed.
        """
        function_name = str(parameters.get("FunctionName", ""))
        parts = function_parts(function_name)
        name, own = parts or (function_name, "")
        qualifier = str(parameters.get("Qualifier") or own)
        function = self.host.find_function(name, qualifier) if parts else None
        if function is None:
            arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}:{qualifier or '$LATEST'}"
            raise _lambda_error("ResourceNotFoundException", f"Function not found: {arn}", 404)
        qualified = f":{qualifier}" if qualifier else ""
        arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}{qualified}"
        refusal = self.denial(ApiCall("lambda", "Invoke", {"FunctionName": arn}))
        if refusal:
            raise _lambda_error("AccessDeniedException", refusal, 403, "AWSLambdaException")
        payload = lambda_payload(parameters.get("Payload"))
        response_metadata = (
            http_metadata({"RequestId": str(uuid.uuid4()), "HTTPStatusCode": 200}) if metadata else {}
        )
        if parameters.get("InvocationType") == "Event":
            self.host.invoke_later(function.function_arn, payload, "Event invocation", in_turn=False)
            return {**response_metadata, "StatusCode": 202, "Payload": ""}
        gate = self._functions.setdefault(name, asyncio.Semaphore(self._max_workers))
        async with gate:
            try:
                done = await self.blocking(self.host.invoke_function, function, payload)
            except ThrottledError as refused:
                raise _lambda_error(refused.kind, refused.message, 429) from None
        result = _loaded(done.payload)
        if done.function_error:
            kind = result.get("errorType") if isinstance(result, dict) else None
            raise StateFailedError(kind or "Exception", text.dumps(result))
        log = (
            {"LogResult": base64.b64encode(done.log_tail.encode()).decode()}
            if parameters.get("LogType") == "Tail"
            else {}
        )
        version = getattr(function, "version", None) or "$LATEST"
        return {"ExecutedVersion": version, **log, "Payload": result, **response_metadata, "StatusCode": 200}

    def connection(self, arn: str) -> dict[str, Any] | None:
        """Return the parameters of an EventBridge connection."""
        return self.host.find_connection(arn)

    def api(self, endpoint: str) -> str:
        """Return the address at which an endpoint of API Gateway is served here, or ""."""
        return self.host.find_api(endpoint)

    # -- executions

    def resolve(self, arn: str) -> tuple[StateMachine, Version | None, str | None]:
        """Return the state machine that an ARN names, with the version, and the ARN of the version or alias.

        Raises:
            ApiError: there is none.
        """
        machine = self.state_machines.get(arn)
        if machine is not None:
            return machine, None, None
        base, _, qualifier = arn.rpartition(":")
        machine = self.state_machines.get(base)
        alias: Alias | None = machine.aliases.get(qualifier) if machine else None
        number = alias.route().rpartition(":")[2] if alias else qualifier
        if machine is None or not number.isdigit() or int(number) not in machine.versions:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return machine, machine.versions[int(number)], arn

    def start(
        self, arn: str, source: str, name: str | None = None, *, clock: Clock | None = None
    ) -> Execution:
        """Start an execution.

        Raises:
            ApiError: there is no such state machine, the input is not JSON, or the name is taken.
        """
        machine, version, qualified = self.resolve(arn)
        _check_input(source)
        name = name or str(uuid.uuid4())
        kind = machine.kind
        if kind == "EXPRESS":
            execution_arn = f"{machine.arn.replace(':stateMachine:', ':express:')}:{name}:{uuid.uuid4()}"
        else:
            execution_arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
            known = self.executions.get(execution_arn)
            if known is not None:
                if known.status == "RUNNING" and known.source == source:
                    return known
                raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{execution_arn}'")
        execution = Execution(
            self,
            execution_arn,
            (version or machine).machine,
            source,
            state_machine_arn=machine.arn,
            name=name,
            role=(version or machine).role,
            kind=kind,
            clock=clock or Clock(self.host.speed, self.host.work_speed),
            publish=self._publisher(machine),
        )
        execution.qualified = qualified
        return self._begin(execution)

    def start_item(self, run: Any, map_run: Any, value: Any) -> Execution:
        """Start the child execution of a Map Run."""
        parent: Execution = run.execution
        config = run.state.iterator.get("ProcessorConfig") or {}
        kind = config.get("ExecutionType", "STANDARD")
        name = str(uuid.uuid4())
        base = map_run.state_machine_arn
        if kind == "EXPRESS":
            arn = f"{base.replace(':stateMachine:', ':express:')}:{name}:{uuid.uuid4()}"
        else:
            arn = f"{base.replace(':stateMachine:', ':execution:')}:{name}"
        machine: Machine = run.state.processor
        execution = Execution(
            self,
            arn,
            machine,
            text.dumps(value),
            state_machine_arn=base,
            name=name,
            role=parent.role,
            kind=kind,
            clock=parent.clock,
            publish=self._publisher(self.state_machines.get(parent.state_machine_arn.partition("/")[0])),
            map_run=map_run,
        )
        map_run.children.append(execution)
        return self._begin(execution)

    def _begin(self, execution: Execution) -> Execution:
        self.executions[execution.arn] = execution
        execution.begin()
        return execution

    def announce(self, execution: Execution, status: str) -> None:
        """Tell the embedded AWS that an execution starts or has ended."""
        self.host.status_changed(execution, status)

    def _publisher(self, machine: StateMachine | None) -> Callable[[Execution, Event], None]:
        """Return what writes the events of an execution to the log group of its state machine."""
        logging = machine.logging if machine else {}
        level = logging.get("level", "OFF")
        groups = [
            destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
            for destination in logging.get("destinations", ())
        ]
        if machine is None or level == "OFF" or not groups:
            return lambda _, __: None
        group = groups[0].partition(":log-group:")[2].partition(":")[0]
        stream = machine.log_streams.setdefault(
            group, stream_name(machine.name, datetime.now(UTC), uuid.uuid4().hex[:8])
        )
        data = bool(logging.get("includeExecutionData"))

        def publish(execution: Execution, event: Event) -> None:
            if log_level_takes(level, event["type"]):
                when, message = log_message(
                    _log_of(event, execution.arn, data=data), redrive_count=execution.redrive_count
                )
                self.host.write_log(group, stream, when, message)

        return publish


def _log_of(event: Event, arn: str, *, data: bool) -> dict[str, Any]:
    """Return an event as `log_message` takes it; without `data` it has no inputs and outputs."""
    details: dict[str, Any] = next(
        (value for key, value in event.items() if key.endswith("EventDetails")), {}
    )
    hidden = () if data else ("input", "inputDetails", "output", "outputDetails")
    return {
        "id": event["id"],
        "type": event["type"],
        "details": {key: value for key, value in details.items() if key not in hidden},
        "previous_event_id": event["previousEventId"],
        "event_timestamp": event["timestamp"],
        "execution_arn": arn,
    }


def _check_input(source: str) -> None:
    try:
        text.loads(source)
    except (ValueError, RecursionError) as failed:
        raise ApiError(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{failed}'"
        ) from None
    if text.too_large(source):
        raise ApiError(
            "ValidationException",
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {text.MAX_BYTES}",
        )


def _lambda_error(kind: str, message: str, status: int, error: str = "") -> StateFailedError:
    """Return the failure of an invocation; `error` is the name of a kind that Lambda's API does not model."""
    suffix = f"Service: AWSLambda; Status Code: {status}; Error Code: {kind}; Request ID: {uuid.uuid4()}"
    return StateFailedError(f"Lambda.{error or kind}", f"{message} ({suffix}; Proxy: null)")


def _loaded(payload: bytes) -> Any:
    try:
        return text.loads(payload.decode() or "null")
    except ValueError:
        return payload.decode("utf-8", "replace")


def _read(value: Any) -> Any:
    return value.read() if hasattr(value, "read") else value


async def _cancel_tasks() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
