"""Recordings of single executions of the example: their telemetry, with times relative to their start."""

import gzip
from pathlib import Path
from typing import Any, Literal

import msgspec

FILE = Path(__file__).with_name("recording.json.gz")


class RecordedPoints(msgspec.Struct, frozen=True):
    """The points of one source, as (seconds from the start, value)."""

    metric: str
    type: Literal["", "count", "gauge", "rate", "distribution"]
    tags: tuple[str, ...]
    points: list[tuple[float, float]]


class RecordedSamples(msgspec.Struct, frozen=True):
    """The samples of one CloudWatch metric, as (seconds from the start, value)."""

    namespace: Literal["lambda", "states"]
    metric: str
    tags: tuple[str, ...]
    samples: list[tuple[float, float]]


class Recording(msgspec.Struct, frozen=True):
    """One execution; `spans` and `logs` are as in the store, in nanoseconds and milliseconds from `start`.

    `start` is in seconds since the epoch.
    """

    name: str
    arn: str
    start: float
    seconds: float
    points: list[RecordedPoints]
    samples: list[RecordedSamples]
    spans: list[dict[str, Any]]
    logs: list[dict[str, Any]]


class RecordedExample(msgspec.Struct, frozen=True):
    """The recordings, the definition of their state machine, and function -> (seconds, megabytes)."""

    machine: str
    definition: dict[str, Any]
    functions: dict[str, tuple[int, int]]
    recordings: list[Recording]


def read_example(path: Path = FILE) -> RecordedExample:
    """Read the recordings in the package."""
    return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=RecordedExample)
