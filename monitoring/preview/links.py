"""Convert addresses of Datadog in texts to addresses of these pages, and evaluate custom links.

https://docs.datadoghq.com/dashboards/guide/context-links/
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from monitoring.errors import InputError
from monitoring.preview.drawing import Definition, Drawing, own_time, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.query import QueryError
from monitoring.resources.resource import ID_REFERENCE

Address = Callable[[str, str], str]
"""(kind, key) -> the address of the resource's page."""
_HOST = r"(?:\$\{var:[^}]*\}|https?://(?:[\w-]+\.)*(?:datadoghq|ddog-gov)\.\w+)?"
_PATH = re.compile(rf"{_HOST}/(?:dashboard|monitors|slo)/{ID_REFERENCE.pattern}(?:/[\w-]+)?")
_FIELD = re.compile(r"\{\{\s*(\$?)([\w.@/-]+?)(\.value|\.name)?\s*\}\}")
MOST_GROUPS = 20
_Tags = Mapping[str, str]


def shown_links(text: str, address: Address) -> str:
    """Return a text with references to resources replaced by addresses of their pages, or by their keys."""
    text = _PATH.sub(lambda match: address(match["kind"], match["key"]), text)
    return ID_REFERENCE.sub(lambda match: match["key"], text)


def custom_links(definition: Definition, drawing: Drawing) -> list[tuple[str, str]]:
    """Return (label, address) of a widget's links; a link with group variables once for each shown group."""
    written = [
        link
        for link in definition.get("custom_links") or ()
        if isinstance(link, Mapping) and isinstance(link.get("link"), str) and not link.get("is_hidden")
    ]
    if not written:
        return []
    groups = list(dict.fromkeys(_groups(definition, drawing)))[:MOST_GROUPS]
    links = [filled for link in written for filled in _filled(link, drawing, groups)]
    return list(dict.fromkeys(links))


def _filled(
    link: Mapping[str, Any], drawing: Drawing, groups: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield the link; if it has a group's tag, one for each group with this tag."""
    address = shown_links(str(link["link"]), drawing.address)
    label = str(link.get("label") or address)
    values = _variables(drawing)
    keys = {key for sign, key, _ in _FIELD.findall(address) if not sign and key not in values}
    if not keys:
        yield label, _put_in(address, values)
    for group in groups if keys else ():
        tags = dict(tag.partition(":")[::2] for tag in group)
        if keys <= tags.keys():
            names = ", ".join(tags[key].rpartition(":")[2] for key in sorted(keys))
            yield f"{label}: {names}", _put_in(address, {**values, **tags})


def _put_in(address: str, values: _Tags) -> str:
    def value(match: re.Match[str]) -> str:
        key = match[1] + match[2]
        if key not in values:
            return ""
        text = values[key]
        return quote(text if match[3] or not match[1] else f"{match[2]}:{text}", safe=":*,")

    return _FIELD.sub(value, address)


def _variables(drawing: Drawing) -> dict[str, str]:
    data = drawing.data
    chosen = {f"${name}": ",".join(variable.chosen) for name, variable in data.variables.items()}
    return {
        **chosen,
        "timestamp_start": str(data.start * 1000),
        "timestamp_end": str(data.end * 1000),
    }


def _groups(definition: Definition, drawing: Drawing) -> Iterable[tuple[str, ...]]:
    """Yield the tags of each group of a widget's requests."""
    data = own_time(definition, drawing).data
    for request in requests_of(definition):
        try:
            for ask in data.asks(request):
                yield from (answer.tag_set for answer in data.answers(ask))
        except (QueryError, UndrawableError, InputError):
            continue  # the widget itself shows the error
