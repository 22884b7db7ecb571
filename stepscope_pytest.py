"""The pytest plugin: the fixtures `lambda_context` and `emitted`, and monitor tests as items.

pytest loads it in every project of an environment with stepscope. So it lies outside of `monitoring`, and
imports that only for a test that uses it: a project may have a package of that name, or none of the extras.
"""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitoring.capture import Emitted


_KEPT = pytest.StashKey[io.StringIO]()
_SKIPPED = pytest.StashKey[str]()


@pytest.fixture
def lambda_context(request: pytest.FixtureRequest) -> Any:
    """Return a context like Lambda's; `@pytest.mark.lambda_context(timeout_ms=9)` overrides attributes."""
    _fail_without("the fixture lambda_context")
    from monitoring.capture import LambdaContext

    mark = request.node.get_closest_marker("lambda_context")
    return LambdaContext(**(mark.kwargs if mark is not None else {}))


@pytest.fixture
def emitted(request: pytest.FixtureRequest) -> Iterator[Emitted]:
    """Yield what the test prints, as points and spans; a malformed line fails the test unasked."""
    _fail_without("the fixture emitted")
    from monitoring.capture import Emitted, forget, keep_output

    mark = request.node.get_closest_marker("cold_start")
    forget(cold=mark is not None)
    kept = io.StringIO()
    restore = keep_output(kept)
    found = Emitted(kept.getvalue)
    request.node.stash[_KEPT] = kept
    yield found
    restore()
    found.assert_well_formed()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Keep what the test prints: between set-up and call pytest puts its own stdout back."""
    kept = item.stash.get(_KEPT, None)
    if kept is None:
        return (yield)
    from monitoring.capture import Tee

    before = sys.stdout
    sys.stdout = before if isinstance(before, Tee) and before.writes_to(kept) else Tee(before, kept)
    try:
        return (yield)
    finally:
        sys.stdout = before


_MARKERS = (
    "lambda_context(**attributes): what that fixture is made with",
    "cold_start: the first call of the test is the first of its process",
)


_RECORD = "stepscope_record_metrics"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, and the setting, that have metrics recorded."""
    text = "record the metrics that handlers emit in stepscope.metrics.toml, which stepscope lint reads"
    parser.getgroup("stepscope").addoption("--record-metrics", action="store_true", help=text)
    parser.addini(_RECORD, "the same as --record-metrics", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and begin to record metrics where that is asked for."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("--record-metrics") or config.getini(_RECORD):
        _record(config)


def _record(config: pytest.Config) -> None:
    """Register the plugin that records; what prevents it ends pytest with a sentence and status 2."""
    reason = _other_package("--record-metrics")
    if reason:
        pytest.exit(f"stepscope: {reason}", 2)
    try:
        from monitoring.errors import InputError, missing_module
        from monitoring.resources.own_metrics import catalogue_path
        from monitoring.testing.metric_recorder import MetricRecorder
    except ImportError as error:
        missing = missing_module(error, "--record-metrics", "lint")
        if missing is None:
            raise
        pytest.exit(f"stepscope: {missing}", 2)
    try:
        config.pluginmanager.register(MetricRecorder(catalogue_path(config.rootpath)))
    except InputError as error:
        pytest.exit(f"stepscope: {error}", 2)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect monitor tests (NAME.test.yaml) as items, the same that `stepscope test` runs."""
    if not file_path.name.endswith(".test.yaml"):
        return None
    reason = _other_package("monitor tests")
    if not reason:
        try:
            from monitoring.testing.pytest_items import MonitorFile

            return MonitorFile.from_parent(parent, path=file_path)
        except ImportError as error:
            from monitoring.errors import missing_module

            missing = missing_module(error, "a monitor test", "lint")
            if missing is None:
                raise
            reason = f"{missing.message}. {missing.hint}"
    skipped: _SkippedFile = _SkippedFile.from_parent(parent, path=file_path)
    parent.config.stash[_SKIPPED] = skipped.reason = reason
    return skipped


class _SkippedFile(pytest.File):
    """Monitor tests that cannot run here: one item that is skipped."""

    reason = ""

    def collect(self) -> Iterable[pytest.Item]:
        item: _SkippedItem = _SkippedItem.from_parent(self, name="monitor tests")
        item.add_marker(pytest.mark.skip(reason=self.reason))
        yield item


class _SkippedItem(pytest.Item):
    def runtest(self) -> None:
        """Never run: the item is marked."""

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what of this plugin cannot be used, and why."""
    reason = _other_package("its fixtures and monitor tests") or config.stash.get(_SKIPPED, "")
    if reason:
        terminalreporter.write_line(f"stepscope: {reason}")


def _other_package(what: str) -> str:
    """Return why `what` is out of reach where the tests' package `monitoring` is not stepscope's."""
    module = sys.modules.get("monitoring")
    spec = module.__spec__ if module is not None else find_spec("monitoring")
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    place = str(places[0]) if places else "not found"
    if (Path(place) / "instrumentation").is_dir():
        return ""
    return f"{what} cannot be used: this project's own package monitoring ({place}) hides stepscope's"


def _fail_without(what: str) -> None:
    reason = _other_package(what)
    if reason:
        pytest.fail(reason, pytrace=False)
