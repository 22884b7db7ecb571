"""log-retention: logs that are kept, and paid for, for ever."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateProblem
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.lint.templates.logs import declared, groups

RULE = Rule("log-retention", "warning", "A log group that keeps its events for ever.", TEMPLATE)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each log group without RetentionInDays, and each function whose group is left to Lambda."""
    for group in groups(application):
        if "RetentionInDays" not in group.properties:
            message = f"{group.logical_id} keeps its events for ever. Set RetentionInDays, such as 14"
            yield TemplateProblem(group.spot, message)
    for function in application.functions:
        if declared(application, function) is None and "LoggingConfig" not in function.properties:
            message = (
                f"{function.logical_id} has no log group here: the one that Lambda makes keeps its events "
                "for ever. Add an AWS::Logs::LogGroup with RetentionInDays"
            )
            yield TemplateProblem(function.spot, message)
