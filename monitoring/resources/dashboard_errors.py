"""Datadog's messages about a dashboard that it refuses, and the fields that it adds to one that it stores."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Body = dict[str, Any]

LAYOUTS = ("ordered", "free")
READ_ONLY = (
    "The is_read_only attribute is no longer supported. "
    "https://docs.datadoghq.com/dashboards/guide/is-read-only-deprecation/"
)
_SLUG_LENGTH = 80


def errors(body: object) -> list[str]:
    """Return the texts of Datadog's `errors` but for `READ_ONLY`; empty for a valid dashboard."""
    if not isinstance(body, Mapping):
        return ["The request body must be a JSON object"]
    first = next(_errors(body), None)
    return [] if first is None else [first]


def _errors(body: Mapping[str, Any]) -> Iterator[str]:
    if body.get("layout_type") not in LAYOUTS:
        yield "Value of parameter 'layout_type' should be any of these ['ordered', 'free']"
    if not isinstance(body.get("widgets"), list):
        yield "'widgets' should be array"
        return
    if not isinstance(body.get("title"), str):
        yield "Required parameter 'title' is missing"
    if not all(isinstance(widget, Mapping) and widget.get("definition") for widget in body["widgets"]):
        yield "'widgets' is invalid"
    yield from _variable_errors(body.get("template_variables"))
    yield from _preset_errors(body.get("template_variable_presets"))
    tags = body.get("tags") or []
    if not isinstance(tags, list) or not all(str(tag).startswith("team:") for tag in tags):
        yield "Invalid tag format. Valid tag keys are: team."


def _variable_errors(variables: object) -> Iterator[str]:
    if variables is None:
        return
    if not isinstance(variables, list):
        yield "'template_variables' is invalid"
        return
    names = [variable.get("name") for variable in variables if isinstance(variable, Mapping)]
    for variable in variables:
        if not isinstance(variable, Mapping) or not isinstance(variable.get("name"), str):
            yield f"'template_variables' value '{variable}' is invalid"
        elif variable.get("default") is not None and variable.get("defaults") is not None:
            yield "'template_variables' is invalid"
        elif any(default == "" for default in variable.get("defaults") or ()):
            yield "Minimum length of parameter 'defaults' should be 1"
    if len(set(names)) < len(names):
        yield "'template_variables' is invalid"


def _preset_errors(presets: object) -> Iterator[str]:
    for preset in presets if isinstance(presets, list) else ():
        for variable in (preset.get("template_variables") or ()) if isinstance(preset, Mapping) else ():
            if variable.get("values") == []:
                yield "Minimum number of elements in parameter 'values' should be 1"


def stored(body: Mapping[str, Any], ident: str, moment: str, widget_ids: Iterator[int]) -> Body:
    """Return the dashboard as Datadog answers with it: ids added, empty fields as null."""
    kept = {key: value for key, value in body.items() if key != "is_read_only"}
    return {
        **kept,
        "id": ident,
        "title": body["title"],
        "description": body.get("description"),
        "author_handle": "stepscope@localhost",
        "author_name": "stepscope",
        "layout_type": body["layout_type"],
        "url": f"/dashboard/{ident}/{slug(body['title'])}",
        "template_variables": body.get("template_variables"),
        "widgets": [_numbered(widget, widget_ids) for widget in body["widgets"]],
        "notify_list": body.get("notify_list"),
        "created_at": body.get("created_at") or moment,
        "modified_at": moment,
        "restricted_roles": body.get("restricted_roles") or [],
    }


def _numbered(widget: Mapping[str, Any], ids: Iterator[int]) -> Body:
    definition = dict(widget["definition"])
    if isinstance(definition.get("widgets"), list):
        definition["widgets"] = [_numbered(inner, ids) for inner in definition["widgets"]]
    return {**widget, "definition": definition, "id": widget.get("id") or next(ids)}


def slug(title: str) -> str:
    """Return the title as in a dashboard's URL."""
    words = re.sub(r"[^a-z0-9\s-]", "", title.lower())
    return re.sub(r"\s+", "-", words.strip())[:_SLUG_LENGTH].rstrip("-")
