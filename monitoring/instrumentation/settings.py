"""The hot path's settings, read from the environment when they are first needed, never at import."""

from __future__ import annotations

import os

from monitoring.lines import tag_list

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


class Settings:
    """What the environment says; docs/settings of the hot path lists the names and their meaning."""

    __slots__ = (
        "env",
        "format",
        "function_name",
        "in_lambda",
        "log_ids",
        "margin_ms",
        "masked",
        "plain",
        "scope",
        "service",
        "sizes_from",
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
        self.scope = ",".join(tag_list(self.tags))  # as the points outside a call carry them
        self.format = given("MONITORING_FORMAT").strip().lower()
        self.plain = self.format not in {"datadog", "both"}  # MONITORING lines and no others
        self.tag_limit = _number(given("MONITORING_TAG_LIMIT"), 500)
        words = given("MONITORING_MASK_KEYS")
        self.masked = tuple(filter(None, map(masking_key, words.split(",")))) if words else MASKED
        self.margin_ms = _number(given("MONITORING_DEADLINE_MARGIN_MS"), 0)
        sizes = given("MONITORING_PAYLOAD_SIZES")
        self.sizes_from = _number(sizes, 512) if _on(sizes) or sizes.strip() == "0" else None
        self.in_lambda = bool(given("AWS_LAMBDA_RUNTIME_API"))
        self.trace = _on(given("MONITORING_TRACE"))
        self.log_ids = _on(given("DD_LOGS_INJECTION"))
        self.function_name = given("AWS_LAMBDA_FUNCTION_NAME")


def masking_key(key: str) -> str:
    """A key as it is compared with the masked words."""
    return key.strip().lower().replace("-", "_")


def settings() -> Settings:
    """The settings of this moment: cheap to ask, read anew only when one of the variables has changed."""
    if _of_lambda is not None and _RUNTIME in _values:
        return _of_lambda  # in Lambda itself nobody changes the environment between calls
    return _looked_up()


def _looked_up() -> Settings:
    global _seen, _settings, _of_lambda  # noqa: PLW0603
    # The mapping behind os.environ: through os.environ itself an absent name costs an exception, about 1 µs,
    # and a dozen of them on every call would be half of what the whole call may cost.
    values = getattr(os.environ, "_data", os.environ)
    names = _names if values is not os.environ else NAMES
    seen = None if values.keys().isdisjoint(names) else tuple(map(values.get, names))
    if _settings is None or seen != _seen:
        environ = os.environ
        _seen, _settings = seen, Settings(lambda name: environ.get(name, ""))
    _of_lambda = _settings if _settings.in_lambda and values is _values else None
    return _settings


def _number(text: str, default: int) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        return default


def _on(text: str) -> bool:
    return text.strip().lower() not in {"0", "false", "no", "off"}


_seen: tuple[Any, ...] | None = None
_settings: Settings | None = None
_of_lambda: Settings | None = None
_values: Any = getattr(os.environ, "_data", os.environ)
_RUNTIME: Any = getattr(os.environ, "encodekey", str)("AWS_LAMBDA_RUNTIME_API")
_names: tuple[Any, ...] = tuple(map(getattr(os.environ, "encodekey", str), NAMES))
