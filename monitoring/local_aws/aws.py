"""The embedded AWS: start it, deploy to it, run executions, and stop it with all its processes."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from monitoring.capture import log_recorders
from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.authorization import Location
from monitoring.local_aws.builds import Builds
from monitoring.local_aws.checks import check_function, check_handler, definition_text, refused
from monitoring.local_aws.deliveries import Deliveries
from monitoring.local_aws.filter_pattern import compile_pattern
from monitoring.local_aws.functions import Functions
from monitoring.local_aws.gate import Gate
from monitoring.local_aws.host import MotoHost, make_home
from monitoring.local_aws.invocation import InvocationError, Invoked, ThrottledError
from monitoring.local_aws.moto_backends import ACCOUNT
from monitoring.local_aws.moto_patches import PATCHES, applied
from monitoring.local_aws.output import Line
from monitoring.local_aws.schedules import ScheduleEntry
from monitoring.local_aws.server import Server
from monitoring.local_aws.stack import Deployment, delete_stacks, deploy_stacks
from monitoring.local_aws.vended import VALIDATION_MESSAGE, VALIDATION_STREAM
from monitoring.log_events.telemetry import LogEvent

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIALOCALLOCALLOCAL0",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
}
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
_running = threading.Lock()
"""moto's state is global to the process, so there is only one embedded AWS at a time."""


