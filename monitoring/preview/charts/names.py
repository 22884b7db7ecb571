"""Shorten the names of groups and monitors by what they have in common."""

import re
from collections.abc import Sequence

_TAG = re.compile(r"([a-z][\w./-]*):([^{}()]+)")
_VARIABLE = r"\{\{[^}]*\}\}"
_BRACKETED = re.compile(rf"\s*\([^()]*{_VARIABLE}[^()]*\)")


def split_names(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return (the tag keys that all names have in the same order, the names without those keys).

    `state:build, error:a` is `build, a` under `state, error`. Names with other keys, or that are not tags (a
    query, an alias), stay as they are, and the keys are "".
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
    """Return a monitor's name without the variables that only a notification fills in.

    `Calls fail ({{functionname.name}})` is `Calls fail`; a variable within the sentence is an ellipsis.
    """
    return re.sub(_VARIABLE, "…", _BRACKETED.sub("", name)).strip().removeprefix("…:").strip() or name
