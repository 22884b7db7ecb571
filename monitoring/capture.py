"""Capture the points and spans that a handler prints, in tests with or without pytest.

with capture() as emitted:
    handler({"photo": "a.jpg"}, LambdaContext())
emitted.assert_count("slides.identified", 1, tags={"talk": "baltimore"})
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from monitoring.lines import Point, Refused, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


log_recorders: list[Callable[[Iterable[Any]], None]] = []
"""Functions that an embedded AWS calls with its log events when it is closed."""


class MalformedLine(AssertionError):  # noqa: N818 - a failure of a test
    """Raised for a printed line that looks like a point and is not valid; it marks the error in the line."""


class LambdaContext:
    """A Lambda context object for unit tests, with any attributes.

    Args:
        timeout_ms: the time until the deadline; `get_remaining_time_in_millis` counts it down.
        attributes: any attribute of Lambda's context: `function_name`, `aws_request_id`, `client_context` …
    """

    def __init__(self, timeout_ms: int = 300_000, **attributes: Any) -> None:
        name = str(attributes.get("function_name", "test-function"))
        version = str(attributes.get("function_version", "$LATEST"))
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        self.function_name = name
        self.function_version = version
        self.invoked_function_arn = arn if version == "$LATEST" else f"{arn}:{version}"
        self.memory_limit_in_mb = "128"
        self.aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"
        self.log_group_name = f"/aws/lambda/{name}"
        self.log_stream_name = f"2026/11/23/[{version}]58419525dade4d17a495dceeeed44708"
        self.identity: Any = None
        self.client_context: Any = None
        self.tenant_id: Any = None
        self._deadline = time.time() * 1000 + timeout_ms
        for key, value in attributes.items():
            setattr(self, key, value)

    def __call__(self, timeout_ms: int = 300_000, **attributes: Any) -> LambdaContext:
        """Return a new context with these attributes: `lambda_context(function_name="identify")`."""
        return LambdaContext(timeout_ms, **attributes)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline, never below 0."""
        return max(0, int(self._deadline - time.time() * 1000))


class Emitted:
    """The output since the capture began; every method parses it again.

    `text` is the whole output; `lines` are the lines that are neither points nor traces.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._from = 0

    @property
    def text(self) -> str:
        """The whole output."""
        return self._read()[self._from :]

    def run(self, handler: Callable[..., Any], event: Any, context: Any = None) -> Any:
        """Run the handler (await it if it is async) and return its result; `context`: a new LambdaContext."""
        result = handler(event, LambdaContext() if context is None else context)
        if hasattr(result, "__await__"):
            import asyncio

            return asyncio.run(result)
        return result

    def clear(self) -> None:
        """Discard the output so far."""
        self._from = len(self._read())

    @property
    def lines(self) -> list[str]:
        """The printed lines that have neither points nor spans."""
        return [line for line in self.text.splitlines() if not _is_trace(line) and not read_line(line).points]

    def points(self, metric: str | None = None, tags: Any = None) -> list[Point]:
        """Return the points of a metric with these tags (`{"talk": "baltimore"}` or `["talk:baltimore"]`)."""
        return [point for point in self._points() if metric in {None, point.metric} and _has(point, tags)]

    def metrics(self) -> list[str]:
        """Return the names of the metrics, once each."""
        return sorted({point.metric for point in self._points()})

    def spans(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return the spans of all trace lines in the order printed, with Datadog's field names."""
        return [span for trace in self.traces() for span in trace if name in {None, span["name"]}]

    def traces(self) -> list[list[dict[str, Any]]]:
        """Return the span lists, one for each trace line."""
        payloads = [json.loads(line)["traces"] for line in self.text.splitlines() if _is_trace(line)]
        return [trace for traces in payloads for trace in traces]

    def trace(self) -> list[dict[str, Any]]:
        """Return the spans of the only invocation.

        Raises:
            AssertionError: no invocation, or more than one, has printed a trace.
        """
        roots = {span["trace_id"] + span["span_id"] for span in self.spans("aws.lambda")}
        if len(roots) != 1:
            raise AssertionError(f"{len(roots)} invocations have printed a trace, expected 1")
        return self.spans()

    def refused(self) -> list[tuple[int, str, Refused]]:
        """Return the malformed lines: line number (from 1), text and error."""
        numbered = enumerate(self.text.splitlines(), start=1)
        return [(number, line, refused) for number, line in numbered for refused in read_line(line).refused]

    def assert_count(self, metric: str, expected: float = 1, tags: Any = None) -> None:
        """Assert that the metric's counts with these tags sum up to `expected`.

        Raises:
            AssertionError: they do not; it lists points of the same metric or of similar names.
        """
        points = [point for point in self.points(metric, tags) if point.type == "count"]
        total = sum(point.value for point in points)
        if total != expected or (not points and expected):
            difference = f"{total:g} counted, expected {expected:g}"
            raise AssertionError(f"{_wanted(metric, tags)}: {difference}{self._near(metric)}")

    def assert_value(self, metric: str, expected: float, tags: Any = None) -> None:
        """Assert that the metric's last value with these tags is `expected`, for gauges and single points."""
        points = self.points(metric, tags)
        if not points or points[-1].value != expected:
            actual = f"the last value is {points[-1].value:g}" if points else "not printed"
            message = f"{_wanted(metric, tags)}: {actual}, expected {expected:g}{self._near(metric)}"
            raise AssertionError(message)

    def assert_not_emitted(self, metric: str, tags: Any = None) -> None:
        """Assert that no point of the metric with these tags was printed."""
        points = self.points(metric, tags)
        if points:
            raise AssertionError(
                f"{_wanted(metric, tags)}: printed {len(points)} times, expected none{_listed(points)}"
            )

    def assert_well_formed(self) -> None:
        """Assert that every printed line that looks like a point is valid.

        Raises:
            MalformedLine: the first line that is not, with a caret under the error.
        """
        for number, line, refused in self.refused():
            caret = " " * refused.start + "^" * max(1, refused.end - refused.start)
            raise MalformedLine(
                f"printed line {number}: {refused.reason}\n  {line}\n  {caret}\n{refused.hint}"
            )

    def _points(self) -> Iterator[Point]:
        for line in self.text.splitlines():
            yield from read_line(line).points

    def _near(self, metric: str) -> str:
        """Return the text of the points that were printed: of that metric, or of similar names."""
        points = list(self._points())
        similar = [point for point in points if point.metric == metric]
        if not similar:
            names = difflib.get_close_matches(metric, {point.metric for point in points}, n=3, cutoff=0.5)
            similar = [point for point in points if point.metric in names]
        if similar:
            return "\nnear misses:" + _listed(similar)
        return f"\nprinted: {', '.join(self.metrics()) or 'no metric'}"


