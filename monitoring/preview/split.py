"""Expand split graphs: one widget, repeated for every value of a tag."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from monitoring.preview.drawing import Definition, Drawing, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.preview.variables import put_in
from monitoring.query import Metric, QueryError, Several, parse, walk
from monitoring.query import format as format_query
from monitoring.query.narrowing import narrowed

if TYPE_CHECKING:
    from monitoring.query.nodes import Expression

SIZES = {"xs": 160, "sm": 210, "md": 270, "lg": 400}
"""The minimum width of one graph, in pixels."""


def parts(definition: Definition, drawing: Drawing) -> list[tuple[str, Definition]]:
    """Return (name, widget) for each combination of values of the tags by which the graph is split.

    Raises:
        UndrawableError: the graph has no tag to split by, or no series has the tag.
    """
    config = definition.get("split_config")
    split = config if isinstance(config, Mapping) else {}
    source = definition.get("source_widget_definition")
    if not isinstance(source, Mapping):
        raise UndrawableError("The split graph has no widget to repeat.")
    keys = [str(dimension.get("one_graph_per")) for dimension in split.get("split_dimensions") or []]
    chosen = _static(split.get("static_splits")) or _found(source, keys, drawing)
    if not chosen:
        raise UndrawableError(f"Nothing has the tag {', '.join(keys) or 'that it is split by'} in this time.")
    limit = split.get("limit")
    chosen = chosen[: limit if isinstance(limit, int) else 24]
    return [(", ".join(tags), _narrowed(source, tags)) for tags in chosen]


def sampled(definition: Definition) -> Iterator[Definition]:
    """Yield the widget with the tags of each graph, or with any value of its keys, for sample data."""
    config, source = definition.get("split_config"), definition.get("source_widget_definition")
    if isinstance(config, Mapping) and isinstance(source, Mapping):
        keys = [dimension.get("one_graph_per") for dimension in config.get("split_dimensions") or []]
        for tags in _static(config.get("static_splits")) or [tuple(f"{key}:*" for key in keys)]:
            yield _narrowed(source, tags)


def _static(vectors: Any) -> list[tuple[str, ...]]:
    parts = []
    for vector in vectors if isinstance(vectors, list) else []:
        tags = [
            f"{tag.get('tag_key')}:{value}" for tag in vector for value in (tag.get("tag_values") or [])[:1]
        ]
        parts += [tuple(tags)] if tags else []
    return parts


def _found(source: Definition, keys: list[str], drawing: Drawing) -> list[tuple[str, ...]]:
    """Return the tag values that the series of the widget's first metric have."""
    texts = [
        put_in(str(text), drawing.data.variables)
        for request in requests_of(source)
        for text in (request.get("q"), *(query.get("query") for query in request.get("queries") or []))
        if isinstance(text, str)
    ]
    for text in texts:
        try:
            metric = next((query for query in walk(parse(text)) if isinstance(query, Metric)), None)
        except QueryError:
            continue
        if metric is not None:
            origins = drawing.data.source.select(metric.name, metric.scope)
            return sorted({tags for query in origins if (tags := _tags(query.tags, keys))})
    return []


def _tags(tags: Any, keys: list[str]) -> tuple[str, ...]:
    tags_of_keys = [next((tag for tag in sorted(tags) if tag.startswith(f"{key}:")), "") for key in keys]
    return tuple(tags_of_keys) if all(tags_of_keys) else ()


def _narrowed(source: Definition, scope: tuple[str, ...]) -> Definition:
    requests = [
        {
            **request,
            **({"q": _query(request["q"], scope)} if isinstance(request.get("q"), str) else {}),
            "queries": [
                {**query, "query": _query(query["query"], scope)}
                if isinstance(query.get("query"), str)
                else query
                for query in request.get("queries") or []
            ],
        }
        for request in requests_of(source)
    ]
    return {**source, "requests": requests}


def _query(text: str, scope: tuple[str, ...]) -> str:
    try:
        node = parse(text)
    except QueryError:
        return text  # the widget itself says so
    queries: list[Expression] = list(node.queries) if isinstance(node, Several) else [node]
    return ", ".join(format_query(narrowed(part, *scope)) for part in queries)
