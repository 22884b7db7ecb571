"""Patches of moto's CloudWatch Logs: every event is seen, numbered and delivered as AWS does."""

import threading
from typing import Any

from monitoring.local_aws.filter_pattern import compile_pattern
from monitoring.local_aws.moto_patches.patch import Host, Patch
from monitoring.log_events.telemetry import LogEvent

_lock = threading.RLock()


def event_id(number: int) -> str:
    """Return an event's id as CloudWatch Logs writes it: 56 digits."""
    return f"{number:056d}"


def _put_log_events(original: Any, host: Host) -> Any:
    def put_log_events(self: Any, log_events: list[dict[str, Any]]) -> str:
        with _lock:
            before = len(self.events)
            token: str = original(self, log_events)
            host.received(
                [
                    LogEvent(
                        event_id(e.event_id),
                        int(e.timestamp),
                        e.message,
                        self.log_group.name,
                        self.log_stream_name,
                    )
                    for e in self.events[before:]
                ]
            )
        return token

    return put_log_events


def _send_log_events(original: Any, host: Host) -> Any:
    def send_log_events(
        self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[dict[str, Any]]
    ) -> None:
        pattern = self.log_group.subscription_filters[filter_name].filter_pattern
        matches = compile_pattern(pattern or "")
        events = [
            {"id": event_id(e["id"]), "timestamp": int(e["timestamp"]), "message": e["message"]}
            for e in log_events
            if matches(e["message"])
        ]
        if events and service == "lambda":
            group, stream = self.log_group.name, self.log_stream_name
            host.deliver_log_events(destination_arn, filter_name, group, stream, events)
        elif events:
            original(self, service, destination_arn, filter_name, events)

    return send_log_events


def _create_log_group(original: Any, host: Host) -> Any:
    def create_log_group(self: Any, log_group_name: str, tags: dict[str, str], **more: Any) -> Any:
        created = original(self, log_group_name, tags, **more)
        parameters: dict[str, Any] = {"logGroupName": log_group_name}
        host.called("logs", "CreateLogGroup", parameters | ({"tags": dict(tags)} if tags else {}), None)
        return created

    return create_log_group


PATCHES = (
    Patch(
        "moto.logs.models:LogsBackend.create_log_group",
        "no event of CloudTrail announces a new log group",
        _create_log_group,
        ("self", "log_group_name", "tags", "kwargs"),
    ),
    Patch(
        "moto.logs.models:LogStream.put_log_events",
        "moto numbers events without a lock, so that two writers get one id; and nobody can watch them",
        _put_log_events,
        ("self", "log_events"),
    ),
    Patch(
        "moto.logs.models:LogStream._send_log_events",
        "moto ignores filterPattern, gives ids as numbers, and invokes the subscriber within the writer's "
        "call: a slow or failing one holds up or fails whoever logs, and is never tried again",
        _send_log_events,
        ("self", "service", "destination_arn", "filter_name", "log_events"),
    ),
)
