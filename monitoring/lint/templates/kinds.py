"""Tell what is a template: by a file's content, or by what a folder holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = ("template",)
"""The `kinds` of a rule that looks at applications."""

NAMES = (
    "template.yaml",
    "template.yml",
    "template.json",
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    "cdk.out",
)
"""Templates of a project's folder: discovery's list (`stacks.TEMPLATES`) without the programs.

A copy, because lint of monitors imports no discovery; a test compares the two."""


def is_application(body: Any) -> bool:
    """Return whether the value of a JSON file is a template or a state machine's definition."""
    if not isinstance(body, Mapping):
        return False
    if isinstance(body.get("States"), Mapping) and "StartAt" in body:
        return True
    resources = body.get("Resources")
    if isinstance(resources, Mapping):
        return any(isinstance(item, Mapping) and "Type" in item for item in resources.values())
    if "service" in body:
        return "provider" in body or "functions" in body
    return "format_version" in body and ("planned_values" in body or "values" in body)


def is_readable(path: Path, text: str) -> bool:
    """Return whether a text is what its file's ending says, JSON or YAML."""
    import yaml

    try:
        if path.suffix == ".json":
            json.loads(text)
        else:
            yaml.compose(text, yaml.SafeLoader)
    except (ValueError, yaml.YAMLError, RecursionError):
        return False
    return True


def application_in(folder: Path) -> Path | None:
    """Return the template that a folder holds, the folder itself if it is Terraform's or CDK's, or None."""
    if any(folder.glob("*.tf")) or any(folder.glob("*.template.json")):
        return folder
    return next((folder / name for name in NAMES if (folder / name).exists()), None)
