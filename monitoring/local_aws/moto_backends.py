"""Access moto's backends, whose state is global to the process."""

import base64
import contextlib
import io
import logging
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from werkzeug.exceptions import HTTPException

from monitoring.errors import InputError

try:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import lambda_backends
    from moto.core.base_backend import BackendDict
    from moto.core.config import default_user_config
    from moto.core.exceptions import ServiceException
    from moto.events.models import events_backends
    from moto.iam.models import iam_backends
    from moto.logs.models import logs_backends
except ImportError as missing:
    raise InputError(
        f"moto {version('moto')} is not one that the embedded AWS knows: {missing}",
        hint="install the version that constraints.txt names: pip install -c constraints.txt moto",
    ) from missing

ACCOUNT = "123456789012"


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Disable moto's echo of functions while the block runs."""
    logs = [logging.getLogger(name) for name in ("moto", "werkzeug")]
    before = {"lambda": dict(default_user_config["lambda"])}
    levels = [log.level for log in logs]
    for log in logs:  # moto logs rejected requests as errors, although they are usual here
        log.setLevel(logging.CRITICAL)
    default_user_config["lambda"] = {"use_docker": True}
    try:
        yield
    finally:
        default_user_config.update(before)
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def reset() -> None:
    """Delete all resources and data."""
    BackendDict.reset()


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Convert AWS's errors to InputError."""
    try:
        yield
    except (ServiceException, HTTPException) as failed:
        kind = getattr(failed, "error_type", None) or getattr(failed, "code", "")
        raise InputError(f"{what}: {kind}: {getattr(failed, 'message', failed)}") from failed
    except Exception as failed:
        if hasattr(failed, "TYPE"):  # moto's AWSError: no common ancestor with the others
            raise InputError(f"{what}: {failed.TYPE}: {getattr(failed, 'message', failed)}") from failed
        raise


# The functions below call the backends directly, not through HTTP: creating a client takes a tenth of a
# second, a request several milliseconds.


