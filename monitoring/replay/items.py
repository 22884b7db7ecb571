"""List the items of a source; the objects of one folder are one item, which one reader reads in order."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError


class Item(NamedTuple):
    """The objects of one folder or prefix.

    Attributes:
        name: the folder, as `s3://BUCKET/PREFIX` or a path; it identifies the item in every run.
        objects: the keys or paths, in order.
        state: a digest of the objects' names, sizes and ETags (or times of change).
        size: bytes.
    """

    name: str
    objects: tuple[str, ...]
    state: str
    size: int

    @property
    def key(self) -> str:
        """Return the item's part of file names: 20 hex digits of a digest of its name."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:20]


def list_items(source: str, clients: Any) -> list[Item]:
    """Return the items of a folder, or of `s3://BUCKET/PREFIX`.

    An exported log stream is in one folder, so that one reader sees lines that continue in the next object.

    Raises:
        InputError: the folder or bucket does not exist or cannot be listed, or contains no objects.
    """
    objects = _of_s3(source, clients) if source.startswith("s3://") else _of_folder(source)
    folders: dict[str, list[tuple[str, str, int]]] = {}
    for name, state, size in objects:
        folders.setdefault(name.rpartition("/")[0], []).append((name, state, size))
    if not folders:
        raise InputError(
            "there are no objects to read", where=source, hint="Give the folder that contains them."
        )
    return [_item(name, sorted(parts)) for name, parts in sorted(folders.items())]


def _item(name: str, parts: list[tuple[str, str, int]]) -> Item:
    state = hashlib.sha256("\n".join(f"{key} {state}" for key, state, _ in parts).encode()).hexdigest()
    return Item(name, tuple(key for key, _, _ in parts), state, sum(size for _, _, size in parts))


def _of_folder(source: str) -> Iterator[tuple[str, str, int]]:
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(
            "the folder does not exist", where=source, hint="Give a folder, or s3://BUCKET/PREFIX."
        )
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory, name)
            stat = path.stat()
            yield path.as_posix(), f"{stat.st_size}:{stat.st_mtime_ns}", stat.st_size


def _of_s3(source: str, clients: Any) -> Iterator[tuple[str, str, int]]:
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    try:
        pages: Iterator[Mapping[str, Any]] = (
            clients("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                yield f"s3://{bucket}/{entry['Key']}", f"{entry['Size']}:{entry['ETag']}", entry["Size"]
    except Exception as error:
        raise InputError(
            f"S3 cannot be listed: {type(error).__name__}: {error}",
            where=source,
            hint="Check the bucket's name, AWS_PROFILE and the permission s3:ListBucket.",
        ) from error
