"""The pictures of the documentation, made by the project itself: `make pictures`.

They are pages over a fixed day of the example in a real headless Chromium, so that they are the same each time.
"""

import io
from pathlib import Path

from browser import Browser, chromium
from PIL import Image

from monitoring.demo.day import Demonstration
from monitoring.local_datadog import LocalDatadog
from monitoring.serve.pages import page_routes

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
NOW = 1_795_784_400
"""2026-11-27T13:00:00Z: the fixed day's end."""
COLOURS = 96
"""A palette of so many: charts need no more, and the files are a quarter of the size."""


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    draw_pages()


def draw_pages() -> None:
    """The overview of pipelines, and an execution of the incident, of a fixed day of the example."""
    with (
        LocalDatadog(pages=lambda store: page_routes(store, ROOT, clock=lambda: NOW)) as server,
        chromium() as browser,
    ):
        Demonstration.begin(server.store, NOW)
        failed = next(one for one in server.store.spans(name="aws.stepfunctions") if one["error"])
        overview = screenshot(
            browser, f"{server.url}/dashboards/pipeline-overview?from={NOW - 86_400}..{NOW}", 1262
        )
        keep(overview, "pipeline-overview.png", 1262)
        keep(
            screenshot(browser, f"{server.url}/executions/{failed['trace_id']}", 1100), "execution.png", 1100
        )


def screenshot(browser: Browser, url: str, height: int) -> bytes:
    """The page in the light, as wide as a column of text needs it."""
    browser.dark(False)
    browser.viewport(1000, height)
    browser.open(url)
    browser.run(
        "for (const graph of document.querySelectorAll('.panel.graph')) graph.style.maxHeight = '400px';"
        "dispatchEvent(new Event('resize'))"
    )
    return browser.shot("picture")


def keep(picture: bytes, name: str, height: int) -> None:
    """The upper part of a picture, as a small file."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    upper = image.crop((0, 0, image.width, min(height, image.height)))
    upper.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    print(f"wrote docs/images/{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB, {upper.size}")


if __name__ == "__main__":
    main()
