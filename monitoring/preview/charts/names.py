"""Shorten the names of groups and monitors by their common parts."""

import re
from collections.abc import Sequence

_TAG = re.compile(r"([a-z][\w./-]*):([^{}()]+)")
_VARIABLE = r"\{\{[^}]*\}\}"
_BRACKETED = re.compile(rf"\s*\([^()]*{_VARIABLE}[^()]*\)")


def split_names(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return (the common tag keys of all names, the names without these keys).

    `state:build, error:a` becomes `build, a` with the keys `state, error`. If the names have different keys,
    or are not tags (a query, an alias), they are unchanged, and the keys are "".
    """
    matches = [[_TAG.fullmatch(part) for part in name.split(", ")] for name in names]
    keys = {tuple(tag[1] if tag else "" for tag in tags) for tags in matches}
    if len(keys) != 1 or "" in (common := keys.pop()):
        return "", list(names)
    return ", ".join(common), [", ".join(tag[2] for tag in tags if tag) for tags in matches]


def values_only(names: Sequence[str]) -> list[str]:
    """Return the names without the tag keys that all of them share."""
    return split_names(names)[1]


def monitor_name(name: str) -> str:
    """Return a monitor's name without variables, which have values only in notifications.

    `Calls fail ({{functionname.name}})` becomes `Calls fail`; a variable inside the text becomes an ellipsis.
    """
    return re.sub(_VARIABLE, "…", _BRACKETED.sub("", name)).strip().removeprefix("…:").strip() or name
