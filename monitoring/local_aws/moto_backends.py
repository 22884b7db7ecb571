"""moto's state, which it keeps for the whole process: the backends that the embedded AWS reaches into."""

import base64
import contextlib
import io
import json
import logging
import time
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from werkzeug.exceptions import HTTPException

from monitoring.errors import InputError
from monitoring.local_aws.moto_patches.imports import without_batch

try:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import lambda_backends
    from moto.core.base_backend import BackendDict
    from moto.core.config import default_user_config
    from moto.core.exceptions import ServiceException
    from moto.core.utils import utcnow
    from moto.events.models import events_backends
    from moto.iam.models import iam_backends
    from moto.logs.models import logs_backends
    from moto.stepfunctions.parser.utils import TMP_THREADS

    with without_batch():
        from moto.stepfunctions.parser.asl.parse.asl_parser import (
            AmazonStateLanguageParser,
            ASLParserException,
        )
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends
except ImportError as missing:
    raise InputError(
        f"moto {version('moto')} is not one that the embedded AWS knows: {missing}",
        hint="install the version that constraints.txt names: pip install -c constraints.txt moto",
    ) from missing

ACCOUNT = "123456789012"


def asl_problem(definition: str) -> str:
    """What moto's parser of Amazon States Language finds wrong with a definition, or nothing."""
    try:
        AmazonStateLanguageParser.parse(definition)
    except ASLParserException as wrong:
        return str(wrong.errors[0]) if wrong.errors else "it cannot be parsed"
    except Exception as wrong:  # noqa: BLE001  the parser has no type for what its second pass refuses
        return str(wrong)
    return ""


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """While the block runs, state machines are executed and functions are not echoed."""
    log = logging.getLogger("moto")
    before = {key: dict(default_user_config[key]) for key in ("lambda", "stepfunctions")}
    level = log.level
    log.setLevel(logging.CRITICAL)  # an execution that fails is an error to moto, and nothing unusual here
    default_user_config["lambda"] = {"use_docker": True}
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    try:
        yield
    finally:
        default_user_config.update(before)
        log.setLevel(level)


def reset() -> None:
    """Forgets everything that was deployed and stored."""
    BackendDict.reset()


def stop_executions() -> None:
    """Tells every execution that it is stopped."""
    for execution in _executions():
        worker = execution.exec_worker
        if worker is not None and worker.env is not None:
            execution.stop(stop_date=utcnow(), error=None, cause=None)
            for endpoint in list(worker.env.callback_pool_manager._pool.values()):
                endpoint.interrupt_all()


def join_executions(seconds: float) -> None:
    """Waits until the threads of executions have ended, so long at most."""
    deadline = time.monotonic() + seconds
    for thread in list(TMP_THREADS):
        thread.join(max(0.0, deadline - time.monotonic()))
    forget_ended_threads()


def forget_ended_threads() -> None:
    """moto keeps every thread it ever started."""
    TMP_THREADS[:] = [thread for thread in list(TMP_THREADS) if thread.is_alive()]


def _executions() -> Iterator[Any]:
    for backend in list(stepfunctions_parser_backends[ACCOUNT].values()):
        for machine in list(backend.state_machines):
            yield from list(machine.executions)


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """What AWS refuses, as InputError."""
    try:
        yield
    except (ServiceException, HTTPException) as failed:
        kind = getattr(failed, "error_type", None) or getattr(failed, "code", "")
        raise InputError(f"{what}: {kind}: {getattr(failed, 'message', failed)}") from failed
    except Exception as failed:
        if hasattr(failed, "TYPE"):  # moto's AWSError: no common ancestor with the others
            raise InputError(f"{what}: {failed.TYPE}: {getattr(failed, 'message', failed)}") from failed
        raise


# What is deployed and asked here goes to the backends, not through HTTP: a client takes a tenth of a second
# to make, a request several milliseconds.


