"""State machines: their definitions, versions and aliases."""

import json
import random
import uuid
from typing import TYPE_CHECKING, Any

from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.history import now
from monitoring.local_aws.states.machine import Machine, build_machine
from monitoring.local_aws.states.problems import errors_of
from monitoring.local_aws.states.validation import problems_of

if TYPE_CHECKING:
    from datetime import datetime


class StateMachine:
    """A state machine, as it is now."""

    def __init__(self, arn: str, settings: dict[str, Any]) -> None:
        self.arn = arn
        self.name = settings["name"]
        self.kind = settings.get("type") or "STANDARD"
        self.created = now()
        self.updated: datetime | None = None
        self.logging: dict[str, Any] = {}
        self.tracing: dict[str, Any] = {"enabled": False}
        self.encryption: dict[str, Any] | None = None
        self.tags: dict[str, str] = {tag["key"]: tag["value"] for tag in settings.get("tags") or ()}
        self.versions: dict[int, Version] = {}
        self.aliases: dict[str, Alias] = {}
        self.log_streams: dict[str, str] = {}
        self.role = ""
        self._next_version = 1
        self.change(settings)
        self.updated = None

    def change(self, settings: dict[str, Any]) -> None:
        """Take the settings of CreateStateMachine or UpdateStateMachine over.

        Raises:
            ApiError: the definition is not valid.
        """
        if settings.get("definition"):
            self.machine = checked_machine(settings["definition"], self.kind)
            self.definition = settings["definition"]
        self.role = settings.get("roleArn") or self.role
        self.logging = settings.get("loggingConfiguration") or self.logging
        self.tracing = settings.get("tracingConfiguration") or self.tracing
        self.encryption = settings.get("encryptionConfiguration") or self.encryption
        self.revision = str(uuid.uuid4())
        self.updated = now()

    def publish(self, description: str | None) -> "Version":
        """Return a new version; the latest one if nothing has changed since."""
        latest = self.versions[max(self.versions)] if self.versions else None
        if latest is not None and latest.revision == self.revision:
            return latest
        version = Version(self, self._next_version, description)
        self.versions[self._next_version] = version
        self._next_version += 1
        return version

    def describe(self) -> dict[str, Any]:
        """Return DescribeStateMachine."""
        described = {
            "stateMachineArn": self.arn,
            "name": self.name,
            "status": "ACTIVE",
            "definition": self.definition,
            "roleArn": self.role,
            "type": self.kind,
            "creationDate": self.created,
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, **self.logging},
            "tracingConfiguration": self.tracing,
            "revisionId": self.revision if self.updated else None,
            "encryptionConfiguration": self.encryption or {"type": "AWS_OWNED_KEY"},
        }
        return {key: value for key, value in described.items() if value is not None}


class Version:
    """A version: a definition and a role that stay as they are."""

    def __init__(self, machine: StateMachine, number: int, description: str | None) -> None:
        self.arn = f"{machine.arn}:{number}"
        self.machine: Machine = machine.machine
        self.definition = machine.definition
        self.role = machine.role
        self.revision = machine.revision
        self.description = description
        self.created = now()


class Alias:
    """A name for one version, or for two with weights."""

    def __init__(
        self, machine: StateMachine, name: str, description: str | None, routes: list[dict[str, Any]]
    ) -> None:
        self.arn = f"{machine.arn}:{name}"
        self.name = name
        self.created = self.updated = now()
        self.description: str | None = None
        self.routes: list[dict[str, Any]] = []
        self.change(description, routes)

    def change(self, description: str | None, routes: list[dict[str, Any]] | None) -> None:
        """Take new settings over."""
        self.description = description if description is not None else self.description
        self.routes = routes or self.routes
        self.updated = now()

    def route(self) -> str:
        """Return the ARN of the version that an execution gets."""
        arns = [route["stateMachineVersionArn"] for route in self.routes]
        return str(random.choices(arns, [route["weight"] for route in self.routes])[0])  # noqa: S311

    def describe(self) -> dict[str, Any]:
        """Return DescribeStateMachineAlias."""
        described = {
            "stateMachineAliasArn": self.arn,
            "name": self.name,
            "description": self.description,
            "routingConfiguration": self.routes,
            "creationDate": self.created,
            "updateDate": self.updated,
        }
        return {key: value for key, value in described.items() if value is not None}


def checked_machine(definition: str, kind: str = "STANDARD") -> Machine:
    """Return the machine of a definition.

    Raises:
        ApiError: it is not valid.
    """
    problems = errors_of(problems_of(definition, kind))
    if problems:
        faults = ", ".join(
            f"{problem.code}: {problem.message}{f' at {problem.location}' if problem.location else ''}"
            for problem in problems
        )
        raise ApiError(
            "InvalidDefinition", f"Invalid State Machine Definition: '{faults}'", problems=problems
        )
    return build_machine(json.loads(definition))
