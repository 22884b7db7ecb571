"""The Lambda function of deploy/replay.yaml: lists a source, reads its items, and sums what came of them.

An item is read as by `stepscope replay` on one machine, into a folder of the function, which is then copied
below the place of the result in S3, its checkpoint last. So a second run reads nothing, and one that was
broken off goes on.
"""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.forwarder import aws
from monitoring.replay.items import Item, list_items
from monitoring.replay.run import CHECKPOINTS, ReplayOptions, attempt

MANIFEST = f"{CHECKPOINTS}/items.jsonl"
"""The list of items, below the place of the result; a Distributed Map reads it."""


class ReplayError(Exception):
    """Items of a batch could not be read or delivered; the others were, and are not read again."""


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do what a state of the state machine asks.

    Args:
        event: `{"action": "list", "input": {"source", "out", "target", "group"}, …}` or
            `{"action": "sum", "out"}`; or a batch of the Map, `{"Items", "BatchInput"}`.

    Raises:
        InputError: the source or the target cannot be used, or the event asks for something else.
        ReplayError: items of a batch failed.
    """
    if "Items" in event:
        return _read([Item(**item) for item in event["Items"]], event["BatchInput"])
    action = event.get("action")
    if action == "list":
        return _list(event)
    if action == "sum":
        return _sum(ObjectPlace.of(event["out"]))
    raise InputError("is not an action of the replay", where=repr(action), hint='"list" or "sum"')


class ObjectPlace(NamedTuple):
    """A prefix of a bucket."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, address: str) -> "ObjectPlace":
        """Return the place of `s3://BUCKET/PREFIX`.

        Raises:
            InputError: it is another address.
        """
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not address.startswith("s3://") or not bucket:
            raise InputError("is not an address in S3", where=address, hint="Give s3://BUCKET/PREFIX.")
        return cls(bucket, prefix.strip("/"))

    def key(self, name: str) -> str:
        """Return the key of an object below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, None where there is none."""
        s3 = aws.client("s3")
        try:
            body: bytes = s3.get_object(Bucket=self.bucket, Key=self.key(name))["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
        return body

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        aws.client("s3").put_object(Bucket=self.bucket, Key=self.key(name), Body=content)

    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        aws.client("s3").delete_object(Bucket=self.bucket, Key=self.key(name))


def _list(event: dict[str, Any]) -> dict[str, Any]:
    """Write the items of the source; the answer is the input of the Map."""
    wish = {"target": "parquet", "group": "", **event["input"]}
    missing = sorted({"source", "out"} - wish.keys())
    if missing:
        raise InputError(
            f"{' and '.join(missing)} missing in the execution's input",
            hint='write {"source": "s3://BUCKET/PREFIX", "out": "s3://BUCKET/PREFIX"}',
        )
    if wish["target"] not in {"parquet", "datadog"}:
        raise InputError("is not a target", where=repr(wish["target"]), hint='"parquet" or "datadog"')
    place = ObjectPlace.of(wish["out"])
    items = list_items(wish["source"], aws.client)
    lines = "".join(json.dumps(item._asdict()) + "\n" for item in items)
    place.write(MANIFEST, lines.encode())
    return {
        "out": wish["out"],
        "target": wish["target"],
        "group": wish["group"],
        "bucket": place.bucket,
        "key": place.key(MANIFEST),
        "results": place.key(f"{CHECKPOINTS}/runs"),
        "concurrency": int(event["concurrency"]),
        "tolerated": int(event["tolerated"]),
        "items": len(items),
        "bytes": sum(item.size for item in items),
    }


def _read(items: list[Item], options: dict[str, Any]) -> dict[str, Any]:
    place, failed = ObjectPlace.of(options["out"]), {}
    outcomes: Counter[str] = Counter()
    for item in items:
        outcome = _attempt(item, place, options)
        outcomes[outcome if outcome in {"read", "known"} else "failed"] += 1
        if outcome not in {"read", "known"}:
            failed[item.name] = outcome
    if failed:
        name, reason = next(iter(failed.items()))
        raise ReplayError(f"{len(failed)} of {len(items)} items failed; {name}: {reason}")
    return dict(outcomes)


def _attempt(item: Item, place: ObjectPlace, options: dict[str, Any]) -> str:
    """Read an item unless it was read; return `read`, `known`, or why it failed."""
    checkpoint = f"{CHECKPOINTS}/{item.key}.json"
    before = json.loads(place.read(checkpoint) or b"{}")
    if before.get("state") == item.state:
        return "known"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / CHECKPOINTS).mkdir()
        how = ReplayOptions("", folder, options["target"] == "datadog", options["group"], 1, os.environ)
        outcome = attempt(item, how)
        if isinstance(outcome, str):
            return outcome
        noted = json.loads((folder / checkpoint).read_text(encoding="utf-8"))
        for file in noted["files"]:
            place.write(file, (folder / file).read_bytes())
        place.write(checkpoint, json.dumps(noted).encode())
    for file in set(before.get("files", ())) - set(noted["files"]):
        place.delete(file)
    return "read"


def _sum(place: ObjectPlace) -> dict[str, Any]:
    """Return the totals of every item that was read, in this run or before."""
    totals: Counter[str] = Counter()
    for item in map(json.loads, (place.read(MANIFEST) or b"").splitlines()):
        done = json.loads(place.read(f"{CHECKPOINTS}/{Item(**item).key}.json") or b"{}")
        totals.update(done.get("totals", {}))
        totals["missing"] += done.get("state") != item["state"]
    return {"totals": dict(totals)}
