"""Measure wall and CPU time, children included; shared by the benchmarks."""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Spent(NamedTuple):
    """Seconds by the clock, and of the processors, children included."""

    clock: float
    processor: float


def spent(action: Callable[[], Any]) -> Spent:
    """Return what one call takes."""
    began, used = time.perf_counter(), _used()
    action()
    return Spent(time.perf_counter() - began, _used() - used)


def medians(rounds: list[Spent]) -> Spent:
    """Return the medians of both figures."""
    return Spent(*(statistics.median(column) for column in zip(*rounds, strict=True)))


def timed(action: Callable[[], Any], rounds: int = 5) -> Spent:
    """Return the medians over some rounds, after one to warm up."""
    action()
    return medians([spent(action) for _ in range(rounds)])


def is_quick(description: str | None) -> bool:
    """Parse the command line of a benchmark whose one option is `--quick`."""
    return parser(description).parse_args().quick


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows `--quick`: less data and fewer rounds, to see that the benchmark runs."""
    options = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    options.add_argument(
        "--quick", action="store_true", help="less data, fewer rounds: only to see that it runs"
    )
    return options


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
