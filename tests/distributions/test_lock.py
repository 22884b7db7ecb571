"""requirements.lock: what the extra [tools] needs, in the versions of constraints.txt, with hashes."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
_ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+?))? \\\n(?P<hashes>(?:    --hash=.*\n?)+)",
    re.MULTILINE,
)
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def constraints() -> dict[str, str]:
    """Canonical name -> version."""
    rows = (row.partition("==") for row in (ROOT / "constraints.txt").read_text().split())
    return {canonicalize_name(name): version for name, _, version in rows}


def locked() -> dict[str, re.Match[str]]:
    return {canonicalize_name(found["name"]): found for found in _ENTRY.finditer(LOCK)}


def needed(name: str, extras: frozenset[str], seen: dict[str, frozenset[str]]) -> None:
    """Gather the distributions that one needs on this machine, with those that they need."""
    if extras <= seen.get(name, frozenset()) and name in seen:
        return
    seen[name] = seen.get(name, frozenset()) | extras
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            needed(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)


def test_every_version_is_that_of_the_constraints():
    versions = constraints()
    other = {
        name: (found["version"], versions.get(name))
        for name, found in locked().items()
        if versions.get(name) != found["version"] and "win32" not in (found["marker"] or "")
    }
    assert other == {}, "make lock"


def test_everything_that_the_tools_need_is_in_it():
    seen: dict[str, frozenset[str]] = {}
    needed("stepscope", frozenset({"tools"}), seen)
    assert len(seen) > 30
    assert set(seen) - {"stepscope"} - set(locked()) == set(), "make lock"


def test_it_holds_hashes_and_the_address_of_no_index():
    entries = locked()
    assert "".join(found[0] for found in _ENTRY.finditer(LOCK)) == LOCK
    for name, found in entries.items():
        lines = found["hashes"].splitlines()
        assert lines, name
        assert all(_HASH.fullmatch(line) for line in lines), name
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_the_constraints_are_plain_pins():
    """`pip install -c` takes them as they are: a hash there would make pip demand one of everything."""
    rows = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", row) for row in rows)
    assert len({canonicalize_name(row.partition("==")[0]) for row in rows}) == len(rows)
