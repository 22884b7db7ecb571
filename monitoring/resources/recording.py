"""Collect what handlers emit, for the catalogue of a project's own metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.lines import Point
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules
from monitoring.log_events.source import LogSource, function_of
from monitoring.log_events.telemetry import LogEvent
from monitoring.resources.own_metrics import MOST_VALUES, OwnMetric, OwnMetrics, first, is_own, one_type


class Sight(NamedTuple):
    """Where a metric was seen: the function that printed it, or the test, or both; "" is unknown."""

    function: str = ""
    test: str = ""

    def __str__(self) -> str:
        return self.test or self.function or "in the output"


@dataclass(slots=True)
class _Seen:
    """Observations of a metric: its types with the place of each, the values of its tags, and the places."""

    types: dict[str, str] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    tests: set[str] = field(default_factory=set)

    def add_type(self, kind: str, place: str) -> None:
        """Note a type, and the first place in alphabetical order that has it."""
        self.types[kind] = min(place, self.types.get(kind, place))

    def add_values(self, key: str, values: Iterable[str]) -> None:
        """Note values of a tag, as many as are counted."""
        known = self.tags.setdefault(key, set())
        known.update(islice((value for value in values if value not in known), MOST_VALUES - len(known)))


@dataclass(slots=True)
class Recording:
    """The project's own metrics as they are seen; others are left out."""

    _metrics: dict[str, _Seen] = field(default_factory=dict)

    def add_text(self, text: str, sight: Sight) -> None:
        """Add what was printed, read as the forwarder reads it: lines, JSON lines, EMF documents."""
        if any(mark in text for mark in _MARKS):
            self._add(_points(text.splitlines()), sight)

    def add_events(self, events: Iterable[LogEvent], test: str = "") -> None:
        """Add what functions wrote to their log groups."""
        printed: dict[str, list[str]] = {}
        for event in events:
            name = function_of(event.log_group, event.log_stream).name
            if name and any(mark in event.message for mark in _MARKS):
                printed.setdefault(name, []).append(event.message)
        for name, messages in printed.items():
            self._add(_points(messages), Sight(name, test))

    def _add(self, points: Iterable[Point], sight: Sight) -> None:
        for point in points:
            if not is_own(point.metric):
                continue
            seen = self._metrics.setdefault(point.metric, _Seen())
            seen.add_type(point.type, str(sight))
            seen.functions |= {sight.function} if sight.function else set()
            seen.tests |= {sight.test} if sight.test else set()
            for tag in point.tags:
                key, _, value = tag.partition(":")
                seen.add_values(key, (value,))

    def as_data(self) -> dict[str, Any]:
        """Return the recording as JSON's values, for another process's `add_data`."""
        return {
            name: {
                "types": seen.types,
                "tags": {key: sorted(values) for key, values in seen.tags.items()},
                "functions": sorted(seen.functions),
                "tests": sorted(seen.tests),
            }
            for name, seen in self._metrics.items()
        }

    def add_data(self, data: Mapping[str, Any]) -> None:
        """Add a recording of another process."""
        for name, values in data.items():
            seen = self._metrics.setdefault(name, _Seen())
            for kind, place in values["types"].items():
                seen.add_type(kind, place)
            for key, texts in values["tags"].items():
                seen.add_values(key, texts)
            seen.functions.update(values["functions"])
            seen.tests.update(values["tests"])

    def catalogue(self, path: Path) -> OwnMetrics:
        """Return what was seen as a catalogue.

        Raises:
            InputError: a metric was seen as two types; `path` is told as the place.
        """
        metrics = {}
        for name, seen in self._metrics.items():
            (kind, place), *others = sorted(seen.types.items())
            for other in others:
                kind = one_type(name, (kind, place), other, path)
            tags = {key: min(len(values), MOST_VALUES) for key, values in seen.tags.items()}
            metrics[name] = OwnMetric(
                kind, tags=tags, functions=first(tuple(seen.functions)), tests=first(tuple(seen.tests))
            )
        return OwnMetrics(metrics)


_MARKS = ("MONITORING|", '"m"', '"_aws"')


def _points(messages: Iterable[str]) -> list[Point]:
    """Return the points that messages hold, with the tags that the handlers gave them."""
    reader = Reader(LogSource(""), Memory(), Rules(keep=lambda _: None))
    for message in messages:
        reader.read(message, 0)
    reader.flush()
    return reader.out.points
