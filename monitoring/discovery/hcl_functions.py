"""The functions of Terraform's language; their arguments are the base folder of paths, and values.

https://developer.hashicorp.com/terraform/language/functions
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml


class UnknownValueError(Exception):
    """A value that cannot be evaluated here; the message names the unknown part."""


def text_of(value: Any) -> str:
    """Return a value as text, as an interpolation does.

    Raises:
        UnknownValueError: the value is a collection.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise UnknownValueError("a collection where a text is expected")


def encoded(value: Any) -> str:
    """Return a value as JSON, as jsonencode() writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    raise UnknownValueError(f"a {type(value).__name__} in JSON")


def _merge(_folder: Path, *maps: Any) -> dict[str, Any]:
    return {key: value for part in maps if part for key, value in part.items()}


def _lookup(_folder: Path, values: Mapping[str, Any], key: Any, *default: Any) -> Any:
    return values[key] if key in values else default[0]


def _format(_folder: Path, pattern: str, *arguments: Any) -> str:
    rest = iter(arguments)

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        value = next(rest)
        verb = match[2]
        if verb in "dfegx":
            return f"%{match[1]}{verb}" % (int(value) if verb in "dx" else float(value))
        return encoded(value) if verb == "q" else f"%{match[1]}s" % text_of(value)

    return re.sub(r"%%|%([-+ 0#]*\d*(?:\.\d+)?)([vsdfegxq])", replacement, pattern)


def _replace(_folder: Path, text: str, old: str, new: str) -> str:
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return re.sub(old[1:-1], re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", new), text)
    return text.replace(old, new)


def _distinct(_folder: Path, values: Any) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept


def _flatten(folder: Path, values: Any) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat.extend(_flatten(folder, value) if isinstance(value, list) else [value])
    return flat


def _coalesce(_folder: Path, *values: Any) -> Any:
    return next(value for value in values if value not in (None, ""))


def _substr(_folder: Path, text: str, offset: int, length: int) -> str:
    return text[offset:] if length < 0 else text[offset : offset + length]


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def _digest(folder: Path, name: str) -> str:
    return hashlib.sha256((folder / name).read_bytes()).hexdigest() if (folder / name).is_file() else "0"


def _fileset(folder: Path, path: str, pattern: str) -> list[str]:
    root = folder / path
    return sorted(str(item.relative_to(root)) for item in root.glob(pattern) if item.is_file())


def _element(_folder: Path, values: Any, index: int) -> Any:
    return values[int(index) % len(values)]


def _number(_folder: Path, value: Any) -> Any:
    return float(value) if "." in str(value) else int(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda _f, value: abs(value),
    "abspath": lambda f, path: str((f / path).absolute()),
    "base64encode": lambda _f, text: base64.b64encode(text.encode()).decode(),
    "base64sha256": lambda _f, text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
    "basename": lambda _f, path: Path(path).name,
    "ceil": lambda _f, value: math.ceil(value),
    "chomp": lambda _f, text: text.rstrip("\r\n"),
    "coalesce": _coalesce,
    "coalescelist": lambda _f, *lists: next(part for part in lists if part),
    "compact": lambda _f, values: [value for value in values if value not in (None, "")],
    "concat": lambda _f, *lists: [value for part in lists for value in part],
    "contains": lambda _f, values, value: value in values,
    "dirname": lambda _f, path: str(Path(path).parent),
    "distinct": _distinct,
    "element": _element,
    "endswith": lambda _f, text, end: text.endswith(end),
    "file": _read,
    "filebase64sha256": _digest,
    "fileexists": lambda f, name: (f / name).is_file(),
    "filemd5": _digest,
    "fileset": _fileset,
    "filesha256": _digest,
    "flatten": _flatten,
    "floor": lambda _f, value: math.floor(value),
    "format": _format,
    "formatlist": lambda f, pattern, values: [_format(f, pattern, value) for value in values],
    "indent": lambda _f, count, text: text.replace("\n", "\n" + " " * count),
    "join": lambda _f, separator, *lists: separator.join(text_of(value) for part in lists for value in part),
    "jsondecode": lambda _f, text: json.loads(text),
    "jsonencode": lambda _f, value: encoded(value),
    "keys": lambda _f, values: sorted(values),
    "length": lambda _f, value: len(value),
    "lookup": _lookup,
    "lower": lambda _f, text: text.lower(),
    "max": lambda _f, *values: max(values),
    "md5": lambda _f, text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    "merge": _merge,
    "min": lambda _f, *values: min(values),
    "nonsensitive": lambda _f, value: value,
    "one": lambda _f, values: values[0] if values else None,
    "pathexpand": lambda _f, path: str(Path(path).expanduser()),
    "range": lambda _f, *bounds: list(range(*map(int, bounds))),
    "regex": lambda _f, pattern, text: re.search(pattern, text)[0],  # type: ignore[index]
    "replace": _replace,
    "reverse": lambda _f, values: list(reversed(values)),
    "sensitive": lambda _f, value: value,
    "setproduct": lambda _f, left, right: [[a, b] for a in left for b in right],
    "setunion": lambda f, *lists: _distinct(f, [value for part in lists for value in part]),
    "sha1": lambda _f, text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda _f, text: hashlib.sha256(text.encode()).hexdigest(),
    "slice": lambda _f, values, start, end: values[start:end],
    "sort": lambda _f, values: sorted(values),
    "split": lambda _f, separator, text: text.split(separator),
    "startswith": lambda _f, text, start: text.startswith(start),
    "substr": _substr,
    "sum": lambda _f, values: sum(values),
    "timestamp": lambda _f: "1970-01-01T00:00:00Z",
    "title": lambda _f, text: text.title(),
    "tobool": lambda _f, value: value in (True, "true"),
    "tolist": lambda _f, values: list(values),
    "tomap": lambda _f, values: dict(values),
    "tonumber": _number,
    "toset": _distinct,
    "tostring": lambda _f, value: text_of(value),
    "trim": lambda _f, text, characters: text.strip(characters),
    "trimprefix": lambda _f, text, prefix: text.removeprefix(prefix),
    "trimspace": lambda _f, text: text.strip(),
    "trimsuffix": lambda _f, text, suffix: text.removesuffix(suffix),
    "upper": lambda _f, text: text.upper(),
    "urlencode": lambda _f, text: text,
    "values": lambda _f, values: [values[key] for key in sorted(values)],
    "yamldecode": lambda _f, text: yaml.safe_load(text),
    "yamlencode": lambda _f, value: yaml.safe_dump(value),
    "zipmap": lambda _f, keys, values: dict(zip(keys, values, strict=False)),
}  # fmt: skip
