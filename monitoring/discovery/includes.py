"""Put the files that a template includes where it names them: the macro AWS::Include, of files on this disk.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/create-reusable-transform-function-snippets-and-add-to-your-template-with-aws-include-transform.html
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.templates import load_value
from monitoring.errors import InputError

_NAME, _MACRO = "AWS::Include", "Fn::Transform"
_DEEPEST = 5


def with_includes(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a template with what it includes, in its sections and anywhere in them.

    Args:
        content: the template.
        folder: where its locations are relative to; those in S3 stay as they are written.

    Raises:
        InputError: an included file is not there, or files include one another.
    """
    template = dict(content)
    for location in _locations(template.get("Transform")):
        snippet = load_value(folder / location)
        for section, entries in (snippet if isinstance(snippet, Mapping) else {}).items():
            own = template.get(section)
            if isinstance(entries, Mapping) and isinstance(own, Mapping):
                template[section] = {**entries, **own}
            else:
                template.setdefault(section, entries)
    result = _included(template, folder, 0)
    return result if isinstance(result, dict) else template


def _locations(transforms: Any) -> Iterator[str]:
    """Yield the locations on this disk of the includes among one or several transforms."""
    for transform in transforms if isinstance(transforms, list) else [transforms]:
        if isinstance(transform, Mapping) and transform.get("Name") == _NAME:
            parameters = transform.get("Parameters")
            location = parameters.get("Location") if isinstance(parameters, Mapping) else None
            if isinstance(location, str) and not location.startswith(("s3:", "http:", "https:")):
                yield location


def _included(value: Any, folder: Path, depth: int) -> Any:
    """Return a value in which each include is replaced by the file's content, beside the keys around it."""
    if isinstance(value, list):
        return [_included(item, folder, depth) for item in value]
    if not isinstance(value, Mapping):
        return value
    around = {key: _included(item, folder, depth) for key, item in value.items() if key != _MACRO}
    locations = list(_locations(value.get(_MACRO)))
    if len(locations) != 1:
        return around | ({_MACRO: value[_MACRO]} if _MACRO in value else {})
    if depth == _DEEPEST:
        raise InputError("files include one another too deeply", where=str(folder / locations[0]))
    content = _included(_content(folder / locations[0]), folder, depth + 1)
    if content is None:
        return {**around, _MACRO: value[_MACRO]}
    return {**content, **around} if isinstance(content, Mapping) else content


def _content(path: Path) -> Any:
    """Return an included file; None where it is not YAML until its placeholders have values.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError("an included file is not there", where=str(path))
    try:
        return load_value(path)
    except InputError:
        return None
