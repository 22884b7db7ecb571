"""One execution: how it starts, runs, is stopped or redriven, and what DescribeExecution says of it."""

import asyncio
import pickle
import zlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from monitoring.local_aws.clock import Clock
from monitoring.local_aws.platform_lines import iso_time
from monitoring.local_aws.states import distributed, tasks, text  # noqa: F401  they add their types of state
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.history import ENDS, INCLUDED, Event, Frame, History, now, payload
from monitoring.local_aws.states.interpreter import StateRun, resume_state, run_machine
from monitoring.local_aws.states.machine import Machine

if TYPE_CHECKING:
    from datetime import datetime

EXPRESS_SECONDS = 300
"""How long an Express execution may run."""
ROLE: ContextVar[str] = ContextVar("ROLE", default="")
"""The ARN of the role in which the running execution calls AWS."""


class Execution:
    """One execution of a state machine.

    Attributes:
        service: the Step Functions that it runs in.
        machine, definition, role: as they were when it started.
        clock: its state machine time.
        map_run: the Map Run whose item it is, or None.
        qualified: the ARN of the version or alias that it was started with, or None.
    """

    def __init__(  # noqa: PLR0913  what an execution is made of
        self,
        service: Any,
        arn: str,
        machine: Machine,
        source: str,
        *,
        state_machine_arn: str,
        name: str,
        role: str,
        kind: str = "STANDARD",
        clock: Clock,
        publish: Any,
        map_run: Any = None,
    ) -> None:
        self.service = service
        self.arn = arn
        self.machine = machine
        self.source = source
        self.state_machine_arn = state_machine_arn
        self.name = name
        self.role = role
        self.kind = kind
        self.clock = clock
        self.map_run = map_run
        self.qualified: str | None = None
        self.status = "RUNNING"
        self.started = now()
        self.stopped: datetime | None = None
        self.redriven: datetime | None = None
        self.redrive_count = 0
        self.output: Any = None
        self.error: str | None = None
        self.cause: str | None = None
        self.input = text.loads(source)
        self.history = History(lambda event: publish(self, event), None if kind == "EXPRESS" else 25_000)
        self._packed: bytes | None = None
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopped_with: tuple[str | None, str | None] = (None, None)
        self.frame = Frame(self.history, self._context(), {})
        self.top: StateRun | None = None

    def _context(self) -> dict[str, Any]:
        machine_name = self.state_machine_arn.rpartition(":")[2]
        return {
            "Execution": {
                "Id": self.arn,
                "Input": self.input,
                "Name": self.name,
                "RoleArn": self.role,
                "StartTime": iso_time(self.started),
                "RedriveCount": self.redrive_count,
            },
            "StateMachine": {"Id": self.state_machine_arn, "Name": machine_name},
        }

    # -- running

    def begin(self) -> None:
        """Start running."""
        self.service.announce(self, "RUNNING")
        details = {"input": self.source, "inputDetails": INCLUDED, "roleArn": self.role}
        self.frame.last = self.history.add("ExecutionStarted", 0, details)
        self._task = asyncio.create_task(self._run(run_machine(self, self.machine, self.frame, self.input)))

    async def _run(self, work: Any) -> None:
        ROLE.set(self.role)
        seconds = self.machine.timeout
        if self.kind == "EXPRESS":
            seconds = min(seconds or EXPRESS_SECONDS, EXPRESS_SECONDS)
        try:
            output = await self.clock.limit(work, seconds)
            self._end("ExecutionSucceeded", self.frame.previous, output=output)
        except StateFailedError as failed:
            self._end("ExecutionFailed", self.frame.previous, failed.error, failed.cause)
        except FatalError as fatal:
            previous = self.frame.last if fatal.previous is None else fatal.previous
            self._end("ExecutionFailed", previous, fatal.error, fatal.cause)
        except TimeoutError:
            self._end("ExecutionTimedOut", self.frame.previous)
        except asyncio.CancelledError:
            self._end("ExecutionAborted", self.frame.previous, *self._stopped_with)
        except Exception:  # noqa: BLE001  whatever goes wrong here, the execution ends
            state = self.top.state.name if self.top else self.machine.start_at
            cause = f"A fault of the embedded AWS: it failed while executing the state '{state}'."
            self._end("ExecutionFailed", self.frame.last, "States.Runtime", cause)

    def _end(
        self, kind: str, previous: int, error: str | None = None, cause: str | None = None, output: Any = None
    ) -> None:
        self.status, self.stopped = ENDS[kind], now()
        self.output, self.error, self.cause = output, error, cause
        reasons = {key: part for key, part in (("error", error), ("cause", cause)) if part is not None}
        self.history.add(kind, previous, payload(output) if kind == "ExecutionSucceeded" else reasons)
        if kind == "ExecutionSucceeded" or self.map_run is not None or self.kind == "EXPRESS":
            self.top = None
        self._packed = zlib.compress(pickle.dumps(self.history.events, pickle.HIGHEST_PROTOCOL), 1)
        self.history.events = []
        self._ended.set()
        self.service.announce(self, self.status)

    def entered(self, run: StateRun) -> None:
        """Note the state that is entered: a redrive goes on with the one of the top level."""
        if run.frame is self.frame:
            self.top = run

    def stop(self, error: str | None, cause: str | None) -> None:
        """Stop the execution: it ends as ABORTED."""
        if self._task is not None and not self._task.done():
            self._stopped_with = (error, cause)
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the execution has ended."""
        await self._ended.wait()

    def redrive(self) -> None:
        """Run again from the state that failed, with its history going on."""
        self.history.events = self.events()
        self.history.ended = False
        self._packed = None
        self._ended.clear()
        self.redrive_count += 1
        self.redriven = now()
        self.status, self.stopped, self.error, self.cause = "RUNNING", None, None, None
        self.frame.context["Execution"] = {
            **self.frame.context["Execution"],
            "RedriveCount": self.redrive_count,
        }
        last = len(self.history.events)
        self.service.announce(self, "RUNNING")
        self.history.add("ExecutionRedriven", last, {"redriveCount": self.redrive_count})
        self._task = asyncio.create_task(self._run(resume_state(self, self.machine, self.top)))  # type: ignore[arg-type]

    # -- what is told of it

    def events(self) -> list[Event]:
        """Return the history."""
        if self._packed is not None:
            events: list[Event] = pickle.loads(zlib.decompress(self._packed))  # noqa: S301  packed here
            return events
        return list(self.history.events)

    def redrivable(self) -> tuple[str, str | None]:
        """Return redriveStatus and its reason."""
        if self.map_run is not None and self.status not in {"RUNNING", "SUCCEEDED"}:
            return "REDRIVABLE_BY_MAP_RUN", None
        reasons = {
            "RUNNING": "Execution is RUNNING and cannot be redriven",
            "SUCCEEDED": "Execution is SUCCEEDED and cannot be redriven",
        }
        reason = reasons.get(self.status)
        return ("NOT_REDRIVABLE", reason) if reason else ("REDRIVABLE", None)

    def describe(self) -> dict[str, Any]:
        """Return DescribeExecution."""
        status, reason = self.redrivable()
        described = {
            "executionArn": self.arn,
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "status": self.status,
            "startDate": self.started,
            "stopDate": self.stopped,
            "input": self.source,
            "inputDetails": {"included": True},
            "error": self.error,
            "cause": self.cause,
            "redriveCount": self.redrive_count,
            "redriveDate": self.redriven,
            "redriveStatus": status,
            "redriveStatusReason": reason,
            "mapRunArn": self.map_run.arn if self.map_run else None,
        }
        if self.qualified:
            kind = (
                "stateMachineVersionArn"
                if self.qualified.rpartition(":")[2].isdigit()
                else "stateMachineAliasArn"
            )
            described[kind] = self.qualified
        if self.status == "SUCCEEDED":
            described |= {"output": text.dumps(self.output), "outputDetails": {"included": True}}
        return {key: value for key, value in described.items() if value is not None}
