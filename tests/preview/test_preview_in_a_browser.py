"""HTML previews in a real headless Chromium: the content policy stands in the file, and holds."""

import json
from pathlib import Path

import pytest
from browser import Browser

from monitoring.cli import main
from monitoring.drill.judge import DrillResult
from monitoring.drill.matrix import page as drill_page

pytestmark = pytest.mark.browser
DASHBOARD = {
    "title": "</title><script>document.title = 'run'</script>",
    "layout_type": "ordered",
    "widgets": [
        {
            "definition": {
                "type": "note",
                "content": "<img src=x onerror=\"document.title='run'\"> ![a](https://a.example/b.png)",
            }
        },
        {"definition": {"type": "image", "url": "https://a.example/c.png"}},
        {"definition": {"type": "timeseries", "requests": [{"q": "avg:system.load.1{*}"}]}},
    ],
}


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a preview, as the command writes it."""
    folder = tmp_path_factory.mktemp("preview")
    (folder / "a.json").write_text(json.dumps(DASHBOARD))
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(folder / "a.json"), "--format", "html", "--out", str(folder / "out")])
    assert not ended.value.code
    (file,) = (folder / "out").glob("*.html")
    return file.read_text()


def opened(window: Browser, folder: Path, text: str) -> list[str]:
    """Open a page from a file; what the console said of errors."""
    window.log()
    (folder / "page.html").write_text(text)
    window.open((folder / "page.html").as_uri())
    return window.log()


def drill() -> str:
    return drill_page(DrillResult((), (), {}, False, 0.0))


def test_a_preview_draws_all_that_it_holds_under_its_policy(window: Browser, preview: str, tmp_path: Path):
    (blocked,) = opened(window, tmp_path, preview)
    assert "https://a.example/b.png" in blocked  # the picture in the note's Markdown
    assert "img-src data:" in blocked
    assert window.run("return document.title") == DASHBOARD["title"]
    assert window.run("return document.querySelectorAll('svg path').length") > 0
    assert window.run("return getComputedStyle(document.querySelector('main .grid')).display") == "grid"


@pytest.mark.parametrize("page", ["preview", "drill"])
@pytest.mark.parametrize(
    ("inserted", "directive"),
    [
        ("<script>document.title = 'run'</script>", "script-src"),
        ("<script src='https://a.example/a.js'></script>", "script-src"),
        (
            "<b onclick=\"document.title = 'run'\"></b><img src='data:,' onerror=\"document.title = 'run'\">",
            "script-src",
        ),
        ("<img src='https://a.example/a.png'>", "img-src"),
        ("<link rel='stylesheet' href='https://a.example/a.css'>", "style-src"),
        ("<iframe src='https://a.example/'></iframe>", "default-src"),
    ],
)
def test_what_slips_into_a_page_is_not_run_and_not_loaded(
    window: Browser, preview: str, tmp_path: Path, page: str, inserted: str, directive: str
):
    text = {"preview": preview, "drill": drill()}[page]
    title = text.partition("<title>")[2].partition("</title>")[0]
    log = opened(window, tmp_path, text.replace("</body>", f"{inserted}</body>"))
    assert any("Content Security Policy" in line and directive in line for line in log), log
    assert window.run("return document.title") != "run"
    assert title


def test_without_the_policy_a_script_would_run(window: Browser, preview: str, tmp_path: Path):
    """The test above can fail: the same script in the same page, its policy taken out."""
    before, _, after = preview.partition('<meta http-equiv="Content-Security-Policy"')
    without = before + after.partition(">")[2]
    opened(window, tmp_path, without.replace("</body>", "<script>document.title = 'run'</script></body>"))
    assert window.run("return document.title") == "run"
