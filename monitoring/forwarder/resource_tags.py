"""Tags that AWS holds of functions, state machines and log groups: cached, few calls, and never in the
way."""

import threading
import time
from collections.abc import Callable
from typing import Any

from monitoring.forwarder.aws import Clients
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.lines import tag_text

_CALLS = 5  # an invocation: what is not known by then is asked for by the next one
_SORRY = 60.0  # seconds until a resource is asked for again after an error
_RESOURCES = 5_000


class ResourceTags:
    """The tags of a resource, empty while they are not known. An error is no tags, for a minute."""

    def __init__(
        self, settings: ForwarderSettings, clients: Clients, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clients, self._clock = settings, clients, clock
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._extended: set[str] = set()
        self._left = _CALLS
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Allow a new invocation to ask again."""
        self._left = _CALLS

    def of_function(self, arn: str) -> tuple[str, ...]:
        """Tags, architecture and runtime of a function."""
        return self._of(arn, self._function) if arn and self._settings.fetch_function_tags else ()

    def has_extension(self, arn: str) -> bool:
        """Return whether a function is known to have Datadog's extension, from its layers."""
        return arn in self._extended

    def of_machine(self, arn: str) -> tuple[str, ...]:
        """Tags of a state machine."""
        return self._of(arn, self._machine) if arn and self._settings.fetch_machine_tags else ()

    def of_group(self, arn: str) -> tuple[str, ...]:
        """Tags of a log group."""
        return self._of(arn, self._group) if arn and self._settings.fetch_group_tags else ()

    def _of(self, arn: str, ask: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        now = self._clock()
        with self._lock:
            until, tags = self._known.get(arn, (0.0, ()))
            if now < until or self._left <= 0:
                return tags
            self._left -= 1
        try:
            tags, until = ask(arn), now + self._settings.tags_seconds
        except Exception:  # noqa: BLE001 - tags are never worth a log event
            until = now + _SORRY
        with self._lock:
            self._known[arn] = (until, tags)
            if len(self._known) > _RESOURCES:
                del self._known[next(iter(self._known))]
        return tags

    def _function(self, arn: str) -> tuple[str, ...]:
        answer = self._clients("lambda").get_function(FunctionName=arn)
        made = answer.get("Configuration", {})
        arch = (made.get("Architectures") or ["x86_64"])[0]
        layers = [str(layer.get("Arn")) for layer in made.get("Layers") or ()]
        extended = any(":layer:Datadog-Extension" in layer for layer in layers)
        (self._extended.add if extended else self._extended.discard)(arn)
        return (
            *_tags(answer.get("Tags")),
            f"architecture:{arch}",
            f"runtime:{made.get('Runtime', 'container')}",
        )

    def _machine(self, arn: str) -> tuple[str, ...]:
        answer = self._clients("stepfunctions").list_tags_for_resource(resourceArn=arn)
        return _tags({tag["key"]: tag["value"] for tag in answer.get("tags", ())})

    def _group(self, arn: str) -> tuple[str, ...]:
        return _tags(self._clients("logs").list_tags_for_resource(resourceArn=arn).get("tags"))


def _tags(tags: Any) -> tuple[str, ...]:
    """`key:value` by Datadog's rules; AWS's own (`aws:…`) stay out."""
    if not isinstance(tags, dict):
        return ()
    return tuple(tag_text(f"{key}:{value}") for key, value in tags.items() if not key.startswith("aws:"))
