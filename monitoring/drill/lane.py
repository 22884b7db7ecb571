"""A lane: an isolated copy of the drilled pipeline, so that several faults can run in one embedded AWS."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.drill.pipeline import DefinitionChange, definition
from monitoring.drill.stage import FORWARDER, Stage
from monitoring.drill.trouble import Trouble

STEPS = {"check": "monitoring.drill.steps.check", "store": "monitoring.drill.steps.store"}
TIMEOUT, MEMORY = 6, 128
"""Seconds and megabytes of a step."""
PATIENCE = 60.0
"""The longest duration of an execution in real seconds; a longer one is an error of the drill."""


@dataclass(frozen=True, slots=True)
class Run:
    """One real execution: start and end (seconds since the epoch), status, history.

    `status` is RUNNING if it never ends. The next run may start at `until`.
    """

    began: float
    until: float
    status: str
    error: str
    state_machine: str
    history: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class Lane:
    """An isolated copy of the pipeline: the names of its resources start with `prefix`.

    Attributes:
        stage: the services that run the lanes.
        name: the name of the fault.
        runs: the recorded executions, in order.
        settings: function -> (time-out in seconds, memory in megabytes), for the metrics of these.
        events: function -> number of asynchronous events sent to it.
    """

    stage: Stage
    name: str
    forwarder: str = FORWARDER
    runs: list[Run] = field(default_factory=list)
    settings: dict[str, tuple[int, int]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    _orders: int = 0
    _free: float = 0.0
    _trouble: Trouble | None = None

    @property
    def prefix(self) -> str:
        """The prefix of the names of the lane's resources."""
        return f"{self.name}--"

    @property
    def machine(self) -> str:
        """The name of the state machine."""
        return f"{self.prefix}pipeline"

    @property
    def bucket(self) -> str:
        """The name of the bucket with the orders, and of the table."""
        return f"{self.prefix}orders"

    def function(self, step: str) -> str:
        """Return a function's full name."""
        return self.prefix + step

    # --- setting up

    def own_forwarder(self) -> None:
        """Deploy a forwarder with a spool for this copy, which sends to Datadog through `trouble`."""
        self.forwarder = self.function("forwarder")
        self._trouble = self.stage.troubled()
        self.stage.deploy_forwarder(
            self.forwarder,
            self._trouble.url,
            MONITORING_SPOOL_FOLDER=str(self.stage.home / f"{self.name}-spool"),
            MONITORING_SPOOL_ATTEMPTS="1",
            MONITORING_RETRY_SECONDS="0.2",
        )

    @property
    def trouble(self) -> Trouble:
        """The server between the lane's own forwarder and Datadog."""
        if self._trouble is None:
            raise RuntimeError(f"the lane {self.name} has no forwarder of its own")
        return self._trouble

    def deploy(self) -> None:
        """Deploy the healthy pipeline, and run it once to warm its functions up."""
        aws = self.stage.aws
        aws.client("s3").create_bucket(Bucket=self.bucket)
        aws.client("dynamodb").create_table(
            TableName=self.bucket,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        aws.client("sns").create_topic(Name=self.bucket)
        for step, handler in STEPS.items():
            self.add_function(step, handler)
        self.change(None)
        self.subscribe_machine()
        self.run()
        self.runs.clear()

    def add_function(
        self,
        step: str,
        handler: str,
        *,
        timeout: int = TIMEOUT,
        memory: int = MEMORY,
        environment: Mapping[str, str] | None = None,
        code: Path | None = None,
    ) -> None:
        """Deploy or update a function, and subscribe the forwarder to its log."""
        name = self.function(step)
        new = name not in self.settings
        variables = {"BUCKET": self.bucket, **self.stage.unified, **(environment or {})}
        self.stage.aws.deploy_function(
            name,
            handler=handler,
            timeout=timeout,
            memory=memory,
            environment=variables,
            code=code,
            check=False,
        )
        self.settings[name] = (timeout, memory)
        if new:
            self.stage.aws.subscribe(f"/aws/lambda/{name}", self.forwarder)

    def subscribe_machine(self) -> None:
        """Subscribe the forwarder to the state machine's log and status changes."""
        aws = self.stage.aws
        states = self.forwarder if self.forwarder != FORWARDER else f"{FORWARDER}-states"
        aws.subscribe(aws.state_machine_log_group(self.machine), states)
        aws.notify_status_changes(self.forwarder, self.machine)

    def change(self, change: DefinitionChange | None) -> None:
        """Deploy the state machine with a changed definition; None deploys the healthy one."""
        aws, healthy = self.stage.aws, definition()
        if change:
            change(healthy)
        known = {name.removeprefix(self.prefix): aws.function_arn(name) for name in self.settings}
        topic = f"arn:aws:sns:{aws.region}:123456789012:{self.bucket}"
        aws.deploy_state_machine(
            self.machine, healthy, substitutions={**known, "Table": self.bucket, "Topic": topic}
        )

    # --- running

    def run(self, times: int = 1) -> None:
        """Run executions in sequence, each from the beginning of a new second."""
        for _ in range(times):
            arn, began = self.start()
            described = self.stage.aws.wait(arn, PATIENCE)
            self.record(arn, began, str(described["status"]), str(described.get("error") or ""))

    def start(self) -> tuple[str, float]:
        """Start an execution at the beginning of a second without points of other runs."""
        time.sleep(max(0.0, self._free - time.time()))
        began = time.time()
        self._orders += 1
        return self.stage.aws.start(self.machine, {"order": f"order-{self._orders}"}), began

    def record(self, arn: str, began: float, status: str, error: str = "") -> None:
        """Record the current state of an execution."""
        history = tuple(self.stage.aws.history(arn))
        machine = self.stage.aws.state_machine_arn(self.machine)
        if self._trouble:
            self.stage.aws.drain_function(
                self.forwarder, PATIENCE
            )  # what it says of itself is part of the run
        self._free = float(int(time.time() + 0.5) + 1)
        self.runs.append(Run(began, self._free, status, error, machine, history))

    def send_event(self, step: str) -> None:
        """Send an asynchronous event to a function."""
        name = self.function(step)
        self.events[name] = self.events.get(name, 0) + 1
        client = self.stage.aws.client("lambda")
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"order": "late", "attempt": 0}')
