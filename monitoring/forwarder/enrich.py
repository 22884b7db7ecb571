"""What is said about all that comes from a log group: function, region, account, service and the tags of
settings."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from monitoring.forwarder.settings import Settings
from monitoring.log_events.source import Source, function_of, source_kind, version_of
from monitoring.log_events.telemetry import LogFields


def common_tags(settings: Settings) -> tuple[str, ...]:
    """The tags of the settings: unified service tags, then DD_TAGS."""
    unified = (("env", settings.env), ("version", settings.version))
    return (*(f"{key}:{value}" for key, value in unified if value), *settings.tags)


@lru_cache(maxsize=512)
def describe(
    settings: Settings, region: str, owner: str, log_group: str, log_stream: str, extra: tuple[str, ...] = ()
) -> Source:
    """The source of a log stream.

    Args:
        region: of the forwarder; log groups are in the same one.
        owner: the account id of the payload.
        extra: tags of the resource.
    """
    function = function_of(log_group)
    kind = source_kind(log_group, log_stream)
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(
        region.rpartition("-")[0].rpartition("-")[0], "aws"
    )
    service = settings.service or function or log_group.rpartition("/")[2]
    place = _present(region=region, account_id=owner, aws_account=owner)
    if function:
        place = (*_present(function_name=function.lower(), functionname=function.lower()), *place)
        place += _present(executedversion=version_of(log_stream).lower())
    tags = (*place, *_present(service=service), *extra, *common_tags(settings))
    arn = (
        f"arn:{partition}:lambda:{region}:{owner}:function:{function}"
        if function and region and owner
        else ""
    )
    fields: dict[str, Any] = {
        "ddsource": kind,
        "service": service,
        "hostname": arn.lower() or log_group,
        "ddtags": ",".join((*tags, *_present(loggroup=log_group))),
        "aws": {"awslogs": {"logGroup": log_group, "logStream": log_stream, "owner": owner}},
    }
    if arn:
        fields["lambda"] = {"arn": arn}
    meta = dict(tag.partition(":")[::2] for tag in place)
    return Source(
        f"{log_group}/{log_stream}",
        function,
        tuple(dict.fromkeys(tags)),
        (*extra, *common_tags(settings)),
        LogFields(fields),
        meta,
    )


def function_arn(region: str, owner: str, function: str) -> str:
    """The function's ARN, empty where a part of it is not known."""
    known = region and owner and function
    return f"arn:{_partition(region)}:lambda:{region}:{owner}:function:{function}" if known else ""


def group_arn(region: str, owner: str, group: str) -> str:
    """The log group's ARN, empty where a part of it is not known."""
    return (
        f"arn:{_partition(region)}:logs:{region}:{owner}:log-group:{group}"
        if region and owner and group
        else ""
    )


def with_object(
    source: Source, where: str, kind: str, fields: tuple[tuple[str, str], ...], group: str
) -> Source:
    """The source of lines that came in an object or a file rather than in a subscription."""
    values = dict(source.log_fields.values)
    if not group:  # nothing is known but the object
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
