"""unknown-tag: a tag key that a metric of AWS or of the project does not carry."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.recorded import CARRIED
from monitoring.lint.scopes import grouped, keys, prefixes
from monitoring.resources import function_metrics
from monitoring.resources.catalogue import COMMON_TAGS, DIMENSIONS, metrics
from monitoring.resources.nearest import nearest
from monitoring.resources.own_metrics import OwnMetrics

RULE = Rule("unknown-tag", "warning", "A tag key that a metric of AWS or of the project does not carry.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find keys that are misspelt or dimensions of other metrics; other keys may be tags of the resource."""
    catalogue = metrics()
    variables = prefixes(subject.body)
    if subject.own_metrics is not None:
        yield from _own(subject, subject.own_metrics, variables)
    for pointer, text, metric in subject.aws_metrics:
        facts = catalogue.get(metric.name)
        if facts is None or not facts.tags:
            continue
        for key, start, end in keys(metric, variables):
            if message := _wrong(key, metric.name):
                yield Problem(pointer, message, start, end)
        for key, start, end in grouped(metric, text) if metric.by else ():
            if message := _wrong(key, metric.name):
                yield Problem(pointer, message, start, end)


def _own(subject: Subject, catalogue: OwnMetrics, variables: Mapping[str, str]) -> Iterator[Problem]:
    """Yield each key that no point of a metric of the project carries."""
    for pointer, text, metric in subject.metrics:
        own = catalogue.metrics.get(metric.name)
        if own is None:
            continue
        made = function_metrics.BY_NAME.get(metric.name)
        carried = (*own.tags, *catalogue.common_tags, *(made.tags if made else ()))
        places = [*keys(metric, variables), *(grouped(metric, text) if metric.by else ())]
        for key, start, end in places:
            if key.lower() in CARRIED or key in carried or "$" in key:
                continue
            near = nearest(key, (*carried, *CARRIED), cutoff=0.8)
            has = ", ".join(sorted(carried)) or "no tags of its own"
            hint = f"Did you mean {near}?" if near else f"They carry {has}"
            yield Problem(pointer, f"no point of {metric.name} carries the tag {key}. {hint}", start, end)


@lru_cache(maxsize=4096)
def _wrong(key: str, metric: str) -> str:
    """Return what is wrong with a key of a metric, or ""."""
    key, facts = key.lower(), metrics()[metric]
    if key in facts.tags or key in COMMON_TAGS:
        return ""
    if key in DIMENSIONS:
        carried = ", ".join(facts.tags)
        return f"{facts.name} carries {carried} and no {key}: nothing will match. Use {facts.tags[0]}"
    near = nearest(key, (*facts.tags, *DIMENSIONS, *COMMON_TAGS), cutoff=0.87)
    return f"{facts.name} has no tag {key}. Did you mean {near}?" if near else ""
