"""`timer`: how long a block or a function takes, as a histogram in milliseconds."""

from __future__ import annotations

import time

from monitoring.instrumentation.metrics import emit
from monitoring.instrumentation.spans import around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])


class timer:  # noqa: N801 - used as a function: `with timer("build.time"):`
    """Time a block (`with timer("build.time"):`) or a function (`@timer("build.time")`), async ones too.

    Prints one histogram point in milliseconds at the end, however it ends; `elapsed_ms` has it too.
    """

    __slots__ = ("_began", "elapsed_ms", "metric", "tags")

    def __init__(self, metric: str, tags: Any = None) -> None:
        self.metric, self.tags = metric, tags
        self.elapsed_ms = 0.0
        self._began = 0

    def __enter__(self) -> timer:
        self._began = time.perf_counter_ns()
        return self

    def __exit__(self, *error: object) -> None:
        self.elapsed_ms = round(max(0, time.perf_counter_ns() - self._began) / 1_000_000, 3)
        emit("histogram", self.metric, self.elapsed_ms, self.tags)

    def __call__(self, function: Function) -> Function:
        """Decorate a function: each call is timed by itself."""
        wrapped: Function = around(function, lambda: timer(self.metric, self.tags))
        return wrapped
