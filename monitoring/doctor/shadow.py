"""Compare the telemetry of two forwarders that read the same log groups, before one is switched off.

Compare two recorded outputs offline (the output of `stepscope forward --json`, or a database of the embedded
Datadog that a forwarder has sent to), or the points in an organisation, where a tag identifies the forwarder
that sent them.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.doctor.checks import Check, fault, ok, unknown
from monitoring.doctor.datadog import Datadog, DatadogResponse
from monitoring.errors import InputError

OWN = ("stepscope.forwarder.", "aws.dd_forwarder.", "datadog.forwarder.")
"""Prefixes of the metrics that the forwarders report about themselves; they are not compared."""
_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: |INIT_START |EXTENSION\t|XRAY TraceId|MONITORING\|")
"""Lines that this forwarder converts to metrics, and other forwarders send as logs or drop."""
_SHOWN = 60  # characters of a message that are printed
_MOST = 100  # metrics that are compared in an organisation, with four queries each


@dataclass(slots=True)
class Output:
    """Telemetry of a forwarder: number, sum and tag keys of points by metric; number of each message."""

    points: Counter[str] = field(default_factory=Counter)
    sums: dict[str, float] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, metric: str, values: Iterable[float], tags: Iterable[str]) -> None:
        """Add points of a metric."""
        numbers = [float(value) for value in values]
        self.points[metric] += len(numbers)
        self.sums[metric] = self.sums.get(metric, 0.0) + math.fsum(numbers)
        self.tags.setdefault(metric, set()).update(tag.partition(":")[0] for tag in tags)


def read_output(path: str) -> Output:
    """Read a recorded output: JSON lines (.json, .jsonl, .ndjson), or a database of the embedded Datadog.

    Raises:
        InputError: the file does not exist or cannot be read as either.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("the file does not exist", where=path, hint="Give the outputs of two forwarders.")
    return _read_lines(file) if file.suffix in {".json", ".jsonl", ".ndjson"} else _read_database(file)


def _read_lines(file: Path) -> Output:
    output = Output()
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if "point" in row:
                    point = row["point"]
                    output.add(str(point["metric"]), [point["value"]], point.get("tags", ()))
                elif "log" in row:
                    output.messages[str(row["log"]["message"]).strip()] += 1
                elif not row.keys() & {"span", "refused"}:
                    raise ValueError("expected an object with `point`, `log`, `span` or `refused`")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                hint = "Record it with `stepscope forward --json`."
                raise InputError(
                    f"line {number} cannot be read: {error}", where=str(file), hint=hint
                ) from error
    return output


def _read_database(file: Path) -> Output:
    from monitoring.store import Store

    output = Output()
    with Store.open(file, read_only=True) as store:
        for series in store.series():
            output.add(series.metric, series.values, series.tags)
        output.messages.update(str(entry["message"]).strip() for entry in store.logs())
    return output


def compare(ours: Output, theirs: Output) -> Iterator[Check]:
    """Yield a check for each metric of either forwarder, and one for the logs.

    A metric that only our forwarder sends is fine. A metric that it does not send, with another number or sum
    of points, or without a tag key that the other forwarder's points have, is a fault.
    """
    for metric in sorted({*ours.points, *theirs.points}):
        if not metric.startswith(OWN):
            yield _metric(metric, ours, theirs)
    yield _logs(ours.messages, theirs.messages)


def _metric(metric: str, ours: Output, theirs: Output) -> Check:
    count, their_count = ours.points[metric], theirs.points[metric]
    if not their_count:
        return ok("metric", metric, f"only ours sends it: {_points(count)}")
    if not count:
        hint = "switch its family of metrics on, or see that nothing queries it"
        return fault("metric", metric, f"only theirs sends it: {_points(their_count)}", hint)
    sums = ours.sums[metric], theirs.sums[metric]
    if count != their_count or not math.isclose(*sums, rel_tol=1e-9, abs_tol=1e-9):
        message = f"{_points(count)} with the sum {sums[0]:g}, theirs {_points(their_count)} with {sums[1]:g}"
        return fault(
            "metric", metric, message, "compare the same log groups and time; look for refused lines"
        )
    missing = sorted(theirs.tags[metric] - ours.tags[metric])
    if missing:
        return fault("tags", metric, f"theirs has also {', '.join(missing)}", "set Tags or FetchTags")
    return ok("metric", metric, f"both: {_points(count)} with the sum {sums[0]:g}")


def _points(count: int) -> str:
    return f"{count:,} point" + ("" if count == 1 else "s")


def _logs(ours: Counter[str], theirs: Counter[str]) -> Check:
    """Compare the messages, without the lines that this forwarder converts to metrics."""
    our_messages, their_messages = (
        Counter({text: count for text, count in side.items() if not _PLATFORM.match(text)})
        for side in (ours, theirs)
    )
    excluded = theirs.total() - their_messages.total()
    note = f"; {excluded:,} more of theirs are platform and metric lines" if excluded else ""
    missing, additional = their_messages - our_messages, our_messages - their_messages
    if missing:
        example = next(iter(missing))[:_SHOWN]
        message = f"ours lacks {missing.total():,} messages of theirs, for example {example!r}{note}"
        return fault(
            "logs", "messages", message, "look for IncludeAtMatch, ExcludeAtMatch and scrubbing rules"
        )
    suffix = f", and {additional.total():,} more" if additional else ""
    return ok("logs", "messages", f"ours has all {their_messages.total():,} of theirs{suffix}{note}")


def compare_live(datadog: Datadog, ours: str, theirs: str, start: int, end: int) -> Iterator[Check]:
    """Yield a check for each metric of an organisation that has points with one of two tags.

    Args:
        ours: the tag that our forwarder adds (`Tags` of its stack), for example `forwarder:stepscope`.
        theirs: the tag that the other forwarder adds.
        start: seconds since the epoch, like `end`.

    Raises:
        InputError: Datadog cannot list the metrics.
    """
    names = sorted({*_active(datadog, ours, start), *_active(datadog, theirs, start)})
    names = [name for name in names if not name.startswith(OWN)]
    for name in names[:_MOST]:
        totals: list[tuple[float, float]] = []
        for tag in (ours, theirs):
            answers = [
                datadog.points(f"{how}:{name}{{{tag}}}.as_count()", start, end) for how in ("count", "sum")
            ]
            totals.append((_total(answers[0]), _total(answers[1])))
        sides = [Output(), Output()]
        for side, (count, total) in zip(sides, totals, strict=True):
            if count or total:
                side.points[name], side.sums[name], side.tags[name] = round(count) or 1, total, set()
        yield _metric(name, *sides)
    if len(names) > _MOST:
        yield unknown("metric", f"{len(names) - _MOST} more", "were not compared", "record outputs instead")
    if not names:
        yield unknown(
            "metric", f"{ours}, {theirs}", "no metric has either tag", "check both tags, and --since"
        )


def _active(datadog: Datadog, tag: str, start: int) -> list[str]:
    answer = datadog.metrics(start, tag)
    if answer.status != 200 or not isinstance(answer.body, dict):
        reason = answer.error or f"Datadog answers {answer.status}"
        hint = "set DD_API_KEY, DD_APP_KEY and DD_SITE, or --url"
        raise InputError(f"the metrics cannot be listed: {reason}", where=datadog.base, hint=hint)
    names: Any = answer.body.get("metrics")
    return [str(name) for name in names or ()]


def _total(answer: DatadogResponse) -> float:
    series = answer.body.get("series") if isinstance(answer.body, dict) else None
    values = (point[1] for entry in series or () for point in entry.get("pointlist") or ())
    return math.fsum(value for value in values if value is not None)
