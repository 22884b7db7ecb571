"""Read an application from its template: its stacks by discovery, and the place of each part."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.machines import definition_in, resolver
from monitoring.discovery.source import is_cdks_own
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_stacks
from monitoring.discovery.templates import load
from monitoring.errors import InputError
from monitoring.lint.templates.application import Application, Code, Spot, TemplateMachine, TemplateResource
from monitoring.lint.templates.places import Places


def read_application(path: Path) -> Application:
    """Read the application that a template describes.

    Args:
        path: a template, a definition, or a folder that holds one; see `read_stacks`.

    Raises:
        InputError: it cannot be read, or AWS's translator of SAM templates refuses it.
    """
    places = Places()
    if path.is_file() and path.suffix in {".json", ".yaml", ".yml"}:
        content = load(path)
        if "StartAt" in content and "States" in content:
            name = path.name.partition(".")[0]
            return Application(path, machines=(TemplateMachine(name, content, Spot(places.text(path), ())),))
    resources: list[TemplateResource] = []
    machines: list[TemplateMachine] = []
    codes: dict[str, Code] = {}
    for stack in read_stacks(path):
        intrinsics = resolver(stack)
        own = [
            _resource(stack, raw, intrinsics, places)
            for raw in stack.resources.values()
            if not is_cdks_own(raw.logical_id, {"Properties": raw.properties})
        ]
        resources += own
        machines += _machines(own, intrinsics, places)
        codes |= _codes(own, places)
    return Application(path, tuple(resources), tuple(machines), codes)


def _resource(stack: Stack, raw: StackResource, intrinsics: Intrinsics, places: Places) -> TemplateResource:
    spot, properties = places.of_resource(stack, raw)
    return TemplateResource(stack, raw, _resolved(raw.properties, intrinsics), spot, properties)


def _resolved(properties: Mapping[str, Any], intrinsics: Intrinsics) -> Mapping[str, Any]:
    """Return properties resolved; each that cannot be stays as it is written."""
    result: dict[str, Any] = {}
    for key, value in properties.items():
        try:
            resolved = intrinsics.resolve({key: value})
        except (InputError, RecursionError):
            resolved = {key: value}
        result |= resolved if isinstance(resolved, dict) else {}
    return result


def _machines(
    resources: list[TemplateResource], intrinsics: Intrinsics, places: Places
) -> Iterator[TemplateMachine]:
    for resource in resources:
        if resource.raw.type != "AWS::StepFunctions::StateMachine":
            continue
        try:
            definition = definition_in(resource.stack, resource.raw, intrinsics)
        except (InputError, RecursionError):
            continue
        name = resource.properties.get("StateMachineName")
        spot = places.of_definition(resource.stack, resource.raw, resource.properties_spot)
        yield TemplateMachine(
            name if isinstance(name, str) else resource.logical_id, definition, spot, resource
        )


def _codes(resources: Iterable[TemplateResource], places: Places) -> dict[str, Code]:
    """Return the handlers' files by the logical ids of their functions."""
    codes = {}
    for resource in resources:
        folder = resource.stack.code.get(resource.logical_id)
        handler = resource.properties.get("Handler")
        runtime = str(resource.properties.get("Runtime", "python"))
        if folder is None or not isinstance(handler, str) or not runtime.startswith("python"):
            continue
        module, _, name = handler.rpartition(".")
        file = _file(folder, resource, module)
        if file is not None and name:
            codes[resource.logical_id] = Code(file, name, places.text(file))
    return codes


def _file(folder: Path, resource: TemplateResource, module: str) -> Path | None:
    """Return the module's file; of a folder that a build makes, that beside the template."""
    path = Path(module.replace(".", "/") + ".py")
    roots = [folder, resource.stack.source.parent, resource.stack.source.parent.parent]
    if folder.is_dir():
        roots = [folder]
    return next((root / path for root in roots if (root / path).is_file()), None)
