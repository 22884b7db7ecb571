"""Normalize the names and tags of points of other libraries by the rules of MONITORING lines."""

from functools import lru_cache

from monitoring.lines import Point, metric_name, tag_text


def normal_point(point: Point) -> Point | str:
    """Return the point with a normalized name and tags, or the reason why it is invalid."""
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
