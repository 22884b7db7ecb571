"""End a command that has started processes: a signal ends it as Ctrl-C does, with all of them."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """End what runs on SIGTERM and SIGHUP as on Ctrl-C: with every process that it started."""

    def interrupt(_number: int, frame: Any) -> None:
        for signum in (signal.SIGINT, *ending):
            signal.signal(signum, signal.SIG_IGN)  # a second one must not cut the cleaning up short
        raise KeyboardInterrupt

    ending = [signal.SIGTERM, signal.SIGHUP]
    before = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGINT, *ending)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