class Tee:
    """A standard output that also writes to a buffer."""

    def __init__(self, before: Any, buffer: io.StringIO) -> None:
        self.before, self.buffer = before, buffer

    def write(self, text: str) -> int:
        """Write the text to the buffer and to the original output."""
        self.buffer.write(text)
        with contextlib.suppress(
            ValueError, OSError, AttributeError
        ):  # the original output is closed or None
            self.before.write(text)
        return len(text)

    def writes_to(self, buffer: io.StringIO) -> bool:
        """Return whether this tee, or a tee that it writes to, writes to `buffer`."""
        return self.buffer is buffer or (isinstance(self.before, Tee) and self.before.writes_to(buffer))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.before, name)


def keep_output(buffer: io.StringIO) -> Callable[[], None]:
    """Copy standard output to `buffer` from now on; return the function that stops it.

    A logging handler keeps the standard output that it was created with, so each of these is copied too.
    """
    holders = [(sys, "stdout"), *((handler, "stream") for handler in _stream_handlers(sys.stdout))]
    tees = []
    for holder, attribute in holders:
        tees.append(Tee(getattr(holder, attribute), buffer))
        setattr(holder, attribute, tees[-1])

    def restore() -> None:
        for (holder, attribute), tee in zip(holders, tees, strict=True):
            _unlink(holder, attribute, tee)

    return restore


def _unlink(holder: Any, attribute: str, tee: Tee) -> None:
    """Remove a tee from an output, also from under later tees; leave an output that was replaced."""
    output = getattr(holder, attribute)
    while isinstance(output, Tee) and output is not tee:
        holder, attribute, output = output, "before", output.before
    if output is tee:
        setattr(holder, attribute, tee.before)


def _stream_handlers(stdout: Any) -> list[Any]:
    """Return the handlers of all loggers that write to standard output."""
    import logging

    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = {handler for logger in loggers for handler in getattr(logger, "handlers", ())}
    streams = ((handler, getattr(handler, "stream", None)) for handler in handlers)
    outputs = {id(stdout), id(sys.__stdout__)}
    return [handler for handler, stream in streams if id(stream) in outputs or isinstance(stream, Tee)]


@contextlib.contextmanager
def capture(*, strict: bool = True, cold: bool = False) -> Iterator[Emitted]:
    """Capture what is printed within the block; it is still printed.

    Args:
        strict: fail at the end of the block on a malformed line.
        cold: treat the first invocation as the first of its process, with the metrics of a cold start.

    Raises:
        MalformedLine: at the end of the block, if a printed line is malformed.
    """
    forget(cold=cold)
    buffer = io.StringIO()
    before, restore = sys.stdout, keep_output(buffer)
    emitted = Emitted(buffer.getvalue)
    try:
        yield emitted
    finally:
        restore()
        sys.stdout = before  # also if the block has replaced it
    if strict:
        emitted.assert_well_formed()


def forget(*, cold: bool = False) -> None:
    """Reset the state of the process (tags, failures, settings) that earlier invocations have left."""
    from monitoring.instrumentation import metrics, output, settings
    from monitoring.instrumentation.runtime import process

    process.called = not cold
    metrics.forget()
    output.forget()
    settings.forget()


def _is_trace(line: str) -> bool:
    return line.startswith('{"traces":')


def _has(point: Point, tags: Any) -> bool:
    """Return whether the point has all of these tags; values are compared as they are printed."""
    from monitoring.lines import tag_list

    return set(tag_list(tags)) <= set(point.tags)


def _wanted(metric: str, tags: Any) -> str:
    from monitoring.lines import tag_list

    expected_tags = tag_list(tags)
    return f"{metric} with {', '.join(expected_tags)}" if expected_tags else metric


def _listed(points: Sequence[Point]) -> str:
    rows = [f"  {p.type} {p.metric} {p.value:g} {','.join(p.tags) or '(no tags)'}" for p in points[:8]]
    more = f"\n  and {len(points) - 8} more" if len(points) > 8 else ""
    return "\n" + "\n".join(rows) + more
