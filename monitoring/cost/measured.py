"""Read measurements from a database: durations, memory, invocations and custom metrics of executions."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from monitoring.cost.usage import FunctionSpec
from monitoring.errors import InputError


@dataclass(slots=True)
class Measurements:
    """Figures of a database.

    Attributes:
        executions: the number of executions.
        durations: function name -> mean billed duration in seconds.
        invocations: function name -> number of invocations.
        memory_used: function name -> the maximum of used memory in megabytes.
        memory_size: function name -> configured memory in megabytes.
        cold_starts: function name -> number of cold starts.
        init_durations: function name -> mean duration of an initialisation in seconds.
        transitions: state machine name -> mean number of states entered per execution, without retries.
        metrics: family -> number of time series (metric and tags) that Datadog bills as custom metrics.
        logs: the number of log events other than metrics and spans.
        log_bytes: the total size of their messages.
    """

    executions: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    invocations: dict[str, int] = field(default_factory=dict)
    memory_used: dict[str, float] = field(default_factory=dict)
    memory_size: dict[str, int] = field(default_factory=dict)
    cold_starts: dict[str, int] = field(default_factory=dict)
    init_durations: dict[str, float] = field(default_factory=dict)
    transitions: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)
    logs: int = 0
    log_bytes: int = 0

    def name_of(self, function: FunctionSpec) -> str:
        """Return the name under which a function was measured, or "".

        The name is the configured one, the one that CloudFormation generates from stack and logical id, or
        the only name with the same ending as the logical id: `slides-build` matches BuildFunction.
        """
        name, stack = function.name.lower(), f"{function.stack}-{function.logical_id}-".lower()
        if name in self.invocations:
            return name
        generated = [measured for measured in self.invocations if measured.startswith(stack)]
        word = re.sub(r"(lambda)?function$", "", function.logical_id.lower())
        alike = [measured for measured in self.invocations if word and measured.endswith(f"-{word}")]
        candidates = generated or alike
        return candidates[0] if len(candidates) == 1 else ""


def family(metric: str) -> str:
    """Return the family of a custom metric, or "" for metrics of Datadog's own integrations."""
    if metric.startswith("aws."):
        return ""
    if metric.startswith(("stepscope.execution.", "stepscope.state.", "stepscope.task.")):
        return "executions"
    if metric.startswith(("stepscope.forwarder.", "stepscope.lambda.")):
        return "forwarder"
    return "calls" if metric.startswith(("stepscope.", "claims.")) else "business"


def read_measurements(path: Path) -> Measurements:
    """Read a database that `stepscope demo --keep`, `up` or `serve` has written.

    Args:
        path: `datadog.duckdb`, or a folder with one.

    Raises:
        InputError: the database does not exist.
    """
    from monitoring.store import Store

    database = path / "datadog.duckdb" if path.is_dir() else path
    if not database.is_file():
        raise InputError(
            "there is no such database", where=str(database), hint="Make one: stepscope demo --keep DIR."
        )
    figures = Measurements()
    with Store.open(database, read_only=True) as store:
        read_functions(store, figures)
        started = _by_tag(store, "aws.states.enhanced.execution.started", "statemachinename")
        entered = _by_tag(store, "aws.states.enhanced.state.entered", "statemachinename")
        figures.executions = round(sum(map(sum, started.values())))
        figures.transitions = {name: sum(entered[name]) / sum(values) for name, values in started.items()}
        families: dict[str, int] = defaultdict(int)
        for metric in store.metrics():
            if name := family(metric.name):
                families[name] += len(store.series(metric.name))
        figures.metrics = dict(families)
        for log in store.logs():
            figures.logs += 1
            figures.log_bytes += len(str(log.get("message", "")).encode())
    return figures


def read_functions(
    store: Any, figures: Measurements, start: int | None = None, end: int | None = None
) -> None:
    """Fill in the figures of functions from an open store's enhanced metrics in `[start, end)` seconds."""
    by_function = partial(_by_tag, store, key="functionname", start=start, end=end)
    durations = by_function("aws.lambda.enhanced.billed_duration")
    for name, values in durations.items():
        figures.invocations[name] = len(values)
        figures.durations[name] = sum(values) / len(values)
    for name, values in by_function("aws.lambda.enhanced.max_memory_used").items():
        figures.memory_used[name] = max(values)
    for name, values in by_function("aws.lambda.enhanced.memorysize").items():
        figures.memory_size[name] = round(max(values))
    for name, values in by_function("aws.lambda.enhanced.init_duration").items():
        figures.cold_starts[name] = len(values)
        figures.init_durations[name] = sum(values) / len(values)


def _by_tag(
    store: Any, metric: str, key: str, start: int | None = None, end: int | None = None
) -> dict[str, list[float]]:
    values: dict[str, list[float]] = defaultdict(list)
    for series in store.series(metric, start, end):
        name = next((tag.partition(":")[2] for tag in series.tags if tag.startswith(f"{key}:")), "")
        if name:
            values[name].extend(float(value) for value in series.values)
    return values
