"""What can be broken in an application: its functions, resources, state machines and its own forwarder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.drill.application import (
    HANG_SECONDS,
    SLOW_SECONDS,
    Bench,
    Break,
    aborted,
    broken_handler,
    changed,
    never_started,
    refused,
    stuck,
    timed_out,
)
from monitoring.drill.application_forwarder import refused_by_datadog, unsubscribed
from monitoring.drill.fault import Fault
from monitoring.local_aws.invocation import Exchange
from monitoring.local_aws.refusals import KINDS, Kind

SPOOL = "MONITORING_SPOOL_BUCKET"
"""The variable of a forwarder that names its spool: `bucket/prefix`."""
WITHIN = 60
"""Minutes within which a fault has to be noticed."""
FAULT_MINUTES, LONG_MINUTES = 30, 120
"""How long a fault lasts, and one by which something is missing: silence needs longer to be told."""


class Health(NamedTuple):
    """What the executions of a state machine do in health.

    Attributes:
        functions: logical id -> name of the functions that they call.
        resources: logical id -> ARN of the tables, queues, topics, buckets and streams that they use.
        exchanges: name of a function -> what it was called with, and what it returned.
        forwarders: logical id -> name of the template's own forwarders.
        spools: name of a forwarder -> the bucket of its spool.
        express: whether executions are Express ones, which nobody can stop.
        unlucky: how many executions failed although nothing was broken.
    """

    functions: Mapping[str, str]
    resources: Mapping[str, str]
    exchanges: Mapping[str, Exchange]
    forwarders: Mapping[str, str]
    spools: Mapping[str, str]
    express: bool = False
    unlucky: int = 0


@dataclass(frozen=True, slots=True)
class Breakage:
    """One fault of the application: what is broken in which resource, and how it is brought about.

    `function` and `resource` are the name and the ARN of what executions have to come to.
    """

    kind: str
    target: str
    how: str
    bring_about: Break
    rate: float = 1.0
    minutes: int = FAULT_MINUTES
    forwarder: bool = False
    function: str = ""
    resource: str = ""

    @property
    def name(self) -> str:
        """Return the name that reports use."""
        return f"{self.target}/{self.kind}"

    @property
    def fault(self) -> Fault:
        """Return it as the judge takes it: any monitor of the project may notice."""
        return Fault(
            self.name,
            self.how,
            {"any": max(WITHIN, self.minutes)},
            minutes=self.minutes,
            rate=self.rate,
            forwarder=self.forwarder,
        )


def breakages(machine: str, health: Health) -> Iterator[Breakage]:
    """Yield what can be broken in a state machine, and in all that its executions use.

    Args:
        machine: the state machine's logical id.
        health: what its executions do.
    """
    yield from of_uses(health)
    yield from of_machine(machine, express=health.express)
    yield from of_forwarders(health)


def of_uses(health: Health) -> Iterator[Breakage]:
    """Yield what can be broken in functions and resources."""
    for target, name in health.functions.items():
        yield from _of_function(target, name, health.exchanges.get(name))
    forwarder = bool(health.forwarders)
    for target, arn in health.resources.items():
        for kind in KINDS:
            how, bring_about = _OF_RESOURCES[kind], refusing(arn, kind)
            yield Breakage(kind, target, how, bring_about, forwarder=forwarder, resource=arn)


def of_machine(machine: str, *, express: bool) -> Iterator[Breakage]:
    """Yield what can be broken in a state machine itself."""
    yield Breakage("times-out", machine, "executions take longer than their time-out", timed_out)
    if not express:
        yield Breakage("aborted", machine, "somebody stops every execution", aborted)
        yield Breakage("stuck", machine, "executions wait for what never comes", stuck)
    yield Breakage(
        "never-started", machine, "no execution is started", never_started, rate=0, minutes=LONG_MINUTES
    )


def of_forwarders(health: Health) -> Iterator[Breakage]:
    """Yield what can be broken in the template's own forwarders."""
    for target, name in health.forwarders.items():
        for row in _of_forwarder(name, health.spools.get(name, "")):
            yield Breakage(row[0], target, *row[1:], minutes=WITHIN, forwarder=True)


_OF_RESOURCES: dict[Kind, str] = {
    "denies": "it denies every call",
    "throttles": "it throttles every call",
    "gone": "it is gone",
}


def _of_function(target: str, name: str, exchange: Exchange | None) -> Iterator[Breakage]:
    rows: tuple[tuple[str, str, Break], ...] = (
        ("raises", "its handler raises an exception", broken_handler(name, "raises")),
        (
            "times-out",
            "its handler never returns",
            broken_handler(name, "times-out", timeout=HANG_SECONDS),
        ),
        ("out-of-memory", "its handler eats its memory", broken_handler(name, "out-of-memory")),
        ("throttled", "its reserved concurrency is 0", changed(name, reserved_concurrency=0)),
        ("not-importable", "its module is not in its code", changed(name, handler="not_deployed.handler")),
        (
            "slow",
            "it takes nine tenths of its time-out",
            broken_handler(name, "slow", exchange, timeout=SLOW_SECONDS),
        ),
        (
            "claims-falsely",
            "it returns what a healthy call returned, and does nothing",
            broken_handler(name, "claims-falsely", exchange),
        ),
    )
    for kind, how, bring_about in rows:
        if kind != "claims-falsely" or exchange:
            yield Breakage(kind, target, how, bring_about, function=name)


def refusing(arn: str, kind: Kind) -> Break:
    """Let a resource refuse every call, whoever makes it."""

    def broken(bench: Bench) -> None:
        with refused(bench, arn, kind):
            bench.run()

    return broken


def _of_forwarder(name: str, spool: str) -> Iterator[tuple[str, str, Break]]:
    yield "raises", "the forwarder raises an exception", broken_handler(name, "raises")
    yield "out-of-memory", "the forwarder eats its memory", broken_handler(name, "out-of-memory")
    yield "throttled", "the forwarder's reserved concurrency is 0", changed(name, reserved_concurrency=0)
    yield "unsubscribed", "the forwarder's subscriptions are lost", unsubscribed(name)
    yield "datadog-503", "Datadog answers 503", refused_by_datadog(name, 503)
    yield "datadog-403", "Datadog answers 403: the API key is not valid", refused_by_datadog(name, 403)
    if spool:
        yield (
            "spool-gone",
            "Datadog answers 503, and the bucket of the spool is gone",
            refused_by_datadog(name, 503, spool),
        )
