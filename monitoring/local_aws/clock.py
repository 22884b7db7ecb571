"""State machine time: how fast it passes on this machine, and how one waits in it.

Waits are sped up, work is not: while a handler of an execution works, its state machine time passes
`work_speed` times as fast as the wall clock (1: as it is), and `speed` times as fast while everything waits.
A `Wait` of one minute beside a handler that works for two seconds still ends after the handler, and a
`TimeoutSeconds` of five does not cut short a handler that needs half a second, however large `speed` is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_SECONDS = 0.1
"""How long a wait goes on without looking whether its execution was stopped."""


class Interrupted(BaseException):
    """The execution that waited has ended; no `Exception`, so that no Catch of a state takes it."""


class Clock:
    """The state machine time of one execution, in seconds."""

    def __init__(
        self, speed: float = 1.0, work_speed: float = 1.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self.work_speed = work_speed
        self._now = now
        self._lock = threading.Lock()
        self._working = 0
        self._elapsed = 0.0
        self._mark = now()

    def _advance(self) -> None:
        now = self._now()
        self._elapsed += (now - self._mark) * (self.work_speed if self._working else self.speed)
        self._mark = now

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the block runs, a handler of this execution works."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            self._advance()
            self._working += by

    def elapsed(self) -> float:
        """Seconds of state machine time since the clock was made."""
        with self._lock:
            self._advance()
            return self._elapsed

    def wait(self, seconds: float, came: Callable[[float], bool], going: Callable[[], bool]) -> bool:
        """Whether `came` was true before `seconds` of state machine time had passed.

        Args:
            seconds: state machine time to wait at most.
            came: waits for so many real seconds at most, and says whether what is waited for came.
            going: whether the execution still runs.

        Raises:
            Interrupted: the execution stopped meanwhile.
        """
        deadline = self.elapsed() + seconds
        while going():
            left = deadline - self.elapsed()
            if left <= 0:
                return came(0)
            if came(max(0.001, min(left / max(self.speed, self.work_speed), POLL_SECONDS))):
                return True
        raise Interrupted
