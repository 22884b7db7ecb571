"""Points of other emitters brought under the rules of names and tags that MONITORING lines follow."""

from functools import lru_cache

from monitoring.lines import Point, metric_name, tag_text


def normal_point(point: Point) -> Point | str:
    """Return the point with its name and tags by Datadog's rules, or what is wrong with it."""
    try:
        return point._replace(metric=_name(point.metric), tags=_tags(point.tags))
    except ValueError as error:
        return str(error)


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    return metric_name(name)


@lru_cache(maxsize=4096)
def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    normal = (tag_text(tag) for tag in tags)
    return tuple(dict.fromkeys(tag for tag in normal if tag))
