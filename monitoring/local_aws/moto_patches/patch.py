"""A patch of moto: what it replaces, why, and the check that moto is still what it was written for."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from monitoring.errors import InputError

if TYPE_CHECKING:
    from monitoring.local_aws.invocation import Invocation
    from monitoring.log_events.telemetry import LogEvent


class Host(Protocol):
    """Define what the patches call back: the local AWS that moto is a part of."""

    speed: float
    work_speed: float
    endpoint_url: str

    def invoke_function(self, function: Any, payload: bytes) -> "Invocation":
        """Run a moto `LambdaFunction` for real."""

    def invoke_later(self, function_arn: str, payload: bytes, source: str, *, in_turn: bool) -> None:
        """Queues an asynchronous invocation; those in turn come one after another."""

    def send_to_target(self, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> bool:
        """Hand a rule's event to a function or a state machine; return whether the target is one."""

    def received(self, events: "list[LogEvent]") -> None:
        """CloudWatch Logs received these events."""

    def deliver_log_events(
        self, function_arn: str, filter_name: str, group: str, stream: str, events: list[dict[str, Any]]
    ) -> None:
        """Queues log events for a subscriber."""

    def called(
        self, service: str, name: str, parameters: dict[str, Any], response: dict[str, Any] | None
    ) -> None:
        """Announce a call of AWS's API, as CloudTrail does."""

    def answer_states(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Return the response of an operation of Step Functions."""

    def start_build(self, build: dict[str, Any], request: dict[str, Any], project: dict[str, Any]) -> None:
        """Run a CodeBuild build; `build`, its description, is updated while it runs."""

    def stop_build(self, build_id: str) -> None:
        """Stop a running build."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One attribute of moto that is replaced while an embedded AWS runs.

    Attributes:
        target: `moto.module:Class.attribute`.
        reason: what moto itself does, and what is needed.
        make: given what moto has there and the host, what is put in its place.
        parameters: of the function that is replaced, as this moto has them; None for what is no function.
    """

    target: str
    reason: str
    make: Callable[[Any, Host], Any]
    parameters: tuple[str, ...] | None = None


def resolve(patch: Patch) -> tuple[Any, str, Any]:
    """Return the owner of the target, the attribute's name and moto's own value.

    Raises:
        InputError: this moto does not have it, or it takes other parameters.
    """
    module, _, path = patch.target.partition(":")
    *owners, name = path.split(".")
    try:
        owner = importlib.import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        value = inspect.getattr_static(owner, name)
    except (ImportError, AttributeError) as missing:
        raise _changed(patch, f"it has no {patch.target}") from missing
    if patch.parameters is not None:
        parameters = tuple(inspect.signature(getattr(owner, name)).parameters)
        if parameters != patch.parameters:
            raise _changed(patch, f"its {patch.target} takes ({', '.join(parameters)})")
    return owner, name, value


@contextmanager
def applied(patches: tuple[Patch, ...], host: Host) -> Iterator[None]:
    """All patches, or none; what was there comes back at the end."""
    targets = [(patch, *resolve(patch)) for patch in patches]
    for patch, owner, name, value in targets:
        setattr(owner, name, patch.make(value, host))
    try:
        yield
    finally:
        for _, owner, name, value in reversed(targets):
            setattr(owner, name, value)


def _changed(patch: Patch, what: str) -> InputError:
    expected = f" instead of ({', '.join(patch.parameters)})" if patch.parameters and "takes" in what else ""
    return InputError(
        f"moto {version('moto')} is not one that the embedded AWS knows: {what}{expected}",
        where="monitoring.local_aws.moto_patches",
        hint="install the version that constraints.txt names: pip install -c constraints.txt moto",
    )
