"""json-syntax: a file that is no JSON."""

from monitoring.resources.document import JsonError
from monitoring.resources.lint.model import Rule

RULE = Rule("json-syntax", "error", "The file is not JSON, or not UTF-8.")


def message(error: JsonError) -> str:
    """What the report says of a text that cannot be parsed."""
    return f"{error.message}. {error.hint}".strip()
