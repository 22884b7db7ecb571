"""Where log events come from, and what is said about all that comes from there."""

from dataclasses import field

from monitoring.log_events.telemetry import LogFields
from monitoring.values import dataclass

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
class Source:
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
        """The point's own tags, then those of the source whose key it does not carry."""
        keys = {tag.partition(":")[0] for tag in own}
        return own + tuple(tag for tag in self.tags if tag.partition(":")[0] not in keys)


def source_kind(log_group: str, log_stream: str = "") -> str:
    """Datadog's name of the source of a log group's entries; `cloudwatch` for one of nobody's."""
    if log_stream.startswith("states/"):
        return "stepfunction"
    return next((kind for prefix, kind in _BY_LOG_GROUP if log_group.startswith(prefix)), "cloudwatch")


def function_of(log_group: str) -> str:
    """The Lambda function that writes to the log group, or an empty string."""
    return log_group.removeprefix("/aws/lambda/") if log_group.startswith("/aws/lambda/") else ""


def version_of(log_stream: str) -> str:
    """The function's version from `2026/11/23/[$LATEST]0f…`, `2026/11/23/name[3]0f…`; empty where there is
    none."""
    _, opened, rest = log_stream.partition("[")
    version, closed, _ = rest.partition("]")
    return version if opened and closed else ""
