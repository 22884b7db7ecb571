"""The input and the result of deploying one resource."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from monitoring.discovery.stack import Stack, StackResource

if TYPE_CHECKING:
    from monitoring.local_aws.host import MotoHost

_LOWER = {"AWS::S3::Bucket"}
"""Types whose names are lower-case."""

_LONGEST = {"AWS::Lambda::Function": 64, "AWS::S3::Bucket": 63, "AWS::Events::Rule": 64, "AWS::IAM::Role": 64}


@dataclass(frozen=True, slots=True)
class StandIn:
    """A resource that is not what it is on AWS: what takes its place here.

    Attributes:
        logical_id: the resource; `STATE_MACHINE.State` for a state.
        type: its CloudFormation type, or a state's Resource.
        what: what stands in, in a sentence.
        quiet: it has no effect on what runs here (an alarm, a permission), so that a list may only count it.
    """

    logical_id: str
    type: str
    what: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Deployed:
    """A resource that exists.

    Attributes:
        ref: what `!Ref` gives.
        attribute: gives what `!GetAtt` does; raises KeyError for an attribute that it has not.
        stand_in: what stands in for it; "" where it is what it is on AWS.
        quiet: see `StandIn`.
        delete: removes it, when its stack is deleted; None where nothing is to be done.
    """

    ref: Any
    attribute: Callable[[str], Any] = field(default=lambda name: {}[name])
    stand_in: str = ""
    quiet: bool = False
    delete: Callable[[], object] | None = None


class Aws(Protocol):
    """Define what deploying needs of the embedded AWS."""

    region: str
    home: Path

    @property
    def host(self) -> "MotoHost":
        """Return what moto's patches call."""

    def client(self, service: str) -> Any:
        """Return a boto3 client."""

    def create_log_group(self, name: str) -> bool:
        """Create a log group unless it exists."""


@dataclass(slots=True)
class Site:
    """Where a stack is deployed to.

    Attributes:
        aws: the embedded AWS.
        stack: the stack.
        account: the account's number.
        environment: variables that every function gets; they go before its own.
        answers: what stands in for a function or a state answers, by logical id or `STATE_MACHINE.State`.
        stand_ins: what stands in, so far.
        deployed: the resources that exist, by logical id.
        log_groups: name of each function -> its log group.
        nested: the stacks that this one nests.
        kept: the resources that an earlier deployment of this stack made.
        kept_stacks: the same of every stack, by its name.
    """

    aws: Aws
    stack: Stack
    account: str
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    stand_ins: list[StandIn] = field(default_factory=list)
    deployed: dict[str, Deployed] = field(default_factory=dict)
    log_groups: dict[str, str] = field(default_factory=dict)
    nested: "list[Site]" = field(default_factory=list)
    kept: dict[str, Deployed] = field(default_factory=dict)
    kept_stacks: dict[str, Mapping[str, Deployed]] = field(default_factory=dict)

    def with_nested(self) -> "list[Site]":
        """Return this stack and those that it nests."""
        return [self, *(site for inner in self.nested for site in inner.with_nested())]

    def physical_name(self, resource: StackResource, explicit: Any = None) -> str:
        """Return the name of a resource: its own, or stack, logical id and a suffix as CloudFormation makes.

        The suffix is the same every time, so that tests and monitors find it again.
        """
        if explicit not in {None, ""}:
            return str(explicit)
        digest = hashlib.sha256(f"{self.stack.name}/{resource.logical_id}".encode()).hexdigest()
        suffix = digest[:12].upper()
        first = [] if resource.type == "AWS::StepFunctions::StateMachine" else [self.stack.name]
        room = _LONGEST.get(resource.type, 80) - len(suffix) - 2
        parts = [
            *(part[: room // 2] for part in first),
            resource.logical_id[: room // (1 + len(first))],
            suffix,
        ]
        name = "-".join(parts)
        return re.sub(r"[^a-z0-9.-]", "-", name.lower()) if resource.type in _LOWER else name

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN in this region and account."""
        return f"arn:aws:{service}:{self.aws.region}:{self.account}:{rest}"
