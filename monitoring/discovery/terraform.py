"""Read Terraform's configurations and plans as stacks of CloudFormation resources.

https://developer.hashicorp.com/terraform/internals/json-format
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.terraform_merged import MERGED, Resource, merge
from monitoring.discovery.terraform_module import CLOSE, OPEN, Module, Root, read_variables
from monitoring.discovery.terraform_properties import converted
from monitoring.discovery.terraform_types import KINDS, dynamodb_keys
from monitoring.errors import InputError

_TOKEN = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_WITHOUT_MEANING = re.compile(
    r"null_|random_|local_|time_|archive_|terraform_data|aws_s3_bucket_(?!notification|policy)|aws_s3_object|"
    r"aws_iam_instance_profile|aws_cloudwatch_(dashboard|metric_alarm)|aws_ecr_|"
    r"aws_api_gateway_(account|documentation|gateway_response|method_response|method_settings|model)"
)
"""Types without an effect on local runs: they are left out without a note."""


def read_terraform(folder: Path, values: Mapping[str, str], name: str) -> Stack:
    """Read the root module in a folder of `*.tf`.

    Args:
        folder: the root module.
        values: values of variables; lists and objects as JSON.
        name: the stack's name.

    Raises:
        InputError: a file is not in Terraform's language, or a variable is not declared.
    """
    folder = folder.absolute()
    root = Root(folder)
    module = Module(root, folder, read_variables(folder, values))
    declared = {block.labels[0] for block in module.blocks if block.type == "variable" and block.labels}
    unknown = [key for key in values if key not in declared]
    if unknown:
        raise InputError(
            f"the configuration has no variable {unknown[0]}",
            where=str(folder),
            hint=f"Its variables: {', '.join(sorted(declared)) or 'none'}.",
        )
    instances = list(module.instances())
    return stack_of(instances, root, folder, name, module.outputs())


def stack_of(
    instances: Iterable[Resource], root: Root, source: Path, name: str, outputs: Mapping[str, Any]
) -> Stack:
    """Return the stack of the resources of a configuration or a plan."""
    resources: dict[str, StackResource] = {}
    code: dict[str, Path] = {}
    merged: list[Resource] = []
    for instance in instances:
        kind = KINDS.get(instance.type)
        if instance.type in MERGED:
            merged.append(instance)
        elif kind is not None:
            values = instance.values()
            properties = {**kind.defaults, **converted(values, kind.properties)}
            if instance.type == "aws_dynamodb_table":
                properties |= dynamodb_keys(values)
            properties |= _special(instance, values, root, code)
            resources[instance.logical_id] = StackResource(
                instance.logical_id, kind.type, resolved(properties), metadata={"terraform": instance.address}
            )
        elif not _WITHOUT_MEANING.match(instance.type):
            root.note(f"{instance.address} is left out: {instance.type} is not read")
    for instance in merged:
        merge(instance, resolved(instance.values()), resources, root)
    return Stack(
        name, source, resources, outputs=resolved(_plain(outputs)), code=code, notes=tuple(root.notes)
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in values.items() if isinstance(value, str | int | float | list | Mapping)
    }


def _special(
    instance: Resource, values: Mapping[str, Any], root: Root, code: dict[str, Path]
) -> dict[str, Any]:
    """Return the properties that need code: function code, names of buckets, streams of tables."""
    if instance.type == "aws_s3_bucket" and hasattr(instance, "bucket_name"):
        return {"BucketName": instance.bucket_name()}
    if instance.type not in ("aws_lambda_function", "aws_lambda_layer_version"):
        return {}
    target = "Code" if instance.type == "aws_lambda_function" else "Content"
    if values.get("image_uri"):
        return {target: {"ImageUri": values["image_uri"]}, "PackageType": "Image"}
    filename = values.get("filename")
    if isinstance(filename, str) and OPEN not in filename:
        place = root.archives.get(os.path.normpath(filename), root.folder / filename)
        code[instance.logical_id] = place.parent if place.suffix in (".py", ".js", ".mjs") else place
        return {target: {"S3Bucket": "stepscope-local", "S3Key": str(code[instance.logical_id])}}
    properties = {
        key: values[name] for name, key in (("s3_bucket", "S3Bucket"), ("s3_key", "S3Key")) if name in values
    }
    return {target: properties}


def resolved(value: Any) -> Any:
    """Return a value with marked strings replaced by `Ref`, `Fn::GetAtt` and `Fn::Join`."""
    if isinstance(value, Mapping):
        return {str(resolved_text(key)): resolved(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [resolved(item) for item in value]
    if not isinstance(value, str) or OPEN not in value:
        return value if isinstance(value, str | int | float | bool | None) else str(value)
    parts: list[Any] = []
    position = 0
    for match in _TOKEN.finditer(value):
        if match.start() > position:
            parts.append(value[position : match.start()])
        logical_id, _, attribute = match[1].partition(".")
        parts.append({"Fn::GetAtt": [logical_id, attribute]} if attribute else {"Ref": logical_id})
        position = match.end()
    if position < len(value):
        parts.append(value[position:])
    return parts[0] if len(parts) == 1 else {"Fn::Join": ["", parts]}


def resolved_text(key: Any) -> str:
    """Return a key, which cannot contain a reference, as text."""
    return _TOKEN.sub(r"\1", str(key))
