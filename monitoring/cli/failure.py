"""Print an error as a JSON document where a command was asked for JSON. Nothing here needs click."""

import json
from collections.abc import Sequence
from itertools import pairwise

from monitoring.errors import InputError
from monitoring.terminal import printable

VERSION = 1
"""The version of every JSON document: it changes when a key is removed, renamed, or means something else."""


def wants_json(argv: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON: `--json` or `--format json`, before a `--`."""
    options = list(argv)
    options = options[: options.index("--")] if "--" in options else options
    return "--json" in options or "--format=json" in options or ("--format", "json") in pairwise(options)


def print_error(error: InputError) -> None:
    """Print `{"version": …, "error": {"message", "where", "hint"}}` on one line of standard output."""
    print(printable(json.dumps({"version": VERSION, "error": error.as_data()}, ensure_ascii=False)))
