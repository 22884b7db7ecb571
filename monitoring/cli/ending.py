"""End a command and the processes that it has started on a signal, as on Ctrl-C."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that started processes are ended, too."""

    interrupted: list[int] = []

    def interrupt(number: int, _frame: Any) -> None:
        interrupted.append(number)
        for signum in (signal.SIGINT, *ending):
            signal.signal(signum, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
        raise KeyboardInterrupt

    ending = [signal.SIGTERM, signal.SIGHUP]
    before = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGINT, *ending)}
    try:
        yield
    except Exception as error:
        if interrupted:  # DuckDB ends a query with a RuntimeError where a signal's handler raises
            raise KeyboardInterrupt from error
        raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
