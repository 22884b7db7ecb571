"""Patches of moto's Lambda and EventBridge: functions run, and are invoked by rules."""

import base64
from typing import Any

from monitoring.local_aws.invocation import ThrottledError
from monitoring.local_aws.moto_patches.patch import Host, Patch


def _invoke(_: Any, host: Host) -> Any:
    def invoke(self: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        payload = body.encode() if isinstance(body, str) else body
        payload = payload or b"{}"
        kind = (request_headers or {}).get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            host.invoke_later(self.function_arn, payload, "Event invocation", in_turn=False)
            return b""
        try:
            done = host.invoke_function(self, payload)
        except ThrottledError as refused:
            raise _too_many(refused) from refused
        if done.function_error:
            response_headers["x-amz-function-error"] = done.function_error
        response_headers["x-amz-executed-version"] = "$LATEST"
        response_headers["x-amzn-RequestId"] = done.request_id
        response_headers["x-amz-log-result"] = base64.b64encode(done.log_tail.encode()).decode()
        return done.payload

    return invoke


def _too_many(refused: ThrottledError) -> Exception:
    """Return the response to a throttled call: status 429."""
    from moto.awslambda.exceptions import LambdaClientError

    error: Exception = type("TooManyRequestsException", (LambdaClientError,), {"code": 429})(
        refused.kind, refused.message
    )
    return error


def _send_sqs_batch(original: Any, _: Host) -> Any:
    def send(self: Any, function_arn: str, messages: Any, queue_arn: str) -> bool:
        from moto.awslambda.exceptions import LambdaClientError

        try:
            return bool(original(self, function_arn, messages, queue_arn))
        except LambdaClientError:
            return False

    return send


def _init(original: Any, _: Host) -> Any:
    def init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
        original(self, account_id, spec, region, version)
        self.logging_config = spec.get("LoggingConfig") or {}

    return init


def _create_from_cloudformation(original: Any, _: Host) -> Any:
    def create(cls: Any, /, resource_name: str, cloudformation_json: Any, *where: str, **more: Any) -> Any:
        function = original.__func__(cls, resource_name, cloudformation_json, *where, **more)
        function.logging_config = cloudformation_json["Properties"].get("LoggingConfig") or {}
        return function

    return classmethod(create)


def _update_configuration(original: Any, _: Host) -> Any:
    def update(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.logging_config = config_updates.get("LoggingConfig") or self.logging_config
        configuration: dict[str, Any] = original(self, config_updates)
        return configuration

    return update


def _get_configuration(original: Any, _: Host) -> Any:
    def get(self: Any, on_create: bool = False) -> dict[str, Any]:
        logging = {
            "LogFormat": "Text",
            "LogGroup": f"/aws/lambda/{self.function_name}",
            **self.logging_config,
        }
        return {**original(self, on_create), "LoggingConfig": logging}

    return get


def _send_to_targets(original: Any, host: Host) -> Any:
    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        pattern = self.event_pattern
        if self.state != "ENABLED" or not pattern.get_pattern() or not pattern.matches_event(original_event):
            return
        others = [target for target in self.targets if not host.send_to_target(self, target, original_event)]
        everything, self.targets = self.targets, others
        try:
            original(self, original_event, transform_input)
        finally:
            self.targets = everything

    return send_to_targets


_INIT = ("self", "account_id", "spec", "region", "version")
_NO_LOGGING = "moto drops a function's LoggingConfig, which names its log group and format"

PATCHES = (
    Patch(
        "moto.awslambda.models:LambdaFunction.invoke",
        "moto needs a container engine to run a handler, waits for Event invocations too, and calls an "
        "exception of the handler Handled where Lambda says Unhandled",
        _invoke,
        ("self", "body", "request_headers", "response_headers"),
    ),
    Patch(
        "moto.awslambda.models:LambdaBackend.send_sqs_batch",
        "moto lets SendMessage fail where the function that reads the queue is throttled",
        _send_sqs_batch,
        ("self", "function_arn", "messages", "queue_arn"),
    ),
    Patch("moto.awslambda.models:LambdaFunction.__init__", _NO_LOGGING, _init, _INIT),
    Patch(
        "moto.awslambda.models:LambdaFunction.create_from_cloudformation_json",
        _NO_LOGGING,
        _create_from_cloudformation,
        ("resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
    Patch(
        "moto.awslambda.models:LambdaFunction.update_configuration",
        _NO_LOGGING,
        _update_configuration,
        ("self", "config_updates"),
    ),
    Patch(
        "moto.awslambda.models:LambdaFunction.get_configuration",
        _NO_LOGGING,
        _get_configuration,
        ("self", "on_create"),
    ),
    Patch(
        "moto.events.models:Rule.send_to_targets",
        "moto raises NotImplementedError for a rule whose target is a function or a state machine, and sends "
        "every event to a rule that has a schedule and no pattern",
        _send_to_targets,
        ("self", "original_event", "transform_input"),
    ),
)
