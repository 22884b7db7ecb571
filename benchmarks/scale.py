"""How far each way to the forwarder carries: a day of arrivals simulated against the limits of AWS and Datadog.

A fluid queue in steps of some seconds: what arrives in the course of a day with a peak of four times the mean, in which there
is a minute of ten times the mean, against what the way can take at that moment. Nothing is run: speed of the forwarder is
measured by forwarder.py, limits and prices are AWS's public ones, in the tables below. docs/scale.md has the result.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from measure import parser

DAY = 86_400
VOLUMES = (1e6, 100e6, 10_000e6)
"""Log events a day."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """Describe one event and one environment; every figure is an option.

    Attributes:
        event_bytes: a log event in a payload, before compression.
        compression: how many times smaller a payload of CloudWatch Logs is with gzip.
        payload_events: events that CloudWatch Logs puts into one payload, of one log stream.
        cpu: seconds of a processor for an event (forwarder.py: 10 µs with the intake of this machine, 14 for objects).
        share: of a processor that a function of 512 MB has (1,769 MB are one).
        memory: MB of the forwarder.
        latency: seconds until Datadog has answered a request.
        requests: requests that an invocation makes at once (MONITORING_CONNECTIONS).
        request_events: events in one request to Datadog at most; a payload makes a request a kind, of three.
        concurrency: environments that the account gives the forwarder.
        shards: of the Kinesis stream; each takes 1 MB and 1,000 records a second.
        factor: ParallelizationFactor.
        firehose_mb: MB a second that the account gives a Firehose stream (5 by default in most regions; a quota to be raised).
        datadog: requests a second that Datadog takes before it answers 429; its pages name none for metrics and logs.
    """

    event_bytes: int = 300
    compression: float = 8
    payload_events: int = 20
    cpu: float = 14e-6
    share: float = 512 / 1769
    memory: int = 512
    latency: float = 0.08
    requests: int = 4
    request_events: int = 1000
    concurrency: int = 1000
    shards: int = 0
    factor: int = 10
    firehose_mb: float = 5
    datadog: float = math.inf


USD = {
    "lambda request": 0.20e-6, "lambda GB-second, arm64": 13.3334e-6, "DynamoDB write": 0.625e-6, "DynamoDB read": 0.125e-6,
    "Kinesis shard-hour": 0.015, "Kinesis 25 kB": 0.014e-6, "Firehose GB": 0.029, "S3 put": 5e-6, "S3 get": 0.4e-6,
    "SQS request": 0.4e-6,
}  # fmt: skip
"""List prices in us-east-1, in dollars; of these pages of AWS as they are known, not compared on a day."""

BATCH_EVENTS, WINDOW = 500 * 20, 5.0  # of the event source mapping of deploy/forwarder.yaml
OBJECT_MB, OBJECT_SECONDS = 16, 60.0  # of its Firehose stream
REDRIVE_SECONDS, REDRIVE_TIMEOUT, ENTRY_SECONDS = 300.0, 120.0, 0.12  # of the spool: one entry after another
MAPPED = 50  # MaximumConcurrency of a mapping from the spool's queue


def arrivals(events: float, step: float) -> Iterator[float]:
    """Yield the events a second of each step of a day: a wave, a peak hour of four times the mean, a minute of ten times."""
    steps = int(DAY / step)
    shape = [0.6 + 0.4 * math.sin(2 * math.pi * n / steps) for n in range(steps)]
    hour, minute = round(3600 / step), max(1, round(60 / step))
    noon = steps // 2
    for n in range(noon, noon + hour):
        shape[n] = 4.0
    rest = (steps - 4.0 * hour) / sum(value for value in shape if value < 4.0)
    mean = events / DAY
    for n, value in enumerate(shape):
        is_burst = noon + hour // 2 <= n < noon + hour // 2 + minute
        yield mean * (10.0 if is_burst else value if value == 4.0 else value * rest)


@dataclass(frozen=True, slots=True)
class Way:
    """One way: what it can take, and what a day costs.

    Attributes:
        name: the value of `Transport`.
        capacity: events a second that it takes.
        wait: seconds between an event and its invocation where nothing queues, without the time in Datadog.
        invocation: events of one invocation at a rate of events a second.
        held: seconds for which it holds what is not forwarded yet.
        usd: dollars a day for what is beside Lambda and the digests, at events a day.
    """

    name: str
    capacity: float
    wait: float
    invocation: Callable[[float], float]
    held: float
    usd: Callable[[float], float]


def duration(events: float, a: Assumed) -> float:
    """Return seconds of an invocation with so many events: the processor's, and waiting for Datadog in rounds of requests."""
    requests = max(2, 2 * math.ceil(events / a.request_events))
    return 0.005 + events * a.cpu / a.share + a.latency * math.ceil(requests / a.requests)


def taken(events: float, lanes: float, a: Assumed) -> float:
    """Return events a second that so many environments take in invocations of so many events, within Datadog's limit."""
    requests = max(2, 2 * math.ceil(events / a.request_events))
    return min(lanes * events / duration(events, a), a.datadog * events / requests)


