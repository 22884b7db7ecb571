"""Patches of moto's Step Functions: time, tasks, log events, status changes and names."""

import functools
import json
import threading
import time
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from monitoring.local_aws.clock import Clock, Interrupted
from monitoring.local_aws.moto_patches.patch import Host, Patch
from monitoring.local_aws.platform_lines import iso_time
from monitoring.local_aws.vended import log_message, stream_name

_ASL = "moto.stepfunctions.parser.asl"


def clock_of(env: Any, host: Host) -> Clock:
    """The clock of the execution that an environment or frame belongs to: they share one event manager."""
    manager = env.event_manager
    clock: Clock | None = getattr(manager, "clock", None)
    if clock is None:
        clock = manager.clock = Clock(host.speed, host.work_speed)
    return clock


class StateSeconds(int):
    """A number of seconds that knows whose state machine time it is; copies are plain numbers."""

    clock: Clock
    env: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, (int(self),))

    def __deepcopy__(self, _: Any) -> int:
        return int(self)


class TaskEvent:
    """The event that a task sets when it is done; waiting for it is in state machine time."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """The task is done."""
        self._event.set()

    def wait(self, timeout: StateSeconds) -> bool:
        """Whether the task was done in time."""
        return timeout.clock.wait(timeout, self._event.wait, timeout.env.is_running)


def _timeout_eval(_: Any, host: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        seconds = StateSeconds(self._eval_seconds(env=env))
        seconds.clock, seconds.env = clock_of(env, host), env
        env.stack.append(seconds)

    return _eval_body


def _wait_interval(_: Any, host: Host) -> Any:
    def wait_interval(self: Any, env: Any, wait_seconds: float) -> None:
        def came(seconds: float) -> bool:
            env.program_state_event.wait(seconds)
            return False

        clock_of(env, host).wait(wait_seconds, came, env.is_running)

    return wait_interval


_retrying = threading.local()


def _retrier_eval(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        _retrying.env = env
        original(self, env)

    return _eval_body


def _retrier_time(_: Any, host: Host) -> Any:
    def sleep(seconds: float) -> None:
        _wait_interval(None, host)(None, _retrying.env, seconds)

    return SimpleNamespace(sleep=sleep, time=time.time)


def _program_eval(_: Any, host: Host) -> Any:
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent

    def evaluate(self: Any, env: Any) -> None:
        env.next_state_name = self.start_at.start_at_name
        worker = threading.Thread(target=EvalComponent.eval, args=(self, env), daemon=True)
        worker.start()
        if self.timeout_seconds is not None and not env.is_frame():
            clock, seconds = clock_of(env, host), self.timeout_seconds.timeout_seconds

            def ended(left: float) -> bool:
                worker.join(left)
                return not worker.is_alive()

            if not clock.wait(seconds, ended, lambda: True):
                env.set_timed_out()
        worker.join()

    return evaluate


def _program_body(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except Interrupted:
            original(self, env)  # nothing runs any more: it only writes how the execution ended

    return _eval_body


def _heartbeat(original: Any, host: Host) -> Any:
    def setup_heartbeat_endpoint(self: Any, heartbeat_seconds: float) -> Any:
        return original(self, heartbeat_seconds / host.speed)

    return setup_heartbeat_endpoint


def _parse(original: Any, _: Host) -> Any:
    return staticmethod(functools.lru_cache(maxsize=256)(original.__func__))


def _cached(original: Any, _: Host) -> Any:
    return functools.lru_cache(maxsize=1024)(original)


def _boto3(original: Any, host: Host) -> Any:
    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def client(**settings: Any) -> Any:
        key = (settings["service_name"], settings["region_name"])
        with lock:
            if key not in clients:
                clients[key] = original.client(**settings | {"endpoint_url": host.endpoint_url})
            return clients[key]

    return SimpleNamespace(client=client)


def _integration(original: Any, host: Host) -> Any:
    def execute(env: Any, parameters: dict[str, Any], region: str, state_credentials: Any) -> None:
        with clock_of(env, host).working():
            original(env, parameters, region, state_credentials)

    return execute


def _invoke_task(original: Any, host: Host) -> Any:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.utils import get_backend

    def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        try:
            name, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
            function = get_backend("123456789012", region).get_function(name, qualifier)
        except UnknownFunctionException:
            answer: dict[str, Any] = original(parameters, region, state_credentials)  # says so as AWS does
            return answer
        done = host.invoke_function(function, parameters.get("Payload") or b"{}")
        response: dict[str, Any] = {"ExecutedVersion": "$LATEST", "StatusCode": 200}
        response["Payload"] = json.loads(done.payload or b"null")
        if done.function_error:
            response["FunctionError"] = done.function_error
        return response

    return invoke


class LogSession:
    """Writes the history events of one execution to its state machine's log group."""

    def __init__(self, execution_arn: str, configuration: Any, stream: str) -> None:
        from moto.logs.models import logs_backends

        self.execution_arn = execution_arn
        self.configuration = configuration
        self._stream = stream
        self._backend = logs_backends[configuration.log_account_id][configuration.log_region]

    def log_level_filter(self, history_event_type: Any) -> bool:
        """Whether events of this type are logged at the level that is configured."""
        from moto.stepfunctions.parser.asl.eval.event.logging import is_logging_enabled_for

        return bool(is_logging_enabled_for(self.configuration.log_level, history_event_type))

    def publish_history_log(self, history_log: dict[str, Any]) -> None:
        """Writes one event."""
        group = self._backend.groups.get(self.configuration.log_group_name)
        if group is None:
            return  # AWS drops them too when the log group was deleted
        if self._stream not in group.streams:
            group.create_log_stream(self._stream)
        milliseconds, message = log_message(history_log)
        group.put_log_events(self._stream, [{"timestamp": milliseconds, "message": message}])


