"""A command that a signal ends ends as interrupted, whatever a library makes of it."""

import os
import signal

import pytest

from monitoring.cli.ending import ended_by_signals


def query(number: signal.Signals) -> None:
    """Be interrupted as DuckDB is: it raises an error of its own."""
    try:
        os.kill(os.getpid(), number)
    except KeyboardInterrupt:
        raise RuntimeError("Query interrupted") from None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_error_that_a_library_raises_instead_is_an_interruption(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        query(number)


def test_an_error_without_a_signal_is_that_error() -> None:
    with pytest.raises(RuntimeError, match="lost"), ended_by_signals():
        raise RuntimeError("lost")
