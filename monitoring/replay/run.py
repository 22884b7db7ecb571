"""Run a replay in a pool of processes; each item has a checkpoint, so that a second run adds nothing."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from monitoring.errors import InputError, writing
from monitoring.forwarder import aws
from monitoring.forwarder.files import file_unit
from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import Rest, Unit
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.stats import Tally
from monitoring.replay.items import Item, list_items
from monitoring.replay.parquet import Partitions
from monitoring.replay.spans import SpanFiles

CHECKPOINTS = ".replay"
_FOREVER = 10.0**7  # seconds: a command has no time-out


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of a replay.

    Attributes:
        source: a folder, or `s3://BUCKET/PREFIX`.
        out: the folder of the Parquet files and the checkpoints.
        send: send telemetry to Datadog, as the settings say, instead of writing Parquet.
        group: the log group of files of plain lines, which do not name one.
        workers: number of processes.
        environment: the forwarder's settings.
    """

    source: str
    out: Path
    send: bool = False
    group: str = ""
    workers: int = 2
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Result of a replay.

    Attributes:
        totals: points, spans, logs, refused, late, objects and bytes of all items, also of earlier runs.
        read: the number of items that this run has read.
        known: the number of items that an earlier run had read.
        failed: item -> why it could not be read or delivered; the next run tries it again.
    """

    totals: dict[str, int]
    read: int
    known: int
    failed: dict[str, str]


def replay(options: ReplayOptions, advance: Callable[[int, int], object] = lambda *_: None) -> ReplayResult:
    """Read every item that has no checkpoint of its present content.

    Args:
        advance: called with the size of each finished item and the total size, in bytes.

    Raises:
        InputError: the source or a setting cannot be used, or the folder cannot be written.
    """
    ForwarderSettings.from_env(options.environment or {})
    items = list_items(options.source, aws.client)
    checkpoints = options.out / CHECKPOINTS
    with writing(checkpoints):
        checkpoints.mkdir(parents=True, exist_ok=True)
    finished = {item.key: done for item in items if (done := _checkpoint(checkpoints, item)) is not None}
    pending = [item for item in items if item.key not in finished]
    size = sum(item.size for item in items)
    advance(sum(item.size for item in items if item.key in finished), size)
    totals: Counter[str] = Counter()
    failed: dict[str, str] = {}
    for done in finished.values():
        totals.update(done["totals"])
    for item, outcome in _read(pending, options):
        if isinstance(outcome, str):
            failed[item.name] = outcome
        else:
            totals.update(outcome)
        advance(item.size, size)
    return ReplayResult(dict(totals), len(pending) - len(failed), len(finished), failed)


def _checkpoint(folder: Path, item: Item) -> dict[str, Any] | None:
    """Return the checkpoint of an earlier run, or None if there is none or the content has changed."""
    try:
        done = json.loads((folder / f"{item.key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return done if isinstance(done, dict) and done.get("state") == item.state else None


def _read(items: list[Item], options: ReplayOptions) -> Iterator[tuple[Item, dict[str, int] | str]]:
    if len(items) <= 1 or options.workers <= 1:
        yield from ((item, attempt(item, options)) for item in items)
        return
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(attempt, item, options): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()


def attempt(item: Item, options: ReplayOptions) -> dict[str, int] | str:
    """Read an item and write its checkpoint; return its totals, or the error as text."""
    try:
        totals, files = (_send if options.send else _store)(item, options)
    except (InputError, OSError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    totals |= {"objects": len(item.objects), "bytes": item.size}
    _write_checkpoint(item, options.out, totals, files)
    return totals


def _write_checkpoint(item: Item, out: Path, totals: dict[str, int], files: list[str]) -> None:
    """Write the checkpoint, and remove the files of an earlier version of the item."""
    target = out / CHECKPOINTS / f"{item.key}.json"
    earlier: list[str] = []
    if target.exists():
        earlier = json.loads(target.read_text(encoding="utf-8")).get("files", [])
    body = {"item": item.name, "state": item.state, "totals": totals, "files": files}
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps(body), encoding="utf-8")
    os.replace(temporary, target)
    for name in set(earlier) - set(files):
        (out / name).unlink(missing_ok=True)


def _units(item: Item, inputs: Inputs, group: str) -> Iterator[Unit]:
    for name in item.objects:
        if name.startswith("s3://"):
            bucket, _, key = name.removeprefix("s3://").partition("/")
            yield Unit(name, inputs.read_object(Rest(bucket, key, 0)))
        else:
            yield file_unit(name, inputs, group)


def _store(item: Item, options: ReplayOptions) -> tuple[dict[str, int], list[str]]:
    """Write an item's points and spans to Parquet."""
    settings = ForwarderSettings.from_env(options.environment or {})
    reader = PieceReader(settings, _region(options), ResourceTags(settings, aws.client), log_refusals=False)
    tally, partitions = Tally(), Partitions(options.out, item.key, native=settings.metrics == "native")
    spans = SpanFiles(options.out, item.key)
    for unit in _units(item, Inputs(aws.client), options.group):
        reader.begin_unit(unit.identity)
        for piece in unit.pieces:
            telemetry = reader.read(piece, tally)
            partitions.add(telemetry.points)
            spans.add(telemetry.spans)
    partitions.flush()
    spans.flush()
    return _totals(tally), [*partitions.files, *spans.files]


def _send(item: Item, options: ReplayOptions) -> tuple[dict[str, int], list[str]]:
    """Send an item's telemetry to Datadog."""
    settings = ForwarderSettings.from_env({"MONITORING_OWN_METRICS": "false", **(options.environment or {})})
    forwarder = Forwarder(settings, _region(options))
    try:
        outcome = forwarder.forward(_units(item, Inputs(aws.client), options.group), _FOREVER)
    finally:
        forwarder.close()
    if not outcome.safe:
        raise RuntimeError("; ".join(outcome.tally.errors) or "some telemetry could not be delivered")
    return _totals(outcome.tally), []


def _region(options: ReplayOptions) -> str:
    return (options.environment or {}).get("AWS_REGION", "")


def _totals(tally: Tally) -> dict[str, int]:
    totals = {kind: int(tally.counts[kind]) for kind in ("points", "spans", "logs")}
    return {**totals, "refused": sum(tally.refused.values()), "late": sum(tally.late.values())}
