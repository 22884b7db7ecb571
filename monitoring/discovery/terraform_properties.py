"""Convert attributes and blocks of Terraform to properties of CloudFormation."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Converter = Callable[[Any], Any]
Properties = Mapping[str, "str | tuple[str, Converter]"]


def converted(values: Mapping[str, Any], properties: Properties) -> dict[str, Any]:
    """Return values with CloudFormation's names; null values are left out."""
    result: dict[str, Any] = {}
    for name, target in properties.items():
        value = values.get(name)
        if value is None or value == []:
            continue
        key, converter = target if isinstance(target, tuple) else (target, None)
        made = converter(value) if converter else value
        if made is not None:
            result[key] = made
    return result


def first(properties: Properties) -> Converter:
    """Return a converter of a block that occurs once."""
    return lambda blocks: converted(block_of(blocks), properties)


def every(properties: Properties) -> Converter:
    """Return a converter of a block that may occur several times."""
    return lambda blocks: [converted(block, properties) for block in blocks_of(blocks)]


def block_of(blocks: Any) -> Mapping[str, Any]:
    """Return a block that occurs once; {} if it is missing."""
    block = blocks[0] if isinstance(blocks, list) and blocks else blocks
    return block if isinstance(block, Mapping) else {}


def blocks_of(blocks: Any) -> list[Mapping[str, Any]]:
    """Return the blocks of an attribute; what is not a block is left out."""
    return [block for block in listed(blocks) if isinstance(block, Mapping)]


def document(value: Any) -> Any:
    """Return a JSON document as an object; text that is not JSON is unchanged."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return parsed if isinstance(parsed, Mapping) else value


def listed(value: Any) -> list[Any]:
    """Return a value as a list; a single value becomes a list of one."""
    return value if isinstance(value, list) else [value]


def delivery(blocks: Any) -> dict[str, Any]:
    """Convert the S3 destination of a Firehose stream."""
    block = block_of(blocks)
    names: Properties = {
        "role_arn": "RoleARN",
        "bucket_arn": "BucketARN",
        "prefix": "Prefix",
        "error_output_prefix": "ErrorOutputPrefix",
        "compression_format": "CompressionFormat",
    }
    hints = converted(block, {"buffering_size": "SizeInMBs", "buffering_interval": "IntervalInSeconds"})
    return converted(block, names) | ({"BufferingHints": hints} if hints else {})
