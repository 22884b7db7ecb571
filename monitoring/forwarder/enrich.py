"""Describe the source of a log stream: function, region, account, service and the tags of the settings."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events.source import LogSource, SourceFunction, function_of, source_kind
from monitoring.log_events.telemetry import LogFields

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


def common_tags(settings: ForwarderSettings) -> tuple[str, ...]:
    """Return the tags of the settings: unified service tags, then DD_TAGS."""
    unified = (("env", settings.env), ("version", settings.version))
    return (*(f"{key}:{value}" for key, value in unified if value), *settings.tags)


@lru_cache(maxsize=512)
def describe(
    settings: ForwarderSettings,
    region: str,
    account: str,
    log_group: str,
    log_stream: str,
    extra: tuple[str, ...] = (),
    owner: str = "",
) -> LogSource:
    """Return the source of a log stream.

    Args:
        region: where the events were written: the forwarder's region, unless the logs are centralized.
        account: the account in which they were written.
        extra: tags of the resource.
        owner: the account of the payload, if it is another one.
    """
    function = function_of(log_group, log_stream)
    service = settings.service or function.name or log_group.rpartition("/")[2]
    location = _present(region=region, account_id=account, aws_account=account)
    if function.name:
        name = function.name.lower()
        location = (*_present(function_name=name, functionname=name), *location)
        location += _present(executedversion=function.version.lower())
    tags = (*location, *_present(service=service), *extra, *common_tags(settings))
    arn = function_arn(region, account, function)
    fields: dict[str, Any] = {
        "ddsource": source_kind(log_group, log_stream),
        "service": service,
        "hostname": arn.lower() or log_group,
        "ddtags": ",".join((*tags, *_present(loggroup=log_group))),
        "aws": {"awslogs": {"logGroup": log_group, "logStream": log_stream, "owner": owner or account}},
    }
    if arn:
        fields["lambda"] = {"arn": arn}
    meta = dict(tag.partition(":")[::2] for tag in location)
    return LogSource(
        f"{log_group}/{log_stream}",
        function.name,
        tuple(dict.fromkeys(tags)),
        (*extra, *common_tags(settings)),
        LogFields(fields),
        meta,
    )


def function_arn(region: str, account: str, function: SourceFunction) -> str:
    """Return the function's ARN, "" if a part of it is unknown."""
    region = function.region or region
    is_complete = region and account and function.name
    return (
        f"arn:{_partition(region)}:lambda:{region}:{account}:function:{function.name}" if is_complete else ""
    )


def centralised_from(fields: dict[str, Any]) -> tuple[str, str]:
    """Return the account and the region in which a centralized event was written, each "" if unknown."""
    account, region = str(fields.get("@aws.account") or ""), str(fields.get("@aws.region") or "")
    is_region = _REGION.fullmatch(region)
    return account if account.isdecimal() else "", region if is_region else ""


def group_arn(region: str, owner: str, group: str) -> str:
    """Return the log group's ARN, "" if a part of it is unknown."""
    return (
        f"arn:{_partition(region)}:logs:{region}:{owner}:log-group:{group}"
        if region and owner and group
        else ""
    )


def with_object(
    source: LogSource, where: str, kind: str, fields: tuple[tuple[str, str], ...], group: str
) -> LogSource:
    """Return the source of lines of an object or a file, instead of a subscription."""
    values = dict(source.log_fields.values)
    if not group:  # only the object is known
        del values["aws"]
        values["ddsource"] = kind or ("s3" if fields else "file")
        values["service"] = values["service"] or values["ddsource"]
    if fields:
        values["aws"] = {**values.get("aws", {}), "s3": dict(fields)}
    return replace(source, where=where, log_fields=LogFields(values))


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _present(**tags: str) -> tuple[str, ...]:
    return tuple(f"{key}:{value}" for key, value in tags.items() if value)
