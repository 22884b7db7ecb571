"""Print the demo on a terminal: progress while it runs, and the result as tables and a tree."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from monitoring.demo.findings import tree
from monitoring.demo.result import Accounting, DemoExecution, DemoResult, FunctionSummary, MetricTotal
from monitoring.demo.run import DemoWatcher
from monitoring.demo.scenarios import SCENARIOS, Scenario
from monitoring.log_events.telemetry import Span

STATUS = {"SUCCEEDED": "green", "FAILED": "yellow"}
"""Colours of an execution that ended as expected; any other result is red."""


class Progress(DemoWatcher):
    """Print the current action and a line for each execution to stderr, so that the result can be piped."""

    def __init__(self, console: Console) -> None:
        self._spinner = Spinner("dots")
        self._text = ""
        self._states: dict[str, Text] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Report the current action."""
        self._text = text

    def started(self, scenario: Scenario) -> None:
        """Report that an execution has started."""
        self._set(scenario.name, Text("started", "dim"))

    def entered(self, name: str, state: str) -> None:
        """Report that an execution has entered a state."""
        self._set(name, Text(state, "cyan"), final=False)

    def ended(self, execution: DemoExecution) -> None:
        """Report that an execution has ended."""
        self._set(execution.name, status_text(execution))

    def _set(self, name: str, text: Text, *, final: bool = True) -> None:
        with self._lock:
            known = self._states.get(name)
            if final or known is None or known.style in {"dim", "cyan"}:
                self._states[name] = text

    def _render(self) -> RenderableType:
        self._spinner.update(text=f"{self._text} ({time.monotonic() - self._began:.0f} s)")
        rows = Table.grid(padding=(0, 2))
        with self._lock:
            for scenario in SCENARIOS:
                if scenario.name in self._states:
                    rows.add_row("  " + scenario.name, self._states[scenario.name])
        return Group(self._spinner, rows)


def status_text(execution: DemoExecution) -> Text:
    """Return the status, coloured by whether it was expected."""
    return Text(
        execution.status, STATUS.get(execution.status, "red") if execution.as_expected else "bold red"
    )


def print_result(console: Console, result: DemoResult) -> None:
    """Print the whole result."""
    for part in (
        _executions(result.executions),
        _steps(result.steps),
        _metrics(result.metrics),
        _spans(result.spans_of, result.spans),
        _accounting(result.accounting),
    ):
        console.print(part)
        console.print()
    console.print(_verdict(result))


def _table(title: str, *columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        numbers = column in right
        table.add_column(
            column,
            justify="right" if numbers else "left",
            header_style="dim",
            no_wrap=numbers,
            overflow="fold",
        )
    return table


def _executions(executions: Iterable[DemoExecution]) -> Table:
    table = _table("Executions", "name", "status", "time", "path", right={"time"})
    for execution in executions:
        path = Text(" > ".join(execution.path), overflow="fold")
        if execution.cause:
            path.append(f"\n{_shortened(execution.cause)}", "dim")
        table.add_row(execution.name, status_text(execution), f"{execution.duration_ms / 1000:.2f} s", path)
    return table


def _shortened(text: str, length: int = 200) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _steps(steps: Iterable[FunctionSummary]) -> Table:
    numbers = ("invocations", "errors", "cold starts", "p50", "p95")
    table = _table("Steps", "state", "function", *numbers, right=numbers)
    for step in steps:
        errors = Text(str(step.errors), "yellow" if step.errors else "")
        times = (f"{step.p50_ms:.0f} ms", f"{step.p95_ms:.0f} ms")
        table.add_row(step.name, step.function, str(step.invocations), errors, str(step.cold_starts), *times)
    return table


def _metrics(metrics: Iterable[MetricTotal]) -> Table:
    table = _table("Metrics in Datadog", "name", "points", "sum", right={"points", "sum"})
    for metric in metrics:
        table.add_row(metric.name, str(metric.points), f"{metric.sum:,.6g}")
    return table


def _spans(name: str, spans: tuple[Span, ...]) -> RenderableType:
    table = _table(
        f"Spans of the execution {name}", "span", "resource", "start", "time", right={"start", "time"}
    )
    if spans:
        began = min(span["start"] for span in spans)
        for depth, span in tree(spans):
            table.add_row(*_span_row(depth, span, began))
    return table


def _span_row(depth: int, span: Span, began: int) -> tuple[Any, ...]:
    label = Text("  " * depth + str(span["name"]), "red" if span["error"] else "")
    if span.get("meta", {}).get("cold_start") == "true":
        label.append(" (cold)", "blue")
    start, duration = (span["start"] - began) / 1e9, span["duration"] / 1e6
    return label, escape(str(span["resource"])), f"{start:.2f} s", f"{duration:.1f} ms"


def _accounting(books: Accounting) -> Table:
    table = _table("Accounting", "", "printed", "stored", right={"printed", "stored"})
    table.add_row("points of MONITORING lines", str(books.metric_lines_printed), str(books.points_stored))
    table.add_row("spans of trace lines", str(books.spans_printed), str(books.spans_stored))
    plain = sum(books.kinds.get(kind, 0) for kind in ("log", "platform", "state machine"))
    table.add_row("other log events", str(plain), str(books.logs_stored))
    table.add_row("points that the forwarder made of other lines", "", str(books.points_derived))
    table.add_row("spans that the forwarder made of the state machine's log", "", str(books.spans_derived))
    kinds = ", ".join(f"{count} {kind}" for kind, count in books.kinds.items())
    table.caption = f"{books.log_events} log events: {kinds}"
    table.caption_justify = "left"
    return table


def _verdict(result: DemoResult) -> Text:
    wrong = [execution.name for execution in result.executions if not execution.as_expected]
    books = result.accounting
    text = Text()
    if books.unexplained:
        text.append(f"{books.unexplained} unexplained differences:\n", "bold red")
        text.append("".join(f"  {difference}\n" for difference in books.differences))
    for problem in result.problems:
        text.append(f"{problem}\n", "bold red")
    if wrong:
        text.append(f"not as they had to end: {', '.join(wrong)}\n", "bold red")
    if result.fine:
        text.append("Every line that was printed has arrived, and nothing else. ", "green")
    return text.append(f"{len(result.executions)} executions in {result.seconds:.0f} s.")
