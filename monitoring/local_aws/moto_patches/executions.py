"""Patches of moto's Step Functions: how executions start, what they log, announce and answer."""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from monitoring.local_aws.moto_patches.patch import Host, Patch
from monitoring.local_aws.platform_lines import iso_time
from monitoring.local_aws.vended import log_message, stream_name

_ASL = "moto.stepfunctions.parser.asl"


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


PATCHES = (
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
)
