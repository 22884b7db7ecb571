"""The embedded AWS: one object that starts it, deploys to it, runs executions and ends it without a trace."""

import contextlib
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.builds import Builds
from monitoring.local_aws.deliveries import Activity, AsyncInvoker, Deliveries
from monitoring.local_aws.deploying import check_handler, definition_text
from monitoring.local_aws.filter_pattern import compile_pattern
from monitoring.local_aws.functions import Functions
from monitoring.local_aws.invocation import FunctionSettings, Invocation
from monitoring.local_aws.moto_backends import ACCOUNT, events_backends, lambda_backend, logs_backends
from monitoring.local_aws.moto_patches import PATCHES, applied
from monitoring.local_aws.output import Line
from monitoring.local_aws.server import Server
from monitoring.local_aws.vended import VALIDATION_MESSAGE, VALIDATION_STREAM, status_change_event
from monitoring.telemetry import LogEvent

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIALOCALLOCALLOCAL0",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
}
_END_SECONDS = 5.0
"""How long closing waits for executions that were told to stop."""

_running = threading.Lock()
"""moto keeps its state for the whole process: one embedded AWS at a time."""


class LocalAws:
    """AWS on this machine, in loopback HTTP: `with LocalAws(home) as aws: …`.

    Args:
        home: a folder it may write to; unpacked code, builds and the workers' temporary files lie there.
        speed: how much faster than the wall clock state machine time passes while nothing works: Wait, Retry
            and TimeoutSeconds, builds' and invalidations' delays. A Lambda function's own timeout is real
            time.
        work_speed: the same while a handler works; 1 means that TimeoutSeconds of a task is real time.
        region: the only region.
        port: where it listens; 0 takes any that is free.
        max_workers: worker processes a function may have at once.

    Raises:
        InputError: `home` cannot be written, the port is taken, another one runs in this process, or the
            installed moto is not one that the patches know.
    """

    def __init__(
        self,
        home: Path,
        *,
        speed: float = 1.0,
        work_speed: float = 1.0,
        region: str = "us-east-1",
        port: int = 0,
        max_workers: int = 8,
    ) -> None:
        if speed <= 0 or work_speed <= 0:
            raise InputError(f"speed is {speed}, work_speed {work_speed}", hint="give numbers above 0")
        self.home = Path(home).absolute()
        self.speed = speed
        self.work_speed = work_speed
        self.region = region
        self.endpoint_url = ""
        self._port = port
        self._max_workers = max_workers
        self._exit = contextlib.ExitStack()
        self._clients: dict[str, Any] = {}
        self._client_lock = threading.Lock()
        self._code: dict[str, tuple[Path, str]] = {}
        self._events: list[LogEvent] = []
        self._events_lock = threading.Lock()
        self._changed = threading.Condition()
        self._statuses: dict[str, str] = {}
        self._activity = Activity()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every execution, worker, build, thread and socket; harmless when done twice."""
        self._exit.close()

    # -- starting and ending

    def _start(self) -> None:
        if not _running.acquire(blocking=False):
            raise InputError(
                "an embedded AWS runs in this process already",
                hint="use that one, or close it first: moto keeps its state for the whole process",
            )
        self._exit.callback(_running.release)
        _make_home(self.home)
        self._exit.enter_context(moto_backends.settings())
        self._exit.enter_context(applied(PATCHES, self))
        moto_backends.reset()
        self._exit.callback(moto_backends.reset)
        server = Server(self._port)
        self._exit.callback(server.close)
        self.endpoint_url = server.url
        self._exit.callback(self._close_clients)
        environment = self._worker_environment()
        self.functions = Functions(self._put_lines, environment, self._max_workers)
        self._async = AsyncInvoker(self._invoke_for_async, self._activity, ACCOUNT, self.speed)
        self.builds = Builds(self.home / "builds", environment, self.client, self._put_lines, self.speed)
        # At the end from the last to the first: no new work, then the workers, so that what waits returns.
        self._exit.callback(moto_backends.join_executions, _END_SECONDS)
        self._exit.callback(self._async.close)
        self._exit.callback(self.functions.close)
        self._exit.callback(self.builds.close)
        self._exit.callback(moto_backends.stop_executions)

    def _worker_environment(self) -> dict[str, str]:
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
        return {
            **kept,
            **_CREDENTIALS,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
        }

    def _close_clients(self) -> None:
        for client in self._clients.values():
            client.close()

    # -- clients and deployment

    def client(self, service: str) -> Any:
        """A boto3 client of this AWS, the same one for a service every time."""
        with self._client_lock:
            if service not in self._clients:
                session = boto3.Session(
                    aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=_CREDENTIALS["AWS_SESSION_TOKEN"],
                    region_name=self.region,
                )
                settings = Config(proxies={}, read_timeout=900, retries={"total_max_attempts": 1})
                self._clients[service] = session.client(  # type: ignore[call-overload]
                    service, endpoint_url=self.endpoint_url, config=settings
                )
            return self._clients[service]

    def deploy_function(  # noqa: PLR0913  a function has as many settings
        self,
        name: str,
        *,
        handler: str,
        code: Path | None = None,
        timeout: int = 3,
        memory: int = 128,
        environment: Mapping[str, str] | None = None,
        log_format: str = "Text",
        check: bool = True,
    ) -> str:
        """Deploys a function, or deploys it anew, and gives its ARN.

        Args:
            name: the function's name.
            handler: `package.module.function`, as in Lambda.
            code: the folder that is on `sys.path`; None: the one that holds the package `monitoring`.
            timeout: seconds, of real time, after which an invocation is killed.
            memory: megabytes; a worker that holds more is killed (on Linux).
            environment: the function's own variables.
            log_format: `Text` or `JSON`.
            check: see first that the handler is defined; without it, Lambda's own error comes at the first
                invocation.

        Raises:
            InputError: there is no such handler, or AWS refuses the settings.
        """
        folder = Path(code).absolute() if code is not None else Path(__file__).parents[2]
        if log_format not in {"Text", "JSON"}:
            raise InputError(f"log format {log_format!r} is not one of Lambda's", hint="use Text or JSON")
        if check:
            check_handler(handler, folder)
        self._code[name] = (folder, log_format)
        settings = {
            "FunctionName": name,
            "Role": self._role(),
            "Handler": handler,
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "Timeout": timeout,
            "MemorySize": memory,
            "Environment": {"Variables": dict(environment or {})},
        }
        lambda_ = self.client("lambda")
        with _refused(f"function {name}"):
            with contextlib.suppress(lambda_.exceptions.ResourceNotFoundException):
                lambda_.delete_function(FunctionName=name)
            arn: str = lambda_.create_function(**settings, Code={"ZipFile": _empty_zip()})["FunctionArn"]
        self.create_log_group(f"/aws/lambda/{name}")
        return arn

    def deploy_state_machine(
        self,
        name: str,
        definition: Mapping[str, Any] | str,
        *,
        substitutions: Mapping[str, str] | None = None,
        level: str = "ALL",
        include_execution_data: bool = True,
        type: str = "STANDARD",  # noqa: A002  AWS's word
    ) -> str:
        """Deploys a state machine, or a new definition of it, and gives its ARN.

        Args:
            name: its name; it logs to `/aws/vendedlogs/states/NAME-Logs`.
            definition: Amazon States Language, as a dict or as JSON.
            substitutions: values for `${Name}` in it; a function's name gives its ARN of itself.
            level: ALL, ERROR, FATAL or OFF.
            include_execution_data: whether inputs and outputs are logged.
            type: STANDARD or EXPRESS.

        Raises:
            InputError: the definition is not valid; says where.
        """
        arns = {each: self.function_arn(each) for each in self._code}
        text = definition_text(definition, {**arns, **(substitutions or {})})
        group = self.state_machine_log_group(name)
        self.create_log_group(group)
        self._validate_delivery(group)
        arn = f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{group}:*"
        logging = {
            "level": level,
            "includeExecutionData": include_execution_data,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        }
        states, machine = self.client("stepfunctions"), self.state_machine_arn(name)
        with _refused(f"state machine {name}"):
            try:
                states.describe_state_machine(stateMachineArn=machine)
            except states.exceptions.StateMachineDoesNotExist:
                machine = states.create_state_machine(
                    name=name, definition=text, roleArn=self._role(), loggingConfiguration=logging, type=type
                )["stateMachineArn"]
            else:
                states.update_state_machine(
                    stateMachineArn=machine, definition=text, loggingConfiguration=logging
                )
        return str(machine)

    def function_arn(self, name: str) -> str:
        """The ARN that a function of this name has."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}"

    def state_machine_arn(self, name: str) -> str:
        """The ARN that a state machine of this name has."""
        return f"arn:aws:states:{self.region}:{ACCOUNT}:stateMachine:{name}"

    def state_machine_log_group(self, name: str) -> str:
        """Where a state machine logs."""
        return f"/aws/vendedlogs/states/{name}-Logs"

    def create_log_group(self, name: str) -> None:
        """Creates a log group unless it exists."""
        logs = self.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=name)

    def subscribe(self, log_group: str, function_name: str, pattern: str = "", *, own: bool = False) -> None:
        """Sends the events of a log group that match a filter pattern to a function, from now on.

        Raises:
            InputError: the pattern is not understood, or the function would get its own lines without end
                (`own=True` allows it).
        """
        if log_group == f"/aws/lambda/{function_name}" and not own:
            raise InputError(
                f"{function_name} would be invoked for every line that it writes itself, without end",
                where=f"log group {log_group}",
                hint="leave its own log group out, or say own=True with a pattern that its lines never match",
            )
        compile_pattern(pattern)
        self.create_log_group(log_group)
        with _refused(f"subscription of {log_group}"):
            self.client("logs").put_subscription_filter(
                logGroupName=log_group,
                filterName=f"to-{function_name}",
                filterPattern=pattern,
                destinationArn=self.function_arn(function_name),
            )

    def notify_status_changes(self, function_name: str, state_machine: str | None = None) -> None:
        """Sends status change events of executions to a function, by an EventBridge rule.

        Args:
            function_name: the target.
            state_machine: only those of this state machine (its name); None for all.
        """
        pattern: dict[str, Any] = {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
        }
        if state_machine is not None:
            pattern["detail"] = {"stateMachineArn": [self.state_machine_arn(state_machine)]}
        rule = f"{state_machine or 'all'}-status-to-{function_name}"[:64]
        events = self.client("events")
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": self.function_arn(function_name)}])

    def _role(self) -> str:
        iam, name = self.client("iam"), "local"
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def _validate_delivery(self, group: str) -> None:
        """What Step Functions writes to a log group when it is made the destination."""
        logs = self.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName=VALIDATION_STREAM)
            event = {"timestamp": int(time.time() * 1000), "message": VALIDATION_MESSAGE}
            logs.put_log_events(logGroupName=group, logStreamName=VALIDATION_STREAM, logEvents=[event])

    # -- running

    def invoke(self, function_name: str, event: Any) -> Any:
        """Invokes a function and gives what it returned.

        Raises:
            InvocationError: the function failed; `.payload` is what Lambda answered.
        """
        answer = self.client("lambda").invoke(FunctionName=function_name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise InvocationError(function_name, payload)
        return payload

    def start(self, state_machine: str, input: Any = None, *, name: str | None = None) -> str:  # noqa: A002  AWS's word
        """Starts an execution and gives its ARN.

        Raises:
            InputError: there is no such state machine, or an execution of this name exists.
        """
        arn = state_machine if state_machine.startswith("arn:") else self.state_machine_arn(state_machine)
        named = {} if name is None else {"name": name}
        text = json.dumps({} if input is None else input)
        with _refused(f"execution of {state_machine}"):
            return str(
                self.client("stepfunctions").start_execution(stateMachineArn=arn, input=text, **named)[
                    "executionArn"
                ]
            )

    def wait(self, execution: str, timeout: float = 60.0) -> dict[str, Any]:
        """Waits until an execution has ended and gives its description (DescribeExecution).

        Raises:
            TimeoutError: it still runs after so many seconds of real time.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._statuses.get(execution, "RUNNING") != "RUNNING", timeout
            ):
                last: dict[str, Any] = next(
                    (e for e in reversed(self.history(execution)) if "stateEnteredEventDetails" in e), {}
                )
                state = last.get("stateEnteredEventDetails", {}).get("name", "none")
                raise TimeoutError(
                    f"{execution} still runs after {timeout} s; the last state entered is {state}"
                )
        return self.describe(execution)

    def describe(self, execution: str) -> dict[str, Any]:
        """What DescribeExecution says."""
        answer: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
        answer.pop("ResponseMetadata", None)
        return answer

    def history(self, execution: str) -> list[dict[str, Any]]:
        """All events of GetExecutionHistory."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]

    def stop(self, execution: str, error: str = "", cause: str = "") -> None:
        """Stops an execution: it ends as ABORTED."""
        self.client("stepfunctions").stop_execution(executionArn=execution, error=error, cause=cause)

    def drain(self, timeout: float = 30.0) -> Deliveries:
        """Waits until no handler runs and every log event and every other event is delivered or given up.

        Returns:
            The counters; `pending` is above 0 if the time was not enough.
        """
        self._activity.wait_idle(timeout)
        return self.deliveries()

    def deliveries(self) -> Deliveries:
        """What was sent asynchronously until now."""
        return self._async.counters()

    def log_events(self) -> list[LogEvent]:
        """Everything that CloudWatch Logs received, in the order received."""
        with self._events_lock:
            return list(self._events)

    # -- what the patches of moto call (moto_patches.Host)

    def invoke_function(self, function: Any, payload: bytes) -> Invocation:
        """Runs a moto `LambdaFunction` on an event."""
        with self._activity:
            return self.functions.invoke(self._settings(function), payload)

    def invoke_later(self, function_arn: str, payload: bytes, source: str) -> None:
        """Queues an asynchronous invocation."""
        self._async.send(function_arn, payload, source)

    def received(self, events: list[LogEvent]) -> None:
        """CloudWatch Logs received these."""
        with self._events_lock:
            self._events.extend(events)

    def deliver_log_events(
        self, function_arn: str, filter_name: str, group: str, stream: str, events: list[dict[str, Any]]
    ) -> None:
        """Queues log events for a subscriber."""
        self._async.send_log_events(function_arn, filter_name, group, stream, events)

    def status_changed(self, execution: Any, status: str) -> None:
        """An execution starts or has ended."""
        if getattr(execution.state_machine, "type", "STANDARD") != "EXPRESS":
            self._publish(status_change_event(execution, status))
        with self._changed:
            moto_backends.forget_ended_threads()
            if self._statuses.get(execution.exec_arn, "RUNNING") == "RUNNING":
                self._statuses[execution.exec_arn] = status
            self._changed.notify_all()

    def start_build(self, build: dict[str, Any], request: dict[str, Any], project: dict[str, Any]) -> None:
        """Runs a build."""
        self.builds.start(build, request, project)

    def stop_build(self, build_id: str) -> None:
        """Ends a build."""
        self.builds.stop(build_id)

    def _publish(self, event: dict[str, Any]) -> None:
        bus = events_backends[ACCOUNT][self.region].describe_event_bus("default")
        for rule in list(bus.rules.values()):
            rule.send_to_targets(dict(event))

    def _invoke_for_async(self, function: str, payload: bytes) -> str:
        try:
            done = self.invoke_function(lambda_backend(ACCOUNT, self.region).get_function(function), payload)
        except Exception as failed:  # noqa: BLE001  whatever it is, the event was not delivered, and that is counted
            return f"{type(failed).__name__}: {failed}"
        return done.payload.decode("utf-8", "replace")[:1000] if done.function_error else ""

    def _settings(self, function: Any) -> FunctionSettings:
        folder, log_format = self._code.get(function.function_name) or (self._unpacked(function), "Text")
        return FunctionSettings(
            name=function.function_name,
            arn=function.function_arn,
            handler=function.handler,
            code=folder,
            timeout=float(function.timeout),
            memory_mb=int(function.memory_size),
            environment=tuple(sorted(function.environment_vars.items())),
            log_format=log_format,
            region=self.region,
        )

    def _unpacked(self, function: Any) -> Path:
        """Where the archive lies that a user's own CreateFunction brought."""
        folder = self.home / "functions" / f"{function.function_name}-{function.code_digest[:16]}"
        if not folder.exists():
            with zipfile.ZipFile(BytesIO(function.code_bytes)) as archive:
                archive.extractall(folder)
        return folder

    def _put_lines(self, group: str, stream: str, lines: list[Line]) -> None:
        backend = logs_backends[ACCOUNT][self.region]
        backend.ensure_log_group(group)
        streams = backend.groups[group].streams
        if stream not in streams:
            backend.create_log_stream(group, stream)
        now = int(time.time() * 1000)
        streams[stream].put_log_events(
            [{"timestamp": line.timestamp or now, "message": line.message} for line in lines]
        )


class InvocationError(Exception):
    """A function that was invoked failed; `payload` is Lambda's answer: `errorType`, `errorMessage`, …."""

    def __init__(self, function: str, payload: Any) -> None:
        self.payload = payload
        details = payload if isinstance(payload, dict) else {}
        super().__init__(
            f"{function}: {details.get('errorType', 'error')}: {details.get('errorMessage', payload)}"
        )


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        shutil.rmtree(home / "functions", ignore_errors=True)
    except OSError as failed:
        raise InputError(
            f"cannot write in {home}: {failed.strerror}", hint="give a folder that you may write to"
        ) from failed


def _empty_zip() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README", "the code of this function is a folder on this machine\n")
    return packed.getvalue()


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    """AWS's refusals as InputError."""
    try:
        yield
    except ClientError as refused:
        error = refused.response["Error"]
        raise InputError(f"{what}: {error['Code']}: {error['Message']}") from refused
