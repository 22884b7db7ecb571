"""List the faults of a drill from an application's template, without deploying or running anything."""

from collections.abc import Iterator, Sequence

from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.drill.breakages import SPOOL, Breakage, Health, of_forwarders, of_machine, of_uses
from monitoring.drill.player import RESOURCES
from monitoring.errors import InputError
from monitoring.local_aws.invocation import Exchange
from monitoring.local_pipeline import PipelineOptions
from monitoring.local_pipeline.forwarding import own_forwarders


def listed(options: PipelineOptions) -> list[Breakage]:
    """Return every fault that the template allows, including those that no execution may reach.

    Raises:
        InputError: the template cannot be read, or has no state machine.
    """
    stacks = read_stacks(options.source, parameters=options.parameters, name=options.stack)
    if not any(stack.of_type("AWS::StepFunctions::StateMachine") for stack in stacks):
        raise InputError("the template has no state machine to drill", where=str(options.source))
    return list(_faults(stacks))


def _faults(stacks: Sequence[Stack]) -> Iterator[Breakage]:
    own = own_forwarders(stacks)
    names = [resource.logical_id for stack in stacks for resource in stack.of_type("AWS::Lambda::Function")]
    health = Health(
        {name: name for name in names if name not in own},
        {resource.logical_id: "" for stack in stacks for resource in stack.of_type(*RESOURCES)},
        {name: Exchange(b"null", b"null") for name in names},
        {name: name for name in own},
        {
            resource.logical_id: SPOOL
            for stack in stacks
            for resource in stack.of_type("AWS::Lambda::Function")
            if SPOOL in ((resource.properties.get("Environment") or {}).get("Variables") or {})
        },
    )
    yield from of_uses(health)
    for stack in stacks:
        for machine in stack.of_type("AWS::StepFunctions::StateMachine"):
            yield from of_machine(
                machine.logical_id, express=machine.properties.get("StateMachineType") == "EXPRESS"
            )
    yield from of_forwarders(health)
