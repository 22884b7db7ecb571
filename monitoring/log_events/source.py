"""Where log events come from, and what is said about all that comes from there."""

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
    """One log stream, or one file: its tags are added to every point, its fields to every log entry.

    Args:
        where: the place as people write it, for what is set aside there.
        tags: added to every point that does not carry the key itself.
        step_tags: tuple[str, ...] = ()
    log_fields: the attributes that every log entry of the source shares.
        span_meta: added to the first span of every trace that does not carry the key itself.
    """

    where: str
    function: str = ""
    tags: tuple[str, ...] = ()
    step_tags: tuple[str, ...] = ()
    log_fields: LogFields = field(default_factory=lambda: LogFields({}))
    span_meta: dict[str, str] = field(default_factory=dict)

    def add_tags(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """Return the point's own tags, then those of the source whose key it does not have."""
        keys = {tag.partition(":")[0] for tag in own}
        return own + tuple(tag for tag in self.tags if tag.partition(":")[0] not in keys)


_LAMBDA_GROUP = "/aws/lambda/"
_FUNCTION = re.compile(r"(?:([a-z]{2}(?:-[a-z]+)+-\d)\.)?([\w.-]+)")
_STREAM = re.compile(r"\d{4}[/-]\d\d[/-]\d\d[/-]([\w.-]*)\[([^\]]+)\]")


class SourceFunction(NamedTuple):
    """The Lambda function that writes to a log stream; empty where it is not known.

    `region` is that of a Lambda@Edge function, whose log groups lie in the regions that it ran in.
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
    """Return Datadog's name of the source of a log stream's entries; `cloudwatch` for any other."""
    if log_stream.startswith("states/"):
        return "stepfunction"
    if function_of(log_group, log_stream).name:
        return "lambda"
    return next((kind for prefix, kind in _BY_LOG_GROUP if log_group.startswith(prefix)), "cloudwatch")
