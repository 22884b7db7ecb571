"""The history of an execution: its events, and the chain of each of its branches.

`previousEventId` follows the branch, not the order of events: an event comes after the last one of its chain.
Some events stand aside (MapIterationSucceeded, MapStateSucceeded, …): the next one does not come after them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import FatalError

ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
MAX_EVENTS = 25_000
INCLUDED = {"truncated": False}

Event = dict[str, Any]


def details_key(kind: str) -> str:
    """Return the key of an event's details: `TaskStateEntered` has `stateEnteredEventDetails`."""
    for suffix in ("StateEntered", "StateExited"):
        if kind.endswith(suffix):
            return f"s{suffix[1:]}EventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"


def now() -> datetime:
    """Return the time to the millisecond, as events have it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class History:
    """The events of one execution; nothing comes after its end."""

    def __init__(self, publish: Callable[[Event], None], limit: int | None = MAX_EVENTS) -> None:
        self.events: list[Event] = []
        self.ended = False
        self._publish = publish
        self._limit = limit

    def add(self, kind: str, previous: int, details: dict[str, Any] | None = None) -> int:
        """Add an event and return its id.

        Raises:
            FatalError: there are as many events as AWS allows.
        """
        number = len(self.events) + 1
        if self.ended:
            return number - 1
        if self._limit is not None and number >= self._limit and kind not in ENDS:
            raise FatalError(f"The execution reached the maximum number of history events ({self._limit}).")
        event: Event = {"timestamp": now(), "type": kind, "id": number, "previousEventId": previous}
        if details is not None:
            event[details_key(kind)] = details
        self.ended = kind in ENDS
        self.events.append(event)
        self._publish(event)
        return number


class Frame:
    """One branch of an execution: its chain of events, its variables and its context object.

    Attributes:
        previous: the event that the next one of this chain comes after.
        last: the last event of this chain, aside or not.
        open: the states entered and not left: (type, frames within).
        iteration: the details of the iteration of a Map that the frame is, or None.
    """

    def __init__(
        self, history: History, context: dict[str, Any], variables: dict[str, Any], previous: int = 0
    ) -> None:
        self.history = history
        self.context = context
        self.variables = variables
        self.previous = self.last = previous
        self.open: list[tuple[str, list[Frame]]] = []
        self.iteration: dict[str, Any] | None = None

    def inner(self, previous: int) -> "Frame":
        """Return the frame of a branch or an iteration: variables that are assigned there stay there."""
        return Frame(self.history, dict(self.context), dict(self.variables), previous)

    def add(
        self,
        kind: str,
        details: dict[str, Any] | None = None,
        *,
        aside: bool = False,
        previous: int | None = None,
    ) -> int:
        """Add an event to this chain and return its id."""
        number = self.history.add(kind, self.previous if previous is None else previous, details)
        self.last = number
        if not aside:
            self.previous = number
        return number

    def abort(self, failing: int, *, failed: bool = False) -> None:
        """Add the events of what is cut off in this branch because `failing` ended it or another one.

        Args:
            failing: the event that all of them come after.
            failed: whether this branch is the one that failed.
        """
        for kind, frames in reversed(self.open):
            for frame in frames:
                frame.abort(failing)
            self.history.add(f"{kind}StateAborted", failing)
        self.open.clear()
        if self.iteration is not None and not failed:
            self.history.add("MapIterationAborted", failing, self.iteration)


def payload(value: Any) -> dict[str, Any]:
    """Return the details of an output."""
    return {"output": text.dumps(value), "outputDetails": INCLUDED}
