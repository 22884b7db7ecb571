"""What notices a slip in a shipped monitor: docs/monitor-mutations.md against the monitors as they are."""

import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from monitor_mutations import EDITS
from mutation_table import (
    EQUAL,
    PAGE,
    Bench,
    Noticed,
    everything,
    judged,
    page,
    recorded,
    staged,
    unexplained,
)

pytestmark = pytest.mark.checkout
OF_THE_DRILL = ("claims-broken", "lambda-throttles", "nothing-started", "lambda-out-of-memory")
"""Monitors all of whose faults the fixture `drilled` plays."""


@pytest.fixture(scope="module")
def rows() -> list[Noticed]:
    return recorded(PAGE.read_text())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_the_page_has_every_mutation_of_every_monitor(rows, bench: Bench):
    assert {(row.key, row.kind) for row in rows} == {
        (key, mutation.kind) for key in bench.bodies for mutation in bench.mutants(key)
    }


def test_the_page_counts_what_its_own_table_says(rows):
    assert page(rows) == PAGE.read_text()


def test_something_notices_every_mutation_that_changes_what_a_monitor_does(rows):
    assert unexplained(rows) == []


def test_a_mutation_that_is_said_to_change_nothing_is_one_that_nothing_notices(rows):
    silent = {(row.key, row.kind) for row in rows if not row.letters}
    named = {(key, kind) for kind, (_, keys) in EQUAL.items() for key in keys}
    assert named <= silent
    assert {kind for _, kind in silent} == set(EQUAL)


@pytest.mark.parametrize("kind", EDITS)
def test_lint_and_test_notice_what_the_page_says(rows, bench: Bench, kind: str):
    concerned = [row for row in rows if row.kind == kind]
    row = concerned[zlib.crc32(kind.encode()) % len(concerned)]
    (mutation,) = (each for each in bench.mutants(row.key) if each.kind == kind)
    now = judged(bench, row.key, mutation, None)
    assert (now.lint, now.test) == (row.lint, row.test), row.key


@pytest.mark.parametrize("key", OF_THE_DRILL)
def test_the_drill_notices_what_the_page_says(drilled: SimpleNamespace, rows, bench: Bench, key: str):
    """Fewer ordinary days are played here, so that it may notice less than the page says, and never more."""
    stagings = staged(bench.original, drilled.health, drilled.faults, drilled.played)
    said = {row.kind for row in rows if row.key == key and row.drill}
    now = {mutation.kind for mutation in bench.mutants(key) if judged(bench, key, mutation, stagings).drill}
    assert now <= said
    assert {
        "handles left out",
        "metric misspelt",
        "scope of another environment",
        "comparison turned round",
    } <= now


@pytest.mark.slow
def test_everything_is_noticed_as_the_page_says():
    assert page(everything()) == Path(PAGE).read_text()
