"""duplicate-key: an object that names a key twice; the first value is lost without a word."""

from collections.abc import Iterator

from monitoring.resources.document import Document, Span
from monitoring.resources.lint.model import Rule

RULE = Rule("duplicate-key", "error", "An object names a key twice; only the last value counts.")


def spans(document: Document) -> Iterator[tuple[Span, str]]:
    """Where a key stands again, and what to say there."""
    for span, key in document.duplicate_keys():
        yield span, f"the key {key} stands twice in this object, and only the last counts. Remove one"
