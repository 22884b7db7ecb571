"""Fields that are numbers: written as one, as the path of one, or as an expression."""

from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import FatalError
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.jsonpath import is_number


def whole_number(run: StateRun, name: str, value: Any) -> int | None:
    """Return the value of a field that is a number, a `…Path` or an expression: TimeoutSeconds and others."""
    if name in run.fields:
        number = run.fields[name]
        if expression_of(number) is not None:
            number = run.query.typed(number, name, "number", (int, float))
        return int(number)
    path = run.fields.get(f"{name}Path")
    if path is None:
        return None
    value_at = run.query.path(path, value)
    if isinstance(value_at, str) and value_at.lstrip("-").isdigit():
        value_at = int(value_at)
    if not is_number(value_at) or value_at != int(value_at):
        shown = value_at if isinstance(value_at, str) else text.dumps(value_at)
        raise FatalError(
            f'The {name}Path field refers to value "{shown}" which is not a valid integer: {path}'
        )
    return int(value_at)


def tolerance(run: StateRun, value: Any) -> tuple[int | None, float | None]:
    """Return ToleratedFailureCount and ToleratedFailurePercentage, None where the state has none."""
    count = whole_number(run, "ToleratedFailureCount", value)
    if count is not None and count < 0:
        raise FatalError("ToleratedFailureCount cannot be negative.")
    percentage: Any = None
    name, path = "ToleratedFailurePercentage", run.fields.get("ToleratedFailurePercentagePath")
    if name in run.fields:
        percentage = run.fields[name]
        if expression_of(percentage) is not None:
            percentage = run.query.typed(percentage, name, "number", (int, float))
    elif path is not None:
        percentage = run.query.path(path, value)
        if isinstance(percentage, str) and percentage.lstrip("-").isdigit():
            percentage = int(percentage)
        if not is_number(percentage):
            shown = percentage if isinstance(percentage, str) else text.dumps(percentage)
            raise FatalError(
                f'The {name}Path field refers to value "{shown}" which is not a valid float: {path}'
            )
    if percentage is not None and not 0 <= percentage <= 100:
        raise FatalError(f"{name} must be between 0 and 100.")
    return count, percentage
