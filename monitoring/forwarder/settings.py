"""Define the settings of the forwarder, and read them from environment variables.

`docs/forwarder.md` lists them; a test compares the two.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from monitoring.errors import InputError
from monitoring.forwarder.addresses import read_site
from monitoring.forwarder.intake import check_url

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off", ""}


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("write true or false")
    return word in _TRUE


def _positive(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError("write a number from 0 on")
    return value


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag for tag in re.split(r"[,\s]+", text.strip()) if tag)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a valid regular expression: {error}") from error
    return text


def _metric_form(text: str) -> str:
    if text not in {"distribution", "native"}:
        raise ValueError("write distribution or native")
    return text


def _arch(text: str) -> str:
    if text not in {"x86_64", "arm64"}:
        raise ValueError("write x86_64 or arm64")
    return text


def _url(text: str) -> str:
    return check_url(text.strip()) if text.strip() else ""


def _setting(
    name: str, default: Any, convert: Callable[[str], Any], meaning: str, *, secret: bool = False
) -> Any:
    metadata = {"name": name, "convert": convert, "meaning": meaning}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwarderSettings:
    """The forwarder's settings; `ForwarderSettings.from_env(os.environ)` reads them. The repr has no keys."""

    site: str = _setting("DD_SITE", "datadoghq.com", read_site, "the Datadog site")
    url: str = _setting("DD_URL", "", _url, "one address for metrics, traces and logs instead of the site's")
    api_key: str = _setting("DD_API_KEY", "", str.strip, "the API key itself", secret=True)
    api_key_secret: str = _setting(
        "DD_API_KEY_SECRET_ARN", "", str.strip, "Secrets Manager secret with the key"
    )
    api_key_parameter: str = _setting("DD_API_KEY_SSM_NAME", "", str.strip, "SSM parameter with the key")
    api_key_kms: str = _setting(
        "DD_KMS_API_KEY", "", str.strip, "the key encrypted by KMS, base64", secret=True
    )
    env: str = _setting("DD_ENV", "", str.strip, "tag `env`")
    service: str = _setting("DD_SERVICE", "", str.strip, "tag `service`; otherwise the function or log group")
    version: str = _setting("DD_VERSION", "", str.strip, "tag `version`")
    tags: tuple[str, ...] = _setting("DD_TAGS", (), _tags, "tags for everything, separated by commas")
    forward_logs: bool = _setting(
        "DD_FORWARD_LOG", True, _flag, "what is not a metric or a trace goes to the logs intake"
    )
    log_platform: bool = _setting(
        "MONITORING_LOG_PLATFORM", False, _flag, "platform lines and Step Functions events are logs as well"
    )
    include: str = _setting("INCLUDE_AT_MATCH", "", _pattern, "only logs that match go on")
    exclude: str = _setting("EXCLUDE_AT_MATCH", "", _pattern, "logs that match stay behind")
    redact_ip: bool = _setting("REDACT_IP", False, _flag, "IP addresses in logs become xxx.xxx.xxx.xxx")
    redact_email: bool = _setting(
        "REDACT_EMAIL", False, _flag, "e-mail addresses in logs become xxxxx@xxxxx.com"
    )
    scrub: str = _setting("DD_SCRUBBING_RULE", "", _pattern, "what matches in logs is replaced")
    scrub_by: str = _setting("DD_SCRUBBING_RULE_REPLACEMENT", "xxxxx", str, "what it is replaced by")
    metrics: str = _setting(
        "MONITORING_METRICS", "distribution", _metric_form, "`native` sends counts and gauges as such"
    )
    enhanced_metrics: bool = _setting(
        "DD_ENHANCED_METRICS", True, _flag, "send `aws.lambda.enhanced.*`, from Lambda's own log lines"
    )
    enhanced_invocations: bool = _setting(
        "MONITORING_ENHANCED_INVOCATIONS", True, _flag, "send `aws.lambda.enhanced.invocations` among them"
    )
    lambda_metrics: bool = _setting(
        "MONITORING_LAMBDA_METRICS", True, _flag, "send `stepscope.lambda.*`: faults that Lambda reports"
    )
    states_metrics: bool = _setting(
        "MONITORING_STATES_METRICS", True, _flag, "send `aws.states.enhanced.*`, from state machines' logs"
    )
    execution_metrics: bool = _setting(
        "MONITORING_EXECUTION_METRICS",
        True,
        _flag,
        "send `stepscope.execution.*` and `stepscope.durable_execution.*`, from status changes",
    )
    arch: str = _setting(
        "MONITORING_ARCHITECTURE", "x86_64", _arch, "architecture for estimated_cost where unknown"
    )
    own_metrics: bool = _setting("MONITORING_OWN_METRICS", True, _flag, "send the forwarder's own metrics")
    workers: int = _setting("MONITORING_CONNECTIONS", 4, lambda t: max(1, int(t)), "parallel connections")
    timeout: float = _setting("MONITORING_TIMEOUT", 10.0, _positive, "seconds to wait for one answer")
    retry_seconds: float = _setting(
        "MONITORING_RETRY_SECONDS", 60.0, _positive, "seconds of retries before a batch is spooled"
    )
    spool_queue: str = _setting("MONITORING_SPOOL_QUEUE", "", str.strip, "URL of the SQS queue to spool into")
    spool_bucket: str = _setting(
        "MONITORING_SPOOL_BUCKET",
        "",
        str.strip,
        "`bucket/prefix` to spool into, or for what is too large for SQS",
    )
    spool_folder: str = _setting(
        "MONITORING_SPOOL_FOLDER", "", str.strip, "folder to spool into, on a plain machine"
    )
    spool_kms_key: str = _setting("MONITORING_SPOOL_KMS_KEY", "", str.strip, "KMS key for spooled objects")
    spool_attempts: int = _setting(
        "MONITORING_SPOOL_ATTEMPTS", 10, int, "failed redrives until an entry is dead"
    )
    digests_table: str = _setting(
        "MONITORING_DIGESTS_TABLE", "", str.strip, "DynamoDB table that remembers delivered batches"
    )
    digests_seconds: int = _setting("MONITORING_DIGESTS_SECONDS", 86_400, int, "how long it remembers them")
    executions_table: str = _setting(
        "MONITORING_EXECUTIONS_TABLE",
        "",
        str.strip,
        "DynamoDB table that shares running executions between environments; that of the digests will do",
    )
    partial_batches: bool = _setting(
        "MONITORING_PARTIAL_BATCHES",
        False,
        _flag,
        "answer Kinesis with the records that failed; its mapping needs `ReportBatchItemFailures`",
    )
    fetch_function_tags: bool = _setting(
        "DD_FETCH_LAMBDA_TAGS", False, _flag, "tags and architecture of functions, cached"
    )
    fetch_machine_tags: bool = _setting(
        "DD_FETCH_STEP_FUNCTIONS_TAGS", False, _flag, "tags of state machines, cached"
    )
    fetch_group_tags: bool = _setting("DD_FETCH_LOG_GROUP_TAGS", False, _flag, "tags of log groups, cached")
    tags_seconds: float = _setting(
        "MONITORING_TAGS_SECONDS", 3600.0, _positive, "how long fetched tags are kept"
    )
    proxy: str = _setting("HTTPS_PROXY", "", str.strip, "proxy on the way to the site", secret=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "ForwarderSettings":
        """Read the settings from environment variables; missing ones have their defaults.

        Raises:
            InputError: a value is not valid; it names the variable.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            name, text = item.metadata["name"], environ.get(item.metadata["name"])
            if text is None:
                continue
            try:
                values[item.name] = item.metadata["convert"](text)
            except ValueError as error:
                quoted = "" if not item.repr else f"{text[:60]!r}: "
                raise InputError(
                    f"{quoted}{error}", where=name, hint=f"{name}: {item.metadata['meaning']}"
                ) from None
        settings = cls(**values)
        try:
            re.compile(settings.scrub).sub(settings.scrub_by, "")
        except re.error as error:
            variable = "DD_SCRUBBING_RULE_REPLACEMENT"
            raise InputError(
                str(error), where=variable, hint="\\1 needs a group in DD_SCRUBBING_RULE"
            ) from None
        return settings


_FAMILIES = {
    "enhanced_metrics": ("aws.lambda.enhanced.",),
    "enhanced_invocations": ("aws.lambda.enhanced.invocations",),
    "lambda_metrics": ("stepscope.lambda.",),
    "states_metrics": ("aws.states.enhanced.",),
    "execution_metrics": ("stepscope.execution.", "stepscope.durable_execution."),
}
"""Switch of a family of metrics -> the prefixes of its metrics."""


def switched_off(settings: ForwarderSettings) -> tuple[str, ...]:
    """Return the prefixes of the metrics that are not sent."""
    return tuple(
        prefix
        for switch, prefixes in _FAMILIES.items()
        if not getattr(settings, switch)
        for prefix in prefixes
    )


def settings_table() -> list[tuple[str, str, str]]:
    """Return name, default and meaning of every setting, in the order of the class."""
    return [(f.metadata["name"], _shown(f.default), f.metadata["meaning"]) for f in fields(ForwarderSettings)]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value) if value not in ((), None) else ""


Settings = ForwarderSettings
"""The name before 0.2.0, for code that creates a forwarder."""
