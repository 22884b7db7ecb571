"""Validate bodies with JSON Schemas: report each error with its path and a suggestion.

`schemas/KIND.json` are JSON Schemas with the names of the public API description. jsonschema-rs says whether
a body is right at all; only a body that is not is gone through value by value, so that a widget is compared
with its own type and not with forty others.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from monitoring.resources.document import Pointer
from monitoring.resources.nearest import nearest
from monitoring.resources.resource import REFERENCE

Schema = Mapping[str, Any]

_DISCRIMINATORS = ("type", "data_source", "request_type", "response_format", "mode", "color_source", "by")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_WORDS = {"object": "an object", "array": "a list", "string": "a string", "integer": "a whole number"}
_WORDS |= {"number": "a number", "boolean": "true or false", "null": "null"}


class Fault(NamedTuple):
    """An error of the schema validation.

    Args:
        pointer: the value that is wrong; of an unknown key, the key's.
        message: what is wrong and what was expected.
        unverified: the key or word is not in the API's description, but Datadog may know it all the same; or
            a key inside a widget's request is missing, which Datadog was never recorded to refuse.
        hint: the nearest right word, if there is one.
        missing: the key that is not there.
    """

    pointer: Pointer
    message: str
    unverified: bool = False
    hint: str = ""
    missing: str = ""


@cache
def schema(kind: str) -> Schema:
    """Return the JSON Schema of a kind of resource."""
    text = Path(__file__).with_name("schemas").joinpath(f"{kind}.json").read_text("utf-8")
    return cast(Schema, json.loads(text))


@cache
def _validator(kind: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(dict(schema(kind)))


def is_valid(kind: str, body: Any) -> bool:
    """Return whether the schema accepts the body, unknown keys not allowed."""
    return bool(_validator(kind).is_valid(body))


def faults(kind: str, body: Any) -> Iterator[Fault]:
    """Yield the errors of a body, in order. Null for an optional key and `${…}` are accepted."""
    if not is_valid(kind, body):
        root = schema(kind)
        yield from _Walk(root["$defs"]).check(body, root, ())


class _Walk:
    """A comparison of a body with its schema."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def resolve(self, rule: Schema) -> Schema:
        """Return the schema that a `$ref` names, or the schema itself."""
        while "$ref" in rule:
            rule = self.definitions[rule["$ref"].rpartition("/")[2]]
        return rule

    def check(self, value: Any, rule: Schema, at: Pointer) -> Iterator[Fault]:
        """Yield the faults of one value."""
        rule = {**self.resolve(rule), **{key: item for key, item in rule.items() if key != "$ref"}}
        if isinstance(value, str) and REFERENCE.fullmatch(value):
            return
        if "anyOf" in rule:
            yield from self._any_of(value, rule["anyOf"], at)
        elif "enum" in rule and value not in rule["enum"]:
            yield _not_one_of(value, rule["enum"], at)
        elif "type" in rule and not _is(value, rule["type"]):
            yield Fault(
                at, f"{_name(at)} is {_said(value)}, not {_expected(rule['type'])}", _reads_as(value, rule)
            )
            return
        yield from _limits(value, rule, at)
        if isinstance(value, dict) and ("properties" in rule or "additionalProperties" in rule):
            yield from self._object(value, rule, at)
        elif isinstance(value, list) and "items" in rule:
            for index, item in enumerate(value):
                yield from self.check(item, rule["items"], (*at, index))

    def _object(self, value: dict[str, Any], rule: Schema, at: Pointer) -> Iterator[Fault]:
        known = rule.get("properties", {})
        required = rule.get("required", ())
        for key in required:
            if key not in value:
                hint = self._about(known.get(key, {}), key)
                yield Fault(at, f"{_name(at)} has no {key}", _is_inner(at), hint, key)
        others = rule.get("additionalProperties", True)
        for key, item in value.items():
            if key in known:
                if item is not None or key in required:
                    yield from self.check(item, known[key], (*at, key))
            elif others is False:
                near = nearest(key, known)
                hint = f"Did you mean {near}?" if near else ""
                yield Fault(
                    (*at, key), f"{_name(at)} has no key {key} in the API", unverified=True, hint=hint
                )
            elif isinstance(others, Mapping):
                yield from self.check(item, others, (*at, key))

    def _any_of(self, value: Any, rules: list[Schema], at: Pointer) -> Iterator[Fault]:
        rules = list(self._flat(rules))
        if isinstance(value, dict):
            branches = [rule for rule in rules if "properties" in rule]
            key = self._discriminator(branches)
            if key is not None and len(branches) > 1:
                yield from self._by_key(value, key, branches, at)
                return
        results = [(_strangers(value, rule), list(self.check(value, rule, at))) for rule in rules]
        if all(faults for _, faults in results):
            yield from min(
                results, key=lambda result: (_depth_of_type_fault(result[1], at), result[0], len(result[1]))
            )[1]

    def _flat(self, rules: list[Schema]) -> Iterator[Schema]:
        """Yield the alternatives, nested ones included."""
        for rule in map(self.resolve, rules):
            if "anyOf" in rule:
                yield from self._flat(rule["anyOf"])
            else:
                yield rule

    def _by_key(self, value: dict[str, Any], key: str, rules: list[Schema], at: Pointer) -> Iterator[Fault]:
        key_value = value.get(key)
        fitting = [rule for rule in rules if key_value in self._values(rule, key)]
        if not fitting and key in value:
            allowed = sorted({word for rule in rules for word in self._values(rule, key)})
            yield _not_one_of(key_value, allowed, (*at, key))
            return
        results = [list(self.check(value, rule, at)) for rule in fitting or rules]
        yield from min(results, key=len)

    def _discriminator(self, rules: list[Schema]) -> str | None:
        """Return the key whose value tells the schemas apart."""
        for key in _DISCRIMINATORS:
            if all(self._values(rule, key) for rule in rules):
                return key
        return None

    def _values(self, rule: Schema, key: str) -> list[Any]:
        schema = self.resolve(rule.get("properties", {}).get(key, {}))
        return list(schema.get("enum", ()))

    def _about(self, rule: Schema, key: str) -> str:
        """Describe what is expected at a missing key."""
        rule = self.resolve(rule)
        if "enum" in rule:
            return f"Add {key}: {_listed(rule['enum'])}."
        return f"Add {key}: {_expected(rule['type'])}." if "type" in rule else f"Add {key}."


