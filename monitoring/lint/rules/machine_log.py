"""machine-log: a state machine whose log does not tell what its executions did."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.lint.model import Edit, Rule
from monitoring.lint.templates.application import Application, TemplateProblem, TemplateResource
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule(
    "machine-log", "warning", "A state machine that does not log everything, with execution data.", TEMPLATE
)

_SECTIONS = {
    "LoggingConfiguration": ("Level", "IncludeExecutionData"),
    "Logging": ("Level", "IncludeExecutionData"),
    "loggingConfig": ("level", "includeExecutionData"),
}
"""The property in CloudFormation, SAM and `serverless.yml`, and its keys for level and data."""


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each state machine without a log, below level ALL, or without execution data."""
    for resource in application.of_type("AWS::StepFunctions::StateMachine"):
        logging = resource.properties.get("LoggingConfiguration")
        if logging is not None and not isinstance(logging, Mapping):
            continue
        yield from _check(resource, logging or {})


def _check(resource: TemplateResource, logging: Mapping[str, Any]) -> Iterator[TemplateProblem]:
    name = resource.logical_id
    if not logging.get("Destinations"):
        message = (
            f"{name} does not log its executions. Give it a log group: LoggingConfiguration with Level ALL, "
            "IncludeExecutionData true and a destination, and a role that may deliver logs"
        )
        yield TemplateProblem(resource.spot, message)
        return
    level, data = logging.get("Level", "OFF"), logging.get("IncludeExecutionData", False)
    if isinstance(level, str) and level != "ALL":
        message = f"{name} logs at level {level}: states that succeed are not told. Set Level to ALL"
        yield TemplateProblem(resource.spot, message, _fix(resource, 0, "ALL"))
    if data is False or str(data).lower() == "false":
        message = f"{name} logs without execution data, so without errors: set IncludeExecutionData"
        yield TemplateProblem(resource.spot, message, _fix(resource, 1, True))


def _fix(resource: TemplateResource, index: int, value: Any) -> Edit | None:
    for section, keys in _SECTIONS.items():
        spot = resource.properties_spot.below(section)
        entries = spot.text.entries(spot.pointer) if spot.is_exact else None
        if entries is not None:
            names = [spot.text.text[key.start : key.end].strip("\"'") for key, _ in entries.pairs]
            return spot.setting(keys[index], value, dict.fromkeys(names))
    return None
