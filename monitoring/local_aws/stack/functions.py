"""Lambda functions, layers, versions and aliases of a stack: real code from this disk."""

import importlib.util
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.stack import StackResource
from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.runtime_clients import PYTHON, is_node, node
from monitoring.local_aws.stack.node_modules import missing_sdk, module_file, module_of
from monitoring.local_aws.stack.resource import Deployed, Site

STAND_IN_FOLDER = Path(__file__).parent / "stand_in"
_PARENTS = 4
"""How far above the template a module is looked for whose built folder is not there."""


def function(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Deploy a function: its code under AWS's runtime client, or what stands in for it."""
    name = site.physical_name(resource, properties.get("FunctionName"))
    handler, folder, problem = _code(site, resource, properties, name)
    runtime = _runtime(properties)
    variables = _variables(site, resource, properties, folder)
    answered = resource.logical_id in site.answers
    if problem or answered:
        handler, folder, runtime = "answer.handler", STAND_IN_FOLDER, PYTHON
        answer = site.answers.get(resource.logical_id)
        variables |= stand_in_settings(resource.logical_id, problem, answer, answered=answered)
    logging = _logging(site, name, properties)
    settings = {
        "FunctionName": name,
        "Role": str(properties.get("Role") or f"arn:aws:iam::{site.account}:role/local"),
        "Handler": handler,
        "Runtime": runtime,
        "Timeout": int(properties.get("Timeout") or 3),
        "MemorySize": int(properties.get("MemorySize") or 128),
        "Environment": {"Variables": variables},
        "LoggingConfig": logging,
    }
    if properties.get("Tags"):
        settings["Tags"] = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
    site.aws.host.code[name] = (folder, logging["LogFormat"])
    with moto_backends.refused(f"function {resource.logical_id}"):
        arn = moto_backends.put_function(site.aws.region, settings)
        moto_backends.reserve_concurrency(
            site.aws.region, name, properties.get("ReservedConcurrentExecutions")
        )
    stand_in = _stand_in_text(problem, answered=answered)
    return Deployed(
        name,
        lambda attribute: {"Arn": arn}[attribute],
        stand_in,
        delete=lambda: moto_backends.delete_function(site.aws.region, name),
    )


def stand_in_settings(key: str, reason: str, answer: Any, *, answered: bool) -> dict[str, str]:
    """Return the variables of `stand_in/answer.py`: what it answers, or why it fails."""
    variables = {"STAND_IN_REASON": f"{key} is not run here: {reason}"}
    return variables | ({"STAND_IN_ANSWER": json.dumps(answer)} if answered else {})


def _stand_in_text(problem: str, *, answered: bool) -> str:
    if answered:
        return "the answer that was given for it"
    return (
        f"{problem}; a call of it fails and says so, unless --answer gives what it returns" if problem else ""
    )


def _logging(site: Site, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    config = properties.get("LoggingConfig") or {}
    group = str(config.get("LogGroup") or f"/aws/lambda/{name}")
    site.aws.create_log_group(group)
    site.log_groups[name] = group
    return {"LogFormat": config.get("LogFormat") or "Text", "LogGroup": group}


def _variables(
    site: Site, resource: StackResource, properties: Mapping[str, Any], folder: Path
) -> dict[str, str]:
    own = (properties.get("Environment") or {}).get("Variables") or {}
    variables = {
        **site.environment.get("*", {}),
        **{key: _text(value) for key, value in own.items()},
        **site.environment.get(resource.logical_id, {}),
    }
    layers = [*_layers(site, properties)]
    if layers and is_node(_runtime(properties)):
        variables["NODE_PATH"] = ":".join(layers)
    elif layers:
        variables["PYTHONPATH"] = ":".join([str(folder), *layers])
    return variables


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _layers(site: Site, properties: Mapping[str, Any]) -> Iterator[str]:
    """Yield the folders that layers add to the path of modules, as /opt/python and /opt/nodejs are."""
    by_arn = {deployed.ref: logical_id for logical_id, deployed in site.deployed.items()}
    for arn in properties.get("Layers") or ():
        name = by_arn.get(arn, "")
        content = site.stack.code.get(name)
        if content is not None:
            folder = (_unpacked(site, name, content) if content.is_file() else content).absolute()
            if is_node(_runtime(properties)):
                yield str(folder / "nodejs" / "node_modules")
            else:
                yield str(folder / "python")
                yield str(folder)


def _code(
    site: Site, resource: StackResource, properties: Mapping[str, Any], name: str
) -> tuple[str, Path, str]:
    """Return the handler, the folder of its code, and why they cannot run here ("" if they can)."""
    runtime = str(properties.get("Runtime") or "")
    handler = str(properties.get("Handler") or "")
    folder = site.stack.code.get(resource.logical_id)
    if properties.get("PackageType") == "Image":
        runtime = "python" if folder is not None else "image"
        handler = _command(properties, resource, folder)
    if problem := _no_runtime(runtime):
        return handler, STAND_IN_FOLDER, problem
    inline = (
        (properties.get("Code") or {}).get("ZipFile") if isinstance(properties.get("Code"), Mapping) else None
    )
    if isinstance(inline, str):
        folder = _fresh(site, name)
        name = "index.js" if is_node(runtime) else "index.py"
        (folder / name).write_text(inline, encoding="utf-8")
    if folder is not None and folder.is_file():
        folder = _unpacked(site, name, folder)
    where = next(_places(site, folder, handler, runtime), None)
    if where is None:
        reason = (
            "its code is not named in the template"
            if folder is None
            else f"there is no {handler} in {folder}"
        )
        return handler, STAND_IN_FOLDER, reason
    return handler, where, missing_sdk(where, handler) if is_node(runtime) else ""


def _runtime(properties: Mapping[str, Any]) -> str:
    """Return the runtime that the function has here: of Python there is one version."""
    runtime = str(properties.get("Runtime") or "")
    return runtime if is_node(runtime) else PYTHON


def _no_runtime(runtime: str) -> str:
    """Return why functions of a runtime do not run here; "" where they do."""
    if is_node(runtime):
        return "" if node() else f"{runtime} does not run here: there is no program `node`"
    if runtime.startswith("python"):
        return ""
    return f"{runtime or 'a function without runtime'} does not run here, Python and Node.js do"


def _command(properties: Mapping[str, Any], resource: StackResource, folder: Path | None) -> str:
    """Return the handler of an image: ImageConfig's command, or CMD of its Dockerfile."""
    command = (properties.get("ImageConfig") or {}).get("Command")
    if isinstance(command, list) and command:
        return str(command[0])
    file = (folder or Path()) / str(resource.metadata.get("Dockerfile") or "Dockerfile")
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    match = re.search(r'^CMD\s+\[?\s*"?([^"\]\s]+)', text, re.MULTILINE)
    return match[1] if match else ""


def _places(site: Site, folder: Path | None, handler: str, runtime: str) -> Iterator[Path]:
    """Yield where the handler's module is: its folder, or, before a build, above the template.

    A module of this package is the installed one: the forwarder.
    """
    module = module_of(handler) if is_node(runtime) else handler.rpartition(".")[0].replace("/", ".")
    if not module:
        return
    if module.startswith("monitoring."):
        package = importlib.util.find_spec("monitoring")
        if package is not None and package.origin:
            yield Path(package.origin).parents[1]
    above = site.stack.source.absolute().parents[:_PARENTS]
    places = [
        *([folder] if folder is not None else ()),
        *(above if folder is None or not folder.is_dir() else ()),
    ]
    for place in places:
        if module_file(place, module) if is_node(runtime) else _has_module(place, module):
            yield place.absolute()


def _has_module(folder: Path, module: str) -> bool:
    path = folder.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _fresh(site: Site, name: str) -> Path:
    folder = site.aws.home / "code" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _unpacked(site: Site, name: str, archive: Path) -> Path:
    folder = _fresh(site, name)
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
    except (zipfile.BadZipFile, OSError) as failed:
        raise InputError(f"the code of {name} is not a zip archive: {failed}", where=str(archive)) from failed
    return folder


def layer(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Give a layer an ARN; functions that name it have its `python/` on their path."""
    name = site.physical_name(resource, properties.get("LayerName"))
    arn = site.arn("lambda", f"layer:{name}:1")
    known = resource.logical_id in site.stack.code
    return Deployed(
        arn,
        lambda attribute: {"LayerVersionArn": arn}[attribute],
        "" if known else "nothing: its content is not here",
    )


def version(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Publish a version of a function."""
    with moto_backends.refused(f"version {resource.logical_id}"):
        arn, number = moto_backends.publish_version(site.aws.region, str(properties["FunctionName"]))
    return Deployed(arn, lambda attribute: {"Version": number, "FunctionArn": arn}[attribute])


def alias(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create an alias of a function."""
    with moto_backends.refused(f"alias {resource.logical_id}"):
        arn = moto_backends.create_alias(
            site.aws.region,
            str(properties["FunctionName"]),
            str(properties["Name"]),
            str(properties.get("FunctionVersion", "$LATEST")),
        )
    return Deployed(arn, lambda attribute: {"AliasArn": arn}[attribute])
