"""The embedded AWS: one object that starts it, deploys to it, runs executions and ends it without a trace."""

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
"""moto keeps its state for the whole process: one embedded AWS at a time."""


class LocalAws:
    """AWS on this machine, in loopback HTTP: `with LocalAws(home) as aws: …`.

    Args:
        home: a folder it may write to; unpacked code, builds and the workers' temporary files lie there.
        speed: how much faster than the wall clock state machine time passes while nothing works: Wait, Retry
            and TimeoutSeconds, builds' and invalidations' delays. A function's own timeout is real time.
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
        """Where it answers; what the SDKs take from AWS_ENDPOINT_URL."""
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
        """Give what the functions wrote to whoever records it, such as `pytest --record-metrics`."""
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
                # One session for all clients: each new one looks through botocore's data again, 0.1 s of CPU.
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
            InputError: there is no such handler, or Lambda has no such settings.
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
        """Deploy an application: functions, state machines, tables, queues, rules, … as its template says.

        Args:
            source: a template or folder (see `discovery.stacks.read_stacks`), or stacks that were read.
            parameters: values of the template's parameters.
            stack: the stack's name.
            environment: variables of functions by logical id, `*` for all of them.
            answers: what takes the place of a function or a task answers, by the function's logical id or
                `STATE_MACHINE.State`.
            previous: what is deployed already: only its functions and state machines are deployed anew.

        Raises:
            InputError: the template cannot be read, or a resource cannot be created; says which and why.
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
        """Delete what `deploy` has deployed, as CloudFormation deletes a stack; what is retained stays.

        Raises:
            InputError: a custom resource answered that it cannot be deleted.
        """
        delete_stacks(deployment)

    def reload_code(self) -> None:
        """Let every function start anew at its next invocation, with the code that its folder has then."""
        self._host.revision += 1

    def start_schedules(self) -> None:
        """Invoke the targets of scheduled rules from now on, in state machine time."""
        self._host.start_schedules()

    def schedules(self) -> list[ScheduleEntry]:
        """Return the schedules that are deployed, each with the time at which it fires next."""
        return self._host.schedules_now()

    def fire_schedule(self, name: str) -> None:
        """Invoke the targets of a scheduled rule or schedule once, now.

        Raises:
            InputError: there is none of this name; says which there are.
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
        """Return what roles were refused: IAM's messages, each once."""
        return self._host.permissions.refusals()

    @property
    def host(self) -> MotoHost:
        """Return what moto's patches call."""
        return self._host

    def function_arn(self, name: str) -> str:
        """Return the ARN of a function with this name."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}"

    def state_machine_arn(self, name: str) -> str:
        """Return the ARN of a state machine with this name."""
        return f"arn:aws:states:{self.region}:{ACCOUNT}:stateMachine:{name}"

    def state_machine_log_group(self, name: str) -> str:
        """Where a state machine logs."""
        return f"/aws/vendedlogs/states/{name}-Logs"

    def create_log_group(self, name: str) -> bool:
        """Create a log group unless it exists; return whether it is new."""
        return moto_backends.create_log_group(self.region, name)

    def subscribe(self, log_group: str, function_name: str, pattern: str = "", *, own: bool = False) -> None:
        """Subscribe a function to the events of a log group that match a filter pattern.

        Raises:
            InputError: the pattern is not understood, there is no such function, or the function would get
                its own lines without end (`own=True` allows it).
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
            InvocationError: the function failed; `.payload` is what Lambda answered.
            InputError: there is no such function.
        """
        with moto_backends.refused(f"invocation of {function_name}"):
            function = moto_backends.function(self.region, function_name)
        try:
            done = self._host.invoke_function(function, json.dumps(event).encode())
        except ThrottledError as refused:
            answer = {"errorType": refused.kind, "errorMessage": refused.said}
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
            TimeoutError: it still runs after so many seconds of real time.
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
        """All events of GetExecutionHistory."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]

    def stop(self, execution: str, error: str = "", cause: str = "") -> None:
        """Stop an execution, which ends as ABORTED."""
        self.client("stepfunctions").stop_execution(executionArn=execution, error=error, cause=cause)

    def drain(self, timeout: float = 30.0) -> Deliveries:
        """Wait until no handler runs and every log event and other event is delivered or given up.

        Returns:
            The counters; `pending` is above 0 if the time was not enough.
        """
        return self._host.drain(timeout)

    def drain_function(self, name: str, timeout: float = 30.0) -> bool:
        """Wait until a function has handled its queue; return whether that took no longer than allowed."""
        return self._host.deliveries.wait_idle(self.function_arn(name), timeout)

    def deliveries(self) -> Deliveries:
        """Return the counts of asynchronous deliveries."""
        return self._host.deliveries.counters()

    def invocations(self) -> list[Invoked]:
        """Every call of a function that has ended, throttled ones too, in the order of their ends."""
        return self._host.invocations()

    def log_events(self) -> list[LogEvent]:
        """Everything that CloudWatch Logs received, in the order received."""
        return self._host.log_events()
