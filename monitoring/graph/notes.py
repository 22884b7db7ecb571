"""Notes on the states of a graph, beside their figures: a short text each, and how good or bad it is."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Tone = Literal["", "good", "warning", "bad"]


class Note(NamedTuple):
    """A short text on a state; its tone decides the colour."""

    text: str
    tone: Tone = ""


Notes = Mapping[str, Sequence[Note]]
"""State -> what is written on it."""


def joined(*parts: Notes) -> dict[str, list[Note]]:
    """Return the notes of all parts, in their order."""
    notes: dict[str, list[Note]] = {}
    for part in parts:
        for state, own in part.items():
            notes.setdefault(state, []).extend(own)
    return notes
