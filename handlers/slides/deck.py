"""The deck: what stands on each slide of the example talk, as data (`deck.json`)."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DECK_FILE = Path(__file__).with_name("deck.json")


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawn shape; `at` is x, y, width and height in parts of the page."""

    kind: str
    at: tuple[float, float, float, float]
    text: str = ""
    fill: str = "accent"
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Slide:
    """One slide; `accent` is its colour as `#rrggbb`."""

    id: str
    title: str
    layout: str
    accent: str
    bullets: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True)
class Deck:
    """A talk's slides, in their order."""

    talk: str
    title: str
    slides: tuple[Slide, ...]

    def slide(self, slide_id: str) -> Slide:
        """Return the slide of that id; KeyError where the deck has none."""
        for slide in self.slides:
            if slide.id == slide_id:
                return slide
        raise KeyError(slide_id)


def read_deck(text: str) -> Deck:
    """Parse a deck from JSON."""
    body = json.loads(text)
    return Deck(body["talk"], body["title"], tuple(_slide(slide) for slide in body["slides"]))


@cache
def shipped_deck() -> Deck:
    """Return the deck of the example."""
    return read_deck(DECK_FILE.read_text(encoding="utf-8"))


def _slide(body: dict[str, Any]) -> Slide:
    shapes = tuple(
        Shape(
            shape["kind"],
            tuple(shape["at"]),
            shape.get("text", ""),
            shape.get("fill", "accent"),
            tuple(shape.get("values", ())),
        )
        for shape in body.get("shapes", ())
    )
    return Slide(body["id"], body["title"], body["layout"], body["accent"], tuple(body["bullets"]), shapes)
