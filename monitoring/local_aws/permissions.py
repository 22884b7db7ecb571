"""IAM roles and the decision whether their policies allow an action.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

Judged are the identity-based policies of a role. Policies of resources, of organisations and permissions
boundaries are not. A condition on a key that is not known here holds where it allows, and does not where it
denies.
"""

import functools
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_LOGS = {"Effect": "Allow", "Action": ["logs:Create*", "logs:Put*"], "Resource": "*"}
_BASIC = {"AWSLambdaBasicExecutionRole": {"Statement": [_LOGS]}}
"""What nearly every function's role has attached, without reading all that AWS manages."""
_OPERATORS = {
    "StringEquals": (False, False),
    "StringEqualsIgnoreCase": (False, True),
    "StringLike": (True, False),
    "ArnEquals": (True, False),
    "ArnLike": (True, False),
    "Bool": (False, True),
}
"""Condition operator, without `Not` and `IfExists` -> whether it takes wildcards, whether it ignores case."""


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a role asks for: `service:Action`, an ARN, and condition keys in lower case.

    The ARN is "" where it is not known here; a statement is about it then if it allows, or is about all.
    """

    action: str
    resource: str
    context: Mapping[str, str]


class Permissions:
    """The roles of one embedded AWS, and their policies by name.

    A role that no stack has created (that of `deploy_function`) may do everything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._roles: dict[str, dict[str, Document | None]] = {}
        self._managed: dict[str, Document] = {}
        self._open: set[str] = set()
        self._by_key: dict[str, str] = {}
        self._refusals: dict[str, None] = {}

    def create(self, role: str) -> None:
        """Create a role without permissions."""
        with self._lock:
            self._roles[role] = {}
            self._by_key[access_key(role)] = role

    def put(self, role: str, name: str, document: Document) -> None:
        """Add an inline policy to a role that was created here."""
        with self._lock:
            if role in self._roles:
                self._roles[role][name] = document

    def define(self, arn: str, document: Document) -> None:
        """Define a managed policy of the stack's own."""
        with self._lock:
            self._managed[arn] = document

    def attach(self, role: str, arn: str) -> None:
        """Attach a managed policy to a role: the stack's own, or AWS's, which is read when it is needed."""
        with self._lock:
            self._roles.setdefault(role, {})[arn] = self._managed.get(arn)

    def open(self, resource: str) -> None:
        """Allow every role all on a resource: what stands in for something that policies name otherwise."""
        self._open.add(resource)

    def role_of(self, key: str) -> str:
        """Return the role that an access key is of; "" for anybody else's."""
        return self._by_key.get(key, "")

    def knows(self, role: str) -> bool:
        """Return whether a stack has created the role."""
        return role in self._roles

    def record(self, message: str) -> None:
        """Keep the message of a refusal, each once."""
        with self._lock:
            self._refusals.setdefault(message)

    def refusals(self) -> tuple[str, ...]:
        """Return the messages of the calls that were refused, each once, in the order of the first."""
        with self._lock:
            return tuple(self._refusals)

    def denial(self, role: str, request: Request) -> str:
        """Return why a role may not do what it asks for, in IAM's words; "" where it may.

        A role that has a managed policy which neither the stack nor AWS defines may do what nothing denies.
        """
        with self._lock:
            policies = dict(self._roles[role]) if role in self._roles else None
        if policies is None or request.resource in self._open:
            return ""
        allowed = False
        for arn, own in policies.items():
            document = own if own is not None else aws_managed(arn)
            if document is None:
                allowed = True
                continue
            for statement in statements(document):
                if not applies(statement, request):
                    continue
                if statement.get("Effect") == "Deny":
                    return "with an explicit deny in an identity-based policy"
                allowed = True
        return "" if allowed else f"because no identity-based policy allows the {request.action} action"


def access_key(role: str) -> str:
    """Return the access key of a role's sessions here: the same every time."""
    return "ASIA" + hashlib.sha256(role.encode()).hexdigest()[:16].upper()


def statements(document: Document) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy document, which may be a single one."""
    entries = document.get("Statement")
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, Mapping):
            yield entry


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Return whether a statement is about the request."""
    action = request.action.lower()
    if not _selects(statement, "Action", action, request, fold=True):
        return False
    if request.resource:
        if not _selects(statement, "Resource", request.resource, request):
            return False
    elif statement.get("Effect") == "Deny" and statement.get("Resource") not in ("*", ["*"]):
        return False
    condition = statement.get("Condition")
    if not isinstance(condition, Mapping):
        return True
    outcomes = [
        _condition(str(operator), str(key), values, request.context)
        for operator, keys in condition.items()
        if isinstance(keys, Mapping)
        for key, values in keys.items()
    ]
    if False in outcomes:
        return False
    return None not in outcomes or statement.get("Effect") != "Deny"


def _selects(
    statement: Mapping[str, Any], element: str, value: str, request: Request, *, fold: bool = False
) -> bool:
    """Return whether an element of a statement, or its `Not…`, selects a value; without it, nothing is."""
    excluded = statement.get(f"Not{element}")
    if excluded is not None:
        return not _any(excluded, value, request.context, fold=fold)
    return _any(statement.get(element), value, request.context, fold=fold)


def _any(patterns: Any, value: str, context: Mapping[str, str], *, fold: bool = False) -> bool:
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        if not isinstance(pattern, str):
            continue
        text = _VARIABLE.sub(lambda match: context.get(match[1].lower(), match[0]), pattern)
        if _pattern(text.lower() if fold else text).fullmatch(value):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Return IAM's wildcards as a regular expression: `*` any text, `?` one character."""
    parts = [{"*": ".*", "?": "."}.get(character, re.escape(character)) for character in text]
    return re.compile("".join(parts), re.DOTALL)


def _condition(operator: str, key: str, values: Any, context: Mapping[str, str]) -> bool | None:
    """Return whether a condition holds; None where it is not known, its key or its operator."""
    name = operator.rpartition(":")[2].removesuffix("IfExists")
    rule, present = _OPERATORS.get(name.replace("Not", "")), context.get(key.lower())
    if rule is None or present is None:
        return None
    wildcards, fold = rule
    texts = [str(value) for value in (values if isinstance(values, list) else [values])]
    if fold:
        present, texts = present.lower(), [text.lower() for text in texts]
    holds = any(_pattern(text).fullmatch(present) if wildcards else text == present for text in texts)
    return holds != ("Not" in name)


@functools.cache
def _aws_policies() -> dict[str, Document]:
    """Return the policies that AWS manages, by name: 5 MB, read where a decision needs one."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return {name: body["Document"] for name, body in json.loads(aws_managed_policies_data).items()}


def aws_managed(arn: str) -> Document | None:
    """Return the document of a policy that AWS manages, or None."""
    if not arn.startswith("arn:aws:iam::aws:policy/"):
        return None
    name = arn.rpartition("/")[2]
    return _BASIC.get(name) or _aws_policies().get(name)
