"""Start both embedded services, deploy an application to them, and end all of it without a trace."""

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
    """Describe what to run, and how.

    Attributes:
        source: the template, or the folder that holds it.
        parameters: values of the template's parameters.
        stack: the stack's name; "" has the one that the project deploys with.
        answers: what a stand-in answers, by a function's logical id or `STATE_MACHINE.State`.
        environment: variables of every function that does not set them itself.
        database: the DuckDB file of the embedded Datadog; None keeps it in memory.
        speed: how many times faster than the wall clock waits pass.
        port: where the embedded Datadog listens; 0 takes a free port.
        aws_port: where the embedded AWS listens; 0 takes a free port.
        pages: gives further routes over the store.
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
    """An application that runs: both services, what was deployed, and what to tell of it.

    Attributes:
        forwarders: the logical ids of the template's own forwarders; empty where one was added.
        notes: what was assumed, and what a user should know, in sentences.
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
    """Start everything and deploy the application; at the end of the block all of it is stopped.

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
    """Start both embedded services; at the end of the block they are stopped, and AWS's files are gone.

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
    """Return the variables that functions get, by logical id; `*` for all of them."""
    return {
        "*": options.environment,
        **{name: forwarder_environment(url) for name in own_forwarders(stacks)},
    }


def _notes(aws: LocalAws, stacks: Sequence[Stack], deployment: Deployment) -> Iterator[str]:
    yield from deployment.notes
    here = ".".join(platform.python_version_tuple()[:2])
    runtimes = {
        str(resource.properties.get("Runtime")).removeprefix("python")
        for stack in stacks
        for resource in stack.of_type("AWS::Lambda::Function")
        if str(resource.properties.get("Runtime")).startswith("python")
    }
    if others := sorted(runtimes - {here}):
        yield f"functions of Python {', '.join(others)} run on Python {here} here"
    for name in silent_machines(aws, deployment):
        yield f"{name} does not log: its executions have no spans of states (set its logging to ALL)"
