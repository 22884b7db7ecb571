"""Fetch the tags of functions, state machines and log groups, with a cache and few calls per invocation."""

import threading
import time
from collections.abc import Callable
from typing import Any

from monitoring.forwarder.aws import Clients
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.lines import tag_text

_CALLS = 5  # per invocation: further tags are fetched by the next one
_ERROR_SECONDS = 60.0  # seconds until the tags of a resource are fetched again after an error
_RESOURCES = 5_000


class ResourceTags:
    """Fetch and cache the tags of resources; () while they are unknown, and for a minute after an error."""

    def __init__(
        self, settings: ForwarderSettings, clients: Clients, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clients, self._clock = settings, clients, clock
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._extended: set[str] = set()
        self._remaining_calls = _CALLS
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Reset the number of calls for a new invocation."""
        self._remaining_calls = _CALLS

    def of_function(self, arn: str) -> tuple[str, ...]:
        """Return the tags, the architecture and the runtime of a function."""
        return self._of(arn, self._function) if arn and self._settings.fetch_function_tags else ()

    def has_extension(self, arn: str) -> bool:
        """Return whether Datadog's extension is among the fetched layers of a function."""
        return arn in self._extended

    def of_machine(self, arn: str) -> tuple[str, ...]:
        """Return the tags of a state machine."""
        return self._of(arn, self._machine) if arn and self._settings.fetch_machine_tags else ()

    def of_group(self, arn: str) -> tuple[str, ...]:
        """Return the tags of a log group."""
        return self._of(arn, self._group) if arn and self._settings.fetch_group_tags else ()

    def _of(self, arn: str, fetch: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        now = self._clock()
        with self._lock:
            until, tags = self._cache.get(arn, (0.0, ()))
            if now < until or self._remaining_calls <= 0:
                return tags
            self._remaining_calls -= 1
        try:
            tags, until = fetch(arn), now + self._settings.tags_seconds
        except Exception:  # noqa: BLE001 - without tags, telemetry is still forwarded
            until = now + _ERROR_SECONDS
        with self._lock:
            self._cache[arn] = (until, tags)
            if len(self._cache) > _RESOURCES:
                del self._cache[next(iter(self._cache))]
        return tags

    def _function(self, arn: str) -> tuple[str, ...]:
        response = self._clients("lambda").get_function(FunctionName=arn)
        configuration = response.get("Configuration", {})
        arch = (configuration.get("Architectures") or ["x86_64"])[0]
        layers = [str(layer.get("Arn")) for layer in configuration.get("Layers") or ()]
        extended = any(":layer:Datadog-Extension" in layer for layer in layers)
        (self._extended.add if extended else self._extended.discard)(arn)
        return (
            *_tags(response.get("Tags")),
            f"architecture:{arch}",
            f"runtime:{configuration.get('Runtime', 'container')}",
        )

    def _machine(self, arn: str) -> tuple[str, ...]:
        response = self._clients("stepfunctions").list_tags_for_resource(resourceArn=arn)
        return _tags({tag["key"]: tag["value"] for tag in response.get("tags", ())})

    def _group(self, arn: str) -> tuple[str, ...]:
        return _tags(self._clients("logs").list_tags_for_resource(resourceArn=arn).get("tags"))


def _tags(tags: Any) -> tuple[str, ...]:
    """Return the tags as `key:value`, normalized by Datadog's rules, without AWS's tags (`aws:…`)."""
    if not isinstance(tags, dict):
        return ()
    return tuple(tag_text(f"{key}:{value}") for key, value in tags.items() if not key.startswith("aws:"))
