"""Implement the callbacks of moto's patches: run functions, deliveries and builds, and store log events."""

import contextlib
import json
import shutil
import threading
import time
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.apis import Apis, Backends
from monitoring.local_aws.authorization import ApiCall, Location, denial
from monitoring.local_aws.builds import Builds
from monitoring.local_aws.deliveries import Activity, AsyncInvoker, Deliveries
from monitoring.local_aws.functions import Functions
from monitoring.local_aws.invocation import (
    Exchange,
    FunctionSettings,
    Invocation,
    Invoked,
    ThrottledError,
)
from monitoring.local_aws.moto_backends import ACCOUNT
from monitoring.local_aws.output import Line
from monitoring.local_aws.permissions import Permissions, access_key
from monitoring.local_aws.refusals import BrokenResources
from monitoring.local_aws.rule_targets import target_payload
from monitoring.local_aws.runtime_clients import PYTHON, is_node
from monitoring.local_aws.schedules import ScheduleEntry, Schedules, next_time, scheduled_event
from monitoring.local_aws.states.api import answer
from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.service import StatesService
from monitoring.local_aws.vended import api_call_event, status_change_event
from monitoring.log_events.telemetry import LogEvent

_ANNOUNCED = frozenset({"CreateStateMachine", "UpdateStateMachine"})
"""Operations of Step Functions for which CloudTrail events are sent."""

END_SECONDS = 5.0
"""Seconds that closing waits for stopped executions."""