def put_function(region: str, settings: dict[str, Any]) -> str:
    """Creates a function, in place of one of its name; its code lies elsewhere."""
    backend = lambda_backends[ACCOUNT][region]
    with contextlib.suppress(UnknownFunctionException):
        backend.delete_function(settings["FunctionName"])
    _create_role(settings["Role"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README", "the code of this function is a folder on this machine\n")
    code = {"ZipFile": base64.b64encode(packed.getvalue()).decode()}
    return str(backend.create_function({**settings, "Code": code}).function_arn)


def _create_role(arn: str) -> None:
    backend, name = iam_backends[ACCOUNT]["aws"], arn.rpartition("/")[2]
    if all(role.name != name for role in backend.roles.values()):
        backend.create_role(name, "{}", "/", None, "", [], "3600")


def function(region: str, name: str) -> Any:
    """moto's `LambdaFunction`, by name or ARN."""
    return lambda_backends[ACCOUNT][region].get_function(name)


def create_log_group(region: str, name: str) -> bool:
    """Creates a log group unless it exists; whether it is new."""
    backend = logs_backends[ACCOUNT][region]
    new = name not in backend.groups
    if new:
        backend.create_log_group(name, {})
    return new


def put_log_events(region: str, group: str, stream: str, events: list[dict[str, Any]]) -> None:
    """Writes events, and creates the group and the stream."""
    create_log_group(region, group)
    streams = logs_backends[ACCOUNT][region].groups[group].streams
    if stream not in streams:
        logs_backends[ACCOUNT][region].create_log_stream(group, stream)
    streams[stream].put_log_events(events)


def put_subscription(region: str, group: str, name: str, pattern: str, destination: str) -> None:
    """Subscribes a function to a log group."""
    logs_backends[ACCOUNT][region].put_subscription_filter(group, name, pattern, destination, "")


def put_rule(region: str, name: str, pattern: str, target: str) -> None:
    """An EventBridge rule with one target."""
    backend = events_backends[ACCOUNT][region]
    backend.put_rule(name, event_pattern=pattern)
    backend.put_targets(name, None, [{"Id": "1", "Arn": target}])


def publish(region: str, event: dict[str, Any]) -> None:
    """Sends an event of AWS itself to the default event bus."""
    bus = events_backends[ACCOUNT][region].describe_event_bus("default")
    for rule in list(bus.rules.values()):
        rule.send_to_targets(dict(event))


def put_state_machine(
    region: str, arn: str, *, definition: str, role: str, logging: dict[str, Any], kind: str
) -> str:
    """Creates a state machine, or updates the one that has this ARN."""
    backend = stepfunctions_parser_backends[ACCOUNT][region]
    if any(machine.arn == arn for machine in backend.state_machines):
        backend.update_state_machine(arn, definition=definition, logging_configuration=logging)
    else:
        name = arn.rpartition(":")[2]
        backend.create_state_machine(name, definition, role, loggingConfiguration=logging, sm_type=kind)
    return arn


def start_execution(region: str, state_machine: str, text: str, name: str | None) -> str:
    """Starts an execution and gives its ARN."""
    backend = stepfunctions_parser_backends[ACCOUNT][region]
    return str(backend.start_execution(state_machine, name, text, None).exec_arn)


def describe_execution(region: str, arn: str) -> dict[str, Any]:
    """What boto3's describe_execution gives, less what HTTP adds."""
    execution = stepfunctions_parser_backends[ACCOUNT][region].describe_execution(arn)
    described = {
        "executionArn": arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": str(execution.status),
        "startDate": execution.start_date,
        "stopDate": execution.stop_date,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "error": execution.error,
        "cause": execution.cause,
    }
    if execution.status == "SUCCEEDED":
        output = json.dumps(execution.output, separators=(",", ":"))
        described |= {"output": output, "outputDetails": {"included": True}}
    return {key: value for key, value in described.items() if value is not None}
