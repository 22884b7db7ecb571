"""Record the metrics that tests make handlers emit: the plugin behind `pytest --record-metrics`.

What a test emits travels with its reports, so that a worker of pytest-xdist that dies loses the test under
way alone; the process that prints the summary writes the catalogue, once.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import pytest

from monitoring import capture
from monitoring.errors import InputError
from monitoring.resources.own_metrics import read_own_metrics, record_metrics
from monitoring.resources.recording import Recording, Sight

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from monitoring.log_events.telemetry import LogEvent

_EMITTED = "stepscope_metrics"
"""The attribute of a report that holds what was emitted; pytest-xdist sends it as it is."""


class MetricRecorder:
    """A plugin of pytest.

    Args:
        path: the catalogue.

    Raises:
        InputError: there is one, and it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        read_own_metrics(path)
        self.path = path
        self.outcome = ""
        self._recording = Recording()
        self._phase = Recording()
        self._test = ""
        capture.log_recorders.append(self._take_log)

    def pytest_unconfigure(self) -> None:
        """End the recording."""
        capture.log_recorders.remove(self._take_log)

    def _take_log(self, events: Iterable[LogEvent]) -> None:
        self._phase.add_events(events, self._test)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Record what fixtures print."""
        with self._recorded(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Record what the test prints."""
        with self._recorded(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Record what fixtures print at their end."""
        with self._recorded(item):
            return (yield)

    @contextlib.contextmanager
    def _recorded(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid.partition("[")[0]
        kept = io.StringIO()
        restore = capture.keep_output(kept)
        try:
            yield
        finally:
            restore()
            self._phase.add_text(kept.getvalue(), Sight(test=self._test))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        """Put what this phase of the test has emitted into its report."""
        report = yield
        setattr(report, _EMITTED, self._phase.as_data())
        self._phase = Recording()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test has emitted, in this process or a worker."""
        self._recording.add_data(getattr(report, _EMITTED, {}))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the catalogue; one that cannot be written or merged ends the run with status 2."""
        if hasattr(session.config, "workerinput"):
            return
        seen = self._recording.as_data()
        try:
            changed = record_metrics(self.path, self._recording.catalogue(self.path))
            self.outcome = (
                f"{len(seen)} metrics recorded, {self.path.name} {'written' if changed else 'unchanged'}"
            )
        except InputError as error:
            self.outcome = str(error)
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was recorded."""
        terminalreporter.write_line(f"stepscope: {self.outcome}")
