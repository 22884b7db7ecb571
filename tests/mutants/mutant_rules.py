"""Rules that a user depends on, each with the tests that hold it and a mutant that breaks it (rules.txt)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mutant_areas import ROOT
from mutant_operators import Mutant, mutants

RULES = Path(__file__).with_name("rules.txt")


class Rule(NamedTuple):
    """A rule in words, the files of tests that hold it, and the key of a mutant that breaks it."""

    text: str
    tests: tuple[str, ...]
    key: str

    def mutant(self, root: Path = ROOT) -> Mutant:
        """Return the mutant.

        Raises:
            LookupError: the source has no such mutant any more: choose another that breaks the rule.
        """
        path = self.key.partition("::")[0]
        made = mutants(path, (root / path).read_text(encoding="utf-8"))
        found = next((mutant for mutant in made if mutant.key == self.key), None)
        if found is None:
            raise LookupError(f"{RULES.name}: no mutant is called {self.key}")
        return found


def rules(path: Path = RULES) -> Iterator[Rule]:
    """Yield the rules: `RULE || TESTS || KEY`, a line each."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            text, tests, key = line.split(" || ")
            yield Rule(text, tuple(tests.split()), key)
