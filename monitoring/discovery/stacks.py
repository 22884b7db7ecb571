"""Read the stacks of an application: SAM, CloudFormation, `serverless.yml`, `cdk.out`, state machines."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitoring.discovery import sam
from monitoring.discovery.includes import with_includes
from monitoring.discovery.serverless_template import serverless_template
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.templates import expanded, load
from monitoring.discovery.terraform import read_terraform
from monitoring.discovery.terraform_plan import read_plan
from monitoring.errors import InputError

TEMPLATES = (
    "template.yaml",
    "template.yml",
    "template.json",
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    "serverless.ts",
    "serverless.js",
    "cdk.out",
)
"""The file names that are searched in a project's folder, in this order."""

CODE = (".ts", ".js", ".mjs", ".cjs")
"""File extensions of configurations that are programs."""

_LISTS = re.compile(
    r"CommaDelimitedList|List<.*>|AWS::SSM::Parameter::Value<(?:CommaDelimitedList|List<.*>)>"
)


def read_stacks(
    path: Path, *, parameters: Mapping[str, str] | None = None, name: str = ""
) -> tuple[Stack, ...]:
    """Read the stacks of an application.

    Args:
        path: a SAM or CloudFormation template, `serverless.yml` or the framework's compiled output, a folder
            of `*.tf`, the output of `terraform show -json`, a `cdk.out` folder, a file in Amazon States
            Language or a folder of such files, or a folder that contains one of these.
        parameters: values of the template's parameters (of `${opt:…}` and `${param:…}` in `serverless.yml`);
            others have their defaults.
        name: the stack's name; by default the one in samconfig.toml or in the CDK manifest, or the folder's.

    Raises:
        InputError: the path is none of these, or cannot be read.
    """
    values = dict(parameters or {})
    if path.is_dir():
        return _folder(path, values, name)
    return (_file(path, values, name),)


def _folder(folder: Path, values: dict[str, str], name: str) -> tuple[Stack, ...]:
    if any(folder.glob("*.tf")):
        return (read_terraform(folder, values, name or stack_name(folder / "main.tf")),)
    stages = [
        stage for stage in (folder, *sorted(folder.glob("assembly-*"))) if any(stage.glob("*.template.json"))
    ]
    if stages:
        return tuple(stack for stage in stages for stack in _cdk(stage, values))
    for candidate in TEMPLATES:
        if (folder / candidate).exists():
            return read_stacks(folder / candidate, parameters=values, name=name)
    definitions = sorted(
        {*folder.rglob("*.asl.json"), *folder.rglob("*.asl.yaml"), *folder.rglob("*.asl.yml")}
    )
    if definitions:
        return (_of_definitions(folder, definitions, name),)
    raise InputError(
        "holds no template",
        where=str(folder),
        hint=f"Give the file{_others(folder)}; looked for here: {', '.join(TEMPLATES)}, *.asl.json.",
    )


def _others(folder: Path) -> str:
    """Return the names of some files in a folder that may be templates under another name, in brackets."""
    names = [path.name for path in sorted(folder.iterdir()) if path.suffix in {".yaml", ".yml", ".json"}]
    return f" ({', '.join([*names[:5], *(['…'] if len(names) > 5 else [])])})" if names else ""


def _file(path: Path, values: dict[str, str], name: str) -> Stack:
    if path.suffix in CODE:
        return _compiled(path, name)
    if path.suffix == ".tf":
        return read_terraform(path.parent, values, name or stack_name(path))
    content = load(path)
    if "format_version" in content and ("planned_values" in content or "values" in content):
        return read_plan(content, path, name or stack_name(path))
    if "StartAt" in content and "States" in content:
        return _of_definitions(path, [path], name)
    if isinstance(content.get("Resources"), Mapping):
        return read_template(content, path, values=values, name=name or stack_name(path))
    if "service" in content:
        return _service(content, path, values, name)
    raise InputError(
        "is not a SAM or CloudFormation template, a serverless.yml or a state machine's definition",
        where=str(path),
        hint="Give template.yaml, serverless.yml, a cdk.out folder, or a file in Amazon States Language.",
    )