class MotoHost:
    """`moto_patches.Host` of one embedded AWS: `begin` when its endpoint is known, `close` at the end."""

    def __init__(self, home: Path, region: str, *, speed: float, work_speed: float) -> None:
        self.home = home
        self.region = region
        self.speed = speed
        self.work_speed = work_speed
        self.endpoint_url = ""
        self.code: dict[str, tuple[Path, str]] = {}
        self.repositories: dict[str, Path] = {}
        self.permissions = Permissions()
        self.broken = BrokenResources()
        self.revision = 0
        self.schedules: Schedules | None = None
        self._events: list[LogEvent] = []
        self._invoked: list[Invoked] = []
        self.exchanges: dict[str, Exchange] | None = None  # of each function the last; None: not noted
        self._changed = threading.Condition()
        self._statuses: dict[str, str] = {}
        self._activity = Activity()

    def begin(self, endpoint_url: str, environment: dict[str, str], max_workers: int, client: Any) -> None:
        """Create the runners of functions and builds; `environment` is set in their processes."""
        self.endpoint_url = endpoint_url
        self._client = client
        self.functions = Functions(self.put_lines, environment, max_workers)
        self.deliveries = AsyncInvoker(self._invoke_asynchronously, self._activity, ACCOUNT, self.speed)
        self.builds = Builds(
            self.home / "builds", environment, client, self.put_lines, self.speed, self._access_key
        )
        self.apis = Apis(Backends(ACCOUNT, self._answer_function, self._act))
        self.states = StatesService(self, ACCOUNT, self.region, client, max_workers)

    def start_schedules(self) -> None:
        """Invoke the targets of scheduled rules from now on."""
        if self.schedules is None:
            self.schedules = Schedules(
                lambda: moto_backends.rules(self.region),
                self.send_to_target,
                region=self.region,
                account=ACCOUNT,
                speed=self.speed,
            )

    def schedules_now(self) -> list[ScheduleEntry]:
        """Return the schedules that are deployed, each with the time at which it fires next."""
        now = datetime.now(UTC)
        return [
            ScheduleEntry(
                rule.name, rule.scheduled_expression, next_time(rule.scheduled_expression, now, now)
            )
            for rule in moto_backends.rules(self.region)
            if rule.scheduled_expression
        ]

    def fire(self, name: str) -> int:
        """Send a scheduled rule's event to its targets now; return how many rules have that name."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        rules = [
            rule
            for rule in moto_backends.rules(self.region)
            if rule.name == name and rule.scheduled_expression
        ]
        for rule in rules:
            event = scheduled_event(rule, minute, self.region, ACCOUNT)
            for target in list(rule.targets):
                self.send_to_target(rule, target, event)
        return len(rules)

    def close(self) -> None:
        """Stop accepting work, then end the workers, so that waiting callers return, then the rest."""
        if self.schedules is not None:
            self.schedules.close()
        self.apis.close()
        self.states.close(END_SECONDS)
        self.builds.close()
        self.functions.close()
        self.states.join(END_SECONDS)
        self.deliveries.close()

    # -- what the patches call

    def invoke_function(self, function: Any, payload: bytes) -> Invocation:
        """Run a moto `LambdaFunction` on an event.

        Raises:
            ThrottledError: its reserved concurrency is 0.
        """
        name = function.function_name
        if function.reserved_concurrency == 0:
            self._record(Invoked(name, time.time(), throttled=True))
            raise ThrottledError(name)
        with self._activity:
            done = self.functions.invoke(self._settings(function), payload)
        failed = bool(done.function_error)
        self._record(Invoked(name, done.began, done.duration_ms, done.init_ms, failed))
        if self.exchanges is not None and not failed:
            self.exchanges[name] = Exchange(payload, done.payload)
        return done

    def note_exchanges(self) -> dict[str, Exchange]:
        """Record the last successful call per function in the returned dict, until `exchanges` is None."""
        self.exchanges = {}
        return self.exchanges

    def invoke_later(self, function_arn: str, payload: bytes, source: str, *, in_turn: bool) -> None:
        """Queue an asynchronous invocation."""
        self.deliveries.send(function_arn, payload, source, in_turn=in_turn)

    def send_to_target(self, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> bool:
        """Send a rule's event to a function or a state machine; return whether the target is one."""
        arn, payload = str(target["Arn"]), target_payload(target, event)
        if ":lambda:" in arn:
            self.invoke_later(arn, payload.encode(), f"EventBridge rule {rule.name}", in_turn=True)
        elif ":stateMachine:" in arn:
            with self._activity, contextlib.suppress(ApiError):  # as on AWS, the error is not reported
                self.answer_states("StartExecution", {"stateMachineArn": arn, "input": payload})
        elif ":codebuild:" in arn:
            self._build(arn, target)
        else:
            return False
        return True

    def _build(self, project: str, target: dict[str, Any]) -> None:
        """Start a build for a rule, as the target's role allows; its Input may override settings."""
        name = project.rpartition("/")[2]
        role = str(target.get("RoleArn") or "").rpartition("/")[2]
        call = ApiCall("codebuild", "StartBuild", {"projectName": name})
        if denial(self.permissions, role, call, Location(self.region, ACCOUNT)):
            return  # as on AWS, the error is not reported
        with contextlib.suppress(ClientError):
            overrides = json.loads(target.get("Input") or "{}")
            self._client("codebuild").start_build(**{**overrides, "projectName": name})

    def received(self, events: list[LogEvent]) -> None:
        """Store log events that CloudWatch Logs received."""
        with self._changed:
            self._events.extend(events)

    def deliver_log_events(
        self, function_arn: str, filter_name: str, group: str, stream: str, events: list[dict[str, Any]]
    ) -> None:
        """Queue log events for a subscriber."""
        self.deliveries.send_log_events(function_arn, filter_name, group, stream, events)

    def find_function(self, name: str, qualifier: str) -> Any:
        """Return a moto `LambdaFunction`, or None."""
        return moto_backends.find_function(self.region, name, qualifier)

    def find_connection(self, arn: str) -> dict[str, Any] | None:
        """Return the parameters of an EventBridge connection, or None."""
        return moto_backends.find_connection(self.region, arn)

    def find_api(self, endpoint: str) -> str:
        """Return the local address of an endpoint of API Gateway, or ""."""
        return self.apis.address(endpoint)

    def write_log(self, group: str, stream: str, milliseconds: int, message: str) -> None:
        """Write a log event of Step Functions."""
        moto_backends.write_log(self.region, group, stream, milliseconds, message)

    def called(
        self, service: str, name: str, parameters: dict[str, Any], response: dict[str, Any] | None
    ) -> None:
        """Announce a call of AWS's API to the rules of the default event bus."""
        event = api_call_event(service, name, parameters, response, ACCOUNT, self.region)
        moto_backends.publish(self.region, event)

    def answer_states(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Return the response of an operation of Step Functions.

        Raises:
            ApiError: the operation failed.
        """
        response = self.states.ask(answer, self.states, operation, parameters)
        if operation in _ANNOUNCED:
            announced = {key: value for key, value in parameters.items() if key != "definition"}
            elements = {key: value for key, value in response.items() if key == "stateMachineArn"}
            self.called("states", operation, announced, elements)
        return response

    def status_changed(self, execution: Any, status: str) -> None:
        """Handle an execution's start or end."""
        if execution.kind != "EXPRESS":
            moto_backends.publish(
                self.region, status_change_event(execution.describe(), ACCOUNT, self.region)
            )
        with self._changed:
            self._statuses[execution.arn] = status
            self._changed.notify_all()

    def start_build(self, build: dict[str, Any], request: dict[str, Any], project: dict[str, Any]) -> None:
        """Run a build."""
        self.builds.start(build, request, project)

    def stop_build(self, build_id: str) -> None:
        """Stop a build."""
        self.builds.stop(build_id)

    # -- what the embedded AWS asks

    def wait_ended(self, execution: str, seconds: float) -> bool:
        """Wait until an execution has ended; return False after `seconds` of real time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._statuses.get(execution, "RUNNING") != "RUNNING", seconds
            )

    def execution(self, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return an execution's description and its events, also for Express executions.

        Raises:
            KeyError: there is no such execution.
        """

        def description() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            execution = self.states.executions[arn]
            return execution.describe(), execution.events()

        return self.states.ask(description)

    def executions_since(self, moment: float) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Return the descriptions and events of executions that are running or ended after a moment."""

        def description() -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
            return [
                (execution.describe(), execution.events())
                for execution in list(self.states.executions.values())
                if execution.stopped is None or execution.stopped.timestamp() >= moment
            ]

        return self.states.ask(description)

    def idle(self) -> bool:
        """Return whether no handler runs and no delivery is pending."""
        return self._activity.wait_idle(0.0)

    def drain(self, seconds: float) -> Deliveries:
        """Wait until nothing is in progress."""
        self._activity.wait_idle(seconds)
        return self.deliveries.counters()

    def log_events(self) -> list[LogEvent]:
        """Return what CloudWatch Logs received, in order."""
        with self._changed:
            return list(self._events)

    def invocations(self) -> list[Invoked]:
        """Return the invocations that have ended, in the order of their ends."""
        with self._changed:
            return list(self._invoked)

    def _record(self, invoked: Invoked) -> None:
        with self._changed:
            self._invoked.append(invoked)

    def put_lines(self, group: str, stream: str, lines: list[Line]) -> None:
        """Write to CloudWatch Logs, creating the group and the stream."""
        now = int(time.time() * 1000)
        events = [{"timestamp": line.timestamp or now, "message": line.message} for line in lines]
        moto_backends.put_log_events(self.region, group, stream, events)

    def _answer_function(self, name: str, event: bytes) -> tuple[bytes, bool, float]:
        """Run a function for an API; return its result, whether it failed, and the milliseconds."""
        try:
            done = self.invoke_function(moto_backends.function(self.region, name), event)
        except Exception:  # noqa: BLE001  an API tells its caller of no reason; the function's log has it
            return b"", True, 0.0
        return done.payload, bool(done.function_error), done.duration_ms

    def _act(self, action: str, parameters: Mapping[str, Any], role: str) -> tuple[int, Any]:
        """Execute an action for an API with a role; return the HTTP status and the response."""
        service, _, operation = action.partition(":")
        if service == "states":
            parameters = {key[:1].lower() + key[1:]: value for key, value in parameters.items()}
        call = ApiCall(service, operation, parameters)
        message = denial(self.permissions, role.rpartition("/")[2], call, Location(self.region, ACCOUNT))
        if message:
            return 403, {"__type": "AccessDeniedException", "message": message}
        with self._activity:
            try:
                if service == "states":
                    return 200, self.answer_states(operation, dict(parameters))
                return 200, self._client(service).send_message(**parameters)
            except ApiError as refused:
                return 400, {"__type": refused.kind, "message": refused.message}

    def _invoke_asynchronously(self, function: str, payload: bytes) -> str:
        try:
            done = self.invoke_function(moto_backends.function(self.region, function), payload)
        except Exception as failed:  # noqa: BLE001  whatever it is, the event was not delivered, and is counted
            return f"{type(failed).__name__}: {failed}"
        return done.payload.decode("utf-8", "replace")[:1000] if done.function_error else ""

    def _settings(self, function: Any) -> FunctionSettings:
        logging = function.logging_config
        log_format = logging.get("LogFormat", "Text")
        folder, log_format = self.code.get(function.function_name) or (self._unpacked(function), log_format)
        return FunctionSettings(
            name=function.function_name,
            arn=function.function_arn,
            handler=function.handler,
            code=folder,
            timeout=float(function.timeout),
            memory_mb=int(function.memory_size),
            environment=tuple(sorted(function.environment_vars.items())),
            log_format=log_format,
            custom_log_group=logging.get("LogGroup", ""),
            region=self.region,
            concurrency=function.reserved_concurrency,
            revision=self.revision,
            runtime=str(function.run_time) if is_node(str(function.run_time)) else PYTHON,
            access_key=self._access_key(str(function.role)),
        )

    def _access_key(self, role: str) -> str:
        name = role.rpartition("/")[2]
        return access_key(name) if self.permissions.knows(name) else ""

    def _unpacked(self, function: Any) -> Path:
        """Return the folder with the unpacked archive of a CreateFunction call."""
        folder = self.home / "functions" / f"{function.function_name}-{function.code_digest[:16]}"
        if not folder.exists():
            with zipfile.ZipFile(BytesIO(function.code_bytes)) as archive:
                archive.extractall(folder)
        return folder


def make_home(home: Path) -> None:
    """Create the folder of an embedded AWS, and delete the files of an earlier one.

    Raises:
        InputError: the folder cannot be written.
    """
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
