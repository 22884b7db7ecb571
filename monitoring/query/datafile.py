"""Read series from a file: bodies of submissions, JSON lines, CSV, Parquet.

Invalid points are omitted and reported with their location; the others are read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from monitoring.errors import InputError
from monitoring.query.series import MetricType, Series

TYPES: dict[str, MetricType] = {
    "": "gauge",
    "gauge": "gauge",
    "count": "count",
    "counter": "count",
    "rate": "rate",
    "distribution": "distribution",
    "d": "distribution",
    "c": "count",
    "g": "gauge",
    "h": "distribution",
    "histogram": "distribution",
    "0": "gauge",
    "1": "count",
    "2": "rate",
    "3": "gauge",
}
"""Names of metric types in submissions, and the numbers of the v2 body."""

COLUMNS = {
    "metric": ("metric", "name", "m"),
    "time": ("timestamp", "time", "date", "ts", "e"),
    "value": ("value", "v"),
    "type": ("type",),
    "tags": ("tags", "t"),
    "host": ("host",),
    "interval": ("interval",),
}
"""Field of a row -> the possible names of its column; the first existing one is used."""

MOST_ROWS = 10_000_000
"""The largest number of CSV or Parquet rows: a month of minutes of 230 sources, 180 bytes and 6 µs each."""
MOST_BYTES = 1 << 29
"""The largest JSON file in bytes; Python's objects need up to ten times as much."""
MOST_PROBLEMS = 10_000
_MILLISECONDS = 1e11
"""Larger timestamps (in seconds, the year 5138) are milliseconds."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The `series` of a file by metric, host and tags, and the `problems` of omitted points."""

    series: list[Series]
    problems: list[InputError] = field(default_factory=list)


def load(path: str | Path, metrics: Sequence[str] = ()) -> Loaded:
    """Load the series of a file; its suffix is the format (.json, .jsonl, .ndjson, .csv, .tsv, .parquet).

    Of a folder of Parquet files partitioned by `metric=`, only `metrics` are read; without any, all.
    Times are seconds (or milliseconds) since the epoch or ISO 8601; fractions are rounded to the nearest
    second. Of two points of the same source and second the later one is used, except for distributions.

    Raises:
        InputError: the file does not exist, cannot be read, or has no valid points.
    """
    file = Path(path)
    if not file.is_file() and not (file.is_dir() and next(file.rglob("*.parquet"), None)):
        raise InputError("the file does not exist", where=str(path), hint="Give --data FILE.")
    gathered = _Gathered(str(path))
    if file.is_dir():
        _partitions(file, gathered, metrics)
    elif file.suffix in {".csv", ".tsv", ".parquet"}:
        _table(file, gathered)
    else:
        _documents(file, gathered)
    loaded = gathered.loaded()
    if not loaded.series:
        reason = loaded.problems[0].message if loaded.problems else "it is empty"
        raise InputError(f"no point can be used: {reason}", where=str(path), hint=_HINT)
    return loaded


_HINT = (
    'Write {"series": [{"metric": "m", "points": [[1700000000, 1.5]], "type": "gauge", "tags": ["a:b"]}]}, '
    "or rows with metric, timestamp, value, type, tags, host."
)
_Key = tuple[str, tuple[str, ...], str, MetricType, int | None]


