"""Compare what two forwarders make of the same log groups, before one of them is switched off.

Offline from two recorded outputs (what `stepscope forward --json` prints, or a database of the embedded
Datadog that a forwarder was pointed at), or in an organisation where a tag tells which of the two has sent a
point.
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
from monitoring.doctor.datadog import Answer, Datadog
from monitoring.errors import InputError

OWN = ("stepscope.forwarder.", "aws.dd_forwarder.", "datadog.forwarder.")
"""How the metrics of the forwarders themselves begin: they are not compared."""
_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: |INIT_START |EXTENSION\t|XRAY TraceId|MONITORING\|")
"""Lines that become metrics here and are logs, or nothing, elsewhere."""
_SHOWN = 60  # characters of a message
_MOST = 100  # metrics that are asked for in an organisation, two or four queries each


@dataclass(slots=True)
class Output:
    """Telemetry of one forwarder: each metric's points, their sum and the keys of their tags; messages."""

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
        InputError: there is no such file, or it is neither.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("there is no such file", where=path, hint="Give the outputs of two forwarders.")
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
                    raise ValueError("it has no point, log, span or refusal")
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
    """Yield a check for each metric of either side, and one for the logs.

    A metric that only our side makes is fine; one that is missing here, has another number or sum, or lacks a
    tag that the other side has is a fault.
    """
    for metric in sorted({*ours.points, *theirs.points}):
        if not metric.startswith(OWN):
            yield _metric(metric, ours, theirs)
    yield _logs(ours.messages, theirs.messages)


def _metric(metric: str, ours: Output, theirs: Output) -> Check:
    own, other = ours.points[metric], theirs.points[metric]
    if not other:
        return ok("metric", metric, f"only ours makes it: {_points(own)}")
    if not own:
        hint = "switch its family of metrics on, or see that nothing queries it"
        return fault("metric", metric, f"only theirs makes it: {_points(other)}", hint)
    sums = ours.sums[metric], theirs.sums[metric]
    if own != other or not math.isclose(*sums, rel_tol=1e-9, abs_tol=1e-9):
        message = f"{_points(own)} with the sum {sums[0]:g}, theirs {_points(other)} with {sums[1]:g}"
        return fault(
            "metric", metric, message, "compare the same log groups and time; look for refused lines"
        )
    missing = sorted(theirs.tags[metric] - ours.tags[metric])
    if missing:
        return fault("tags", metric, f"theirs has also {', '.join(missing)}", "set Tags or FetchTags")
    return ok("metric", metric, f"both: {_points(own)} with the sum {sums[0]:g}")


def _points(count: int) -> str:
    return f"{count:,} point" + ("" if count == 1 else "s")


def _logs(ours: Counter[str], theirs: Counter[str]) -> Check:
    """Compare the messages, without lines that become metrics here."""
    own, other = (
        Counter({text: count for text, count in side.items() if not _PLATFORM.match(text)})
        for side in (ours, theirs)
    )
    left = theirs.total() - other.total()
    note = f"; {left:,} more of theirs are platform and metric lines" if left else ""
    missing, more = other - own, own - other
    if missing:
        shown = next(iter(missing))[:_SHOWN]
        message = f"{missing.total():,} of theirs are not here, as {shown!r}{note}"
        return fault(
            "logs", "messages", message, "look for IncludeAtMatch, ExcludeAtMatch and scrubbing rules"
        )
    extra = f", and {more.total():,} more" if more else ""
    return ok("logs", "messages", f"all {other.total():,} of theirs are here{extra}{note}")


def compare_live(datadog: Datadog, ours: str, theirs: str, start: int, end: int) -> Iterator[Check]:
    """Yield a check for each metric that carries one of two tags in an organisation.

    Args:
        ours: the tag that our forwarder gives everything (`Tags` of its stack), as `forwarder:stepscope`.
        theirs: the same of the other forwarder.
        start: seconds since the epoch, as `end`.

    Raises:
        InputError: Datadog does not answer.
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
        yield unknown("metric", f"{len(names) - _MOST} more", "are not looked at", "record outputs instead")
    if not names:
        yield unknown(
            "metric", f"{ours}, {theirs}", "no metric carries either tag", "check both tags, and --since"
        )


def _active(datadog: Datadog, tag: str, start: int) -> list[str]:
    answer = datadog.metrics(start, tag)
    if answer.status != 200 or not isinstance(answer.body, dict):
        reason = answer.error or f"it answers {answer.status}"
        hint = "set DD_API_KEY, DD_APP_KEY and DD_SITE, or --url"
        raise InputError(f"the metrics cannot be listed: {reason}", where=datadog.base, hint=hint)
    names: Any = answer.body.get("metrics")
    return [str(name) for name in names or ()]


def _total(answer: Answer) -> float:
    series = answer.body.get("series") if isinstance(answer.body, dict) else None
    values = (point[1] for entry in series or () for point in entry.get("pointlist") or ())
    return math.fsum(value for value in values if value is not None)
