"""Photos: pages as somebody in the room would take them: askew, blurred, noisy, badly lit, partly hidden."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from handlers.slides.geometry import CANVAS, homography
from handlers.slides.render import PAGE

PHOTO = (640, 480)
"""Width and height of a photo in pixels."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How bad a photo is. Each value is the upper end of what is drawn at random.

    Attributes:
        tilt: how far a corner of the screen strays, in parts of the photo's width.
        blur: radius of the blur in pixels.
        noise: standard deviation of the sensor's noise, of 255.
        dark: how much darker than the page the photo may be, 0 to 1.
        glare: brightness of the lamp's reflection, 0 to 1.
        heads: how many heads stand before the screen.
        quality: of the JPEG, the lowest, 1 to 95.
    """

    tilt: float = 0.07
    blur: float = 2.2
    noise: float = 16.0
    dark: float = 0.55
    glare: float = 0.35
    heads: int = 2
    quality: int = 35


ORDINARY = Conditions()
HARD = Conditions(tilt=0.1, blur=4.5, noise=28.0, dark=0.7, glare=0.6, heads=3, quality=20)
"""The back row, a shaking hand, a lamp before the screen."""
HOPELESS = Conditions(tilt=0.05, blur=40.0, noise=60.0, dark=0.8, glare=0.5, heads=2, quality=8)
"""Photos of which most tell nobody which slide they show."""
CONDITIONS = {"ordinary": ORDINARY, "hard": HARD, "hopeless": HOPELESS}


def photograph(page: Image.Image, seed: int, conditions: Conditions = ORDINARY) -> bytes:
    """Return a JPEG photo of the page; the same seed gives the same photo."""
    draw = np.random.default_rng(seed)
    room = _room(draw)
    screen = _screen(page)
    quad = _quad(draw, conditions.tilt)
    photo = _hang(room, screen, quad)
    _stand_before(photo, draw, conditions.heads)
    photo = photo.filter(ImageFilter.GaussianBlur(float(draw.uniform(0.35, 1.0)) * conditions.blur))
    light = _light(np.asarray(photo, dtype=np.float32), draw, conditions)
    out = io.BytesIO()
    quality = int(draw.integers(conditions.quality, max(conditions.quality + 1, 92)))
    Image.fromarray(light).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _room(draw: np.random.Generator) -> Image.Image:
    """Return a wall that is darker than the screen, with furniture and perhaps a lamp."""
    tone = draw.uniform(25, 95, size=3)
    wall = Image.new("RGB", PHOTO, tuple(int(value) for value in tone))
    pen = ImageDraw.Draw(wall)
    for _ in range(int(draw.integers(2, 7))):
        x, y = draw.uniform(-100, PHOTO[0]), draw.uniform(-100, PHOTO[1])
        shade = tuple(int(value) for value in np.clip(tone * draw.uniform(0.5, 1.35), 0, 255))
        pen.rectangle((x, y, x + draw.uniform(40, 300), y + draw.uniform(40, 260)), fill=shade)
    if draw.random() < 0.3:
        x = draw.uniform(0, PHOTO[0])
        pen.ellipse((x, 4, x + 46, 34), fill=(250, 244, 220))
    return wall


def _screen(page: Image.Image) -> Image.Image:
    """Return the page on its canvas, which is a little larger than the page."""
    margin = round(PAGE[0] * CANVAS)
    canvas = Image.new("RGB", (PAGE[0] + 2 * margin, PAGE[1] + 2 * margin), (236, 236, 232))
    canvas.paste(page, (margin, margin))
    return canvas


def _quad(draw: np.random.Generator, tilt: float) -> NDArray[np.float64]:
    """Where the four corners of the canvas come to lie: top left, top right, bottom right, bottom left."""
    width = PHOTO[0] * draw.uniform(0.62, 0.82)
    height = width * (PAGE[1] + 2 * CANVAS * PAGE[0]) / (PAGE[0] * (1 + 2 * CANVAS))
    left = draw.uniform(0.08, 0.92) * (PHOTO[0] - width - 80) + 40
    top = draw.uniform(0.08, 0.92) * (PHOTO[1] - height - 80) + 40
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) + np.array([left, top])
    turn = np.radians(draw.uniform(-60, 60) * tilt)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = corners.mean(axis=0)
    strayed: NDArray[np.float64] = (corners - middle) @ rotation.T + middle
    strayed += draw.uniform(-tilt, tilt, size=(4, 2)) * PHOTO[0] * 0.5
    return np.clip(strayed, 4, np.array(PHOTO) - 5.0)


def _hang(room: Image.Image, screen: Image.Image, quad: NDArray[np.float64]) -> Image.Image:
    width, height = screen.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    # A downscaling transform samples single pixels: a screen blurred to the photo's scale has no jagged text.
    screen = screen.filter(ImageFilter.GaussianBlur(0.7))
    warp = tuple(homography(corners, quad))
    seen = screen.transform(PHOTO, Image.Transform.PERSPECTIVE, warp, Image.Resampling.BICUBIC)
    mask = Image.new("L", screen.size, 255).transform(PHOTO, Image.Transform.PERSPECTIVE, warp)
    return Image.composite(seen, room, mask)


def _stand_before(photo: Image.Image, draw: np.random.Generator, heads: int) -> None:
    """Heads and shoulders of the row in front, at the photo's lower edge."""
    pen = ImageDraw.Draw(photo)
    for _ in range(int(draw.integers(0, heads + 1))):
        x, top, size = (
            draw.uniform(0.1, 0.9) * PHOTO[0],
            draw.uniform(0.62, 0.95) * PHOTO[1],
            draw.uniform(22, 46),
        )
        shade = tuple(int(value) for value in draw.uniform(8, 50, size=3))
        pen.ellipse((x - size, top, x + size, top + size * 2.6), fill=shade)
        pen.ellipse((x - size * 2.2, top + size * 2.2, x + size * 2.2, top + size * 8), fill=shade)


def _light(
    photo: NDArray[np.float32], draw: np.random.Generator, conditions: Conditions
) -> NDArray[np.uint8]:
    """Exposure, a fall of light over the photo, a colour cast, a reflection and the sensor's noise."""
    across = np.linspace(-0.5, 0.5, PHOTO[0], dtype=np.float32)[None, :]
    down = np.linspace(-0.5, 0.5, PHOTO[1], dtype=np.float32)[:, None]
    slope = draw.uniform(-0.45, 0.45, size=2).astype(np.float32)
    exposure = np.float32(1 - draw.uniform(0, conditions.dark))
    cast = draw.uniform(0.88, 1.08, size=3).astype(np.float32)
    lit = photo * ((1 + slope[0] * across + slope[1] * down) * exposure)[..., None] * cast
    x, y, size = draw.uniform(-0.5, 0.5), draw.uniform(-0.5, 0.5), draw.uniform(0.02, 0.12)
    spot = np.exp(-(((across - x) / size) ** 2)) * np.exp(-(((down - y) / size) ** 2))
    lit += (spot * np.float32(255 * draw.uniform(0, conditions.glare)))[..., None]
    grain = draw.standard_normal(photo.shape, dtype=np.float32)
    lit = lit + grain * np.float32(draw.uniform(0.3, 1) * conditions.noise)
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)
