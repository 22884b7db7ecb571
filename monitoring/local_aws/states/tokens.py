"""Task tokens, which SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat answer, and activities."""

import asyncio
import secrets
from collections import deque
from typing import Any

from monitoring.local_aws.clock import Clock
from monitoring.local_aws.states.errors import ApiError, StateFailedError


class HeartbeatTimeoutError(TimeoutError):
    """No heartbeat came in time."""


class Pending:
    """A task that waits for its token to be answered."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(96)
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        self._beat = asyncio.Event()

    def succeed(self, output: Any) -> None:
        """Give the task its result."""
        if not self.answer.done():
            self.answer.set_result(output)

    def fail(self, error: str | None, cause: str | None) -> None:
        """Let the task fail."""
        if not self.answer.done():
            self.answer.set_exception(StateFailedError(error, cause))

    def beat(self) -> None:
        """Note a heartbeat."""
        self._beat.set()

    async def wait(self, clock: Clock, heartbeat: float | None) -> Any:
        """Return the result.

        Raises:
            StateFailedError: SendTaskFailure was called.
            HeartbeatTimeoutError: no heartbeat came in time.
        """
        while True:
            self._beat.clear()
            beat = asyncio.create_task(self._beat.wait())
            try:
                await clock.limit(self._either(beat), heartbeat)
            except TimeoutError:
                raise HeartbeatTimeoutError from None
            finally:
                beat.cancel()
            if self.answer.done():
                return self.answer.result()

    async def _either(self, beat: "asyncio.Task[Any]") -> None:
        await asyncio.wait((self.answer, beat), return_when=asyncio.FIRST_COMPLETED)


class Tokens:
    """The tokens that may be answered now."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def create(self) -> Pending:
        """Return a task's wait with a token of its own."""
        pending = Pending()
        self._pending[pending.token] = pending
        return pending

    def find(self, token: str) -> Pending:
        """Return the task that a token belongs to.

        Raises:
            ApiError: the token was never given out, or its task is over.
        """
        pending = self._pending.get(token)
        if pending is None:
            raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'")
        if pending.answer.done():
            raise ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        return pending

    def close(self, pending: Pending) -> None:
        """Let a token be answered no more."""
        pending.answer.cancel()


class ActivityTask:
    """A task of an activity: waits for a worker to take it, then for its token."""

    def __init__(self, pending: Pending, text: str) -> None:
        self.pending = pending
        self.input = text
        self.started: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()


class ActivityQueue:
    """An activity: tasks that wait for workers, and workers that wait for tasks."""

    def __init__(self, arn: str, name: str, created: Any) -> None:
        self.arn = arn
        self.name = name
        self.created = created
        self.tags: dict[str, str] = {}
        self._tasks: deque[ActivityTask] = deque()
        self._arrived = asyncio.Event()

    def schedule(self, task: ActivityTask) -> None:
        """Offer a task to the workers."""
        self._tasks.append(task)
        self._arrived.set()

    async def take(self, worker: str | None, seconds: float) -> ActivityTask | None:
        """Return the next task, or None if none came within so many seconds of real time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            while self._tasks:
                task = self._tasks.popleft()
                if not task.started.done():
                    task.started.set_result(worker)
                    return task
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - asyncio.get_running_loop().time())
            except TimeoutError:
                return None