def _compiled(path: Path, name: str) -> Stack:
    """Return the service of a configuration in code, from the framework's compiled output."""
    state = path.parent / ".serverless" / "serverless-state.json"
    if not state.is_file():
        raise InputError(
            "is code that makes a configuration, which is not run here",
            where=str(path),
            hint=f"Run `npx osls package` (or `npx serverless package`) in {path.parent}: "
            "it writes .serverless/serverless-state.json, which is read.",
        )
    return _file(state, {}, name)


def _service(content: Mapping[str, Any], path: Path, values: dict[str, str], name: str) -> Stack:
    """Return a service from its `serverless.yml`, or from the compiled `serverless-state.json`."""
    service = content["service"]
    provider = service.get("provider") if isinstance(service, Mapping) else None
    compiled = provider.get("compiledCloudFormationTemplate") if isinstance(provider, Mapping) else None
    if isinstance(compiled, Mapping) and isinstance(compiled.get("Resources"), Mapping):
        parts = (service.get("service"), provider.get("stage") if isinstance(provider, Mapping) else "")
        return read_template(
            compiled, path, values=values, name=name or "-".join(filter(None, map(str, parts)))
        )
    template, own_name, notes = serverless_template(content, path, values)
    stack = read_template(template, path, name=name or own_name)
    return replace(stack, notes=(*notes, *stack.notes))


def stack_name(path: Path) -> str:
    """Return the stack's name in the samconfig.toml beside a template, or the name of its folder."""
    folder = re.sub(r"[^A-Za-z0-9-]+", "-", path.absolute().parent.name).strip("-")
    return configured_name(path) or folder or "stack"


def is_cdk(path: Path) -> bool:
    """Return whether a template belongs to a synthesised CDK app, with its stack's name in the manifest."""
    return path.name.endswith(".template.json") and (path.parent / "manifest.json").is_file()


def configured_name(path: Path) -> str:
    """Return the stack's name in the samconfig.toml beside a template, or ""."""
    config = path.parent / "samconfig.toml"
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError):
        content = {}
    for command in ("deploy", "global"):
        value = content.get("default", {}).get(command, {}).get("parameters", {}).get("stack_name")
        if isinstance(value, str) and value:
            return value
    return ""


def read_template(
    content: Mapping[str, Any], path: Path, *, values: Mapping[str, Any] | None = None, name: str
) -> Stack:
    """Return a template as a stack; SAM's resources are translated first.

    Raises:
        InputError: an included file does not exist, the translator rejects the template, a parameter is not
            declared, or a resource is not an object with a type.
    """
    content = with_includes(content, path.parent)
    notes: list[str] = []
    parameters = _parameters(content, dict(values or {}), path, notes)
    if sam.is_sam(content):
        content = sam.translated(content, path, parameters)
    resources = {
        logical_id: _resource(logical_id, body, path)
        for logical_id, body in expanded(content["Resources"]).items()
    }
    return Stack(
        name=name,
        source=path,
        resources=resources,
        parameters=parameters,
        mappings=_section(content, "Mappings"),
        conditions=_section(content, "Conditions"),
        outputs={
            key: output.get("Value")
            for key, output in _section(content, "Outputs").items()
            if isinstance(output, Mapping)
        },
        code=dict(_code(resources, path)),
        notes=tuple(notes),
        assumed=_without_value(content, values or {}),
    )


def _without_value(content: Mapping[str, Any], values: Mapping[str, Any]) -> frozenset[str]:
    declared = _section(content, "Parameters")
    return frozenset(
        name
        for name, body in declared.items()
        if name not in values and not (isinstance(body, Mapping) and "Default" in body)
    )


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    return section if isinstance(section, Mapping) else {}


def _resource(logical_id: str, body: Mapping[str, Any], path: Path) -> StackResource:
    kind, properties = body.get("Type"), body.get("Properties") or {}
    if not isinstance(kind, str) or not isinstance(properties, Mapping):
        raise InputError(
            f"resource {logical_id} has no Type, or Properties that are not an object", where=str(path)
        )
    waits = body.get("DependsOn") or []
    metadata = body.get("Metadata")
    return StackResource(
        logical_id,
        kind,
        properties,
        tuple([waits] if isinstance(waits, str) else map(str, waits)),
        str(body.get("Condition") or ""),
        metadata if isinstance(metadata, Mapping) else {},
        str(body.get("DeletionPolicy")).startswith("Retain"),
    )