def put_function(region: str, settings: dict[str, Any]) -> str:
    """Create or replace a function; its code is stored elsewhere."""
    backend = lambda_backends[ACCOUNT][region]
    with contextlib.suppress(UnknownFunctionException):
        backend.delete_function(settings["FunctionName"])
    create_role(settings["Role"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README", "the code of this function is a folder on this machine\n")
    code = {"ZipFile": base64.b64encode(packed.getvalue()).decode()}
    return str(backend.create_function({**settings, "Code": code}).function_arn)


def create_role(arn: str) -> None:
    """Create a role unless it exists."""
    backend, name = iam_backends[ACCOUNT]["aws"], arn.rpartition("/")[2]
    if all(role.name != name for role in backend.roles.values()):
        backend.create_role(name, "{}", "/", None, "", [], "3600")


def reserve_concurrency(region: str, name: str, limit: Any) -> None:
    """Set a function's reserved concurrency; None removes it."""
    if limit is not None:
        lambda_backends[ACCOUNT][region].put_function_concurrency(name, int(limit))


def publish_version(region: str, name: str) -> tuple[str, str]:
    """Return the ARN and the number of a function's new version."""
    version = lambda_backends[ACCOUNT][region].publish_version(name)
    return str(version.function_arn), str(version.version)


def create_alias(region: str, function_name: str, name: str, version: str) -> str:
    """Create an alias of a version, and return its ARN."""
    made = lambda_backends[ACCOUNT][region].create_alias(name, function_name, version, "", "")
    return str(made.arn)


def function(region: str, name: str) -> Any:
    """Return moto's `LambdaFunction`, by name or ARN."""
    return lambda_backends[ACCOUNT][region].get_function(name)


def find_function(region: str, name: str, qualifier: str) -> Any:
    """Return a function, one of its versions, or the version of an alias; None if there is none."""
    with contextlib.suppress(UnknownFunctionException, ServiceException):
        return lambda_backends[ACCOUNT][region].get_function(name, qualifier or None)
    return None


def find_connection(region: str, arn: str) -> dict[str, Any] | None:
    """Return the authorization parameters of an EventBridge connection."""
    for connection in events_backends[ACCOUNT][region].connections.values():
        if connection.arn == arn:
            parameters: dict[str, Any] = dict(connection.auth_parameters or {})
            return parameters
    return None


def write_log(region: str, group: str, stream: str, milliseconds: int, message: str) -> None:
    """Write one log event; ignore it if the log group was deleted, as AWS does."""
    group_backend = logs_backends[ACCOUNT][region].groups.get(group)
    if group_backend is None:
        return
    if stream not in group_backend.streams:
        group_backend.create_log_stream(stream)
    group_backend.put_log_events(stream, [{"timestamp": milliseconds, "message": message}])


def create_log_group(region: str, name: str) -> bool:
    """Create a log group unless it exists; return whether it is new."""
    backend = logs_backends[ACCOUNT][region]
    new = name not in backend.groups
    if new:
        backend.create_log_group(name, {})
    return new


def put_log_events(region: str, group: str, stream: str, events: list[dict[str, Any]]) -> None:
    """Write events, creating the group and the stream."""
    create_log_group(region, group)
    streams = logs_backends[ACCOUNT][region].groups[group].streams
    if stream not in streams:
        logs_backends[ACCOUNT][region].create_log_stream(group, stream)
    streams[stream].put_log_events(events)


def put_subscription(region: str, group: str, name: str, pattern: str, destination: str) -> None:
    """Subscribe a function to a log group."""
    logs_backends[ACCOUNT][region].put_subscription_filter(group, name, pattern, destination, "")


def delete_function(region: str, name: str) -> None:
    """Delete a function, unless it is gone already."""
    with contextlib.suppress(UnknownFunctionException):
        lambda_backends[ACCOUNT][region].delete_function(name)


def delete_log_group(region: str, name: str) -> None:
    """Delete a log group, unless it is gone already."""
    logs_backends[ACCOUNT][region].groups.pop(name, None)


def delete_subscription(region: str, group: str, name: str) -> None:
    """Delete a subscription filter, unless it or its log group is gone already."""
    log_group = logs_backends[ACCOUNT][region].groups.get(group)
    if log_group is not None:
        log_group.subscription_filters.pop(name, None)


def delete_rule(region: str, name: str, bus: str) -> None:
    """Delete an EventBridge rule and its targets, unless it is gone already."""
    event_bus = events_backends[ACCOUNT][region].event_buses.get(bus)
    if event_bus is not None:
        event_bus.rules.pop(name, None)


def create_rule(
    region: str,
    name: str,
    bus: str,
    *,
    pattern: str | None = None,
    schedule: str | None = None,
    state: str = "ENABLED",
    targets: list[dict[str, Any]],
) -> str:
    """Create an EventBridge rule, and return its ARN."""
    backend = events_backends[ACCOUNT][region]
    made = backend.put_rule(
        name, event_pattern=pattern, scheduled_expression=schedule, state=state, event_bus_arn=bus
    )
    if targets:
        backend.put_targets(name, bus, targets)
    return str(made.arn)


def put_rule(region: str, name: str, pattern: str, target: str) -> None:
    """Create an EventBridge rule with one target."""
    backend = events_backends[ACCOUNT][region]
    backend.put_rule(name, event_pattern=pattern)
    backend.put_targets(name, None, [{"Id": "1", "Arn": target}])


def rules(region: str) -> list[Any]:
    """Return the rules of every event bus."""
    return [
        rule
        for bus in list(events_backends[ACCOUNT][region].event_buses.values())
        for rule in list(bus.rules.values())
    ]


def publish(region: str, event: dict[str, Any]) -> None:
    """Send an event of AWS itself to the default event bus."""
    bus = events_backends[ACCOUNT][region].describe_event_bus("default")
    for rule in list(bus.rules.values()):
        rule.send_to_targets(dict(event))
