"""The pytest plugin: the fixtures `lambda_context` and `emitted`, each importing what it needs when used."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitoring.capture import Emitted


_KEPT = pytest.StashKey[io.StringIO]()


@pytest.fixture
def lambda_context(request: pytest.FixtureRequest) -> Any:
    """A context like Lambda's own; override attributes with `@pytest.mark.lambda_context(timeout_ms=9)`."""
    from monitoring.capture import LambdaContext

    mark = request.node.get_closest_marker("lambda_context")
    return LambdaContext(**(mark.kwargs if mark is not None else {}))


@pytest.fixture
def emitted(request: pytest.FixtureRequest) -> Iterator[Emitted]:
    """What the test prints, as points and spans; a malformed line fails the test even if nobody asks."""
    from monitoring.capture import Emitted, Tee, forget

    mark = request.node.get_closest_marker("cold_start")
    forget(cold=mark is not None)
    kept = io.StringIO()
    before = sys.stdout
    sys.stdout = Tee(before, kept)
    found = Emitted(kept.getvalue)
    request.node.stash[_KEPT] = kept
    yield found
    if isinstance(sys.stdout, Tee):
        sys.stdout = sys.stdout.before
    found.assert_well_formed()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Keep what the test prints: between set-up and call pytest puts its own stdout back."""
    kept = item.stash.get(_KEPT, None)
    if kept is None:
        return (yield)
    from monitoring.capture import Tee

    before = sys.stdout
    sys.stdout = before if isinstance(before, Tee) else Tee(before, kept)
    try:
        return (yield)
    finally:
        sys.stdout = before


_MARKERS = (
    "lambda_context(**attributes): what that fixture is made with",
    "cold_start: the first call of the test is the first of its process",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Monitor tests (NAME.test.yaml) as items, the same that `stepscope test` runs."""
    if not file_path.name.endswith(".test.yaml"):
        return None
    from monitoring.testing.pytest_items import MonitorFile

    return MonitorFile.from_parent(parent, path=file_path)