def _execution_init(original: Any, _: Host) -> Any:
    streams: dict[str, str] = {}

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        from moto.stepfunctions.parser.asl.eval.event.logging import CloudWatchLoggingConfiguration

        original(self, *args, **kwargs)
        machine = self.state_machine
        settings = {"includeExecutionData": False, **(machine.loggingConfiguration or {})}
        configuration = CloudWatchLoggingConfiguration.from_logging_configuration(machine.arn, settings)
        if configuration is not None:
            now = datetime.now(UTC)
            stream = streams.setdefault(machine.arn, stream_name(machine.name, now, uuid.uuid4().hex[:8]))
            self._cloud_watch_logging_session = LogSession(self.exec_arn, configuration, stream)

    return init


def _execution_start(original: Any, host: Host) -> Any:
    def start(self: Any) -> None:
        host.status_changed(self, "RUNNING")
        original(self)

    return start


def _terminated(original: Any, host: Host) -> Any:
    def terminated(self: Any) -> None:
        original(self)
        host.status_changed(self.execution, str(self.execution.exec_status.value))

    return terminated


def _start_execution(original: Any, _: Host) -> Any:
    def start_execution(
        self: Any,
        state_machine_arn: str,
        name: Any = None,
        execution_input: Any = None,
        trace_header: Any = None,
    ) -> Any:
        return original(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    return start_execution


def _stop(_: Any, __: Host) -> Any:
    def stop_execution(self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.core.utils import utcnow

        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        error, cause, now = self._get_param("error"), self._get_param("cause"), utcnow()
        if execution.status == "RUNNING":
            execution.error, execution.cause = error, cause
            execution.stop(stop_date=now, error=error, cause=cause)
        return ActionResult({"stopDate": now})

    return stop_execution


def _environment(original: Any, _: Host) -> Any:
    def environment(self: Any) -> Any:
        env = original(self)
        execution = env.states.context_object.context_object_data["Execution"]
        execution |= {"RedriveCount": 0, "StartTime": iso_time(execution["StartTime"])}
        return env

    return environment


_event_times = threading.local()


def _current_timestamp(original: Any, _: Host) -> Any:
    def timestamp() -> datetime:
        _event_times.last = original.__func__()
        now: datetime = _event_times.last
        return now

    return staticmethod(timestamp)


def _state_data(original: Any, _: Host) -> Any:
    def state_data(*, Name: str, **_: Any) -> Any:  # noqa: N803  the context object's own words
        # The state entered event was written just now, by this thread.
        return original(EnteredTime=iso_time(_event_times.last), Name=Name)

    return state_data


def _describe(original: Any, _: Host) -> Any:
    def describe_execution(self: Any) -> Any:
        answer = original(self)
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        if execution.status == "SUCCEEDED":
            answer.result["output"] = json.dumps(execution.output, separators=(",", ":"))
        if execution.stop_date is not None:
            answer.result["stopDate"] = execution.stop_date
        return answer

    return describe_execution


def _eval_jsonata(_: Any, __: Host) -> Any:
    def evaluate(expression: str) -> Any:
        import jsonata
        from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

        try:
            return jsonata.Jsonata(expression).evaluate(None)
        except Exception as failed:
            raise JSONataException("UNKNOWN", str(failed)) from failed

    return evaluate


def _declarations(_: Any, __: Host) -> Any:
    def encode(bindings: dict[str, Any]) -> str:
        return "".join(f"{name}:={json.dumps(value, default=str)};" for name, value in bindings.items())

    return encode


PATCHES = (
    Patch(
        f"{_ASL}.component.common.timeouts.timeout:Timeout._eval_body",
        "moto times out in wall clock seconds; TimeoutSeconds has to be state machine time",
        _timeout_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.state.exec.execute_state:threading",
        "a task of an execution that was stopped or timed out goes on until it returns, and the execution "
        "with it; on AWS the execution ends at once",
        lambda _, __: SimpleNamespace(Event=TaskEvent),
    ),
    Patch(
        f"{_ASL}.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval",
        "moto waits in wall clock seconds, rounded",
        _wait_interval,
        ("self", "env", "wait_seconds"),
    ),
    Patch(
        f"{_ASL}.component.common.retry.retrier_decl:RetrierDecl._eval_body",
        "the sleep before a retry has to know its execution",
        _retrier_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.common.retry.retrier_decl:time",
        "moto sleeps in wall clock seconds before a retry, and cannot be stopped meanwhile",
        _retrier_time,
    ),
    Patch(
        f"{_ASL}.component.program.program:Program.eval",
        "an execution's TimeoutSeconds has to be state machine time, and ExecutionTimedOut to be in the "
        "history when the status says TIMED_OUT",
        _program_eval,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.program.program:Program._eval_body",
        "ends the history of an execution whose task was interrupted",
        _program_body,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.eval.callback.callback:CallbackEndpoint.setup_heartbeat_endpoint",
        "moto counts HeartbeatSeconds in wall clock seconds",
        _heartbeat,
        ("self", "heartbeat_seconds"),
    ),
    Patch(
        f"{_ASL}.parse.asl_parser:AmazonStateLanguageParser.parse",
        "moto parses the definition anew for every execution, which takes longer than most executions",
        _parse,
        ("definition",),
    ),
    Patch(
        f"{_ASL}.utils.json_path:parse",
        "moto compiles a path anew whenever a state uses it, some milliseconds each time",
        _cached,
    ),
    Patch(
        f"{_ASL}.utils.boto_client:boto3",
        "moto makes a new client for every task, and for the port in MOTO_PORT",
        _boto3,
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_task.lambda_eval_utils:execute_lambda_function_integration",
        "while a handler works, state machine time is not sped up",
        _integration,
        ("env", "parameters", "region", "state_credentials"),
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_task.lambda_eval_utils:_invoke_lambda_function",
        "a task's invocation goes through HTTP and moto's own client, several times the cost of the handler",
        _invoke_task,
        ("parameters", "region", "state_credentials"),
    ),
    Patch(
        "moto.stepfunctions.parser.backend.execution:Execution.__init__",
        "moto never logs to CloudWatch Logs: it has a session for it, which it neither makes nor could use",
        _execution_init,
    ),
    Patch(
        "moto.stepfunctions.parser.backend.execution:Execution.start",
        "moto sends no status change events",
        _execution_start,
        ("self",),
    ),
    Patch(
        "moto.stepfunctions.parser.backend.execution:BaseExecutionWorkerCommunication.terminated",
        "moto sends no status change events",
        _terminated,
        ("self",),
    ),
    Patch(
        "moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution",
        "an execution started without a name gets an ARN that ends with None, and the second one fails",
        _start_execution,
        ("self", "state_machine_arn", "name", "execution_input", "trace_header"),
    ),
    Patch(
        "moto.stepfunctions.responses:StepFunctionResponse.stop_execution",
        "moto forgets the error and the cause that StopExecution is given",
        _stop,
        ("self",),
    ),
    Patch(
        "moto.stepfunctions.parser.backend.execution_worker:ExecutionWorker._get_evaluation_environment",
        "moto's context object has no Execution.RedriveCount, and a StartTime that is no text",
        _environment,
        ("self",),
    ),
    Patch(
        f"{_ASL}.eval.event.event_manager:EventManager._get_current_timestamp",
        "State.EnteredTime has to be the time of the state entered event: ids of spans are made from both",
        _current_timestamp,
        (),
    ),
    Patch(
        f"{_ASL}.component.state.state:StateData",
        "moto's State.EnteredTime is not the time of the state entered event, and not in AWS's form",
        _state_data,
    ),
    Patch(
        "moto.stepfunctions.responses:StepFunctionResponse.describe_execution",
        "moto gives an output that is a string without its quotation marks, null as none, and no stopDate "
        "for TIMED_OUT",
        _describe,
        ("self",),
    ),
    Patch(
        f"{_ASL}.jsonata.jsonata:_eval_jsonata",
        "moto has no JSONata: it calls a Java bridge that is not there",
        _eval_jsonata,
    ),
    *(
        Patch(
            f"{_ASL}.eval.{module}:encode_jsonata_variable_declarations",
            "moto does not escape strings: one with a quotation mark breaks the expression",
            _declarations,
            ("bindings",),
        )
        for module in ("states", "variable_store")
    ),
)
