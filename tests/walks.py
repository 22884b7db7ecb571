"""Walks: the files of the package that a call passes, seen while it really runs (sys.setprofile)."""

import base64
import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import monitoring

PACKAGE = f"{Path(monitoring.__file__).parent}{os.sep}"
Place = tuple[str, str]
"""A file below the package and a function of it."""


@dataclass
class Walk:
    """The files that were entered, in the order of their first call, and who called whom across files."""

    files: dict[str, None] = field(default_factory=dict)
    calls: dict[tuple[Place, Place], None] = field(default_factory=dict)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch this thread and those that it starts. What runs while a module is imported is not part of a walk."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: Any) -> None:
        callee = _place(frame) if event == "call" else None
        if callee is None:
            return
        caller, at = None, frame.f_back
        while at is not None:
            if at.f_code.co_filename.startswith("<frozen importlib"):
                return
            caller = caller or _place(at)
            at = at.f_back
        self.files.setdefault(callee[0])
        if caller and caller[0] != callee[0]:
            self.calls.setdefault((caller, callee))


def _place(frame: FrameType) -> Place | None:
    name = frame.f_code.co_filename
    if not name.startswith(PACKAGE) or frame.f_code.co_name == "<module>":
        return None
    return name[len(PACKAGE) :].replace(os.sep, "/"), frame.f_code.co_qualname


@dataclass(frozen=True)
class Entry:
    """An entry point: `ready()` prepares it and gives the call; `handed_down` are functions that a caller from
    above passes to lower floors as values, each with the reason.
    """

    title: str
    ready: Callable[[], AbstractContextManager[Callable[[], Any]]]
    handed_down: dict[str, str] = field(default_factory=dict)


def walked(name: str) -> Walk:
    """Run the entry point of that name once, watched."""
    walk = Walk()
    with WALKS[name].ready() as call, walk.watching():
        call()
    return walk


class Context:
    """Lambda's context, which is not part of the package."""

    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    function_name = "slides"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:slides"
    memory_limit_in_mb = "128"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@contextlib.contextmanager
def _an_event() -> Iterator[Callable[[], Any]]:
    from monitoring import count, monitored, span

    @monitored(tags=["team:slides"], verify=lambda event, result: True)
    def handler(event: Any, context: Any) -> dict[str, Any]:
        with span("identify"):
            count("slides.identified", tags={"talk": "baltimore"})
        return {"page": 7}

    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:slides"
    place = {
        "Execution": {"Id": f"{machine.replace('stateMachine', 'execution')}:monday", "Name": "monday"},
        "StateMachine": {"Id": machine, "Name": "slides"},
        "State": {"Name": "Identify", "EnteredTime": "2026-11-23T10:00:00Z", "RetryCount": 0},
    }
    with contextlib.redirect_stdout(io.StringIO()):
        yield lambda: handler({"photo": "a.jpg", "_datadog": place}, Context())


@contextlib.contextmanager
def _a_payload() -> Iterator[Callable[[], Any]]:
    sys.path.insert(0, str(Path(__file__).parent / "forwarder"))
    from intake_server import Intake, running

    from monitoring.forwarder import handler

    now, request = int(time.time()), "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
    ids = {"trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0000000000000001"}
    said = {"name": "aws.lambda", "resource": "orders", "service": "orders", "error": 0, "duration": 5}
    memory = "Memory Size: 512 MB\tMax Memory Used: 95 MB"
    messages = [
        f"START RequestId: {request} Version: $LATEST\n",
        f"MONITORING|{now}|2|count|slides.identified|#talk:baltimore\n",
        json.dumps({"traces": [[{**ids, **said, "start": now * 10**9, "meta": {}, "metrics": {}}]]}),
        "hello world\n",
        f"REPORT RequestId: {request}\tDuration: 2500.00 ms\tBilled Duration: 2600 ms\t{memory}\t\n",
    ]
    events = [{"id": f"{i:056}", "timestamp": now * 1000, "message": m} for i, m in enumerate(messages)]
    body = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/orders"}
    body |= {"logStream": "2026/11/23/[$LATEST]a", "subscriptionFilters": ["s"], "logEvents": events}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()
    intake = Intake()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running(intake))
        stack.enter_context(_variables(DD_URL=url, DD_API_KEY="k", AWS_REGION="eu-west-1"))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        yield lambda: handler({"awslogs": {"data": packed}}, Context())
    assert intake.points()
    assert intake.spans()
    assert intake.logs()


@contextlib.contextmanager
def _a_query() -> Iterator[Callable[[], Any]]:
    import numpy as np

    from monitoring.query import evaluate, parse
    from monitoring.query.series import Series

    times = np.arange(1_772_323_200, 1_772_326_800, 60)
    series = [
        Series("slides.shown", (f"talk:{talk}", "env:prod"), times, np.ones(len(times)), "count", 60)
        for talk in ("baltimore", "chicago")
    ]
    text = "top(sum:slides.shown{env:prod} by {talk}.as_count().rollup(sum, 300), 5, 'mean', 'desc')"
    yield lambda: evaluate(parse(text), series, int(times[0]), int(times[-1]))


MONITOR = {
    "name": "Slides are shown",
    "type": "query alert",
    "query": "sum(last_5m):sum:slides.shown{env:prod}.as_count() < 1",
    "message": "No slide was shown. @slack-slides",
    "options": {"thresholds": {"critical": 1}, "on_missing_data": "default"},
}
DASHBOARD = {
    "title": "Slides",
    "layout_type": "ordered",
    "widgets": [
        {
            "definition": {
                "type": "timeseries",
                "title": "Slides shown",
                "requests": [
                    {
                        "response_format": "timeseries",
                        "queries": [
                            {
                                "name": "a",
                                "data_source": "metrics",
                                "query": "sum:slides.shown{env:prod}.as_count()",
                            }
                        ],
                        "formulas": [{"formula": "a"}],
                        "display_type": "line",
                    }
                ],
            }
        }
    ],
}
TEST = """\
monitor: slides
start: 2026-03-01T00:00:00Z
series:
  - metric: slides.shown
    type: count
    interval: 60s
    tags: [env:prod]
    values: 1x9 0x9
expect:
  - alerts_within: 10m
    of: 9m
"""


@contextlib.contextmanager
def _a_file() -> Iterator[Callable[[], Any]]:
    from monitoring.cli import main

    def run() -> None:
        for argv in (["lint", "."], ["preview", "--sample", "--format", "svg"], ["test"]):
            try:
                main(argv)
            except SystemExit as ended:
                assert not ended.code, (argv, said.getvalue())

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, body in (("monitors/slides.json", MONITOR), ("dashboards/slides.json", DASHBOARD)):
            Path(name).parent.mkdir()
            Path(name).write_text(json.dumps(body, indent=2), encoding="utf-8")
        Path("monitors/slides.test.yaml").write_text(TEST, encoding="utf-8")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield run


@contextlib.contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


WALKS = {
    "event": Entry("an event through @monitored", _an_event),
    "payload": Entry(
        "a payload through the forwarder",
        _a_payload,
        {"forwarder/keys.py: ApiKey.__call__": "the intake asks for the key when it sends"},
    ),
    "query": Entry(
        "a query through parse and evaluate",
        _a_query,
        {"query/evaluation.py: run": "a function of the language evaluates its arguments"},
    ),
    "file": Entry(
        "a file through lint, preview and test",
        _a_file,
        {
            "preview/render.py: <lambda>": "the progress of several dashboards",
            "preview/render.py: data_of.<locals>.<lambda>": "the unit of a metric by its name",
        },
    ),
}
