"""The Parquet files of a replay, by day and metric: in a folder, or in S3, fetched as they are asked for."""

import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

from monitoring.errors import InputError

_TAIL = 1 << 16
"""Bytes that are fetched of an object for its footer, at first."""


class ReplayFiles:
    """The files of one place whose names below it match a pattern that begins with `day=`, listed once.

    Threads may share it. `names` are paths, or keys, in order.

    Args:
        place: a folder, or `s3://BUCKET/PREFIX`.
        clients: gives boto3's client of a service; needed for S3.
        pattern: such as `day=*/*.parquet`.

    Raises:
        InputError: the place cannot be listed.
    """

    def __init__(self, place: str, clients: Callable[[str], Any] | None, pattern: str) -> None:
        self.place = place
        self._clients = clients
        self._pattern = pattern
        self._fetched: tempfile.TemporaryDirectory[str] | None = None
        self._fetching = threading.Lock()
        self.names = sorted(self._names())

    def local(self, names: Sequence[str]) -> list[str]:
        """Return the paths of files; from S3 they are fetched."""
        if not self.in_s3:
            return list(names)
        with self._fetching:
            return [self._fetch(name) for name in names]

    def local_footers(self, names: Sequence[str]) -> list[str]:
        """Return the paths of files; those of S3 may hold nothing but their footer."""
        if not self.in_s3:
            return list(names)
        with self._fetching:
            return [self._fetch_footer(name) for name in names]

    def close(self) -> None:
        """Delete what was fetched."""
        if self._fetched is not None:
            self._fetched.cleanup()

    @property
    def in_s3(self) -> bool:
        """Return whether the place is a prefix of S3."""
        return self.place.startswith("s3://")

    def _names(self) -> Iterator[str]:
        """Yield paths, or keys."""
        if not self.in_s3:
            yield from map(str, Path(self.place).glob(self._pattern))
            return
        bucket, prefix = self._address()
        try:
            pages: Iterator[Mapping[str, Any]] = (
                self._client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=bucket, Prefix=f"{prefix}day=")
            )
            for page in pages:
                keys = (entry["Key"] for entry in page.get("Contents", ()))
                yield from (key for key in keys if self._fits(key.removeprefix(prefix)))
        except Exception as error:
            raise InputError(
                f"S3 cannot be listed: {type(error).__name__}: {error}",
                where=self.place,
                hint="Check the bucket's name, AWS_PROFILE and the permission s3:ListBucket.",
            ) from error

    def _fits(self, name: str) -> bool:
        return name.count("/") == self._pattern.count("/") and PurePosixPath(name).match(self._pattern)

    def _fetch(self, key: str) -> str:
        """Return the path of an object's copy; each is read once."""
        path, bucket = self._copy("data", key), self._address()[0]
        if not path.exists():
            part = path.with_suffix(".part")
            with self._reading(key):
                self._client().download_file(bucket, key, str(part))
            part.replace(path)
        return str(path)

    def _fetch_footer(self, key: str) -> str:
        """Return the path of a file of the object's size that holds its footer, and zeros before it."""
        path, bucket = self._copy("footers", key), self._address()[0]
        if not path.exists():
            with self._reading(key):
                tail = self._tail(bucket, key, _TAIL)
                footer = int.from_bytes(tail.content[-8:-4], "little") + 8
                if footer > len(tail.content) < tail.size:
                    tail = self._tail(bucket, key, footer)
            with path.open("wb") as file:
                file.seek(tail.size - len(tail.content))
                file.write(tail.content)
        return str(path)

    def _tail(self, bucket: str, key: str, size: int) -> "_Tail":
        answer = self._client().get_object(Bucket=bucket, Key=key, Range=f"bytes=-{size}")
        content: bytes = answer["Body"].read()
        whole = answer.get("ContentRange", "").rpartition("/")[2]
        return _Tail(content, int(whole) if whole.isdigit() else len(content))

    def _copy(self, kind: str, key: str) -> Path:
        if self._fetched is None:
            self._fetched = tempfile.TemporaryDirectory(prefix="stepscope-")
        path = Path(self._fetched.name, kind, key.removeprefix(self._address()[1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise InputError(
                f"the object cannot be read: {type(error).__name__}: {error}",
                where=f"s3://{self._address()[0]}/{key}",
                hint="Check the permissions s3:GetObject and, where the bucket has a key, kms:Decrypt.",
            ) from error

    def _address(self) -> tuple[str, str]:
        bucket, _, prefix = self.place.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        return bucket, f"{prefix}/" if prefix else ""

    def _client(self) -> Any:
        if self._clients is None:
            raise InputError("no client for S3", where=self.place)
        return self._clients("s3")


def s3_client(service: str) -> Any:
    """Return boto3's client of a service, with the credentials of the environment."""
    import boto3

    return boto3.client(service)  # type: ignore[call-overload]


class _Tail(NamedTuple):
    """The end of an object, and the size of all of it in bytes."""

    content: bytes
    size: int


class PartitionFiles(ReplayFiles):
    """The files `day=2026-11-23/metric=shop.orders/*.parquet` of one place.

    Args:
        place: a folder, or `s3://BUCKET/PREFIX`.
        clients: gives boto3's client of a service; needed for S3.

    Raises:
        InputError: the place cannot be listed.
    """

    def __init__(self, place: str, clients: Callable[[str], Any] | None = None) -> None:
        super().__init__(place, clients, "day=*/metric=*/*.parquet")
        self._listing: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name in self.names:
            day, metric = name.split("/")[-3:-1]
            names = self._listing[unquote(metric.removeprefix("metric="))]
            names[day.removeprefix("day=")].append(name)

    def metrics(self) -> list[str]:
        """Return the names of the metrics."""
        return sorted(self._listing)

    def days(self, metric: str) -> list[str]:
        """Return the days that a metric has points of, such as `2026-11-23`, in order."""
        return sorted(self._listing[metric]) if metric in self._listing else []

    def paths(self, metric: str, first: str = "", last: str = "~") -> list[str]:
        """Return the paths of a metric's files from the first to the last day; from S3 they are fetched."""
        return self.local(self._names_of(metric, first, last))

    def footers(self, metric: str, first: str = "", last: str = "~") -> list[str]:
        """Return the paths of such files; those of S3 may hold nothing but their footer."""
        return self.local_footers(self._names_of(metric, first, last))

    def samples(self) -> list[str]:
        """Return the path of a file of each metric, in S3 of one metric, for its footer."""
        names = [next(iter(days.values()))[0] for days in self._listing.values()]
        return self.local_footers(names[:1] if self.in_s3 else names)

    def _names_of(self, metric: str, first: str = "", last: str = "~") -> list[str]:
        days = self._listing.get(metric, {})
        return [name for day in sorted(days) if first <= day <= last for name in days[day]]
