"""Read the pipeline from `deploy/template.yaml`, so that the demo deploys what an account gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitoring.deploy.start import shipped


@dataclass(frozen=True, slots=True)
class Ref:
    """`!Ref` or `!GetAtt`: the name of a resource or parameter, without the attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as the template has it; seconds, megabytes, and variables that are texts or `Ref`s."""

    name: str
    handler: str
    timeout: int
    memory: int
    variables: Mapping[str, Any]
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class ExampleTemplate:
    """The resources by their logical names."""

    resources: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Any]

    def properties(self, name: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        return dict(self.resources[name].get("Properties", {}))

    def functions(self) -> list[FunctionSpec]:
        """Every function."""
        kind = "AWS::Serverless::Function"
        return [self._function(name) for name, body in self.resources.items() if body["Type"] == kind]

    def _function(self, name: str) -> FunctionSpec:
        own = self.properties(name)
        variables = [body.get("Environment", {}).get("Variables", {}) for body in (self.defaults, own)]
        both = {**self.defaults, **own}
        return FunctionSpec(
            name,
            both["Handler"],
            both["Timeout"],
            both["MemorySize"],
            {**variables[0], **variables[1]},
            both.get("ReservedConcurrentExecutions"),
        )


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    value = loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if tag in {"Ref", "GetAtt"} and isinstance(value, str):
        return Ref(value.partition(".")[0])
    return value


_Loader.add_multi_constructor("!", _short_form)


def read_template(path: Path | None = None) -> ExampleTemplate:
    """Read the template of the example pipeline.

    Raises:
        InputError: the installation has no template.
    """
    text = (path or shipped("deploy") / "template.yaml").read_text(encoding="utf-8")
    body = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with two tags more
    return ExampleTemplate(body["Resources"], body["Globals"]["Function"])


def resolve(variables: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Replace each `Ref` in the variables by the resource's name here."""
    return {
        key: names[value.name] if isinstance(value, Ref) else str(value) for key, value in variables.items()
    }
