"""Notes on the states of a graph: short texts with a tone (good, warning, bad)."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Tone = Literal["", "good", "warning", "bad"]


class Note(NamedTuple):
    """A short text on a state; its tone selects the colour."""

    text: str
    tone: Tone = ""


Notes = Mapping[str, Sequence[Note]]
"""State name -> its notes."""


def joined(*parts: Notes) -> dict[str, list[Note]]:
    """Merge notes; the notes of a state keep the order of the arguments."""
    notes: dict[str, list[Note]] = {}
    for part in parts:
        for state, state_notes in part.items():
            notes.setdefault(state, []).extend(state_notes)
    return notes
