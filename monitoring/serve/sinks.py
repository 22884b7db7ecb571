"""Destinations of monitors' notifications: the terminal, a file of JSON lines, a webhook."""

import json
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from monitoring.errors import InputError
from monitoring.forwarder.addresses import without_password
from monitoring.monitor.definition import Monitor
from monitoring.monitor.history import Notification

Body = dict[str, Any]


class Sink(Protocol):
    """The interface of destinations; notifications that cannot be delivered are queued for the next time."""

    def send(self, notification: Body) -> None:
        """Deliver the notification, or queue it."""
        ...


def body_of(monitor: Monitor, notification: Notification) -> Body:
    """Return a notification as data for file and webhook; times are in seconds since the epoch."""
    return {
        "time": notification.time,
        "monitor_id": monitor.id,
        "monitor_name": monitor.name,
        "type": monitor.type,
        "priority": monitor.priority,
        "tags": list(monitor.tags),
        "kind": notification.kind,
        "state": str(notification.state),
        "previous_state": str(notification.previous) if notification.previous else None,
        "group": notification.group,
        "groups": list(notification.groups or (notification.group,)),
        "title": notification.title,
        "message": notification.message,
        "handles": list(notification.handles),
    }


@dataclass(frozen=True, slots=True)
class Terminal:
    """Print one line for a notification, and its message below."""

    write: Callable[[str], None]

    def send(self, notification: Body) -> None:
        """Print it."""
        moment = datetime.fromtimestamp(notification["time"], UTC).strftime("%H:%M:%S")
        lines = [f"{moment}Z {notification['title']}"]
        lines += [f"          {line}" for line in notification["message"].splitlines() if line.strip()]
        if notification["handles"]:
            lines.append(f"          to {' '.join(notification['handles'])}")
        self.write("\n".join(lines))


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Append notifications to a file, one JSON object per line."""

    path: Path

    def send(self, notification: Body) -> None:
        """Append it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(notification, ensure_ascii=False) + "\n")

    @classmethod
    def opened(cls, path: Path) -> "JsonLines":
        """Return the sink, after checking that the file can be written.

        Raises:
            InputError: the file cannot be written.
        """
        try:
            path.open("a").close()
        except OSError as error:
            raise InputError(
                f"notifications cannot be written there ({error.strerror})",
                where=str(path),
                hint="Give another --notify-file.",
            ) from error
        return cls(path)


def _post(url: str, data: bytes, headers: Mapping[str, str], timeout: float) -> int:
    request = urllib.request.Request(url, data, dict(headers), method="POST")  # noqa: S310 - checked by `to`
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
        return int(answer.status)


@dataclass(slots=True)
class Webhook:
    """POST each notification as JSON; failed ones are queued, in order, and retried with the next.

    At most `most` are queued; then the oldest is dropped, with a message.
    """

    url: str
    say: Callable[[str], None]
    post: Callable[[str, bytes, Mapping[str, str], float], int] = _post
    most: int = 1000
    _kept: deque[Body] = field(default_factory=deque)

    @classmethod
    def to(cls, url: str, say: Callable[[str], None]) -> "Webhook":
        """Return the sink for a destination.

        Raises:
            InputError: the address is not an http or https URL.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(
                f"{without_password(url)!r} is not an address of a webhook",
                hint="Give http://… or https://….",
            )
        return cls(url, say)

    def send(self, notification: Body) -> None:
        """Queue the notification, and send the queue until a request fails."""
        self._kept.append(notification)
        if len(self._kept) > self.most:
            dropped = self._kept.popleft()
            self.say(
                f"the webhook has taken nothing for {self.most} notifications: dropped: {dropped['title']}"
            )
        self.retry()

    def retry(self) -> None:
        """Send the queue."""
        while self._kept:
            data = json.dumps(self._kept[0]).encode()
            try:
                self.post(self.url, data, {"Content-Type": "application/json"}, 5.0)
            except (OSError, urllib.error.URLError, ValueError) as error:
                self.say(f"the webhook did not take a notification ({error}); it is kept for the next try")
                return
            self._kept.popleft()
