"""Which kind of source a path is, and its reader."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.cloudformation import read_template
from monitoring.discovery.found import (
    Activity,
    Found,
    LambdaFunction,
    activities_used,
    functions_called,
    state_machine,
    together,
)
from monitoring.discovery.serverless import read_serverless
from monitoring.discovery.templates import load
from monitoring.errors import InputError

_SINGLETON = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_OF_CDK = re.compile(r"AWS CDK resource provider framework|AWS Lambda handler for .* custom resource")


def discover(path: Path) -> Found:
    """Read a SAM or CloudFormation template, `serverless.yml`, `cdk.out` folder or ASL file.

    Raises:
        InputError: it is none of these, or describes nothing to watch.
    """
    found = _cdk(path) if path.is_dir() else _file(load(path), path)
    if not found.functions and not found.state_machines:
        where = str(path)
        if found.unnamed:
            names = ", ".join(found.unnamed)
            raise InputError(f"these are named only when they are deployed: {names}", where=where)
        raise InputError("describes no function and no state machine", where=where)
    return found


def _file(content: dict[str, Any], path: Path) -> Found:
    if "States" in content and "StartAt" in content:
        return _definition(content, path)
    if "Resources" in content:
        return read_template(content, path)
    if "service" in content:
        return read_serverless(content, path)
    raise InputError(
        "is not a CloudFormation or SAM template, serverless.yml, or state machine definition",
        where=str(path),
        hint="Give template.yaml, serverless.yml, a cdk.out folder, or a file in Amazon States Language.",
    )


def _definition(content: dict[str, Any], path: Path) -> Found:
    """Read a state machine and what it refers to; a definition does not contain functions' time-outs."""
    functions = tuple(
        LambdaFunction(name, timeout=0, memory=0) for name in dict.fromkeys(functions_called(content))
    )
    activities = tuple(Activity(name) for name in dict.fromkeys(activities_used(content)))
    machine = state_machine(path.name.partition(".")[0], content)
    return Found(str(path), functions, (machine,), activities)


def _cdk(folder: Path) -> Found:
    """Return every template of a synthesised CDK app, its stages' and nested stacks' too."""
    templates = sorted(folder.rglob("*.template.json"))
    if not templates:
        raise InputError("holds no *.template.json", where=str(folder), hint="Run `cdk synth` first.")
    parts = [read_template(load(path), path, stack=_stack(path), skip=is_cdks_own) for path in templates]
    return together(str(folder), parts)


def _stack(path: Path) -> str:
    """Return the stack name in the manifest beside a template."""
    manifest = path.parent / "manifest.json"
    artifacts = load(manifest).get("artifacts") if manifest.is_file() else None
    for name, artifact in artifacts.items() if isinstance(artifacts, Mapping) else ():
        properties = artifact.get("properties") if isinstance(artifact, Mapping) else None
        if isinstance(properties, Mapping) and properties.get("templateFile") == path.name:
            return str(properties.get("stackName") or name)
    return "*"


def is_cdks_own(logical: str, resource: Mapping[str, Any]) -> bool:
    """Return whether a resource is CDK's and not the team's: a singleton, or a custom resource's helper."""
    given = resource.get("Properties")
    properties = given if isinstance(given, Mapping) else {}
    return (
        _SINGLETON.search(logical) is not None
        or "CustomResourceProvider" in logical
        or str(properties.get("Handler", "")).startswith("framework.")
        or _OF_CDK.match(str(properties.get("Description", ""))) is not None
    )
