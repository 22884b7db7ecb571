"""ItemReader: the items of a Distributed Map that lie in S3."""

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.jsonpath import is_number
from monitoring.local_aws.states.resources import TaskResource, known_resource
from monitoring.local_aws.states.sdk import known_call, request_of

if TYPE_CHECKING:
    from collections.abc import Iterable

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def _failed(cause: str) -> StateFailedError:
    return StateFailedError("States.ItemReaderFailed", cause)


def max_items(run: StateRun, value: Any) -> int:
    """Return MaxItems of a reader; 0 for all."""
    config = run.fields["ItemReader"].get("ReaderConfig") or {}
    limit = config.get("MaxItems", 0)
    if expression_of(limit) is not None:
        limit = run.query.typed(limit, "ItemReader/ReaderConfig/MaxItems", "number", (int, float))
    path = config.get("MaxItemsPath")
    if path is not None:
        limit = run.query.path(path, value)
        if isinstance(limit, str) and limit.isdigit():
            limit = int(limit)
        if not is_number(limit) or limit != int(limit):
            shown = limit if isinstance(limit, str) else text.dumps(limit)
            raise FatalError(
                f'The MaxItemsPath field refers to value "{shown}" which is not a valid integer: {path}'
            )
    if limit < 0:
        raise FatalError("field MaxItems must be positive")
    return int(limit)


async def read_items(run: StateRun, value: Any) -> list[Any]:
    """Return the items that an ItemReader names.

    Raises:
        StateFailedError: they cannot be read.
    """
    reader = run.fields["ItemReader"]
    most = max_items(run, value)
    if run.state.jsonata:
        argument = run.query.evaluate(reader.get("Arguments", {}), "ItemReader/Arguments")
    else:
        argument = run.query.template(reader.get("Parameters", {}), value)
    resource = known_resource(reader["Resource"])
    if resource.action == "listObjectsV2":
        items = await _objects(run, argument, most)
    else:
        items = await _content(run, argument, reader.get("ReaderConfig") or {})
    return items[:most] if most else items


async def _call(run: StateRun, action: str, argument: dict[str, Any]) -> Any:
    call = known_call(TaskResource("sdk", "", "s3", action))
    try:
        return await run.execution.service.call(call, request_of(call, argument))
    except StateFailedError as failed:
        raise _failed(failed.cause or "") from None


async def _objects(run: StateRun, argument: dict[str, Any], most: int) -> list[Any]:
    """Return the objects in a bucket as ListObjectsV2 describes them, page by page."""
    items: list[Any] = []
    token: dict[str, Any] = {}
    while True:
        page = await _call(run, "listObjectsV2", {**argument, **token})
        items += [
            {
                "Etag": item["ETag"],
                "Key": item["Key"],
                "LastModified": int(item["LastModified"].timestamp()),
                "Size": item["Size"],
                "StorageClass": item.get("StorageClass", "STANDARD"),
            }
            for item in page.get("Contents", ())
        ]
        if not page.get("IsTruncated") or (most and len(items) >= most):
            return items
        token = {"ContinuationToken": page["NextContinuationToken"]}


async def _bytes(run: StateRun, argument: dict[str, Any]) -> bytes:
    response = await _call(run, "getObject", argument)
    body: bytes = response["Body"]
    return (
        gzip.decompress(body)
        if str(argument.get("Key", "")).endswith(".gz") or body[:2] == b"\x1f\x8b"
        else body
    )


async def _content(run: StateRun, argument: dict[str, Any], config: dict[str, Any]) -> list[Any]:
    """Return the items in one object: JSON, JSON Lines, CSV, or a manifest that names more objects."""
    kind = config.get("InputType", "JSON")
    body = await _bytes(run, argument)
    if kind == "MANIFEST":
        return await _manifest(run, argument, config, body)
    return parse_items(kind, body, config)


def parse_items(kind: str, body: bytes, config: dict[str, Any]) -> list[Any]:
    """Return the items in the content of an object.

    Raises:
        StateFailedError: it is not of that kind.
    """
    content = body.decode("utf-8-sig", "replace")
    if kind == "CSV":
        return _rows(content, config)
    try:
        if kind == "JSONL":
            return [text.loads(line) for line in content.splitlines() if line.strip()]
        parsed = text.loads(content)
    except ValueError:
        raise _failed("Attempting to map over non-iterable node.") from None
    for part in (config.get("ItemsPointer") or "").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        parsed = (
            parsed[int(key)]
            if isinstance(parsed, list) and key.isdigit()
            else parsed.get(key)
            if isinstance(parsed, dict)
            else None
        )
    if isinstance(parsed, dict) and config.get("ItemsPointer"):
        return [{"Key": key, "Value": inner} for key, inner in parsed.items()]
    if not isinstance(parsed, list):
        raise _failed("Attempting to map over non-iterable node.")
    return parsed


def _rows(content: str, config: dict[str, Any]) -> list[Any]:
    delimiter = DELIMITERS.get(config.get("CSVDelimiter", "COMMA"), ",")
    rows: Iterable[list[str]] = (row for row in csv.reader(io.StringIO(content), delimiter=delimiter) if row)
    rows = iter(rows)
    headers = config.get("CSVHeaders") if config.get("CSVHeaderLocation") == "GIVEN" else next(rows, [])
    headers = list(headers or ())
    if len(set(headers)) < len(headers):
        raise _failed("CSV headers cannot contain duplicates.")
    return [{header: row[n] if n < len(row) else "" for n, header in enumerate(headers)} for row in rows]


async def _manifest(
    run: StateRun, argument: dict[str, Any], config: dict[str, Any], body: bytes
) -> list[Any]:
    """Return the items of a manifest: an S3 inventory's, or an Athena query's."""
    content = body.decode("utf-8-sig", "replace")
    items: list[Any] = []
    if config.get("ManifestType") == "ATHENA_DATA" or not content.lstrip().startswith("{"):
        for line in filter(None, map(str.strip, content.splitlines())):
            bucket, _, key = line.removeprefix("s3://").partition("/")
            inner = {name: entry for name, entry in config.items() if name != "ManifestType"}
            part = await _bytes(run, {"Bucket": bucket, "Key": key})
            items += parse_items(config.get("ManifestDataType", "JSONL"), part, inner)
        return items
    manifest = json.loads(content)
    bucket = str(manifest.get("destinationBucket", argument.get("Bucket", ""))).rpartition(":::")[2]
    headers = [name.strip() for name in str(manifest.get("fileSchema", "")).split(",") if name.strip()]
    for entry in manifest.get("files", ()):
        part = await _bytes(run, {"Bucket": bucket, "Key": entry["key"]})
        items += parse_items("CSV", part, {"CSVHeaderLocation": "GIVEN", "CSVHeaders": headers})
    return items
