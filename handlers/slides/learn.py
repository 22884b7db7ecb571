"""Learning: the model from the deck's own pages, and how often it is right on photos it has not seen.

`python -m handlers.slides.learn` measures; with `--write FILE` it also keeps the model, which goes to S3.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from handlers.slides.deck import Deck, Slide, shipped_deck
from handlers.slides.features import features
from handlers.slides.geometry import FLAT, homography
from handlers.slides.model import Model, read_photo
from handlers.slides.photos import HARD, HOPELESS, ORDINARY, Conditions, photograph
from handlers.slides.render import render

VARIANTS = 16
"""Pages learned of each slide: the page itself, and versions a little off, blurred and unevenly lit."""
UNSEEN = 1_000_000
"""Seeds from here on are for measuring only."""


def learn(deck: Deck, seed: int = 7) -> Model:
    """Train the model of a deck; the same deck and seed give the same model."""
    draw = np.random.default_rng(seed)
    vectors, owners = [], []
    for number, slide in enumerate(deck.slides):
        for page in _variants(render(slide), draw):
            vectors.append(features(page))
            owners.append(number)
    names = tuple(slide.id for slide in deck.slides)
    return Model(names, np.array(owners, dtype=np.int16), np.stack(vectors))


def _variants(page: Image.Image, draw: np.random.Generator) -> Iterator[Image.Image]:
    flat = page.resize(FLAT, Image.Resampling.LANCZOS)
    yield flat
    for _ in range(VARIANTS - 1):
        yield _off(flat, draw)


def _off(flat: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Return the page as cut out with slightly wrong corners, out of focus, in bad light."""
    width, height = FLAT
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    warp = homography(corners + draw.normal(0, 1.3, size=(4, 2)), corners)
    fill = flat.getpixel((width - 2, 2))
    off = flat.transform(FLAT, Image.Transform.PERSPECTIVE, warp, Image.Resampling.BICUBIC, fillcolor=fill)
    off = off.filter(ImageFilter.GaussianBlur(float(draw.uniform(0.0, 2.2))))
    across = np.linspace(-0.5, 0.5, width)[None, :, None] * draw.uniform(-0.6, 0.6)
    down = np.linspace(-0.5, 0.5, height)[:, None, None] * draw.uniform(-0.6, 0.6)
    lit = np.asarray(off, dtype=np.float32) * (1 + across + down) * draw.uniform(0.4, 1.0)
    lit = lit + draw.normal(0, draw.uniform(0, 9), size=lit.shape)
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


STRANGE = (
    "harvest",
    "orchard",
    "lantern",
    "pilot",
    "violin",
    "granite",
    "meadow",
    "copper",
    "theory",
    "walnut",
)


@dataclass(frozen=True, slots=True)
class Score:
    """How many photos of one kind were answered right, answered wrong, and not answered."""

    kind: str
    right: int
    wrong: int
    unsure: int

    @property
    def photos(self) -> int:
        """How many there were."""
        return self.right + self.wrong + self.unsure

    def __str__(self) -> str:
        shares = (100 * count / self.photos for count in (self.right, self.wrong, self.unsure))
        return f"{self.kind:<28}{self.photos:>7}" + "".join(f"{share:>10.2f} %" for share in shares)


def measure(model: Model, slides: Sequence[Slide], conditions: Conditions, each: int, kind: str) -> Score:
    """Test the model on `each` unseen photos of every slide; an unknown slide can only be unsure."""
    right = wrong = unsure = 0
    for number, slide in enumerate(slides):
        page = render(slide)
        for photo in range(each):
            seed = UNSEEN + number * 10_000 + photo
            answer = model.classify(read_photo(photograph(page, seed, conditions)))
            unsure += answer.slide is None
            right += answer.slide == slide.id
            wrong += answer.slide not in {None, slide.id}
    return Score(kind, right, wrong, unsure)


def strangers(slides: Sequence[Slide]) -> list[Slide]:
    """Slides of somebody else's talk: the same layouts with other words, and none of the shapes."""
    draw = np.random.default_rng(3)

    def phrase(count: int) -> str:
        return " ".join(STRANGE[n] for n in draw.integers(0, len(STRANGE), count)).capitalize()

    return [
        Slide(
            f"x{number:02}", phrase(3), slide.layout, "#44606e", tuple(phrase(5) for _ in range(number % 5))
        )
        for number, slide in enumerate(slides)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Learn, measure on held-out photos, print, and keep the model if asked to."""
    parser = argparse.ArgumentParser(prog="python -m handlers.slides.learn", description=__doc__)
    parser.add_argument("--each", type=int, default=20, help="photos of each slide and kind (default: 20)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="where to keep the model (.npz)")
    options = parser.parse_args(argv)
    deck = shipped_deck()
    model = learn(deck)
    if options.write:
        options.write.write_bytes(model.dump())
    print(f"{'held-out photos':<28}{'photos':>7}{'right':>12}{'wrong':>12}{'unsure':>12}")
    for kind, slides, conditions in (
        ("ordinary", deck.slides, ORDINARY),
        ("hard", deck.slides, HARD),
        ("hopeless", deck.slides, HOPELESS),
        ("of another talk", strangers(deck.slides), ORDINARY),
    ):
        print(measure(model, slides, conditions, options.each, kind), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
