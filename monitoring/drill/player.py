"""Inject an application's faults in one embedded AWS, one at a time, and record their telemetry."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from monitoring.drill.application import Bench
from monitoring.drill.breakages import SPOOL, Breakage, Health, breakages
from monitoring.drill.jury import Jury, Verdict
from monitoring.drill.lane import Run
from monitoring.drill.recordings import Names, Take, takes_of
from monitoring.drill.run import DRAIN_SECONDS, Played
from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.moto_backends import ACCOUNT
from monitoring.local_pipeline import Pipeline
from monitoring.local_pipeline.forwarding import FORWARDER, STATES_FORWARDER

HEALTHY_RUNS = 3
LUCKY_TRIES = 10
"""The number of attempts to get a successful execution, or one that reaches the fault."""
CAUSE = 400
"""The maximum number of characters of a cause in a message."""
DURATIONS = {"aws.lambda.enhanced.duration", "aws.lambda.enhanced.billed_duration", "stepscope.duration"}
"""Metrics from logs with the duration of an invocation."""
RESOURCES = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::DynamoDB::GlobalTable": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::Kinesis::Stream": "arn:aws:kinesis:{region}:{account}:stream/{name}",
}
"""Resource types that can deny or throttle calls -> ARN; the name is the last part of the value of `!Ref`."""


class Part(NamedTuple):
    """A state machine for a player: logical id, input, healthy observations, and the jury."""

    machine: str
    value: Any
    health: Health
    jury: Jury


@dataclass(slots=True)
class Player:
    """Inject faults into a running application, one at a time.

    Attributes:
        pipeline: the application.
    """

    pipeline: Pipeline
    _bench: Bench | None = None
    _jury: Jury | None = None
    _breakages: dict[str, Breakage] = field(default_factory=dict)
    _settings: dict[str, tuple[int, int]] = field(default_factory=dict)

    def prepare(self, machine: str, value: Any) -> tuple[Health, Played]:
        """Run a state machine without a fault; return the observations and the recording.

        Raises:
            InputError: an execution does not succeed.
        """
        bench = Bench(self.pipeline, machine, value)
        host = self.pipeline.aws.host
        host.broken.watch()
        exchanges = host.note_exchanges()
        unlucky = _run_in_health(bench, HEALTHY_RUNS + 1)
        host.exchanges = None
        first, bench.runs = bench.runs[0], bench.runs[1:]  # without the cold starts
        called = {call.function for call in self.pipeline.aws.invocations() if call.began >= first.began}
        used = {_base(arn) for arn in host.broken.called or ()}
        functions, own = self.pipeline.deployment.functions, set(self.pipeline.forwarders)
        health = Health(
            {key: name for key, name in functions.items() if name in called and key not in own},
            {key: arn for key, arn in resources_of(self.pipeline).items() if arn in used},
            {name: exchanges[name] for name in functions.values() if name in exchanges},
            {key: functions[key] for key in self.pipeline.forwarders if key in functions},
            self._spools(),
            bench.express,
            unlucky,
        )
        self._bench = bench
        return health, self._played(bench)

    def join(self, part: Part) -> None:
        """Select a state machine; warm it up if another player has prepared it."""
        if self._bench is None or self._bench.machine != part.machine:
            self._bench = Bench(self.pipeline, part.machine, part.value)
            _run_in_health(self._bench, 1)
        self._jury = part.jury
        self._breakages = {breakage.name: breakage for breakage in breakages(part.machine, part.health)}

    def play(self, name: str) -> Verdict:
        """Inject one fault of the state machine, remove it, and return the verdict."""
        bench, breakage, jury = self._bench, self._breakages[name], self._jury
        if bench is None or jury is None:
            raise RuntimeError("the player has joined no state machine")
        tries = self._bring_about(bench, breakage)
        verdict = jury.verdict(breakage.fault, self._played(bench, forwarder=breakage.forwarder))
        return verdict._replace(remarks=(*_unlucky_remarks(tries, breakage), *verdict.remarks))

    def _bring_about(self, bench: Bench, breakage: Breakage) -> int:
        """Inject the fault until an execution reaches it; return the number of attempts, 0 if none did.

        A Choice may take another branch, depending on the time of day or at random.
        """
        for tries in range(1, LUCKY_TRIES + 1):
            bench.clear()
            breakage.bring_about(bench)
            if self._reaches(bench, breakage):
                return tries
        return 0

    def _reaches(self, bench: Bench, breakage: Breakage) -> bool:
        """Return whether an execution reached the fault."""
        if breakage.resource:
            return breakage.resource in self.pipeline.aws.host.broken.refused
        began = bench.runs[0].began if bench.runs else 0.0
        calls = self.pipeline.aws.invocations()
        return not breakage.function or any(
            call.function == breakage.function and call.began >= began for call in calls
        )

    def _spools(self) -> dict[str, str]:
        """Return forwarder -> the bucket of its spool, by physical name."""
        names = [self.pipeline.deployment.functions[key] for key in self.pipeline.forwarders]
        region = self.pipeline.aws.region
        variables = {name: moto_backends.function(region, name).environment_vars for name in names}
        return {
            name: values[SPOOL].partition("/")[0] for name, values in variables.items() if values.get(SPOOL)
        }

    def _played(self, bench: Bench, *, forwarder: bool = False) -> Played:
        """Return the recording of a bench's executions, after all telemetry has arrived."""
        self.pipeline.aws.drain(DRAIN_SECONDS)
        until = time.time()
        begin = bench.runs[0].began if bench.runs else until
        own = {self.pipeline.deployment.functions[key] for key in self.pipeline.forwarders}
        added = {FORWARDER, STATES_FORWARDER}
        calls = [
            call
            for call in self.pipeline.aws.invocations()
            if call.function not in added and call.began >= begin
        ]
        series = self.pipeline.datadog.store.series(start=int(begin))
        tags = {f"functionname:{name}".lower() for name in own | added}
        about_itself = [line for line in series if not tags.isdisjoint(line.tags)]
        theirs = [line for line in series if forwarder or tags.isdisjoint(line.tags)]
        names = Names(_sorted, _sorted, {}, frozenset(own), bench.speed)
        recorded = takes_of(bench.runs, calls, (theirs, about_itself), names, {}, until)
        return Played([stretched(take, bench.stretched) for take in recorded], self._function_settings())

    def _function_settings(self) -> dict[str, tuple[int, int]]:
        """Return function -> (time-out in seconds, memory in megabytes)."""
        if not self._settings:
            pages = self.pipeline.aws.client("lambda").get_paginator("list_functions").paginate()
            self._settings = {
                function["FunctionName"]: (function["Timeout"], function["MemorySize"])
                for page in pages
                for function in page["Functions"]
            }
        return self._settings