def _parameters(
    content: Mapping[str, Any], values: dict[str, Any], path: Path, notes: list[str]
) -> dict[str, Any]:
    declared = _section(content, "Parameters")
    unknown = [key for key in values if key not in declared]
    if unknown:
        raise InputError(
            f"the template has no parameter {unknown[0]}",
            where=str(path),
            hint=f"Its parameters: {', '.join(declared) or 'none'}.",
        )
    return {
        key: _parameter(key, body if isinstance(body, Mapping) else {}, values, notes)
        for key, body in declared.items()
    }


def _parameter(name: str, declared: Mapping[str, Any], values: Mapping[str, Any], notes: list[str]) -> Any:
    value = values.get(name, declared.get("Default"))
    if value is None:
        allowed = declared.get("AllowedValues")
        value = allowed[0] if isinstance(allowed, list) and allowed else _placeholder(name, declared)
        notes.append(f"parameter {name} has no default: {value!r} stands in (give --parameter {name}=VALUE)")
    if _LISTS.fullmatch(str(declared.get("Type"))):
        return value if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _placeholder(name: str, declared: Mapping[str, Any]) -> str:
    if declared.get("Type") == "Number":
        return str(declared.get("MinValue", 1))
    return "local-" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _code(resources: Mapping[str, StackResource], path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (logical id, path) of each function or layer whose code is on this disk."""
    for logical_id, resource in resources.items():
        if resource.type == "AWS::Lambda::Function":
            code = _function_code(resource, path)
        elif resource.type == "AWS::Lambda::LayerVersion":
            code = _archive(resource.properties.get("Content"), resource, path)
        else:
            continue
        if code is not None:
            yield logical_id, code


def _function_code(resource: StackResource, path: Path) -> Path | None:
    context = resource.metadata.get("DockerContext")
    if resource.properties.get("PackageType") == "Image" and isinstance(context, str):
        return path.parent / context
    return _archive(resource.properties.get("Code"), resource, path)


def _archive(code: Any, resource: StackResource, path: Path) -> Path | None:
    asset = resource.metadata.get("aws:asset:path")
    if isinstance(asset, str):
        return path.parent / asset
    if isinstance(code, str):
        return None if code.startswith("s3://") else path.parent / code
    if not isinstance(code, Mapping):
        return None
    key = code.get("S3Key")
    if code.get("S3Bucket") == sam.LOCAL_BUCKET and isinstance(key, str):
        return Path(key)
    if isinstance(key, str):  # an asset of a synthesised CDK app, or a package of the Serverless Framework
        places = [path.parent / f"asset.{key.removesuffix('.zip')}", path.parent / f"asset.{key}"]
        places.append(path.parent / key.rpartition("/")[2])
        return next((place for place in places if place.exists()), None)
    return None


def _cdk(folder: Path, values: Mapping[str, str]) -> Iterator[Stack]:
    """Yield the stacks of a synthesised CDK app; nested stacks are part of their parent."""
    manifest = folder / "manifest.json"
    artifacts = load(manifest).get("artifacts") if manifest.is_file() else None
    names: dict[str, str] = {}
    for key, artifact in artifacts.items() if isinstance(artifacts, Mapping) else ():
        properties = artifact.get("properties") if isinstance(artifact, Mapping) else None
        if isinstance(properties, Mapping) and "templateFile" in properties:
            names[str(properties["templateFile"])] = str(properties.get("stackName") or key)
    for path in sorted(folder.glob("*.template.json")):
        if names and path.name not in names:
            continue  # nested
        content = load(path)
        declared = _section(content, "Parameters")
        own = {key: value for key, value in values.items() if key in declared}
        yield read_template(
            content, path, values=own, name=names.get(path.name, path.name.removesuffix(".template.json"))
        )


def _of_definitions(source: Path, files: list[Path], name: str) -> Stack:
    """Return a stack with only state machines; the functions that they invoke are stand-ins."""
    resources = {}
    for file in files:
        logical_id = re.sub(r"[^A-Za-z0-9]+", " ", file.name.partition(".")[0]).title().replace(" ", "")
        if logical_id in resources:
            logical_id += hashlib.sha256(str(file).encode()).hexdigest()[:6].upper()
        resources[logical_id] = StackResource(
            logical_id,
            "AWS::StepFunctions::StateMachine",
            {"StateMachineName": file.name.partition(".")[0], "DefinitionString": load(file)},
        )
    return Stack(name or stack_name(source / "x" if source.is_dir() else source), source, resources)
