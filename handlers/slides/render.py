"""Pages: a slide of the deck as a picture, drawn by Pillow with the font that comes with it."""

from functools import cache

from PIL import Image, ImageDraw, ImageFont

from handlers.slides.deck import Shape, Slide

PAGE = (960, 540)
"""Width and height of a page in pixels."""
PAPER, INK, SOFT = "#fbfaf7", "#222222", "#6b6b6b"


def render(slide: Slide) -> Image.Image:
    """Draw the slide as an RGB picture of `PAGE` size."""
    dark = slide.layout == "quote"
    page = Image.new("RGB", PAGE, slide.accent if dark else PAPER)
    draw = ImageDraw.Draw(page)
    for shape in slide.shapes:
        SHAPES[shape.kind](draw, shape, slide)
    TEXTS[slide.layout](draw, slide)
    return page


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: str) -> int:
    """Write `text`, wrapped at the right margin; the y below it."""
    x, y = at
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and draw.textlength(longer, font=_font(size)) > PAGE[0] - x - 50:
            draw.text((x, y), line, font=_font(size), fill=colour)
            line, y = word, y + int(size * 1.25)
        else:
            line = longer
    draw.text((x, y), line, font=_font(size), fill=colour)
    return y + int(size * 1.25)


def _cover(draw: ImageDraw.ImageDraw, slide: Slide) -> None:
    draw.rectangle((0, 0, PAGE[0], 36), fill=slide.accent)
    below = _write(draw, (76, 130), slide.title, 62, INK)
    for bullet in slide.bullets:
        below = _write(draw, (78, below + 18), bullet, 30, SOFT)


def _headline(draw: ImageDraw.ImageDraw, slide: Slide) -> int:
    draw.rectangle((0, 0, 18, PAGE[1]), fill=slide.accent)
    return _write(draw, (60, 40), slide.title, 50, slide.accent)


def _bullets(draw: ImageDraw.ImageDraw, slide: Slide) -> None:
    below = _headline(draw, slide) + 30
    for bullet in slide.bullets:
        draw.rectangle((64, below + 14, 78, below + 28), fill=slide.accent)
        below = _write(draw, (100, below), bullet, 36, INK) + 26


def _picture(draw: ImageDraw.ImageDraw, slide: Slide) -> None:
    below = _headline(draw, slide)
    for bullet in slide.bullets:
        below = _write(draw, (60, below + 6), bullet, 28, SOFT)


def _quote(draw: ImageDraw.ImageDraw, slide: Slide) -> None:
    below = _write(draw, (96, 150), slide.title, 64, PAPER)
    for bullet in slide.bullets:
        below = _write(draw, (100, below + 24), bullet, 30, "#c9c9d6")


TEXTS = {"cover": _cover, "bullets": _bullets, "picture": _picture, "quote": _quote}


def _corners(shape: Shape) -> tuple[float, float, float, float]:
    x, y, width, height = shape.at
    return x * PAGE[0], y * PAGE[1], (x + width) * PAGE[0], (y + height) * PAGE[1]


def _colour(shape: Shape, slide: Slide) -> str:
    return PAPER if shape.fill == "paper" else slide.accent


def _box(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    left, top, right, bottom = _corners(shape)
    draw.rounded_rectangle((left, top, right, bottom), 12, fill=_colour(shape, slide))
    size = int((bottom - top) * 0.4)
    middle = ((left + right) / 2, (top + bottom) / 2)
    draw.text(middle, shape.text, font=_font(size), fill=PAPER, anchor="mm")


def _circle(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    draw.ellipse(_corners(shape), fill=_colour(shape, slide))


def _line(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    draw.line(_corners(shape), fill=_colour(shape, slide), width=6)


def _arrow(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    x1, y1, x2, y2 = _corners(shape)
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length * 20, (y2 - y1) / length * 20
    draw.line((x1, y1, x2 - dx / 2, y2 - dy / 2), fill=_colour(shape, slide), width=6)
    wings = [(x2, y2), (x2 - dx - dy * 0.6, y2 - dy + dx * 0.6), (x2 - dx + dy * 0.6, y2 - dy - dx * 0.6)]
    draw.polygon(wings, fill=_colour(shape, slide))


def _bars(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    left, top, right, bottom = _corners(shape)
    step = (right - left) / len(shape.values)
    for number, value in enumerate(shape.values):
        x = left + number * step
        draw.rectangle(
            (x + step * 0.15, bottom - value * (bottom - top), x + step * 0.85, bottom), fill=slide.accent
        )
    draw.line((left, bottom, right, bottom), fill=INK, width=4)


def _text(draw: ImageDraw.ImageDraw, shape: Shape, slide: Slide) -> None:
    left, top, right, bottom = _corners(shape)
    middle = ((left + right) / 2, (top + bottom) / 2)
    draw.text(
        middle, shape.text, font=_font(int((bottom - top) * 0.7)), fill=_colour(shape, slide), anchor="mm"
    )


SHAPES = {"box": _box, "circle": _circle, "line": _line, "arrow": _arrow, "bars": _bars, "text": _text}
