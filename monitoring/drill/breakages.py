"""List the faults of an application: of its functions, resources, state machines and its own forwarder."""

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
"""The environment variable with a forwarder's spool: `bucket/prefix`."""
WITHIN = 60
"""Minutes within which a monitor has to detect a fault."""
FAULT_MINUTES, LONG_MINUTES = 30, 120
"""Duration of a fault in minutes; longer for faults that cause missing data, which take longer to detect."""


class Health(NamedTuple):
    """Observations of a state machine's executions without a fault.

    Attributes:
        functions: logical id -> name of each invoked function.
        resources: logical id -> ARN of each used table, queue, topic, bucket and stream.
        exchanges: function name -> event and result of a call.
        forwarders: logical id -> name of the template's own forwarders.
        spools: forwarder name -> the bucket of its spool.
        express: whether executions are Express executions, which cannot be stopped.
        unlucky: the number of executions that failed without a fault.
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
    """One fault of an application: its target, and the function that injects it.

    An execution has to reach the function with the name `function` or the resource with the ARN `resource`.
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
        """Return the name in reports."""
        return f"{self.target}/{self.kind}"

    @property
    def fault(self) -> Fault:
        """Return the fault for the judge: any monitor of the project may detect it."""
        return Fault(
            self.name,
            self.how,
            {"any": max(WITHIN, self.minutes)},
            minutes=self.minutes,
            rate=self.rate,
            forwarder=self.forwarder,
        )


def breakages(machine: str, health: Health) -> Iterator[Breakage]:
    """Yield the faults of a state machine and of all resources that its executions use.

    Args:
        machine: the state machine's logical id.
        health: observations of its executions.
    """
    yield from of_uses(health)
    yield from of_machine(machine, express=health.express)
    yield from of_forwarders(health)


def of_uses(health: Health) -> Iterator[Breakage]:
    """Yield the faults of functions and resources."""
    for target, name in health.functions.items():
        yield from _of_function(target, name, health.exchanges.get(name))
    forwarder = bool(health.forwarders)
    for target, arn in health.resources.items():
        for kind in KINDS:
            how, bring_about = _OF_RESOURCES[kind], refusing(arn, kind)
            yield Breakage(kind, target, how, bring_about, forwarder=forwarder, resource=arn)


def of_machine(machine: str, *, express: bool) -> Iterator[Breakage]:
    """Yield the faults of a state machine itself."""
    yield Breakage("times-out", machine, "executions take longer than their time-out", timed_out)
    if not express:
        yield Breakage("aborted", machine, "somebody stops every execution", aborted)
        yield Breakage("stuck", machine, "executions wait for what never comes", stuck)
    yield Breakage(
        "never-started", machine, "no execution is started", never_started, rate=0, minutes=LONG_MINUTES
    )


def of_forwarders(health: Health) -> Iterator[Breakage]:
    """Yield the faults of the template's own forwarders."""
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
    """Return a fault in which a resource denies or throttles every call."""

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
