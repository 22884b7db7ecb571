"""How a state, an execution or a request fails."""

from typing import Any


class StateFailedError(Exception):
    """A state failed with an error that Retry and Catch see; `heartbeat`: because none came in time."""

    heartbeat = False

    def __init__(self, error: str | None, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause

    def output(self) -> dict[str, str]:
        """Return the error output: what a Catch passes on."""
        return {"Error": self.error or "", "Cause": self.cause or ""}


class EvaluationError(StateFailedError):
    """A JSONata expression failed; `location` is its field, as `Arguments/FunctionName`."""

    def __init__(self, cause: str, location: str | None = None) -> None:
        super().__init__("States.QueryEvaluationError", cause)
        self.location = location


class FatalError(Exception):
    """The execution fails; neither Retry nor Catch sees it.

    Attributes:
        previous: the event that comes before ExecutionFailed; None until the state is known.
    """

    def __init__(self, cause: str, error: str = "States.Runtime") -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause
        self.previous: int | None = None


class ApiError(Exception):
    """A request that Step Functions refuses: the name of the exception and its message."""

    def __init__(self, kind: str, message: str, **more: Any) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.more = more
