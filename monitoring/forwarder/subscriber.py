"""Define the handler of the subscriber's Lambda function, which subscribes log groups to the forwarder.

It is invoked by CloudFormation (the custom resource of deploy/forwarder.yaml) or Terraform (the invocation of
deploy/terraform/forwarder), by CloudTrail's events of new log groups and state machines, and by a schedule,
which also finds log groups without an event.
"""

import json
import os
import sys
import urllib.request
from functools import cache
from typing import Any

from monitoring.forwarder.subscriptions import Changes, SubscriberSettings, Subscriptions

_SHOWN = 100  # names in a summary line

_cache: dict[SubscriberSettings, Subscriptions] = {}  # at most one; it remembers the subscribed log groups


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Subscribe the log groups of an event, and send the response that CloudFormation expects.

    Returns:
        The numbers of log groups that were subscribed, removed, kept and failed.

    Raises:
        InputError: a setting is missing.
        SubscriptionError: a log group could not be changed; the others were.
    """
    if isinstance(event, dict) and "RequestType" in event:
        return _custom_resource(event, context)
    if isinstance(event, dict) and isinstance(event.get("tf"), dict):
        return _invocation(event["tf"])
    return _report(_changes(event if isinstance(event, dict) else {}))


class SubscriptionError(Exception):
    """Raised if log groups could not be subscribed, or subscriptions not be removed."""


def _changes(event: dict[str, Any]) -> Changes:
    detail = event.get("detail")
    call = detail if isinstance(detail, dict) else {}
    request = call.get("requestParameters") or {}
    name = call.get("eventName")
    if call.get("errorCode"):  # a rejected call has created nothing
        return Changes()
    if request.get("logGroupClass") in {"INFREQUENT_ACCESS", "DELIVERY"}:  # these take no filters
        return Changes()
    if name == "CreateLogGroup":
        return _subscriptions().subscribe_new(str(request.get("logGroupName")), request.get("tags") or {})
    if name in {"CreateStateMachine", "UpdateStateMachine"}:
        arn = (call.get("responseElements") or {}).get("stateMachineArn") or request.get("stateMachineArn")
        return _subscriptions().subscribe_machine(str(arn))
    return _subscriptions().subscribe_selected()


def _custom_resource(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle the custom resource; always send a response, otherwise the stack would wait for an hour."""
    reason, summary = "", {}
    try:
        is_deleted = event["RequestType"] == "Delete"
        changes = _apply(is_deleted=is_deleted)
        summary = _summary(changes)
        _print(summary)
        if is_deleted and changes.errors:
            reason = _first_error(changes)
    except Exception as error:  # noqa: BLE001 - see above
        reason = f"{type(error).__name__}: {error}"
    _answer(event, context, reason, summary)
    return summary


def _invocation(request: dict[str, Any]) -> dict[str, Any]:
    """Handle Terraform's `aws_lambda_invocation` with `lifecycle_scope` CRUD.

    As with CloudFormation, a log group that cannot be subscribed does not fail the apply, but a subscription
    that cannot be removed fails the destroy.
    """
    is_deleted = request.get("action") == "delete"
    changes = _apply(is_deleted=is_deleted)
    if is_deleted:
        return _report(changes)
    summary = _summary(changes)
    _print(summary)
    return summary


def _apply(*, is_deleted: bool) -> Changes:
    subscriptions = _subscriptions()
    return subscriptions.remove_all() if is_deleted else subscriptions.reconcile()


def _answer(event: dict[str, Any], context: Any, reason: str, summary: dict[str, Any]) -> None:
    stream = getattr(context, "log_stream_name", "")
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": f"{reason[:800]} (log stream {stream})" if reason else "",
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {key: value for key, value in summary.items() if isinstance(value, int)},
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address, from its event
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
        pass


def _report(changes: Changes) -> dict[str, Any]:
    summary = _summary(changes)
    _print(summary)
    if changes.errors:
        raise SubscriptionError(_first_error(changes))
    return summary


def _first_error(changes: Changes) -> str:
    group, error = next(iter(changes.errors.items()))
    more = f" (and {len(changes.errors) - 1} more)" if len(changes.errors) > 1 else ""
    return f"{group}: {error}{more}"


def _summary(changes: Changes) -> dict[str, Any]:
    names = {"subscribed_groups": changes.subscribed, "removed_groups": changes.removed}
    counts = {
        "subscribed": len(changes.subscribed),
        "removed": len(changes.removed),
        "kept": changes.kept,
        "failed": len(changes.errors),
    }
    listed = {key: value[:_SHOWN] for key, value in names.items() if value}
    errors = dict(list(changes.errors.items())[:_SHOWN])
    return {**counts, **listed, **({"errors": errors} if errors else {})}


def _print(summary: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"stepscope.subscriber": summary}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _subscriptions() -> Subscriptions:
    settings = SubscriberSettings.from_env(os.environ)
    if settings not in _cache:
        _cache.clear()
        _cache[settings] = Subscriptions(settings, _client)
    return _cache[settings]


@cache
def _client(service: str) -> Any:
    """Return the client of a service; it retries throttled calls, such as more than five filters a second."""
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(retries={"max_attempts": 10, "mode": "standard"}))  # type: ignore[call-overload]
