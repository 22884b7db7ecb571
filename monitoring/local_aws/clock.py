"""State machine time: its speed relative to real time, and waiting in it.

Waits are sped up, work is not: state machine time runs `work_speed` times as fast as real time while a
handler of the execution runs, and `speed` times as fast otherwise. So a `Wait` of one minute still ends after
a parallel handler that takes two seconds, and a `TimeoutSeconds` of five does not end a handler that needs
half a second, for any `speed`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_SECONDS = 86400.0
"""The longest real time of one timer in seconds; longer waits use several."""


class Clock:
    """The state machine time of one execution in seconds; only for the thread of its event loop."""

    def __init__(
        self, speed: float = 1.0, work_speed: float = 1.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self.work_speed = work_speed
        self._now = now
        self._working = 0
        self._elapsed = 0.0
        self._mark = now()
        self._sleepers: set[asyncio.Future[None]] = set()

    def _rate(self) -> float:
        return self.work_speed if self._working else self.speed

    @contextmanager
    def working(self) -> Iterator[None]:
        """Use `work_speed` while the block runs (a handler of this execution)."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self.elapsed()
        self._working += by
        if not self._working:
            for sleeper in self._sleepers:
                _wake(sleeper)

    def elapsed(self) -> float:
        """Return the seconds of state machine time since the clock was made."""
        now = self._now()
        self._elapsed += (now - self._mark) * self._rate()
        self._mark = now
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of state machine time."""
        loop = asyncio.get_running_loop()
        deadline = self.elapsed() + seconds
        while (left := deadline - self.elapsed()) > 0:
            sleeper: asyncio.Future[None] = loop.create_future()
            self._sleepers.add(sleeper)
            timer = loop.call_later(min(left / self._rate(), LONGEST_SECONDS) + 1e-4, _wake, sleeper)
            try:
                await sleeper
            finally:
                timer.cancel()
                self._sleepers.discard(sleeper)

    async def limit(self, work: Coroutine[Any, Any, T], seconds: float | None) -> T:
        """Return the result of `work`.

        Raises:
            TimeoutError: `work` took more than `seconds` of state machine time, and was cancelled.
        """
        if seconds is None:
            return await work
        task, timer = asyncio.create_task(work), asyncio.create_task(self.sleep(seconds))
        try:
            await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise TimeoutError
        finally:
            timer.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)
