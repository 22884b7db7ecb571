"""The pictures of the documentation, made by the project itself: `make pictures`.

The dashboard is what `stepscope preview` draws over sample data of a fixed day; the execution is one of the demo's, in a
real headless Chromium, so its times differ from run to run.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import Browser, chromium
from PIL import Image

from monitoring.local_datadog import LocalDatadog
from monitoring.serve.pages import page_routes

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COMMAND = Path(sys.executable).with_name("stepscope")
DAY = ("--from", "2026-11-22T12:00:00Z", "--to", "2026-11-23T12:00:00Z")
EXECUTION = "slow-figure"
COLOURS = 96
"""A palette of so many: charts need no more, and the files are a quarter of the size."""


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        keep(dashboard(Path(folder)), "pipeline-overview.png", 1262)
        keep(execution(Path(folder)), "execution.png", 700)


def dashboard(folder: Path) -> bytes:
    """The overview of pipelines, over sample data."""
    run("preview", "dashboards/pipeline-overview.json", "--out", str(folder), *DAY)
    return (folder / "pipeline-overview.png").read_bytes()


def execution(folder: Path) -> bytes:
    """An execution of the demo that a step's time-out ended."""
    run("demo", "--keep", str(folder / "demo"))
    with (
        LocalDatadog(folder / "demo" / "datadog.duckdb", pages=page_routes) as server,
        chromium() as browser,
    ):
        spans = server.store.spans(name="aws.stepfunctions")
        found = next(one for one in spans if EXECUTION in str(one["meta"].get("executionarn")))
        return screenshot(browser, f"{server.url}/executions/{found['trace_id']}")


def screenshot(browser: Browser, url: str) -> bytes:
    """The page in the light, as wide as a column of text needs it."""
    browser.dark(False)
    browser.viewport(1000, 900)
    browser.open(url)
    return browser.shot("execution")


def run(*arguments: str) -> None:
    """A command of stepscope, whose failure ends this script."""
    subprocess.run([COMMAND, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def keep(picture: bytes, name: str, height: int) -> None:
    """The upper part of a picture, as a small file."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    upper = image.crop((0, 0, image.width, min(height, image.height)))
    upper.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    print(f"wrote docs/images/{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB, {upper.size}")


if __name__ == "__main__":
    main()