def ways(events: float, a: Assumed) -> list[Way]:
    """Return the three ways, provisioned for a day of so many events."""
    size = a.event_bytes / a.compression
    payload = a.payload_events * size
    peak = 10 * events / DAY
    shards = a.shards or max(1, math.ceil(max(peak * size / 1e6, peak / a.payload_events / 1000)))
    lanes = min(a.concurrency, shards * a.factor)

    def batch(rate: float) -> float:
        """Return events of a batch: five seconds of one lane's share, 500 records at most."""
        return max(1.0, min(BATCH_EVENTS, rate * WINDOW / shards))

    def whole(rate: float) -> float:
        return max(1.0, min(OBJECT_MB * 1e6 / size, rate * OBJECT_SECONDS))

    stream = min(taken(BATCH_EVENTS, lanes, a), shards * min(1e6 / size, 1000 * a.payload_events))
    objects = min(taken(OBJECT_MB * 1e6 / size, a.concurrency, a), a.firehose_mb * 1e6 / size)
    direct = taken(a.payload_events, a.concurrency, a)
    return [
        Way("direct", direct, 1.0, lambda _: a.payload_events, 6 * 3600, lambda _: 0.0),
        Way(
            "kinesis", stream, WINDOW, batch, 48 * 3600,
            lambda day: shards * 24 * USD["Kinesis shard-hour"]
            + day / a.payload_events * math.ceil(payload / 25_000) * USD["Kinesis 25 kB"],
        ),
        Way(
            "firehose", objects, OBJECT_SECONDS, whole, 15 * DAY,
            lambda day: day / a.payload_events * math.ceil(payload / 5000) * 5e-6 * USD["Firehose GB"]
            + max(DAY / OBJECT_SECONDS, day * size / (OBJECT_MB * 1e6))
            * (USD["S3 put"] + USD["S3 get"] + 3 * USD["SQS request"]),
        ),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayResult:
    """Results of a day: lags in seconds, events that the transport could not keep, dollars."""

    typical: float
    worst: float
    lost: float
    usd: float


def simulate(way: Way, events: float, a: Assumed, step: float) -> DayResult:
    """Let a day arrive on one way."""
    waiting = lost = seconds = invocations = 0.0
    lags: list[float] = []
    for rate in arrivals(events, step):
        waiting += rate * step
        done = min(waiting, way.capacity * step)
        waiting -= done
        queue = waiting / way.capacity
        if queue > way.held:
            lost += waiting - way.held * way.capacity
            waiting = way.held * way.capacity
        size = way.invocation(rate)
        lags.append(way.wait + queue + duration(size, a))
        invocations += done / size
        seconds += done / size * duration(size, a)
    groups = invocations * max(
        1.0, events / invocations / 5000
    )  # positions: flushed every 4,000 items and a little
    digests = groups * (USD["DynamoDB write"] + USD["DynamoDB read"])
    function = (
        invocations * USD["lambda request"] + seconds * a.memory / 1024 * USD["lambda GB-second, arm64"]
    )
    lags.sort()
    return DayResult(lags[len(lags) // 2], lags[-1], lost, way.usd(events) + digests + function)


def knee(name: str, a: Assumed, step: float) -> float:
    """Return events a day up to which no event waits for more than a minute in a queue, within one part in fifty."""
    low, high = 1e5, 1e13
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        way = next(way for way in ways(middle, a) if way.name == name)
        slack = (
            simulate(way, middle, a, step).worst
            - way.wait
            - 60
            - duration(way.invocation(10 * middle / DAY), a)
        )
        low, high = (low, middle) if slack > 0 else (middle, high)
    return low


def outage(way: Way, events: float) -> tuple[float, float, float]:
    """Return what an hour of Datadog's absence at the peak leaves in the spool.

    Returns:
        Entries; seconds until the schedule has sent them; seconds with an event source mapping of 50 at once.
    """
    rate = 4 * events / DAY
    entries = rate * 3600 / way.invocation(rate) * max(2.0, 2 * math.ceil(way.invocation(rate) / 1000))
    alone = entries * ENTRY_SECONDS * REDRIVE_SECONDS / REDRIVE_TIMEOUT
    return entries, alone, entries * ENTRY_SECONDS / MAPPED


def span(seconds: float) -> str:
    """Return a time as a person says it."""
    for unit, size in (("d", DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.1f} s"


def table(a: Assumed, step: float) -> Iterator[str]:
    """Yield the rows of the result in Markdown."""
    yield "| events a day | way | lag, median | lag, worst | lost | AWS $ a day | $ per million | spooled in an hour's outage | sent by the schedule in | by a mapping in |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for events in VOLUMES:
        for way in ways(events, a):
            result = simulate(way, events, a, step)
            entries, alone, mapped = outage(way, events)
            yield (
                f"| {events / 1e6:,.0f} million | {way.name} | {span(result.typical)} | {span(result.worst)} | "
                f"{100 * result.lost / events:.0f} % | {result.usd:,.2f} | {result.usd / events * 1e6:.3f} | "
                f"{entries:,.0f} entries | {span(alone)} | {span(mapped)} |"
            )
    yield ""
    yield "| way | carries, events a day | the limit that it meets |"
    yield "| --- | --- | --- |"
    limits = {
        "direct": f"{a.concurrency:,} environments, one payload of {a.payload_events} events each",
        "kinesis": f"{a.concurrency:,} environments, batches of up to 500 payloads",
        "firehose": f"{a.firehose_mb:g} MB a second of one Firehose stream",
    }
    for name, limit in limits.items():
        yield f"| {name} | {knee(name, a, step) / 1e6:,.0f} million | {limit} |"


def main() -> None:
    """Print both tables."""
    options = parser(__doc__)
    for name, kind in (("concurrency", int), ("shards", int), ("factor", int), ("firehose_mb", float), ("datadog", float),
                       ("latency", float), ("payload_events", int)):  # fmt: skip
        options.add_argument(f"--{name.replace('_', '-')}", type=kind, default=argparse.SUPPRESS)
    given = vars(options.parse_args())
    step = 60.0 if given.pop("quick") else 10.0
    print("\n".join(table(Assumed(**given), step)))


if __name__ == "__main__":
    main()
