"""Start both embedded services, deploy an application to them, and stop and delete everything at the end."""

import contextlib
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.runtime_clients import node_version
from monitoring.local_aws.stack import Deployment
from monitoring.local_datadog import LocalDatadog
from monitoring.local_pipeline.definitions import record_definitions
from monitoring.local_pipeline.forwarding import (
    add_forwarder,
    forwarder_environment,
    own_forwarders,
    silent_machines,
)
from monitoring.store import Store


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Options of a local pipeline.

    Attributes:
        source: the template, or the folder that contains it.
        parameters: values of the template's parameters.
        stack: the stack's name; "" uses the name in the project's deployment settings.
        answers: responses of stand-ins, by a function's logical id or `STATE_MACHINE.State`.
        environment: default environment variables of every function.
        database: the DuckDB file of the embedded Datadog; None keeps it in memory.
        speed: the factor by which waits are shortened.
        port: the port of the embedded Datadog; 0 uses a free port.
        aws_port: the port of the embedded AWS; 0 uses a free port.
        pages: returns additional routes for the store.
    """

    source: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: {"DD_ENV": "local"})
    database: Path | None = None
    speed: float = 1.0
    port: int = 0
    aws_port: int = 0
    pages: Callable[[Store], Sequence[BaseRoute]] | None = None


@dataclass(slots=True)
class Pipeline:
    """A running application: both services, the deployment, and notes for the user.

    Attributes:
        forwarders: the logical ids of the template's own forwarders; empty if one was added.
        notes: assumptions and differences from AWS that the user should know, as sentences.
    """

    aws: LocalAws
    datadog: LocalDatadog
    stacks: tuple[Stack, ...]
    deployment: Deployment
    forwarders: tuple[str, ...]
    notes: tuple[str, ...]


@contextlib.contextmanager
def start_pipeline(
    options: PipelineOptions, say: Callable[[str], None] = lambda _: None
) -> Iterator[Pipeline]:
    """Start both services and deploy the application; stop everything at the end of the block.

    Raises:
        InputError: the template cannot be read or deployed, a port is in use, or the database cannot be used.
    """
    if not options.source.exists():
        raise InputError("there is no such file or folder", where=str(options.source))
    say(f"reading {options.source}")
    stacks = read_stacks(options.source, parameters=options.parameters, name=options.stack)
    with start_services(options, say) as (aws, datadog):
        yield _deployed(options, stacks, aws, datadog, say)


@contextlib.contextmanager
def start_services(
    options: PipelineOptions, say: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[LocalAws, LocalDatadog]]:
    """Start both embedded services; at the end of the block stop them and delete the files of AWS.

    Raises:
        InputError: a port is in use, or the database cannot be used.
    """
    with contextlib.ExitStack() as exits:
        say("starting AWS and Datadog on this machine")
        datadog = exits.enter_context(LocalDatadog(options.database, options.port, pages=options.pages))
        home = Path(tempfile.mkdtemp(prefix="stepscope-"))
        exits.callback(shutil.rmtree, home, ignore_errors=True)
        yield exits.enter_context(LocalAws(home, speed=options.speed, port=options.aws_port)), datadog


def _deployed(
    options: PipelineOptions,
    stacks: tuple[Stack, ...],
    aws: LocalAws,
    datadog: LocalDatadog,
    say: Callable[[str], None],
) -> Pipeline:
    say(f"deploying {', '.join(stack.name for stack in stacks)}")
    forwarders = own_forwarders(stacks)
    environment = environment_of(options, stacks, datadog.url)
    deployment = aws.deploy(stacks, environment=environment, answers=options.answers)
    if not forwarders:
        add_forwarder(aws, deployment, datadog.url, dict(options.environment))
    record_definitions(aws, datadog.store)
    return Pipeline(
        aws, datadog, stacks, deployment, tuple(forwarders), tuple(_notes(aws, stacks, deployment))
    )


def environment_of(
    options: PipelineOptions, stacks: Sequence[Stack], url: str
) -> dict[str, Mapping[str, str]]:
    """Return the environment variables of functions by logical id; `*` means all functions."""
    return {
        "*": options.environment,
        **{name: forwarder_environment(url) for name in own_forwarders(stacks)},
    }


def _runtime_notes(stacks: Sequence[Stack]) -> Iterator[str]:
    """Yield which version of their language runs the functions of another one; Node.js's patch, too."""
    runtimes = {
        str(resource.properties.get("Runtime"))
        for stack in stacks
        for resource in stack.of_type("AWS::Lambda::Function")
    }
    for language, prefix, version in (
        ("Python", "python", _python_version),
        ("Node.js", "nodejs", node_version),
    ):
        named = {text.removeprefix(prefix).removesuffix(".x") for text in runtimes if text.startswith(prefix)}
        running = version() if named else ""
        if running and named != {running}:
            others = sorted(named - {running}, key=lambda text: [*map(_number, text.split("."))])
            yield f"functions of {language} {', '.join(others)} run on {language} {running} here"


def _python_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _number(part: str) -> int:
    return int(part) if part.isdecimal() else 0


def _notes(aws: LocalAws, stacks: Sequence[Stack], deployment: Deployment) -> Iterator[str]:
    yield from deployment.notes
    yield from _runtime_notes(stacks)
    for name in silent_machines(aws, deployment):
        yield f"{name} does not log: its executions have no spans of states (set its logging to ALL)"
