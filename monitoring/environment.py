"""The hot path's settings, read from the environment when they are first needed, never at import."""

from __future__ import annotations

import os

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
    "AWS_LAMBDA_FUNCTION_NAME",
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


class Settings:
    """What the environment says; docs/settings of the hot path lists the names and their meaning."""

    __slots__ = (
        "datadog_lines",
        "env",
        "function_name",
        "margin_ms",
        "masked",
        "monitoring_lines",
        "payload_sizes",
        "service",
        "tag_limit",
        "tags",
        "trace",
        "version",
    )  # fmt: skip

    def __init__(self, given: Callable[[str], str]) -> None:
        self.env, self.service, self.version = given("DD_ENV"), given("DD_SERVICE"), given("DD_VERSION")
        unified = (("env", self.env), ("service", self.service), ("version", self.version))
        self.tags = (
            *(f"{key}:{value}" for key, value in unified if value),
            *given("DD_TAGS").replace(",", " ").split(),
        )
        form = given("MONITORING_FORMAT").strip().lower()
        self.datadog_lines = form in {"datadog", "both"}
        self.monitoring_lines = form != "datadog"
        self.tag_limit = _number(given("MONITORING_TAG_LIMIT"), 500)
        words = given("MONITORING_MASK_KEYS")
        self.masked = tuple(filter(None, map(masking_key, words.split(",")))) if words else MASKED
        self.margin_ms = _number(given("MONITORING_DEADLINE_MARGIN_MS"), 0)
        self.payload_sizes = _on(given("MONITORING_PAYLOAD_SIZES"))
        self.trace = _on(given("MONITORING_TRACE"))
        self.function_name = given("AWS_LAMBDA_FUNCTION_NAME")


def masking_key(key: str) -> str:
    """A key as it is compared with the masked words."""
    return key.strip().lower().replace("-", "_")


def settings() -> Settings:
    """The settings of this moment: cheap to ask, read anew only when one of the variables has changed."""
    global _seen, _settings  # noqa: PLW0603 - the cache of this module
    values, names = _raw()
    seen = [values.get(name) for name in names]
    if seen != _seen or _settings is None:
        environ = os.environ
        _settings = Settings(lambda name: environ.get(name, ""))
        _seen = seen
    return _settings


_seen: list[Any] = []
_settings: Settings | None = None
_keys: tuple[Any, ...] | None = None


def _raw() -> tuple[Any, tuple[Any, ...]]:
    """The mapping behind os.environ and our names as its keys.

    An absent name costs an exception through os.environ itself, about 1 µs each; a dozen on every call would
    be a third of what the whole call may cost.
    """
    global _keys  # noqa: PLW0603
    environ: Any = os.environ
    data = getattr(environ, "_data", None)
    if data is None:
        return environ, NAMES
    if _keys is None:
        _keys = tuple(environ.encodekey(name) for name in NAMES)
    return data, _keys


def _number(text: str, default: int) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        return default


def _on(text: str) -> bool:
    return text.strip().lower() not in {"0", "false", "no", "off"}
