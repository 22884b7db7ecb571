"""Estimate the cost of a month: quantities from a template or a database, multiplied by list prices."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from monitoring.cost.measured import Measurements
from monitoring.cost.prices import PRICES
from monitoring.cost.usage import ApplicationSpec, FunctionSpec, MachineSpec

_GB = 1024**3
_AGGREGATIONS = 5
"""Custom metrics per series of a distribution: count, sum, min, max, avg; percentiles add five more.

https://docs.datadoghq.com/account_management/billing/custom_metrics/
"""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The values that are assumed where nothing was measured; each is an option of the command.

    Bytes per invocation and per event are those of one run of the demo.
    """

    executions: int
    duration_ms: float = 200
    items: int = 10
    own_metrics: int = 2
    call_metrics: int = 6
    line_bytes: int = 2700
    platform_bytes: int = 360
    log_bytes: int = 300
    event_bytes: int = 750
    forwarder_ms: float = 150
    forwarder_mb: int = 512
    extension_ms: float = 10
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill.

    Attributes:
        name: the function, state machine or other part that causes the cost.
        service: `AWS Lambda`, `Datadog logs`, …
        quantity: in units a month.
        unit: the unit of the quantity.
        price: key of `PRICES`.
        usd: dollars a month.
        explain: how the quantity was computed.
    """

    name: str
    service: str
    quantity: float
    unit: str
    price: str
    usd: float
    explain: str

    def as_data(self) -> dict[str, Any]:
        """Return the item as `--json` prints it; `price` is dollars for one unit."""
        price = PRICES[self.price]
        return {
            "name": self.name,
            "service": self.service,
            "quantity": round(self.quantity, 6),
            "unit": self.unit,
            "price": price.usd / price.per,
            "usd": round(self.usd, 6),
            "explain": self.explain,
        }


@dataclass(slots=True)
class Estimate:
    """The items of a month, and the items of the same application with datadog-lambda and its extension."""

    items: list[Item] = field(default_factory=list)
    beside: list[Item] = field(default_factory=list)


def _item(name: str, service: str, quantity: float, price: str, explain: str) -> Item:
    entry = PRICES[price]
    return Item(name, service, quantity, entry.unit, price, entry.of(quantity), explain)


def estimate(application: ApplicationSpec, assumed: Assumptions, measured: Measurements | None) -> Estimate:
    """Estimate the cost of a month.

    Args:
        application: the functions and state machines of the templates.
        assumed: the number of executions, and values for what was not measured.
        measured: figures of a database, which take precedence over template and assumptions.
    """
    month = _Month(application, assumed, measured or Measurements())
    shared = [*month.functions(), *month.machines()]
    stepscope = [*month.pipeline(), *month.datadog()]
    return Estimate([*shared, *stepscope], [*shared, *month.extension()])


class _Month:
    """The quantities of one month."""

    def __init__(self, application: ApplicationSpec, assumed: Assumptions, measured: Measurements) -> None:
        self.application, self.assumed, self.measured = application, assumed, measured
        self.runs = _runs(application, assumed.executions)
        self.calls = self._calls()
        self.own = [function for function in application.functions if not function.is_forwarder]

    def _calls(self) -> dict[str, tuple[float, str]]:
        """Return function -> (invocations in the month, explanation)."""
        called: Counter[str] = Counter()
        for machine in self.application.machines:
            for target, count in machine.usage.tasks.items():
                called[target] += round(count * self.runs[machine.logical_id])
        calls = {}
        for function in self.application.functions:
            if function.is_forwarder:
                continue
            number: float = called[function.logical_id] or called[function.name]
            measured = self.measured.name_of(function)
            why = "calls on the longest path of the definition"
            if self.measured.executions and measured in self.measured.invocations:
                share = self.measured.invocations[measured] / self.measured.executions
                number = share * self.assumed.executions
                why = f"measured: {share:.2f} an execution ({measured})"
            elif not number and function.is_triggered:
                number, why = (
                    self.assumed.executions,
                    "no state machine calls it, a trigger does: 1 an execution",
                )
            elif not number:
                why = "no trigger and no path without an error calls it"
            calls[function.logical_id] = (float(number), why)
        return calls

    @property
    def invocations(self) -> float:
        """Return the invocations of all functions in the month, without the forwarder."""
        return sum(number for number, _ in self.calls.values())

    def duration(self, function: FunctionSpec) -> tuple[float, str]:
        """Return the seconds of one invocation, and their source."""
        name = self.measured.name_of(function)
        if name in self.measured.durations:
            return self.measured.durations[name], f"measured, billed mean of {name}"
        return self.assumed.duration_ms / 1000, "assumed, --duration-ms"

    def functions(self) -> Iterator[Item]:
        for function in self.own:
            number, why = self.calls[function.logical_id]
            seconds, source = self.duration(function)
            yield _item(function.name, "AWS Lambda", number, "lambda.requests", why)
            yield _item(
                function.name,
                "AWS Lambda",
                number * seconds * function.memory / 1024,
                "lambda.arm64" if function.architecture == "arm64" else "lambda.x86_64",
                f"{number:,.0f} invocations x {seconds:.3f} s ({source}) x {function.memory} MB",
            )
            yield _item(
                function.name,
                "CloudWatch Logs",
                number * (self.assumed.platform_bytes + self.assumed.log_bytes) / _GB,
                "logs.ingestion",
                f"{number:,.0f} invocations x {self.assumed.platform_bytes} B of START, END and REPORT "
                f"+ {self.assumed.log_bytes} B of its own lines (assumed, --log-bytes)",
            )

    def machines(self) -> Iterator[Item]:
        for machine in self.application.machines:
            runs, usage = self.runs[machine.logical_id], machine.usage
            if machine.is_express:
                yield from self._express(machine, runs)
            else:
                number, why = self._transitions(machine)
                explain = f"{runs:,.0f} executions x {number:,.1f} {why}"
                yield _item(machine.name, "AWS Step Functions", runs * number, "states.transitions", explain)
            if machine.log_level == "ALL":
                events = runs * (usage.events + 2)
                yield _item(
                    machine.name,
                    "CloudWatch Logs",
                    events * self.assumed.event_bytes / _GB,
                    "logs.ingestion",
                    f"{runs:,.0f} executions x {usage.events + 2:,.0f} events x {self.assumed.event_bytes} B",
                )

    def _transitions(self, machine: MachineSpec) -> tuple[float, str]:
        """Return the state transitions of one execution, and their source."""
        transitions = self.measured.transitions
        names = [machine.name.lower()]
        if len(transitions) == 1 == len(self.application.machines):
            names += transitions
        for name in names:
            if name in transitions:
                return transitions[name], f"states entered (measured, {name})"
        path = " > ".join(machine.usage.path)
        items = f"; a Map has {self.assumed.items} items (--items)"
        return machine.usage.transitions, f"states on the longest path ({path}){items}"

    def _express(self, machine: MachineSpec, runs: float) -> Iterator[Item]:
        by_name = {function.logical_id: function for function in self.application.functions}
        by_name |= {function.name: function for function in self.application.functions}
        seconds = sum(
            count * (self.duration(by_name[name])[0] if name in by_name else self.assumed.duration_ms / 1000)
            for name, count in machine.usage.tasks.items()
        )
        yield _item(machine.name, "AWS Step Functions", runs, "states.express.requests", "one an execution")
        yield _item(
            machine.name,
            "AWS Step Functions",
            runs * seconds * 64 / 1024,
            "states.express.duration",
            f"{runs:,.0f} executions x {seconds:.3f} s (its tasks, one after another) x 64 MB (the least)",
        )

    def pipeline(self) -> Iterator[Item]:
        """Yield the AWS cost of stepscope's log lines and of the forwarder."""
        number = self.invocations
        yield _item(
            "MONITORING lines",
            "CloudWatch Logs",
            number * self.assumed.line_bytes / _GB,
            "logs.ingestion",
            f"{number:,.0f} invocations x {self.assumed.line_bytes} B of metrics and spans (as in the demo)",
        )
        payloads = number + sum(
            self.runs[machine.logical_id]
            for machine in self.application.machines
            if machine.log_level == "ALL"
        )
        spec = next((f for f in self.application.functions if f.is_forwarder), None)
        memory = spec.memory if spec else self.assumed.forwarder_mb
        why = (
            f"{number:,.0f} invocations + {payloads - number:,.0f} executions logged at level ALL, one "
            "payload each: the most, batches hold more under load"
        )
        yield _item("forwarder", "AWS Lambda", payloads, "lambda.requests", why)
        yield _item(
            "forwarder",
            "AWS Lambda",
            payloads * self.assumed.forwarder_ms / 1000 * memory / 1024,
            "lambda.x86_64",
            f"{payloads:,.0f} invocations x {self.assumed.forwarder_ms:g} ms (assumed) x {memory} MB",
        )
        yield _item(
            "forwarder",
            "CloudWatch Logs",
            payloads * (self.assumed.platform_bytes + 200) / _GB,
            "logs.ingestion",
            f"{payloads:,.0f} invocations x {self.assumed.platform_bytes + 200} B",
        )
        yield _item(
            "digests",
            "Amazon DynamoDB",
            payloads,
            "dynamodb.writes",
            "one write for each payload, 1 KB at most",
        )
        yield _item(
            "digest reads",
            "Amazon DynamoDB",
            payloads,
            "dynamodb.reads",
            "one consistent read for each payload, 4 KB at most",
        )

    def datadog(self) -> Iterator[Item]:
        """Yield the items that Datadog bills."""
        without, measured = self.assumed.without, self.measured
        if "logs" not in without:
            yield from self._logs()
        for name, series, why in self._series():
            if name not in without:
                yield from self._metrics(name, series, why)
        if "enhanced" not in without:
            names = sorted({f.name for f in self.own} | set(measured.invocations))
            yield _item(
                "metrics: enhanced",
                "Datadog custom metrics",
                0,
                "datadog.metrics",
                f"aws.lambda.enhanced.* and aws.states.enhanced.* of {len(names)} functions: Datadog's own "
                "names, assumed not to be billed as custom metrics",
            )
        yield from self._functions_and_traces()

    def _metrics(self, name: str, series: int, why: str) -> Iterator[Item]:
        parts = {"metrics": "count, sum, min, max, avg"}
        if "percentiles" not in self.assumed.without:
            parts["percentiles"] = "p50, p75, p90, p95, p99, where percentiles are switched on"
        for part, aggregations in parts.items() if series else ():
            yield _item(
                f"{part}: {name}",
                "Datadog custom metrics",
                series * _AGGREGATIONS,
                "datadog.metrics",
                f"{series} time series ({why}) x {_AGGREGATIONS} of a distribution ({aggregations})",
            )

    def _functions_and_traces(self) -> Iterator[Item]:
        active = sum(1 for number, _ in self.calls.values() if number)
        yield _item(
            "functions",
            "Datadog serverless",
            active,
            "datadog.functions",
            f"{active} functions, if each is invoked in every hour of the month: the most",
        )
        if "traces" not in self.assumed.without:
            number = self.invocations
            yield _item(
                "traces", "Datadog APM", number, "datadog.apm", f"{number:,.0f} invocations, each traced"
            )

    def _logs(self) -> Iterator[Item]:
        number, size = self.invocations, self.assumed.log_bytes
        events, why = number * 2, "2 lines an invocation (assumed)"
        if self.measured.logs and self.measured.executions:
            share = self.measured.logs / self.measured.executions
            events, why = share * self.assumed.executions, f"measured: {share:.1f} an execution"
            total = events * self.measured.log_bytes / self.measured.logs
        else:
            total = number * size
        explain = (
            f"{events:,.0f} log events ({why}), {total / _GB:.3f} GB; platform lines are not sent as logs"
        )
        yield _item("logs", "Datadog logs", total / _GB, "datadog.logs.ingestion", explain)
        yield _item("logs", "Datadog logs", events, "datadog.logs.indexing", explain + "; 15 days")

    def _series(self) -> Iterator[tuple[str, int, str]]:
        if self.measured.metrics:
            for name, series in sorted(self.measured.metrics.items()):
                yield name, series, "measured"
            return
        active = sum(1 for number, _ in self.calls.values() if number)
        machines = len(self.application.machines)
        yield (
            "calls",
            active * self.assumed.call_metrics,
            f"{self.assumed.call_metrics} a function, one set of tags",
        )
        yield "executions", machines * 4, "4 a state machine"
        yield "forwarder", 8, "8 of the forwarder"
        yield (
            "business",
            active * self.assumed.own_metrics,
            f"{self.assumed.own_metrics} a function (--own-metrics)",
        )

    def extension(self) -> Iterator[Item]:
        """Yield the cost of datadog-lambda and its extension, in place of log lines and forwarder."""
        for function in self.own:
            number, _ = self.calls[function.logical_id]
            yield _item(
                function.name,
                "AWS Lambda",
                number * self.assumed.extension_ms / 1000 * function.memory / 1024,
                "lambda.arm64" if function.architecture == "arm64" else "lambda.x86_64",
                f"{number:,.0f} invocations x {self.assumed.extension_ms:g} ms of the extension "
                f"(assumed, --extension-ms) x {function.memory} MB",
            )
        if "logs" not in self.assumed.without:
            yield from self._logs()
        for name, series, why in self._series():
            if name == "business" and name not in self.assumed.without:
                yield from self._metrics(name, series, f"{why}; those of calls are enhanced metrics there")
        yield from self._functions_and_traces()


def _runs(application: ApplicationSpec, executions: int) -> dict[str, float]:
    """Return the executions of each machine in the month; a nested machine runs as often as it is started."""
    machines = {machine.logical_id: machine for machine in application.machines}
    names = {machine.name: machine.logical_id for machine in application.machines}

    def callers(logical_id: str) -> Iterator[tuple[str, float]]:
        for other in machines.values():
            for target, count in other.usage.tasks.items():
                if names.get(target, target) == logical_id and other.logical_id != logical_id:
                    yield other.logical_id, count

    def runs(logical_id: str, above: frozenset[str]) -> float:
        started = [
            count * runs(caller, above | {logical_id})
            for caller, count in callers(logical_id)
            if caller not in above
        ]
        return sum(started) if started else float(executions)

    return {logical_id: runs(logical_id, frozenset()) for logical_id in machines}
