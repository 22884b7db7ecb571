"""Convert a service of the Serverless Framework to a SAM template with the framework's logical ids.

https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml and the Step Functions plugin,
https://www.serverless.com/plugins/serverless-step-functions
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery import serverless_events as events
from monitoring.discovery.serverless_machines import state_machines
from monitoring.discovery.serverless_names import get_att, logical_name, normalised, objects, section
from monitoring.discovery.serverless_pseudo import has_plugin, substituted
from monitoring.discovery.variables import Variables
from monitoring.errors import InputError

DEFAULT_RUNTIME = "nodejs20.x"
DEFAULT_TIMEOUT = 6
DEFAULT_MEMORY = 1024
ACCOUNT = "123456789012"
ROLE = "IamRoleLambdaExecution"

_COPIED = {
    "description": "Description",
    "ephemeralStorageSize": "EphemeralStorage",
    "kmsKeyArn": "KmsKeyArn",
    "layers": "Layers",
    "memorySize": "MemorySize",
    "reservedConcurrency": "ReservedConcurrentExecutions",
    "runtime": "Runtime",
    "snapStart": "SnapStart",
    "tags": "Tags",
    "timeout": "Timeout",
    "tracing": "Tracing",
    "vpc": "VpcConfig",
}
"""Setting of a function or the provider -> property of a function."""

_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "EphemeralStorage": lambda size: {"Size": size},
    "SnapStart": lambda on: {"ApplyOn": "PublishedVersions" if on else "None"},
    "Tags": lambda tags: {str(key): str(value) for key, value in section(tags).items()},
    "Tracing": lambda mode: (
        mode if mode in ("Active", "PassThrough") else "Active" if mode else "PassThrough"
    ),
    "VpcConfig": lambda vpc: {
        f"{key[0].upper()}{key[1:]}": value
        for key, value in section(vpc).items()
        if key in ("securityGroupIds", "subnetIds")
    },
}


def serverless_template(
    config: Mapping[str, Any], path: Path, options: Mapping[str, str]
) -> tuple[dict[str, Any], str, list[str]]:
    """Return a service as `(SAM template, stack name, notes)`.

    Args:
        config: the content of `serverless.yml`.
        path: its file; paths of included files are relative to its folder.
        options: values of `${opt:…}` and `${param:…}`.

    Raises:
        InputError: the service has no name or is not for AWS, or no variable reads one of the options.
    """
    notes: list[str] = []
    provider = section(config.get("provider")).get("name", "aws")
    if provider != "aws" and "${" not in str(provider):
        raise InputError(f"the provider is {provider}, not aws", where=str(path))
    variables = Variables(config, path.parent, options, unknown=lambda name: _stand_in(name, notes))
    resolved = section(variables.resolve(config))
    stage = str(variables.resolve("${sls:stage, 'dev'}"))
    variables.asked |= {"stage", "region"}
    unread = [name for name in options if name not in variables.asked]
    if unread:
        raise InputError(
            f"no variable reads ${{opt:{unread[0]}}} or ${{param:{unread[0]}}}",
            where=str(path),
            hint=f"Those that are read: {', '.join(sorted(variables.asked))}.",
        )
    name = resolved.get("service")
    name = name.get("name") if isinstance(name, Mapping) else name
    if name is None and "${" in str(config.get("service")):
        name = path.absolute().parent.name
        notes.append(f"service has no name here: the folder's, {name!r}, stands in")
    if not isinstance(name, str) or not name:
        raise InputError("service has no name", where=str(path))
    template = _Service(resolved, path, f"{name}-{stage}", stage, notes).template()
    if has_plugin(resolved.get("plugins")):
        template = substituted(template)
    return template, f"{name}-{stage}", notes


_STAND_INS = {"aws:accountId": ACCOUNT, "opt:stage": "dev", "sls:stage": "dev", "opt:region": "us-east-1"}


def _stand_in(expression: str, notes: list[str]) -> Any:
    """Return the substitute of a variable whose value is known only after deployment, and add a note."""
    first = expression.partition(",")[0].strip()
    if first == "aws:accountId":
        return ACCOUNT
    if first.startswith("file("):
        notes.append(f"${{{first}}} is left out: the file is missing, is code, or has no such key")
        return None
    if first.startswith("self:"):
        notes.append(f"${{{first}}} is left out: the configuration has no such key")
        return None
    word = re.sub(r"[^A-Za-z0-9]+", "-", first.rpartition(":")[2]).strip("-").lower()
    value = _STAND_INS.get(first, f"local-{word}" if word else "local")
    note = f"${{{first}}} has no value here: {value!r} stands in"
    if first.startswith(("opt:", "param:")):
        note += f" (give --parameter {first.partition(':')[2]}=VALUE)"
    if note not in notes:
        notes.append(note)
    return value


class _Service:
    """Convert a service with resolved variables to a template."""

    def __init__(
        self, config: Mapping[str, Any], path: Path, prefix: str, stage: str, notes: list[str]
    ) -> None:
        self.config, self.path, self.prefix, self.stage, self.notes = config, path, prefix, stage, notes
        self.provider = section(config.get("provider"))
        self.functions = objects(config.get("functions"))
        self.resources: dict[str, Any] = {}

    def template(self) -> dict[str, Any]:
        """Return the SAM template; the service's own resources take precedence."""
        compiled = events.Compiled(self.resources, self.stage, self.prefix, self.notes, self.provider)
        own = list(self._own())
        declared = {key: body for part in own for key, body in section(part.get("Resources")).items()}
        for key, layer in objects(self.config.get("layers")).items():
            self._layer(key, layer)
        for key, function in self.functions.items():
            self._function(key, function, compiled, declared)
        self._shared_role(compiled)
        self.resources |= state_machines(self.config, self.functions, compiled, declared)
        template: dict[str, Any] = {"Transform": "AWS::Serverless-2016-10-31"}
        for part in own:
            for name in ("Mappings", "Conditions", "Outputs"):
                template[name] = {**template.get(name, {}), **section(part.get(name))}
            for key, body in section(part.get("extensions")).items():
                self._extend(key, section(body))
        self.resources |= {
            key: body for key, body in declared.items() if isinstance(body, Mapping) and "Type" in body
        }
        for name, bucket in compiled.buckets.items():
            self.resources.setdefault(name, bucket)
        return {key: value for key, value in template.items() if value} | {"Resources": self.resources}

    def _own(self) -> Iterator[Mapping[str, Any]]:
        resources = self.config.get("resources")
        for part in resources if isinstance(resources, list) else [resources]:
            if isinstance(part, Mapping):
                yield part

    def _extend(self, key: str, extension: Mapping[str, Any]) -> None:
        resource = self.resources.get(key)
        if isinstance(resource, dict):
            properties = {**section(resource.get("Properties")), **section(extension.get("Properties"))}
            self.resources[key] = {**resource, **extension, "Properties": properties}

    def _layer(self, key: str, layer: Mapping[str, Any]) -> None:
        artifact = section(layer.get("package")).get("artifact")
        properties = {
            "Content": str(artifact or layer.get("path") or f"layers/{key}"),
            "LayerName": str(layer.get("name") or key),
        }
        self.resources[f"{normalised(key)}LambdaLayer"] = {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": properties,
        }

    def _function(
        self, key: str, function: Mapping[str, Any], compiled: events.Compiled, declared: Mapping[str, Any]
    ) -> None:
        logical_id = logical_name(key)
        name = str(function.get("name") or f"{self.prefix}-{key}")
        settings = {**{k: v for k, v in self.provider.items() if k in _SHARED}, **function}
        settings.setdefault("tracing", section(self.provider.get("tracing")).get("lambda"))
        properties = {"FunctionName": name, **self._settings(key, settings)}
        properties["Role"] = self._role(key, function)
        if environment := {
            **section(self.provider.get("environment")),
            **section(function.get("environment")),
        }:
            values = {k: _environment(v) for k, v in environment.items() if v is not None}
            properties["Environment"] = {"Variables": values}
        body: dict[str, Any] = {"Type": "AWS::Serverless::Function", "Properties": properties}
        body |= self._code(function, properties)
        for source, target in (("condition", "Condition"), ("dependsOn", "DependsOn")):
            if source in function:
                body[target] = function[source]
        triggers = events.function_events(key, function, compiled, declared)
        if triggers:
            properties["Events"] = triggers
        self.resources[logical_id] = body
        if not function.get("disableLogs"):
            self._log_group(key, name, function)

    def _settings(self, key: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        settings = {"timeout": DEFAULT_TIMEOUT, "memorySize": DEFAULT_MEMORY, **settings}
        settings.setdefault("runtime", DEFAULT_RUNTIME)
        properties = {
            target: _CONVERTED.get(target, lambda value: value)(settings[source])
            for source, target in _COPIED.items()
            if settings.get(source) is not None
        }
        architecture = settings.get("architecture")
        if architecture:
            properties["Architectures"] = [architecture]
        dead_letters = settings.get("onError")
        if dead_letters:
            kind = "SQS" if ":sqs:" in str(dead_letters) or "Queue" in str(dead_letters) else "SNS"
            properties["DeadLetterQueue"] = {"Type": kind, "TargetArn": dead_letters}
        if settings.get("provisionedConcurrency"):
            self.notes.append(f"function {key}: provisionedConcurrency is left out")
        return properties | events.invoke_config(settings) | events.function_url(settings)

    def _code(self, function: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
        """Set handler and code; return the metadata of an image."""
        image = function.get("image")
        if image:
            del properties["Runtime"]
            properties.pop("Layers", None)
            properties["PackageType"] = "Image"
            if isinstance(image, Mapping) and image.get("command"):
                properties["ImageConfig"] = {"Command": image["command"]}
            name = image.get("name") if isinstance(image, Mapping) else image
            context = section(section(section(self.provider.get("ecr")).get("images")).get(str(name)))
            if "path" in context:
                return {"Metadata": {"DockerContext": str(context["path"])}}
            properties["ImageUri"] = str(name if not isinstance(image, Mapping) else image.get("uri", name))
            return {}
        properties["Handler"] = str(function.get("handler", ""))
        package = {**section(self.config.get("package")), **section(function.get("package"))}
        properties["CodeUri"] = str(package.get("artifact") or function.get("module") or ".")
        return {}

    def _role(self, key: str, function: Mapping[str, Any]) -> Any:
        """Return the role of a function; create one if the function has its own statements."""
        role = function.get("role", self.provider.get("role"))
        if role is None:
            iam = section(self.provider.get("iam")).get("role")
            role = iam if isinstance(iam, str) or (isinstance(iam, Mapping) and _is_intrinsic(iam)) else None
        if isinstance(role, str):
            return role if role.startswith("arn:") else get_att(role)
        if isinstance(role, Mapping):
            return role
        own = function.get("iamRoleStatements")
        if not isinstance(own, list):
            return get_att(ROLE)
        inherited = self._statements() if function.get("iamRoleStatementsInherit") else []
        logical_id = f"{normalised(key)}IamRoleLambdaExecution"
        name = function.get("iamRoleStatementsName")
        self.resources[logical_id] = self._lambda_role([*inherited, *own], name)
        return get_att(logical_id)

    def _statements(self) -> list[Any]:
        iam = section(self.provider.get("iam")).get("role")
        statements = section(iam).get("statements") or self.provider.get("iamRoleStatements") or []
        return (
            [item for item in statements if isinstance(item, Mapping)] if isinstance(statements, list) else []
        )

    def _shared_role(self, compiled: events.Compiled) -> None:
        uses = any(
            section(section(body).get("Properties")).get("Role") == get_att(ROLE)
            for body in self.resources.values()
        )
        if uses:
            role = section(section(self.provider.get("iam")).get("role"))
            self.resources[ROLE] = self._lambda_role(
                [*self._statements(), *compiled.statements], role.get("name")
            )
            managed = role.get("managedPolicies") or self.provider.get("iamManagedPolicies")
            if isinstance(managed, list):
                self.resources[ROLE]["Properties"]["ManagedPolicyArns"] = managed

    def _lambda_role(self, statements: list[Any], name: Any) -> dict[str, Any]:
        logs = [
            "logs:CreateLogStream",
            "logs:CreateLogGroup",
            "logs:TagResource",
            "logs:PutLogEvents",
        ]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": logs, "Resource": "arn:aws:logs:*:*:log-group:/aws/lambda/*"},
                *statements,
            ],
        }
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
        properties = {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": f"{self.prefix}-lambda", "PolicyDocument": policy}],
        }
        return {
            "Type": "AWS::IAM::Role",
            "Properties": properties | ({"RoleName": name} if isinstance(name, str) else {}),
        }

    def _log_group(self, key: str, name: str, function: Mapping[str, Any]) -> None:
        properties: dict[str, Any] = {"LogGroupName": f"/aws/lambda/{name}"}
        days = function.get("logRetentionInDays", self.provider.get("logRetentionInDays"))
        if days is not None:
            properties["RetentionInDays"] = days
        self.resources[f"{normalised(key)}LogGroup"] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": properties,
        }


_SHARED = {
    "architecture", "kmsKeyArn", "layers", "memorySize", "runtime", "tags", "timeout", "vpc",
}  # fmt: skip
"""The settings that functions inherit from the provider."""


def _is_intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def _environment(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str | Mapping) else str(value)
