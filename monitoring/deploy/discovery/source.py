"""Which kind of source a path is, and its reader."""

from pathlib import Path
from typing import Any

from monitoring.deploy.discovery.cloudformation import read_template
from monitoring.deploy.discovery.found import Found, Function, functions_called, state_machine
from monitoring.deploy.discovery.serverless import read_serverless
from monitoring.deploy.discovery.templates import load
from monitoring.errors import InputError


def discover(path: Path) -> Found:
    """What a SAM or CloudFormation template, `serverless.yml`, `cdk.out` folder or ASL file describes.

    Raises:
        InputError: it is none of these, or describes nothing to watch.
    """
    found = _cdk(path) if path.is_dir() else _file(load(path), path)
    if not found.functions and not found.state_machines:
        raise InputError("describes no function and no state machine", where=str(path))
    return found


def _file(content: dict[str, Any], path: Path) -> Found:
    if "States" in content and "StartAt" in content:
        name = path.name.partition(".")[0]
        called = dict.fromkeys(functions_called(content))
        return Found(str(path), tuple(Function(one) for one in called), (state_machine(name, content),))
    if "Resources" in content:
        return read_template(content, path)
    if "service" in content:
        return read_serverless(content, path)
    raise InputError(
        "is no CloudFormation or SAM template, serverless.yml, or state machine definition",
        where=str(path),
        hint="Give template.yaml, serverless.yml, a cdk.out folder, or a file in Amazon States Language.",
    )


def _cdk(folder: Path) -> Found:
    """Every template of a synthesised CDK app."""
    templates = sorted(folder.rglob("*.template.json"))
    if not templates:
        raise InputError("holds no *.template.json", where=str(folder), hint="Run `cdk synth` first.")
    parts = [read_template(load(path), path) for path in templates]
    functions = tuple(one for part in parts for one in part.functions if not _of_cdk_itself(one))
    return Found(str(folder), functions, tuple(one for part in parts for one in part.state_machines))


def _of_cdk_itself(function: Function) -> bool:
    """Custom resources' helpers are CDK's, not the team's."""
    return any(word in function.name for word in ("CustomResource", "LogRetention", "Provider"))