class LocalAws:
    """A local AWS with an HTTP endpoint on loopback: `with LocalAws(home) as aws: …`.

    Args:
        home: a writable folder for unpacked code, builds and temporary files of workers.
        speed: the speed of state machine time, relative to real time, while no handler runs. It applies to
            Wait, Retry and TimeoutSeconds, and to the delays of builds and invalidations. A function's own
            time-out is real time.
        work_speed: the speed while a handler runs; with 1, TimeoutSeconds of a task is real time.
        region: the only region.
        port: the port of the endpoint; 0 uses a free one.
        max_workers: the maximum number of worker processes per function.

    Raises:
        InputError: `home` cannot be written, the port is in use, another LocalAws runs in this process, or
            the installed version of moto does not fit the patches.
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
        self.region = region
        self._port = port
        self._max_workers = max_workers
        self._host = MotoHost(self.home, region, speed=speed, work_speed=work_speed)
        self._exit = contextlib.ExitStack()
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}
        self._client_lock = threading.Lock()

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
        """End every execution, worker, build, thread and socket; calling it twice is harmless."""
        self._exit.close()

    @property
    def endpoint_url(self) -> str:
        """The URL of the endpoint, for AWS_ENDPOINT_URL of the SDKs."""
        return self._host.endpoint_url

    @property
    def functions(self) -> Functions:
        """The worker processes."""
        return self._host.functions

    @property
    def builds(self) -> Builds:
        """CodeBuild's builds."""
        return self._host.builds

    # -- starting and ending

    def _start(self) -> None:
        if not _running.acquire(blocking=False):
            raise InputError(
                "an embedded AWS runs in this process already",
                hint="use that one, or close it first: moto keeps its state for the whole process",
            )
        self._exit.callback(_running.release)
        make_home(self.home)
        self._exit.enter_context(moto_backends.settings())
        self._exit.enter_context(applied(PATCHES, self._host))
        moto_backends.reset()
        self._exit.callback(moto_backends.reset)
        place = Location(self.region, ACCOUNT)
        server = Server(
            self._port,
            lambda application: Gate(application, self._host.permissions, self._host.broken, place),
        )
        self._exit.callback(server.close)
        self._exit.callback(self._close_clients)
        self._host.begin(server.url, self._worker_environment(server.url), self._max_workers, self.client)
        self._exit.callback(self._host.close)
        self._exit.callback(self._hand_over)

    def _hand_over(self) -> None:
        """Pass the log events to registered recorders, such as `pytest --record-metrics`."""
        for recorder in log_recorders:
            recorder(self.log_events())

    def _worker_environment(self, endpoint_url: str) -> dict[str, str]:
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
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "NO_PROXY": "*",
        }

    def _close_clients(self) -> None:
        with self._client_lock:
            for client in self._clients.values():
                client.close()

    # -- clients and deployment

    def client(self, service: str) -> Any:
        """Return a boto3 client of this AWS, the same one for a service every time."""
        with self._client_lock:
            if service not in self._clients:
                settings = Config(
                    proxies={}, read_timeout=900, retries={"total_max_attempts": 1}, inject_host_prefix=False
                )
                # One session for all clients: each new session loads botocore's data again, 0.1 s of CPU.
                key, secret, token = _CREDENTIALS.values()
                self._session = self._session or boto3.Session(key, secret, token, self.region)
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
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
        """Deploy or update a function, and return its ARN.

        Args:
            name: the function's name.
            handler: `package.module.function`, as in Lambda.
            code: the folder on `sys.path`; None: the folder that contains the package `monitoring`.
            timeout: the time-out in seconds of real time.
            memory: the memory in megabytes; a worker that uses more is killed (on Linux).
            environment: the function's environment variables.
            log_format: `Text` or `JSON`.
            check: whether to check first that the handler is defined; otherwise the first invocation fails
                with Lambda's own error.

        Raises:
            InputError: the handler does not exist, or a setting is outside Lambda's limits.
        """
        folder = Path(code).absolute() if code is not None else Path(__file__).parents[2]
        check_function(name, timeout, memory, log_format)
        if check:
            check_handler(handler, folder)
        self._host.code[name] = (folder, log_format)
        settings = {
            "FunctionName": name,
            "Role": _ROLE,
            "Handler": handler,
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "Timeout": timeout,
            "MemorySize": memory,
            "Environment": {"Variables": dict(environment or {})},
        }
        self.create_log_group(f"/aws/lambda/{name}")
        return moto_backends.put_function(self.region, settings)

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
        """Deploy a state machine, or a new definition of it, and return its ARN.

        Args:
            name: its name; it logs to `/aws/vendedlogs/states/NAME-Logs`.
            definition: Amazon States Language, as a dict or as JSON.
            substitutions: values for `${Name}` in it; a function's name gives its ARN of itself.
            level: ALL, ERROR, FATAL or OFF.
            include_execution_data: whether inputs and outputs are logged.
            type: STANDARD or EXPRESS.

        Raises:
            InputError: the definition is not valid; the message gives the position.
        """
        arns = {function: self.function_arn(function) for function in self._host.code}
        text = definition_text(definition, {**arns, **(substitutions or {})})
        group = self.state_machine_log_group(name)
        if self.create_log_group(group):
            self._host.put_lines(group, VALIDATION_STREAM, [Line(VALIDATION_MESSAGE)])
        arn = f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{group}:*"
        logging = {
            "level": level,
            "includeExecutionData": include_execution_data,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        }
        settings = {"name": name, "definition": text, "roleArn": _ROLE, "type": type}
        machine = self.state_machine_arn(name)
        with refused(f"state machine {name}"):
            if machine in self._host.states.state_machines:
                change = {**settings, "stateMachineArn": machine, "loggingConfiguration": logging}
                self._host.answer_states("UpdateStateMachine", change)
            else:
                self._host.answer_states("CreateStateMachine", {**settings, "loggingConfiguration": logging})
        return machine

    def deploy(
        self,
        source: str | Path | Iterable[Stack],
        *,
        parameters: Mapping[str, str] | None = None,
        stack: str = "",
        environment: Mapping[str, Mapping[str, str]] | None = None,
        answers: Mapping[str, Any] | None = None,
        previous: Deployment | None = None,
    ) -> Deployment:
        """Deploy an application from its template: functions, state machines, tables, queues, rules, …

        Args:
            source: a template or folder (see `discovery.stacks.read_stacks`), or stacks.
            parameters: values of the template's parameters.
            stack: the stack's name.
            environment: variables of functions by logical id, `*` for all of them.
            answers: the responses of stand-ins for functions or tasks, by the function's logical id or
                `STATE_MACHINE.State`.
            previous: the existing deployment, of which only functions and state machines are updated.

        Raises:
            InputError: the template cannot be read, or a resource cannot be created; the message names it.
        """
        if isinstance(source, str | Path):
            path = Path(source)
            if not path.exists():
                raise InputError("there is no such file or folder", where=str(path))
            source = read_stacks(path, parameters=parameters, name=stack)
        return deploy_stacks(
            self, source, ACCOUNT, environment=environment, answers=answers, previous=previous
        )

    def delete(self, deployment: Deployment) -> None:
        """Delete a deployment, as CloudFormation deletes a stack, without retained resources.

        Raises:
            InputError: a custom resource answered that it cannot be deleted.
        """
        delete_stacks(deployment)

    def reload_code(self) -> None:
        """Restart every function at its next invocation, with the current code of its folder."""
        self._host.revision += 1

    def start_schedules(self) -> None:
        """Invoke the targets of scheduled rules from now on, in state machine time."""
        self._host.start_schedules()

    def schedules(self) -> list[ScheduleEntry]:
        """Return the deployed schedules, each with its next time."""
        return self._host.schedules_now()

    def fire_schedule(self, name: str) -> None:
        """Invoke the targets of a scheduled rule or schedule once, now.

        Raises:
            InputError: the schedule does not exist; the message lists the existing ones.
        """
        if not self._host.fire(name):
            names = ", ".join(schedule.name for schedule in self.schedules()) or "none"
            raise InputError(f"there is no schedule {name}", hint=f"Deployed schedules: {names}.")

    def deliver_again(self) -> int:
        """Deliver the newest log events of each subscriber a second time, as CloudWatch Logs may.

        Returns:
            How many deliveries were queued.
        """
        return self._host.deliveries.send_again()

    def refusals(self) -> tuple[str, ...]:
        """Return the distinct messages of calls that IAM denied."""
        return self._host.permissions.refusals()

    @property
    def host(self) -> MotoHost:
        """The object that moto's patches call."""
        return self._host

    def function_arn(self, name: str) -> str:
        """Return the ARN of a function with this name."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}"

    def state_machine_arn(self, name: str) -> str:
        """Return the ARN of a state machine with this name."""
        return f"arn:aws:states:{self.region}:{ACCOUNT}:stateMachine:{name}"

    def state_machine_log_group(self, name: str) -> str:
        """Return the log group of a state machine."""
        return f"/aws/vendedlogs/states/{name}-Logs"

    def create_log_group(self, name: str) -> bool:
        """Create a log group unless it exists; return whether it is new."""
        return moto_backends.create_log_group(self.region, name)

    def subscribe(self, log_group: str, function_name: str, pattern: str = "", *, own: bool = False) -> None:
        """Subscribe a function to the events of a log group that match a filter pattern.

        Raises:
            InputError: the pattern is not supported, the function does not exist, or the function would
                receive its own log lines in a loop (`own=True` allows it).
        """
        if log_group == f"/aws/lambda/{function_name}" and not own:
            raise InputError(
                f"{function_name} would be invoked for every line that it writes itself, without end",
                where=f"log group {log_group}",
                hint="leave its own log group out, or say own=True with a pattern that its lines never match",
            )
        compile_pattern(pattern)
        self.create_log_group(log_group)
        with moto_backends.refused(f"subscription of {log_group}"):
            moto_backends.put_subscription(
                self.region, log_group, f"to-{function_name}", pattern, self.function_arn(function_name)
            )

    def notify_status_changes(self, function_name: str, state_machine: str | None = None) -> None:
        """Send status change events of executions to a function, by an EventBridge rule.

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
        moto_backends.put_rule(self.region, rule, json.dumps(pattern), self.function_arn(function_name))

    # -- running

    def invoke(self, function_name: str, event: Any) -> Any:
        """Invoke a function and return its result.

        Raises:
            InvocationError: the function failed; `.payload` is Lambda's response.
            InputError: the function does not exist.
        """
        with moto_backends.refused(f"invocation of {function_name}"):
            function = moto_backends.function(self.region, function_name)
        try:
            done = self._host.invoke_function(function, json.dumps(event).encode())
        except ThrottledError as refused:
            answer = {"errorType": refused.kind, "errorMessage": refused.message}
            raise InvocationError(function_name, answer) from refused
        payload = json.loads(done.payload or b"null")
        if done.function_error:
            raise InvocationError(function_name, payload)
        return payload

    def start(self, state_machine: str, input: Any = None, *, name: str | None = None) -> str:  # noqa: A002
        """Start an execution of a state machine (name or ARN) and return the execution's ARN.

        Raises:
            InputError: there is no such state machine, or an execution of this name exists.
        """
        arn = state_machine if state_machine.startswith("arn:") else self.state_machine_arn(state_machine)
        parameters = {
            "stateMachineArn": arn,
            "input": json.dumps({} if input is None else input),
            "name": name,
        }
        with refused(f"execution of {state_machine}"):
            return str(self._host.answer_states("StartExecution", parameters)["executionArn"])

    def wait(self, execution: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until an execution has ended and return its description (DescribeExecution).

        Raises:
            TimeoutError: the execution is still running after `timeout` seconds of real time.
        """
        if not self._host.wait_ended(execution, timeout):
            entered = [e for e in self.history(execution) if "stateEnteredEventDetails" in e]
            state = entered[-1]["stateEnteredEventDetails"]["name"] if entered else "none"
            raise TimeoutError(f"{execution} still runs after {timeout} s; the last state entered is {state}")
        return self.describe(execution)

    def describe(self, execution: str) -> dict[str, Any]:
        """Return an execution's description (DescribeExecution)."""
        with refused(f"description of {execution}"):
            described: dict[str, Any] = self._host.answer_states(
                "DescribeExecution", {"executionArn": execution}
            )
            return described

    def history(self, execution: str) -> list[dict[str, Any]]:
        """Return all events of GetExecutionHistory."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]

    def stop(self, execution: str, error: str = "", cause: str = "") -> None:
        """Stop an execution, which ends as ABORTED."""
        self.client("stepfunctions").stop_execution(executionArn=execution, error=error, cause=cause)

    def drain(self, timeout: float = 30.0) -> Deliveries:
        """Wait until no handler runs and every event is delivered or dropped.

        Returns:
            The counters; `pending` is above 0 after a time-out.
        """
        return self._host.drain(timeout)

    def drain_function(self, name: str, timeout: float = 30.0) -> bool:
        """Wait until a function has processed its queue; return whether it did so in time."""
        return self._host.deliveries.wait_idle(self.function_arn(name), timeout)

    def deliveries(self) -> Deliveries:
        """Return the counts of asynchronous deliveries."""
        return self._host.deliveries.counters()

    def invocations(self) -> list[Invoked]:
        """Return the finished invocations, including throttled ones, in the order of their ends."""
        return self._host.invocations()

    def log_events(self) -> list[LogEvent]:
        """Return all log events in CloudWatch Logs, in the order received."""
        return self._host.log_events()
