"""tag-case: a tag in upper case in a query; Datadog lower-cases tags when it takes them in."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.scopes import grouped, terms
from monitoring.query import Metric
from monitoring.resources.catalogue import is_known_family
from monitoring.resources.document import Pointer

RULE = Rule("tag-case", "warning", "A tag in upper case; Datadog stores tags in lower case.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find tags with upper-case letters; an error for metrics of AWS, whose ARNs are in lower case."""
    for pointer, text, metric in subject.metrics:
        if text.islower():
            continue
        for start, end in _places(metric, text):
            written = text[start:end]
            lowered = _lowered(written)
            if written != lowered:
                yield _problem(pointer, metric, start, end, lowered)


def _places(metric: Metric, text: str) -> Iterator[tuple[int, int]]:
    for term, _ in terms(metric.scope):
        yield term.start, term.end
    for _, start, end in grouped(metric, text):
        yield start, end


def _lowered(written: str) -> str:
    """Return the tag in lower case; NOT, IN and template variables stay as they are."""
    if "$" in written:
        return written
    key, bracket, values = written.partition("(")
    if not bracket:
        return written.lower()
    name, _, words = key.partition(" ")
    return f"{name.lower()} {words}({values.lower()}"


def _problem(pointer: Pointer, metric: Metric, start: int, end: int, lowered: str) -> Problem:
    known = is_known_family(metric.name)
    what = "matches nothing" if known else "may match nothing"
    text = f"tags are stored in lower case: this {what}. Write {lowered}"
    return Problem(pointer, text, start, end, fix=lowered)
