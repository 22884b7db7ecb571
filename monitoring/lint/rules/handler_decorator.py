"""handler-decorator: a Python handler without `@monitored`."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, Spot, TemplateProblem
from monitoring.lint.templates.code import dotted, handler_function, offset, parsed
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.lint.templates.text import PlacedText

RULE = Rule("handler-decorator", "warning", "A Python handler that @monitored does not decorate.", TEMPLATE)

_WORDS = ("monitored", "datadog_lambda_wrapper")


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each handler on this disk that is a plain function without the decorator, once a function."""
    reported = set()
    for logical_id, code in application.codes.items():
        place = (code.file, code.handler)
        tree = parsed(code)
        function = handler_function(tree, code.handler) if tree else None
        if function is None or place in reported:
            continue
        reported.add(place)
        if any(dotted(item).rpartition(".")[2] in _WORDS for item in function.decorator_list):
            continue
        at = offset(code, function.lineno, function.col_offset)
        message = (
            f"{code.handler}, the handler of {logical_id}, has no metrics and no spans. Decorate it: "
            "from monitoring import monitored, and @monitored above it"
        )
        yield TemplateProblem(Spot(PlacedText(code.text, at), (), is_exact=False), message)
