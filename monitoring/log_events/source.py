"""Describe the source of log events: the tags and fields of all its telemetry."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from monitoring.log_events.telemetry import LogFields

_BY_LOG_GROUP = (
    ("/aws/lambda/", "lambda"),
    ("/aws/vendedlogs/states/", "stepfunction"),
    ("/aws/states/", "stepfunction"),
    ("/aws/codebuild/", "codebuild"),
    ("/aws/rds/", "rds"),
    ("/aws/eks/", "eks"),
    ("/aws/ecs/", "ecs"),
    ("/ecs/", "ecs"),
    ("/aws/apigateway/", "apigateway"),
    ("API-Gateway-Execution-Logs", "apigateway"),
    ("/aws/events/", "eventbridge"),
    ("/aws/kinesisfirehose/", "kinesisfirehose"),
    ("/aws/sagemaker/", "sagemaker"),
)


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log stream or a file: its tags are added to every point, its fields to every log entry.

    Args:
        where: the name of the source in messages about refused lines.
        tags: added to every point that has no tag with the same key.
        step_tags: tuple[str, ...] = ()
    log_fields: the attributes that every log entry of the source shares.
        span_meta: added to the first span of every trace that has no such key.
    """

    where: str
    function: str = ""
    tags: tuple[str, ...] = ()
    step_tags: tuple[str, ...] = ()
    log_fields: LogFields = field(default_factory=lambda: LogFields({}))
    span_meta: dict[str, str] = field(default_factory=dict)

    def add_tags(self, point_tags: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tags of a point and the tags of the source with other keys."""
        keys = {tag.partition(":")[0] for tag in point_tags}
        return point_tags + tuple(tag for tag in self.tags if tag.partition(":")[0] not in keys)


_LAMBDA_GROUP = "/aws/lambda/"
_FUNCTION = re.compile(r"(?:([a-z]{2}(?:-[a-z]+)+-\d)\.)?([\w.-]+)")
_STREAM = re.compile(r"\d{4}[/-]\d\d[/-]\d\d[/-]([\w.-]*)\[([^\]]+)\]")


class SourceFunction(NamedTuple):
    """The Lambda function of a log stream; its name is "" if it is unknown.

    `region` is that of a Lambda@Edge function, whose log groups are in the regions in which it has run.
    """

    name: str = ""
    version: str = ""
    region: str = ""


def function_of(log_group: str, log_stream: str = "") -> SourceFunction:
    """Return the function of a log stream.

    `2026/11/23/NAME[VERSION]…` in a configured log group, `2026/11/23/[VERSION]…` in `/aws/lambda/NAME`;
    with hyphens in a log export; `/aws/lambda/us-east-1.NAME` is Lambda@Edge's.
    """
    stream = _STREAM.match(log_stream)
    name, version = stream.groups() if stream else ("", "")
    if not name and log_group.startswith(_LAMBDA_GROUP):
        name = log_group.removeprefix(_LAMBDA_GROUP)
    known = _FUNCTION.fullmatch(name)
    return SourceFunction(known[2], version, known[1] or "") if known else SourceFunction()


def source_kind(log_group: str, log_stream: str = "") -> str:
    """Return Datadog's name of the source of a log stream's entries; `cloudwatch` for an unknown one."""
    if log_stream.startswith("states/"):
        return "stepfunction"
    if function_of(log_group, log_stream).name:
        return "lambda"
    return next((kind for prefix, kind in _BY_LOG_GROUP if log_group.startswith(prefix)), "cloudwatch")