def _is(value: Any, types: str | list[str]) -> bool:
    for name in [types] if isinstance(types, str) else types:
        if isinstance(value, bool) and name != "boolean":
            continue
        if isinstance(value, _JSON_TYPES[name]) or (name == "integer" and _whole(value)):
            return True
    return False


def _reads_as(value: Any, rule: Schema) -> bool:
    """Return whether a string holds the number that was wanted: Datadog reads `"0"` as 0 in options."""
    numbers = {"integer", "number"}.intersection(
        [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    )
    return bool(numbers) and isinstance(value, str) and value.strip().isdecimal()


def _is_inner(at: Pointer) -> bool:
    """Return whether a place is inside a widget's definition, where Datadog stores newer shapes."""
    steps = at[len(at) - 1 - at[::-1].index("definition") :] if "definition" in at else at[:1]
    return len(steps) > 1


def _whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _limits(value: Any, rule: Schema, at: Pointer) -> Iterator[Fault]:
    if isinstance(value, list) and len(value) < rule.get("minItems", 0):
        yield Fault(at, f"{_name(at)} has {len(value)} items, needs at least {rule['minItems']}")
    if isinstance(value, list) and len(value) > rule.get("maxItems", len(value)):
        yield Fault(at, f"{_name(at)} has {len(value)} items, may have {rule['maxItems']} at most")
    if isinstance(value, str) and len(value) < rule.get("minLength", 0):
        yield Fault(at, f"{_name(at)} needs at least {rule['minLength']} characters")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "minimum" in rule and value < rule["minimum"]:
            yield Fault(at, f"{_name(at)} is {value}, needs at least {rule['minimum']}")
        if "maximum" in rule and value > rule["maximum"]:
            yield Fault(at, f"{_name(at)} is {value}, may be {rule['maximum']} at most")


def _strangers(value: Any, rule: Schema) -> int:
    """Return the number of an object's keys that are not in the schema."""
    return (
        len(set(value) - set(rule["properties"])) if isinstance(value, dict) and "properties" in rule else 0
    )


def _depth_of_type_fault(faults: list[Fault], at: Pointer) -> int:
    """Return 1 if the value itself has the wrong type, so that a schema that matches deeper is preferred."""
    return int(any(fault.pointer == at and " is " in fault.message for fault in faults))


def _not_one_of(value: Any, allowed: list[Any], at: Pointer) -> Fault:
    near = (
        nearest(value, [word for word in allowed if isinstance(word, str)])
        if isinstance(value, str)
        else None
    )
    hint = f"Did you mean {near}?" if near else ""
    newer = isinstance(value, str) and (at[-1] == "palette" or not near) and len(at) > 1
    return Fault(at, f"{_name(at)} is {_said(value)}, not {_listed(allowed)}", unverified=newer, hint=hint)


def _name(at: Pointer) -> str:
    """Format a path: `widgets[2].definition.type`."""
    text = ""
    for step in at:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") or "the file"


def _said(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + '…"'


def _expected(types: str | list[str]) -> str:
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return " or ".join(_WORDS[name] for name in names)


def _listed(words: list[Any]) -> str:
    shown = [str(word) for word in words[:8]]
    if len(words) == 1:
        return shown[0]
    return "one of " + ", ".join(shown) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