def _sorted(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(tags))


def resources_of(pipeline: Pipeline) -> dict[str, str]:
    """Return logical id -> ARN of the tables, queues, topics, buckets and streams of an application."""
    return dict(_resources(pipeline))


def _resources(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    for stack in pipeline.stacks:
        for type_, pattern in RESOURCES.items():
            for resource in stack.of_type(type_):
                ref = str(pipeline.deployment.names.get(resource.logical_id, ""))
                name = ref.rpartition("/")[2].rpartition(":")[2]
                yield (
                    resource.logical_id,
                    pattern.format(region=pipeline.aws.region, account=ACCOUNT, name=name),
                )


def _base(arn: str) -> str:
    """Return the ARN of an object's bucket or of an index's table; other ARNs unchanged."""
    service = arn.split(":")[2]
    if service == "s3":
        return arn.partition("/")[0]
    return arn.partition("/index/")[0] if service == "dynamodb" else arn


def stretched(take: Take, factors: Mapping[str, float]) -> Take:
    """Return a recording with the durations of invocations multiplied by factors.

    During a fault, a time-out of minutes is reduced to seconds, so that a drill does not take hours.
    """
    tags = {f"functionname:{name.lower()}": factor for name, factor in factors.items() if factor > 1}
    if not tags:
        return take

    def factor_of(metric: bool, of: tuple[str, ...]) -> float:
        return next((tags[tag] for tag in of if tag in tags), 1.0) if metric else 1.0

    samples = {
        key: (times, values * factor_of(key.metric == "Duration", key.tags))
        for key, (times, values) in take.samples.items()
    }
    points = {
        key: (times, values * factor_of(key.metric in DURATIONS, key.tags))
        for key, (times, values) in take.points.items()
    }
    return replace(take, samples=samples, points=points)


def _run_in_health(bench: Bench, count: int) -> int:
    """Run executions until `count` have succeeded; remove the others and return their number.

    Raises:
        InputError: too many executions do not succeed.
    """
    unlucky: list[Run] = []
    while len(bench.runs) < count:
        bench.run()
        if bench.runs[-1].status != "SUCCEEDED":
            unlucky.append(bench.runs.pop())
        if len(unlucky) >= (LUCKY_TRIES if bench.runs else 2):
            raise _unhealthy(bench, unlucky)
    return len(unlucky)


def _unhealthy(bench: Bench, runs: Sequence[Run]) -> InputError:
    """Return the error of a state machine whose executions do not succeed."""
    cause, last = _cause_of(runs[-1]), runs[-1]
    return InputError(
        f"{bench.machine} does not succeed before anything is broken: {last.status} {last.error}"
        + (f": {cause[:CAUSE]}" if cause else ""),
        hint="Correct it, or give an input that succeeds: --input FILE, --input MACHINE=FILE.",
    )


def _unlucky_remarks(tries: int, breakage: Breakage) -> tuple[str, ...]:
    """Return remarks on executions that did not reach the fault."""
    if tries == 1:
        return ()
    if tries:
        return (f"{tries - 1} executions did not come to {breakage.target} and were run again",)
    return (f"none of {LUCKY_TRIES} executions came to {breakage.target}: a Choice leads elsewhere",)


def _cause_of(run: Run) -> str:
    """Return the cause of an execution's end; "" if it has none."""
    details = run.history[-1].get("executionFailedEventDetails", {}) if run.history else {}
    return str(details.get("cause") or "")
