"""Derive the status of a log that was sent without one, as Datadog's pipelines do.

The order is: attributes (`status`, `severity`, `level`, `syslog.severity`, with the words of the status
remapper), the type of a Step Functions event, the level at the beginning of a line of text.

https://docs.datadoghq.com/logs/log_configuration/processors/log_status_remapper/
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

USUAL = "info"
_SYSLOG = ("emergency", "alert", "critical", "error", "warn", "notice", "info", "debug")
_PREFIXES = (
    ("emerg", "emergency"),
    ("f", "emergency"),
    ("a", "alert"),
    ("c", "critical"),
    ("e", "error"),
    ("w", "warn"),
    ("n", "notice"),
    ("i", "info"),
    ("d", "debug"),
    ("trace", "debug"),
    ("verbose", "debug"),
    ("o", "ok"),
    ("s", "ok"),
)
"""Prefix of a word -> status; any other word is info."""
_BEGIN = 120
"""The number of characters at the beginning of a line in which its level is searched."""
_WORD = re.compile(r"\b(EMERGENCY|FATAL|CRITICAL|ERROR|WARN(?:ING)?|NOTICE|INFO|DEBUG|TRACE)\b")
_BROKEN = re.compile(r"\ATraceback \(most recent call last\)|Task timed out after |\bRuntime\.\w*Error\b")
_ENDED_BADLY = re.compile(r"(?:Failed|TimedOut|Aborted)\Z")


class _Leveled(msgspec.Struct, gc=False):
    """The fields of a JSON message that say its status; unknown fields are skipped without being built."""

    status: Any = None
    severity: Any = None
    level: Any = None
    log_level: Any = None
    syslog: Any = None
    type: Any = None
    execution_arn: Any = None


_decode = msgspec.json.Decoder(_Leveled).decode


def status_of(log: Mapping[str, Any]) -> str:
    """Return the status of a log: its own, or the one of its attributes or its message, else info."""
    sent = log.get("status")
    if sent:
        return str(sent)
    return _of_attributes(log.get) or _of_message(log.get("message")) or USUAL


def _of_attributes(attribute: Any) -> str:
    syslog = attribute("syslog")
    inner = syslog.get("severity") if isinstance(syslog, Mapping) else None
    for value in (attribute("severity"), attribute("level"), attribute("log_level"), inner):
        if status := word_status(value):
            return status
    return ""


def word_status(value: object) -> str:
    """Return the status for a word or a syslog number; "" for other values."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        return _SYSLOG[value] if 0 <= value < len(_SYSLOG) else USUAL
    word = value.strip().lower()
    return next((status for begin, status in _PREFIXES if word.startswith(begin)), USUAL) if word else ""


def _of_message(message: object) -> str:
    if isinstance(message, Mapping):
        return _of_attributes(message.get)
    if not isinstance(message, str):
        return ""
    if message.lstrip()[:1] == "{":
        try:
            return _of_json(_decode(message))
        except (ValueError, RecursionError):  # not JSON, or half a surrogate pair
            pass
    return _of_text(message)


def _of_json(body: _Leveled) -> str:
    if body.execution_arn is not None and isinstance(body.type, str):
        return "error" if _ENDED_BADLY.search(body.type) else USUAL
    own = word_status(body.status) if isinstance(body.status, str) else ""
    return own or _of_attributes(lambda name: getattr(body, name))


def _of_text(line: str) -> str:
    level = _WORD.search(line, 0, _BEGIN)
    if level:
        return word_status(level[1])
    return "error" if _BROKEN.search(line, 0, 10 * _BEGIN) else ""
