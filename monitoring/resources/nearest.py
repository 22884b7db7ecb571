"""Find the valid word that is most similar to an invalid one, for hints."""

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], cutoff: float = 0.72) -> str | None:
    """Return the most similar word, or None; underscores, dashes and case are ignored."""
    squashed: dict[str, str] = {}
    for candidate in words:
        squashed.setdefault(_squash(candidate), candidate)
    matches = difflib.get_close_matches(_squash(word), squashed, n=1, cutoff=cutoff)
    return squashed[matches[0]] if matches else None


def _squash(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
