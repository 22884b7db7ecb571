"""Run a replay in a Distributed Map: the Lambda function of deploy/replay.yaml lists, reads and sums items.

An item is read in the same way as by `stepscope replay`, into a temporary folder of the function, and the
files are then copied to the output prefix in S3, the checkpoint last. So a second run reads nothing again,
and a run that was interrupted is continued by the next one.
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
"""Key of the list of items below the output prefix; the Distributed Map reads it."""


class ReplayError(Exception):
    """Raised when items of a batch could not be read or delivered; the others have their checkpoints."""


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Run the action that a state of the state machine requests.

    Args:
        event: `{"action": "list", "input": {"source", "out", "target", "group"}, …}` or
            `{"action": "sum", "out"}`; or a batch of the Map, `{"Items", "BatchInput"}`.

    Raises:
        InputError: the source or the target cannot be used, or the action is unknown.
        ReplayError: items of a batch failed.
    """
    if "Items" in event:
        return _read([Item(**item) for item in event["Items"]], event["BatchInput"])
    action = event.get("action")
    if action == "list":
        return _list(event)
    if action == "sum":
        return _sum(ObjectPlace.of(event["out"]))
    raise InputError(
        f"{action!r} is not an action of the replay", where="action", hint='Write "list" or "sum".'
    )


class ObjectPlace(NamedTuple):
    """A prefix of a bucket."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, address: str) -> "ObjectPlace":
        """Parse `s3://BUCKET/PREFIX`.

        Raises:
            InputError: the address does not begin with `s3://`, or has no bucket.
        """
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not address.startswith("s3://") or not bucket:
            raise InputError("not an address in S3", where=address, hint="Write s3://BUCKET/PREFIX.")
        return cls(bucket, prefix.strip("/"))

    def key(self, name: str) -> str:
        """Return the key of an object below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, or None if it does not exist."""
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
        """Delete an object if it exists."""
        aws.client("s3").delete_object(Bucket=self.bucket, Key=self.key(name))


def _list(event: dict[str, Any]) -> dict[str, Any]:
    """Write the list of the source's items; return the input of the Distributed Map."""
    settings = {"target": "parquet", "group": "", **event["input"]}
    missing = sorted({"source", "out"} - settings.keys())
    if missing:
        raise InputError(
            f"{' and '.join(missing)} missing in the execution's input",
            hint='Write {"source": "s3://BUCKET/PREFIX", "out": "s3://BUCKET/PREFIX"}',
        )
    if settings["target"] not in {"parquet", "datadog"}:
        message = f"{settings['target']!r} is not a target"
        raise InputError(message, where="target", hint='Write "parquet" or "datadog".')
    output = ObjectPlace.of(settings["out"])
    items = list_items(settings["source"], aws.client)
    lines = "".join(json.dumps(item._asdict()) + "\n" for item in items)
    output.write(MANIFEST, lines.encode())
    return {
        "out": settings["out"],
        "target": settings["target"],
        "group": settings["group"],
        "bucket": output.bucket,
        "key": output.key(MANIFEST),
        "results": output.key(f"{CHECKPOINTS}/runs"),
        "concurrency": int(event["concurrency"]),
        "tolerated": int(event["tolerated"]),
        "items": len(items),
        "bytes": sum(item.size for item in items),
    }


def _read(items: list[Item], options: dict[str, Any]) -> dict[str, Any]:
    output, failed = ObjectPlace.of(options["out"]), {}
    outcomes: Counter[str] = Counter()
    for item in items:
        outcome = _attempt(item, output, options)
        outcomes[outcome if outcome in {"read", "known"} else "failed"] += 1
        if outcome not in {"read", "known"}:
            failed[item.name] = outcome
    if failed:
        name, reason = next(iter(failed.items()))
        raise ReplayError(f"{len(failed)} of {len(items)} items failed; {name}: {reason}")
    return dict(outcomes)


def _attempt(item: Item, output: ObjectPlace, options: dict[str, Any]) -> str:
    """Read an item unless its checkpoint is current; return `read`, `known`, or the error as text."""
    checkpoint = f"{CHECKPOINTS}/{item.key}.json"
    previous = json.loads(output.read(checkpoint) or b"{}")
    if previous.get("state") == item.state:
        return "known"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / CHECKPOINTS).mkdir()
        replay_options = ReplayOptions(
            "", folder, options["target"] == "datadog", options["group"], 1, os.environ
        )
        outcome = attempt(item, replay_options)
        if isinstance(outcome, str):
            return outcome
        written = json.loads((folder / checkpoint).read_text(encoding="utf-8"))
        for file in written["files"]:
            output.write(file, (folder / file).read_bytes())
        output.write(checkpoint, json.dumps(written).encode())
    for file in set(previous.get("files", ())) - set(written["files"]):
        output.delete(file)
    return "read"


def _sum(output: ObjectPlace) -> dict[str, Any]:
    """Return the totals of every item that was read, in this run or an earlier one."""
    totals: Counter[str] = Counter()
    for item in map(json.loads, (output.read(MANIFEST) or b"").splitlines()):
        done = json.loads(output.read(f"{CHECKPOINTS}/{Item(**item).key}.json") or b"{}")
        totals.update(done.get("totals", {}))
        totals["missing"] += done.get("state") != item["state"]
    return {"totals": dict(totals)}
