"""Filter logs, and scrub their messages."""

import re
from collections.abc import Callable

from monitoring.forwarder.settings import ForwarderSettings

_IP = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
_EMAIL = re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")


def log_filter(settings: ForwarderSettings) -> Callable[[str], str | None] | None:
    """Return a function that scrubs a message, or returns None to exclude it; None without any rules.

    The filters match the message before it is scrubbed.
    """
    replace: list[tuple[re.Pattern[str], str]] = []
    if settings.redact_ip:
        replace.append((_IP, "xxx.xxx.xxx.xxx"))
    if settings.redact_email:
        replace.append((_EMAIL, "xxxxx@xxxxx.com"))
    if settings.scrub:
        replace.append((re.compile(settings.scrub), settings.scrub_by))
    include, exclude = (re.compile(text) if text else None for text in (settings.include, settings.exclude))
    if settings.forward_logs and not (replace or include or exclude):
        return None

    def keep(message: str) -> str | None:
        if not settings.forward_logs or (include and not include.search(message)):
            return None
        if exclude and exclude.search(message):
            return None
        for pattern, text in replace:
            message = pattern.sub(text, message)
        return message

    return keep
