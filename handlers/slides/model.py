"""The model: which slide of the deck a photo shows, by its nearest neighbours, or that it is not sure."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from handlers.slides.errors import ModelError, UnreadablePhotoError
from handlers.slides.features import features
from handlers.slides.geometry import straighten

SURE = 0.14
"""Confidence from which an answer is given: no answer to 2,100 held-out photos was wrong."""
ALIKE = 0.72
"""Similarity below which a page is nothing of this deck, however clear the distance to the runner-up: five in
six pages of another talk fall below it, one in twenty-five of the deck's own in ordinary photos."""
LARGEST = 40_000_000
"""Pixels of the largest photo that is read: more is a mistake, or an attack."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold the model's answer for one photo.

    Attributes:
        slide: the slide's id; None when the model is not sure.
        best: the nearest slide's id, sure or not; empty where no screen was found.
        confidence: 0 to 1; how much nearer the nearest slide is than the next one.
        similarity: -1 to 1; cosine between the photo and the nearest slide's pages.
        reason: why it is not sure: `no screen`, `too close to call`, `nothing alike`; empty when it is.
    """

    slide: str | None
    best: str
    confidence: float
    similarity: float
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Known pages: one row of `vectors` (n, d) a page, `owners[n]` the place of its slide in `slides`."""

    slides: tuple[str, ...]
    owners: NDArray[np.int16]
    vectors: NDArray[np.float32]

    def classify(self, photo: Image.Image) -> Answer:
        """Which slide the photo (RGB) shows."""
        page = straighten(photo)
        if page is None:
            return Answer(None, "", 0.0, 0.0, "no screen")
        scores = self._scores(features(page))
        first, second = np.argsort(-scores)[:2]
        nearest, next_one = 1 - scores[first], 1 - scores[second]
        confidence = round(float(1 - nearest / next_one), 4)
        similarity = round(float(scores[first]), 4)
        best = self.slides[first]
        reason = "nothing alike" if similarity < ALIKE else "too close to call" if confidence < SURE else ""
        return Answer(None if reason else best, best, confidence, similarity, reason)

    def _scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Similarity to each slide: the mean of its two nearest pages, so that no single page decides."""
        alike = self.vectors @ vector
        return np.array([np.sort(alike[self.owners == n])[-2:].mean() for n in range(len(self.slides))])

    def dump(self) -> bytes:
        """Return the model as an `.npz` without pickled objects; vectors as bytes, one part in 127."""
        scale = np.abs(self.vectors).max(axis=1, keepdims=True)
        packed = np.round(self.vectors / scale * 127).astype(np.int8)
        out = io.BytesIO()
        np.savez_compressed(out, slides=np.array(self.slides), owners=self.owners, vectors=packed)
        return out.getvalue()


def load(data: bytes) -> Model:
    """Load a model that `Model.dump` wrote; ModelError for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            slides, owners, packed = (file[name] for name in ("slides", "owners", "vectors"))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"The model file cannot be read: {error}") from error
    vectors = packed.astype(np.float32)
    if vectors.ndim != 2 or len(owners) != len(vectors) or vectors.shape[1] != len(features(_blank())):
        raise ModelError("The model file was made for other features; make it again with the code it serves.")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Model(tuple(str(slide) for slide in slides), owners.astype(np.int16), vectors)


def read_photo(data: bytes) -> Image.Image:
    """Decode the photo as RGB; UnreadablePhotoError where it is not an image, or too large."""
    try:
        photo = Image.open(io.BytesIO(data))
        if photo.width * photo.height > LARGEST:
            raise UnreadablePhotoError(
                f"The photo has {photo.width} x {photo.height} pixels; {LARGEST} at most."
            )
        photo.draft("RGB", (1600, 1200))
        return photo.convert("RGB")
    except UnidentifiedImageError as error:
        raise UnreadablePhotoError(f"{len(data)} bytes that are not a picture.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePhotoError(f"{len(data)} bytes of a picture that cannot be read: {error}") from error


def _blank() -> Image.Image:
    return Image.new("RGB", (192, 108))
