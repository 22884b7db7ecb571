"""Several resources of one file: `for_each` names a list of stepscope.toml, and each entry makes one.

The list is a value of `[defaults]` or `[env.NAME]`: names (`shops = ["berlin", "paris"]`), or a table of
tables whose values stand before the project's (`[defaults.shops.berlin]`). `berlin = false` leaves an entry
out, in one environment too. The key of the resource is the file's with the entry's name:
`orders-missing[berlin]`. A list that nobody sets makes one resource, with the file's own key, so that shipped
files need no list. `"shops where busy"` is for the entries with a value `busy`, `"shops where not busy"` for
the others.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.resources.resource import ID_REFERENCE, Resource
from monitoring.resources.variables import fill_in

FOR_EACH = "for_each"
EACH = "each"
"""`${var:each}` is the name of the entry."""

_NAME = re.compile(r"[\w.-]+")


_SPEC = re.compile(r"(?P<list>[\w.-]+)(?: where (?P<not>not )?(?P<value>[\w-]+))?")


class Instances(NamedTuple):
    """The list that a file goes through, and the names of its entries; none where nobody sets the list."""

    list: str
    names: tuple[str, ...] | None


Lookup = Callable[[str, str], Instances | None]
"""(kind, key of a file) -> its instances; None for a file that makes one resource."""


def instance_key(key: str, name: str) -> str:
    """Return the key of an instance: `orders-missing[berlin]`."""
    return f"{key}[{name}]"


def file_key(key: str) -> str:
    """Return the key of the file that a resource comes from."""
    return key.partition("[")[0]


def instances_of(resource: Resource, variables: Mapping[str, Any]) -> Instances | None:
    """Return what a file's `for_each` goes through, or None where it has none.

    Raises:
        InputError: `for_each` is not the name of a list, or what it names is not a list of names.
    """
    text = resource.body.get(FOR_EACH)
    if text is None:
        return None
    spec = _SPEC.fullmatch(text) if isinstance(text, str) else None
    if spec is None:
        raise InputError(
            "for_each is not the name of a list",
            where=resource.path,
            hint='Write for_each: shops, or shops where open, and in stepscope.toml: shops = ["a", "b"]',
        )
    if spec["list"] not in variables:
        return Instances(spec["list"], None)
    values = entries(spec["list"], variables[spec["list"]])
    kept = [
        name
        for name, own in values.items()
        if not spec["value"] or bool(own.get(spec["value"])) is not bool(spec["not"])
    ]
    return Instances(spec["list"], tuple(kept))


def words_of(for_each: Any) -> tuple[str, ...]:
    """Return the name of the list in a `for_each`, and the value that it asks entries for, if it does."""
    spec = _SPEC.fullmatch(for_each) if isinstance(for_each, str) else None
    return tuple(filter(None, (spec["list"], spec["value"]))) if spec else ()


def entries(name: str, value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a list by name, with the values of each.

    Raises:
        InputError: it is neither a list of names nor a table of tables, or a name is not valid.
    """
    if isinstance(value, Mapping) and all(
        item is False or isinstance(item, Mapping) for item in value.values()
    ):
        chosen = {str(key): item for key, item in value.items() if item is not False}
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        chosen = {item: {} for item in value}
        twice = next((item for item in value if value.count(item) > 1), None)
        if twice is not None:
            raise InputError(
                f"{name} names {twice!r} twice", where="stepscope.toml", hint="Take one of them out."
            )
    else:
        raise InputError(
            f"{name} is not a list that for_each can go through",
            where="stepscope.toml",
            hint=f'Write {name} = ["a", "b"], or a table for each entry: [defaults.{name}.a]',
        )
    wrong = next((key for key in chosen if not _NAME.fullmatch(key)), None)
    if wrong is not None:
        raise InputError(
            f"{name}: {wrong!r} is not a valid name",
            where="stepscope.toml",
            hint="Use letters, digits, dots and dashes.",
        )
    return chosen


def filled_instances(resource: Resource, variables: Mapping[str, Any], lookup: Lookup) -> Iterator[Resource]:
    """Yield the resources of a file, their variables filled in and their references complete.

    A reference to a file of several means the instance of the same name where both go through one list,
    else the first one.

    Raises:
        InputError: a variable has no value and no default, the list cannot be used, or a file that takes an
            existing resource over makes several.
    """
    instances = instances_of(resource, variables)
    body = {key: value for key, value in resource.body.items() if key != FOR_EACH}
    if instances is None or instances.names is None:
        yield replace(resource, body=_settled(_filled(body, variables, resource.path), instances, "", lookup))
        return
    if resource.id and len(instances.names) > 1:
        raise InputError(
            f"the id {resource.id} is of one resource, and for_each makes {len(instances.names)}",
            where=resource.path,
            hint="Take the id out, or for_each.",
        )
    values = entries(instances.list, variables[instances.list])
    for name in instances.names:
        outer = {**variables, EACH: name}
        own = {**outer, **fill_in(values[name], outer, f"stepscope.toml: {instances.list}.{name}")}
        filled = _settled(_filled(body, own, resource.path), instances, name, lookup)
        yield replace(resource, key=instance_key(resource.key, name), body=filled)


def _filled(body: Mapping[str, Any], variables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a body with its variables filled in, without thresholds that are `false`."""
    filled = fill_in(body, variables, where)
    options = filled.get("options")
    thresholds = options.get("thresholds") if isinstance(options, dict) else None
    if isinstance(options, dict) and isinstance(thresholds, dict):
        gone = {name for name, value in thresholds.items() if value is False}
        kept = {
            name: value
            for name, value in thresholds.items()
            if name.removesuffix("_recovery") not in gone and name not in gone
        }
        filled["options"] = {**options, "thresholds": kept}
    return filled


def _settled(value: Any, own: Instances | None, name: str, lookup: Lookup) -> Any:
    """Return a body in which references to files of several name an instance."""
    if isinstance(value, Mapping):
        return {key: _settled(item, own, name, lookup) for key, item in value.items()}
    if isinstance(value, list):
        return [_settled(item, own, name, lookup) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def complete(match: re.Match[str]) -> str:
        kind, key = match["kind"], match["key"]
        target = lookup(kind, key) if "[" not in key else None
        if target is None or not target.names:
            return match[0]
        same = own is not None and own.list == target.list and name in target.names
        return f"${{{kind}:{instance_key(key, name if same else target.names[0])}}}"

    return ID_REFERENCE.sub(complete, value)
