"""Translate SAM templates to plain CloudFormation with AWS's own translator, and keep paths of local code.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

import contextlib
import copy
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.templates import expanded, load
from monitoring.errors import InputError

LOCAL_BUCKET = "stepscope-local"
"""The bucket that represents this disk during the translation; a key is the number of a path."""

_CODE_KEYS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
_BARE = re.compile(r"(?<=[:\[,\s])\$\{(\w+)\}(?=\s*[,}\]])")
"""A placeholder of a definition outside quotation marks."""

_DOCUMENTS = {
    "AWS::Serverless::StateMachine": ("DefinitionUri", "Definition"),
    "AWS::Serverless::Api": ("DefinitionUri", "DefinitionBody"),
    "AWS::Serverless::HttpApi": ("DefinitionUri", "DefinitionBody"),
}
"""Type -> (property with a file name, property for the content of the file)."""


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template has resources of SAM."""
    resources = template.get("Resources")
    bodies = resources.values() if isinstance(resources, Mapping) else ()
    return any(str(body.get("Type")).startswith("AWS::Serverless::") for body in bodies if _is_object(body))


def translated(template: Mapping[str, Any], path: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a SAM template; local code has `LOCAL_BUCKET` as bucket and its path as key.

    Args:
        template: the template, with short tags in their long form.
        path: its file; paths of local code and definitions are relative to its folder.
        parameters: values of its parameters.

    Raises:
        InputError: the translator rejects it (with the translator's message), or a definition's file is
            missing.
    """
    local = copy.deepcopy(dict(template))
    local["Resources"] = expanded(local["Resources"])
    _inherit_code(local)
    for logical_id, resource in local["Resources"].items():
        _localise(logical_id, resource, path, parameters)
    return _translate(local, path, parameters)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _inherit_code(template: dict[str, Any]) -> None:
    """Copy `Globals.Function.CodeUri` to each function; both are relative to the template."""
    section = template.get("Globals")
    function = section.get("Function") if isinstance(section, dict) else None
    shared = function if isinstance(function, dict) else {}
    uri = shared.pop("CodeUri", None)
    for resource in template["Resources"].values():
        own = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::Serverless::Function" and "InlineCode" not in own:
            kind = own.get("PackageType") or shared.get("PackageType")
            if kind != "Image":
                resource["Properties"] = {"CodeUri": uri or ".", **own}


def _localise(logical_id: str, resource: dict[str, Any], path: Path, parameters: Mapping[str, Any]) -> None:
    """Replace properties with local paths by values that the translator accepts."""
    properties = resource.get("Properties")
    if not isinstance(properties, dict):
        return
    kind = str(resource.get("Type"))
    key = _CODE_KEYS.get(kind)
    if key and isinstance(uri := properties.get(key), str) and not uri.startswith("s3://"):
        properties[key] = {"Bucket": LOCAL_BUCKET, "Key": str(path.parent / uri)}
    if kind == "AWS::Serverless::Function" and properties.get("PackageType") == "Image":
        properties.setdefault("ImageUri", f"{LOCAL_BUCKET}.example/{logical_id.lower()}:latest")
    if kind == "AWS::Serverless::Application":
        _as_stack(resource, properties)
    if kind in _DOCUMENTS:
        source, target = _DOCUMENTS[kind]
        if included := _included(properties.get(target)):
            properties[source] = included
        if isinstance(uri := properties.get(source), str) and not uri.startswith("s3://"):
            properties[target] = _document(path.parent / properties.pop(source), properties, parameters)


def _included(body: Any) -> str:
    """Return the file that `Fn::Transform: AWS::Include` names, or ""."""
    transform = body.get("Fn::Transform") if isinstance(body, Mapping) else None
    parameters = transform.get("Parameters") if isinstance(transform, Mapping) else None
    location = parameters.get("Location") if isinstance(parameters, Mapping) else None
    return location if isinstance(location, str) else ""


def _document(path: Path, properties: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Load a definition; replace unquoted placeholders (`"TimeoutSeconds": ${limit}`) by their values.

    Raises:
        InputError: the file cannot be read, or a placeholder's value is known only after deployment.
    """
    try:
        return load(path)
    except InputError as refused:
        substitutions = properties.get("DefinitionSubstitutions")
        if path.suffix != ".json" or not isinstance(substitutions, Mapping) or not path.is_file():
            raise

        def value(match: re.Match[str]) -> str:
            substitution = substitutions.get(match[1])
            known = (
                parameters.get(str(substitution.get("Ref")))
                if isinstance(substitution, Mapping)
                else substitution
            )
            return match[0] if known is None else str(known)

        text = _BARE.sub(value, path.read_text(encoding="utf-8"))
        try:
            definition = json.loads(text)
        except ValueError:
            raise refused from None
        if not isinstance(definition, dict):
            raise refused
        return definition


def _as_stack(resource: dict[str, Any], properties: dict[str, Any]) -> None:
    location = properties.get("Location")
    if isinstance(location, Mapping):  # an application of the Serverless Application Repository
        location = str(location.get("ApplicationId"))
    if isinstance(location, str):
        resource["Type"] = "AWS::CloudFormation::Stack"
        resource["Properties"] = {"TemplateURL": location, "Parameters": properties.get("Parameters", {})}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    log = logging.getLogger("samtranslator")
    level, log.level = log.level, logging.CRITICAL
    try:
        yield
    finally:
        log.setLevel(level)


def _translate(template: dict[str, Any], path: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        import boto3
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator
    except ImportError as missing:
        raise InputError(
            f"a SAM template needs {missing.name}", where=str(path), hint='pip install "stepscope[local]"'
        ) from None
    with _quiet():
        try:
            text = {
                name: value if isinstance(value, str) else ",".join(map(str, value))
                for name, value in parameters.items()
            }
            translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
            result: dict[str, Any] = json.loads(json.dumps(translator.translate(template, text), default=str))
        except InvalidDocumentException as refused:
            reasons = "; ".join(_plain(cause.message) for cause in refused.causes)
            raise InputError(reasons, where=str(path)) from None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as failure:
            raise InputError(
                f"AWS's translator of SAM templates fails: {type(failure).__name__}: {_plain(str(failure))}",
                where=str(path),
                hint="It expects another shape somewhere; `sam validate --lint` says where.",
            ) from None
    return result


def _plain(message: str) -> str:
    return re.sub(r"\s+", " ", message).strip()
