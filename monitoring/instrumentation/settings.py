"""Read the settings of the instrumentation from the environment at their first use, not at import."""

from __future__ import annotations

import os

from monitoring.instrumentation.runtime import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAMES = (
    "DD_ENV",
    "DD_SERVICE",
    "DD_VERSION",
    "DD_TAGS",
    "MONITORING_FORMAT",
    "MONITORING_TAG_LIMIT",
    "MONITORING_MASK_KEYS",
    "MONITORING_DEADLINE_MARGIN_MS",
    "MONITORING_PAYLOAD_SIZES",
    "MONITORING_TRACE",
    "DD_LOGS_INJECTION",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_RUNTIME_API",
)
MASKED = (
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "credential",
    "cookie",
    "session_id",
    "signature",
)
"""Values whose key contains one of these words are masked; MONITORING_MASK_KEYS replaces the list."""

_FORMATS = ("monitoring", "datadog", "both")
_ON, _OFF = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_ALLOWED = {
    "MONITORING_FORMAT": "monitoring, datadog or both",
    "MONITORING_TAG_LIMIT": "a whole number, 0 for no limit",
    "MONITORING_DEADLINE_MARGIN_MS": "a whole number of milliseconds",
    "MONITORING_PAYLOAD_SIZES": "a whole number of bytes, or off",
    "MONITORING_TRACE": "true or false",
    "DD_LOGS_INJECTION": "true or false",
}


class Settings:
    """The settings; docs/functions.md lists their names and meanings.

    `problems` are messages about invalid values, for which the defaults are used.
    """

    __slots__ = (
        "env",
        "format",
        "function_name",
        "in_lambda",
        "log_ids",
        "margin_ms",
        "masked",
        "plain",
        "problems",
        "service",
        "sizes_from",
        "tag_limit",
        "tags",
        "trace",
        "version",
    )

    def __init__(self, value: Callable[[str], str]) -> None:
        self.problems: list[str] = []
        self.env, self.service, self.version = value("DD_ENV"), value("DD_SERVICE"), value("DD_VERSION")
        unified = (("env", self.env), ("service", self.service), ("version", self.version))
        self.tags = (
            *(f"{key}:{text}" for key, text in unified if text),
            *value("DD_TAGS").replace(",", " ").split(),
        )
        self.format = self._format(value("MONITORING_FORMAT"))
        self.plain = self.format == "monitoring"  # only MONITORING lines
        self.tag_limit = self._number("MONITORING_TAG_LIMIT", value, 500)
        words = value("MONITORING_MASK_KEYS")
        self.masked = tuple(filter(None, map(masking_key, words.split(",")))) if words else MASKED
        self.margin_ms = self._number("MONITORING_DEADLINE_MARGIN_MS", value, 0, "the usual margin")
        sizes = value("MONITORING_PAYLOAD_SIZES").strip().lower()
        if sizes in _OFF and sizes != "0":
            self.sizes_from: int | None = None
        elif sizes in _ON and sizes != "1":
            self.sizes_from = 512
        else:
            self.sizes_from = self._number("MONITORING_PAYLOAD_SIZES", value, 512)
        self.in_lambda = bool(value("AWS_LAMBDA_RUNTIME_API"))
        self.trace = self._switch("MONITORING_TRACE", value)
        self.log_ids = self._switch("DD_LOGS_INJECTION", value)
        self.function_name = value("AWS_LAMBDA_FUNCTION_NAME")

    def _format(self, text: str) -> str:
        word = text.strip().lower() or "monitoring"
        if word in _FORMATS:
            return word
        self._refuse("MONITORING_FORMAT", text, "monitoring")
        return "monitoring"

    def _number(self, name: str, value: Callable[[str], str], default: int, used: str = "") -> int:
        text = value(name).strip()
        try:
            number = int(text) if text else default
        except ValueError:
            self._refuse(name, text, used or str(default))
            return default
        if number < 0:
            self._refuse(name, text, "0")
        return max(0, number)

    def _switch(self, name: str, value: Callable[[str], str]) -> bool:
        word = value(name).strip().lower()
        if word and word not in _ON and word not in _OFF:
            self._refuse(name, word, "true")
        return word not in _OFF

    def _refuse(self, name: str, text: str, used: str) -> None:
        text = text if len(text) <= 60 else text[:59] + "…"
        self.problems.append(f"{name}={text} is not valid: write {_ALLOWED[name]}. Used instead: {used}")


def masking_key(key: str) -> str:
    """Return a key normalized for the comparison with the masked words."""
    return key.strip().lower().replace("-", "_")


def settings() -> Settings:
    """Return the present settings; they are read again only if one of the variables has changed."""
    if _of_lambda is not None and _RUNTIME in _values:
        return _of_lambda  # in Lambda the environment does not change between invocations
    return _looked_up()


def _looked_up() -> Settings:
    global _seen, _settings, _of_lambda  # noqa: PLW0603
    # Read the mapping behind os.environ: os.environ raises an exception for an absent name, about 1 µs, and a
    # dozen of them per invocation would be half of the time that it may take.
    values = getattr(os.environ, "_data", os.environ)
    names = _names if values is not os.environ else NAMES
    seen = None if values.keys().isdisjoint(names) else tuple(map(values.get, names))
    if _settings is None or seen != _seen:
        environ = os.environ
        _seen, _settings = seen, Settings(lambda name: environ.get(name, ""))
        for problem in _settings.problems:
            if problem not in _reported:
                _reported.add(problem)
                say(problem)
    _of_lambda = _settings if _settings.in_lambda and values is _values else None
    return _settings


def forget() -> None:
    """Reset the settings, so that invalid values are reported again, for tests."""
    global _settings, _of_lambda  # noqa: PLW0603
    _settings = _of_lambda = None
    _reported.clear()


_seen: tuple[Any, ...] | None = None
_settings: Settings | None = None
_of_lambda: Settings | None = None
_reported: set[str] = set()
_values: Any = getattr(os.environ, "_data", os.environ)
_RUNTIME: Any = getattr(os.environ, "encodekey", str)("AWS_LAMBDA_RUNTIME_API")
_names: tuple[Any, ...] = tuple(map(getattr(os.environ, "encodekey", str), NAMES))
