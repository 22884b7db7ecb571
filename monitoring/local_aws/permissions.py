"""IAM roles and the decision whether their policies allow an action.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import functools
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a role asks for: `service:Action`, the ARN it is about, and condition keys in lower case."""

    action: str
    resource: str
    context: Mapping[str, str]


class Permissions:
    """The roles of one embedded AWS, and their policies by name.

    A role that no stack has created (that of `deploy_function`) may do everything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._roles: dict[str, dict[str, Document]] = {}
        self._managed: dict[str, Document] = {}

    def create(self, role: str) -> None:
        """Create a role without permissions."""
        with self._lock:
            self._roles[role] = {}

    def put(self, role: str, name: str, document: Document) -> None:
        """Add an inline policy to a role."""
        with self._lock:
            self._roles.setdefault(role, {})[name] = document

    def define(self, arn: str, document: Document) -> None:
        """Define a managed policy of the stack's own."""
        with self._lock:
            self._managed[arn] = document

    def attach(self, role: str, arn: str) -> None:
        """Attach a managed policy to a role: the stack's own, or AWS's."""
        with self._lock:
            own = self._managed.get(arn)
            self._roles.setdefault(role, {})[arn] = aws_managed(arn) if own is None else own

    def knows(self, role: str) -> bool:
        """Return whether a stack has created the role."""
        return role in self._roles

    def denial(self, role: str, request: Request) -> str:
        """Return why a role may not do what it asks for, in IAM's words; "" where it may."""
        with self._lock:
            documents = list(self._roles[role].values()) if role in self._roles else None
        if documents is None:
            return ""
        matching = [
            str(statement.get("Effect"))
            for document in documents
            for statement in statements(document)
            if applies(statement, request)
        ]
        if "Deny" in matching:
            return "with an explicit deny in an identity-based policy"
        return (
            ""
            if "Allow" in matching
            else f"because no identity-based policy allows the {request.action} action"
        )


def statements(document: Document) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy document, which may be a single one."""
    entries = document.get("Statement") or ()
    for entry in [entries] if isinstance(entries, Mapping) else entries:
        if isinstance(entry, Mapping):
            yield entry


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Return whether a statement is about the request."""
    action, resource = request.action.lower(), request.resource
    if "NotAction" in statement:
        if _any(statement["NotAction"], action, request.context, fold=True):
            return False
    elif not _any(statement.get("Action"), action, request.context, fold=True):
        return False
    if "NotResource" in statement:
        if _any(statement["NotResource"], resource, request.context):
            return False
    elif not _any(statement.get("Resource", "*"), resource, request.context):
        return False
    condition = statement.get("Condition")
    return not isinstance(condition, Mapping) or all(
        _condition(operator, keys, request.context) for operator, keys in condition.items()
    )


def _any(patterns: Any, value: str, context: Mapping[str, str], *, fold: bool = False) -> bool:
    for pattern in [patterns] if isinstance(patterns, str) else patterns or ():
        text = _VARIABLE.sub(lambda match: context.get(match[1].lower(), match[0]), str(pattern))
        if _pattern(text.lower() if fold else text).fullmatch(value):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Return IAM's wildcards as a regular expression: `*` any text, `?` one character."""
    parts = [{"*": ".*", "?": "."}.get(character, re.escape(character)) for character in text]
    return re.compile("".join(parts), re.DOTALL)


def _condition(operator: str, keys: Any, context: Mapping[str, str]) -> bool:
    """Return whether one operator's keys hold; a key that the request has not decides as IAM documents."""
    name = operator.rpartition(":")[2]
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if not isinstance(keys, Mapping):
        return False
    for key, wanted in keys.items():
        present = context.get(str(key).lower())
        values = [str(item) for item in (wanted if isinstance(wanted, list) else [wanted])]
        if name == "Null":
            if (present is None) != (values[0].lower() == "true"):
                return False
            continue
        negated = "Not" in name
        if present is None:
            if not (optional or negated):
                return False
            continue
        if _matches(name.replace("Not", ""), present, values) == negated:
            return False
    return True


def _matches(operator: str, present: str, values: Iterable[str]) -> bool:
    if operator in {"StringLike", "ArnLike", "ArnEquals"}:
        return any(_pattern(value).fullmatch(present) for value in values)
    if operator == "StringEqualsIgnoreCase":
        return any(present.lower() == value.lower() for value in values)
    if operator == "Bool":
        return any(present.lower() == value.lower() for value in values)
    return any(present == value for value in values)


@functools.cache
def _aws_policies() -> dict[str, Document]:
    """Return the policies that AWS manages, by name: 5 MB, read where a stack attaches one."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return {name: body["Document"] for name, body in json.loads(aws_managed_policies_data).items()}


def aws_managed(arn: str) -> Document:
    """Return the document of a policy that AWS manages; for an unknown one, one that allows nothing."""
    return _aws_policies().get(arn.rpartition("/")[2], {})