@dataclass(slots=True)
class _Gathered:
    """Collect points by source."""

    where: str
    points: dict[_Key, list[tuple[float, float]]] = field(default_factory=dict)
    problems: list[InputError] = field(default_factory=list)

    def problem(self, place: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(InputError(message, where=f"{self.where}{place}"))
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append(InputError("further invalid points are not listed", where=self.where))

    def loaded(self) -> Loaded:
        series = [_series(key, points) for key, points in sorted(self.points.items(), key=_order) if points]
        return Loaded(series, self.problems)


def _order(item: tuple[_Key, Any]) -> tuple[str, tuple[str, ...], str]:
    return item[0][:3]


def _series(key: _Key, points: list[tuple[float, float]]) -> Series:
    metric, tags, host, kind, interval = key
    times = np.floor(np.array([time for time, _ in points]) + 0.5).astype(np.int64)
    values = np.array([value for _, value in points], dtype=np.float64)
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    if kind != "distribution":
        last = np.append(times[1:] != times[:-1], True)
        times, values = times[last], values[last]
    return Series(metric, tags, times, values, kind, interval, host)


# --- JSON


def _documents(file: Path, gathered: _Gathered) -> None:
    _check_size(file, file.stat().st_size, MOST_BYTES, "bytes of JSON")
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the file cannot be read: {error}", where=str(file)) from error
    try:
        _document(json.loads(text), "", gathered)
        return
    except RecursionError:
        raise InputError("lists or objects are nested too deeply", where=str(file), hint=_HINT) from None
    except json.JSONDecodeError as error:
        if file.suffix == ".json" and "\n{" not in text.strip():
            place = f"{file}:{error.lineno}:{error.colno}"
            raise InputError(f"not valid JSON: {error.msg}", where=place) from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            _document(json.loads(line), f":{number}", gathered)
        except json.JSONDecodeError as error:
            gathered.problem(f":{number}:{error.colno}", f"the line is not valid JSON: {error.msg}")
        except RecursionError:
            gathered.problem(f":{number}", "lists or objects are nested too deeply")


def _document(document: Any, place: str, gathered: _Gathered) -> None:
    """Read a body with series, a list of bodies, a series, or a point."""
    if isinstance(document, list):
        for at, entry in enumerate(document):
            _document(entry, f"{place} [{at}]", gathered)
    elif not isinstance(document, dict):
        gathered.problem(place, "expected an object with a metric and points")
    elif isinstance(document.get("series"), list):
        for at, entry in enumerate(document["series"]):
            _document(entry, f"{place} series[{at}]", gathered)
    elif "points" in document or "pointlist" in document:
        _submitted(document, place, gathered)
    else:
        _row({name: _first(document, names) for name, names in COLUMNS.items()}, place, gathered)


def _first(document: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((document[name] for name in names if name in document), None)


def _submitted(document: Mapping[str, Any], place: str, gathered: _Gathered) -> None:
    """Read a series of a v1 or v2 body, of a distribution body, or of a response of the query API."""
    points = document.get("points") or document.get("pointlist") or ()
    tags = document.get("tags") or document.get("tag_set")
    distribution = any(isinstance(value, list) for _, value in _pairs(points))
    kind = "distribution" if distribution and "type" not in document else document.get("type")
    resources = document.get("resources") or ()
    hosts = [
        element.get("name")
        for element in resources
        if isinstance(element, dict) and element.get("type") == "host"
    ]
    host = document.get("host") or (hosts[0] if hosts else "")
    key = _key({**document, "tags": tags, "type": kind, "host": host}, place, gathered)
    if key is None:
        return
    for at, (time, value) in enumerate(_pairs(points)):
        if value is None and time is not None and "pointlist" in document:
            continue  # a bucket without a value in a response
        for element in value if isinstance(value, list) else [value]:
            _point(key, time, element, f"{place} points[{at}]", gathered)


def _pairs(points: Any) -> Iterator[tuple[Any, Any]]:
    for point in points if isinstance(points, list) else ():
        if isinstance(point, dict):
            yield point.get("timestamp"), point.get("value")
        elif isinstance(point, list) and len(point) == 2:
            yield point[0], point[1]
        else:
            yield None, point


def _row(row: Mapping[str, Any], place: str, gathered: _Gathered) -> None:
    key = _key(row, place, gathered)
    if key is not None:
        _point(key, row.get("time"), row.get("value"), place, gathered)


def _key(row: Mapping[str, Any], place: str, gathered: _Gathered) -> _Key | None:
    metric, kind = row.get("metric"), str(row.get("type") or "").lower()
    if not isinstance(metric, str) or not metric.strip():
        gathered.problem(place, "the metric has no name")
        return None
    if kind not in TYPES:
        gathered.problem(place, f"'{kind}' is not a type of a metric: gauge, count, rate or distribution")
        return None
    interval = row.get("interval")
    seconds = int(interval) if isinstance(interval, int | float) and interval > 0 else None
    return metric.strip(), _tags(row.get("tags")), str(row.get("host") or ""), TYPES[kind], seconds


def _tags(tags: Any) -> tuple[str, ...]:
    """Return the tags of a list, or of a text with commas, bars or spaces; sorted and in lower case."""
    if isinstance(tags, str):
        tags = tags.strip("[]{}").replace("|", ",").replace("'", "").replace('"', "")
        tags = tags.split(",") if "," in tags else tags.split()
    return tuple(sorted({str(tag).strip().lower() for tag in tags or () if str(tag).strip()}))


def _point(key: _Key, time: Any, value: Any, place: str, gathered: _Gathered) -> None:
    at, number = seconds(time), _finite(value)
    if at is not None and number is not None:
        gathered.points.setdefault(key, []).append((at, number))
        return
    if at is None:
        gathered.problem(place, f"'{time}' is not a valid time: seconds since the epoch, or ISO 8601")
    else:
        gathered.problem(place, f"'{value}' is not a finite number")


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) and not isinstance(value, bool) else None


def seconds(time: Any) -> float | None:
    """Convert seconds, milliseconds or ISO 8601 (UTC without a time zone) to epoch seconds."""
    number = _finite(time)
    if number is not None:
        return number / 1000 if abs(number) > _MILLISECONDS else number
    if isinstance(time, datetime):
        moment = time
    else:
        try:
            moment = datetime.fromisoformat(str(time).strip())
        except ValueError:
            return None
    return moment.timestamp() if moment.tzinfo else moment.timestamp() + _local_offset(moment)


def _local_offset(moment: datetime) -> float:
    """Return the seconds to add to a naive timestamp so that it is read as UTC."""
    offset = moment.astimezone().utcoffset()
    return offset.total_seconds() if offset else 0.0


# --- CSV and Parquet, through DuckDB


def _table(file: Path, gathered: _Gathered) -> None:
    import duckdb

    reader = "read_parquet(?)" if file.suffix == ".parquet" else "read_csv(?, all_varchar=true, header=true)"
    connection = duckdb.connect()
    try:
        relation = connection.execute(f"SELECT * FROM {reader}", [str(file)])  # noqa: S608 - one of two readers
        names = [column[0].strip().lower() for column in relation.description or ()]
        places = {
            field_name: next((names.index(name) for name in columns if name in names), None)
            for field_name, columns in COLUMNS.items()
        }
        missing = [field_name for field_name in ("metric", "time", "value") if places[field_name] is None]
        if missing:
            expected = "metric, timestamp, value, type, tags, host, interval"
            raise InputError(
                f"there is no column for {' and '.join(missing)} (found: {', '.join(names)})",
                where=str(file),
                hint=f"The columns are {expected}.",
            )
        if file.suffix == ".parquet":  # the footer has the number of rows
            (count,) = connection.execute(f"SELECT count(*) FROM {reader}", [str(file)]).fetchone() or (0,)  # noqa: S608
            _check_size(file, count, MOST_ROWS, "rows")
            relation = connection.execute(f"SELECT * FROM {reader}", [str(file)])  # noqa: S608
        _rows(relation, places, gathered, file)
    except duckdb.Error as error:
        raise InputError(f"the file cannot be read: {str(error).splitlines()[0]}", where=str(file)) from error
    finally:
        connection.close()


def _partitions(folder: Path, gathered: _Gathered, metrics: Sequence[str]) -> None:
    """Read a folder of Parquet files with the metric in folder names, as `stepscope replay` writes them."""
    import duckdb

    files = f"{folder}/**/metric=*/*.parquet".replace("'", "''")
    reader = f"read_parquet('{files}', hive_partitioning=true, hive_types_autocast=false)"
    condition = " WHERE list_contains(?, metric)" if metrics else ""
    values = [list(metrics)] if metrics else []
    with duckdb.connect() as connection:
        try:
            counted = connection.execute(f"SELECT count(*) FROM {reader}{condition}", values)  # noqa: S608
            (count,) = counted.fetchone() or (0,)
            if not count:
                available = sorted({path.name.removeprefix("metric=") for path in folder.glob("*/metric=*")})
                hint = f"It has {', '.join(available[:8]) or 'no metric'}."
                raise InputError(f"there are no points of {', '.join(metrics)}", where=str(folder), hint=hint)
            _check_size(folder, count, MOST_ROWS, "rows")
            columns = ", ".join(_STORED)
            rows = connection.execute(f"SELECT {columns} FROM {reader}{condition}", values)  # noqa: S608
            _rows(rows, {name: _STORED.get(column) for name, column in _PLACES.items()}, gathered, folder)
        except duckdb.Error as error:
            message = f"the files cannot be read: {str(error).splitlines()[0]}"
            raise InputError(message, where=str(folder)) from error


_STORED = {"metric": 0, "timestamp": 1, "value": 2, "type": 3, "tags": 4}
_PLACES = {
    "metric": "metric",
    "time": "timestamp",
    "value": "value",
    "type": "type",
    "tags": "tags",
    "host": "",
    "interval": "",
}

_OF_SOURCE = ("metric", "type", "tags", "host", "interval")


def _check_size(file: Path, size: int, most: int, unit: str) -> None:
    if size > most:
        example = f"COPY (FROM '{file.name}' WHERE metric = '…') TO 'part.parquet'"
        raise InputError(
            f"the file has more than {most:,} {unit}, the most that are read into memory",
            where=str(file),
            hint=f"Write the part that you need to another file, for example with DuckDB: {example}",
        )


def _rows(relation: Any, places: Mapping[str, int | None], gathered: _Gathered, file: Path) -> None:
    """Add a point per row; each source is parsed once, not for each row."""
    time, value = places["time"], places["value"]
    of_source = [places[what] for what in _OF_SOURCE]
    sources: dict[tuple[Any, ...], _Key | None] = {}
    number = 1
    while rows := relation.fetchmany(50_000):
        _check_size(file, number - 1 + len(rows), MOST_ROWS, "rows")
        for row in rows:
            number += 1
            cells = tuple(_hashable(row[at]) if at is not None else None for at in of_source)
            if cells not in sources or sources[cells] is None:
                fields = dict(zip(_OF_SOURCE, cells, strict=True))
                fields["interval"] = _finite(fields["interval"])
                sources[cells] = _key(fields, f":{number}", gathered)
            key = sources[cells]
            if key is not None:
                at, finite = seconds(row[time]), _finite(row[value])
                if at is None or finite is None:
                    _point(key, row[time], row[value], f":{number}", gathered)
                else:
                    gathered.points.setdefault(key, []).append((at, finite))


def _hashable(cell: Any) -> Any:
    return tuple(cell) if isinstance(cell, list) else cell


def is_database(path: str | Path) -> bool:
    """Return whether the file is a DuckDB database, by its magic bytes."""
    file = Path(path)
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(12)[8:12] == b"DUCK"


def span_of(series: list[Series]) -> tuple[int, int]:
    """Return the first and the last time of any point."""
    return (
        min(int(line.times[0]) for line in series if len(line.times)),
        max(int(line.times[-1]) for line in series if len(line.times)),
    )
