"""The local Step Functions ends without a thread that waits, and without a warning of Python's."""

import asyncio
import concurrent.futures
import gc
import threading
import time
import warnings
from collections.abc import Callable

import pytest

from monitoring.local_aws.sandbox import Sandbox
from monitoring.local_aws.states.service import StatesService


def new_service() -> StatesService:
    return StatesService(None, "123456789012", "eu-west-1", lambda name: None, 1)


def queued(service: StatesService) -> int:
    return len(service._loop._ready)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_asked_while_the_loop_ends_is_cancelled_and_nobody_waits():
    service = new_service()
    entered, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        go_on.wait(10)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        service._loop.call_soon_threadsafe(hold)
        assert entered.wait(10)
        before = queued(service)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            joined = pool.submit(service.join, 10)
            until(
                lambda: queued(service) == before + 1
            )  # the stop of the loop, which comes before what follows
            asked = [pool.submit(service.ask, asyncio.sleep, 30) for _ in range(5)]
            until(lambda: queued(service) == before + 6)
            go_on.set()
            joined.result(20)
            for answer in asked:
                with pytest.raises(concurrent.futures.CancelledError):
                    answer.result(10)
        with pytest.raises(RuntimeError, match="closed"):
            service.ask(asyncio.sleep, 0)
        gc.collect()
    assert [str(warning.message) for warning in caught if "never awaited" in str(warning.message)] == []


def test_a_worker_that_two_threads_close_at_once_is_closed_once(tmp_path, monkeypatch):
    """The thread that releases a worker and the one that closes the embedded AWS may meet."""
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return event\n")
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "f", "PATH": "/usr/bin:/bin"}
    sandbox = Sandbox("app.handler", environment, tmp_path, 128, lambda lines: None)
    kill, other_is_back, killed = sandbox.kill, threading.Event(), []

    def slow_kill():
        killed.append(threading.current_thread().name)
        assert other_is_back.wait(60)
        kill()

    monkeypatch.setattr(sandbox, "kill", slow_kill)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(sandbox.close)
        while not killed:
            time.sleep(0.01)
        sandbox.close()
        other_is_back.set()
        first.result(60)
    assert len(killed) == 1
