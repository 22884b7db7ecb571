"""The IAM roles of one embedded AWS, and whether their policies allow an action."""

import functools
import hashlib
import json
import threading

from monitoring.discovery import iam
from monitoring.discovery.iam import MANAGED, Document, Request


class Permissions:
    """The roles of one embedded AWS, and their policies by name.

    A role that no stack has created (that of `deploy_function`) may do everything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._roles: dict[str, dict[str, Document | None]] = {}
        self._managed: dict[str, Document] = {}
        self._boundaries: dict[str, str] = {}
        self._open: set[str] = set()
        self._by_key: dict[str, str] = {}
        self._refusals: dict[str, None] = {}

    def create(self, role: str, boundary: str = "") -> None:
        """Create a role without permissions; `boundary` is the ARN of the policy that limits it."""
        with self._lock:
            self._roles[role] = {}
            self._boundaries[role] = boundary
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
            self._roles.setdefault(role, {})[arn] = None

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
            boundary = self._boundaries.get(role, "")
        if policies is None or request.resource in self._open:
            return ""
        documents = [self._managed_policy(arn) if own is None else own for arn, own in policies.items()]
        return iam.denial(documents, self._managed_policy(boundary) if boundary else None, request)

    def _managed_policy(self, arn: str) -> Document | None:
        """Return the document of a managed policy of the stack or of AWS, or None."""
        return self._managed.get(arn) or aws_managed(arn)


def access_key(role: str) -> str:
    """Return the access key of a role's sessions here: the same every time."""
    return "ASIA" + hashlib.sha256(role.encode()).hexdigest()[:16].upper()


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
    return MANAGED.get(name) or _aws_policies().get(name)
