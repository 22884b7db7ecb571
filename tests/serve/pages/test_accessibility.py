"""Every page without a violation of axe-core's rules, wide and narrow, light and dark; and colours that can be read.

axe-core is installed from npm; STEPSCOPE_AXE names an `axe.min.js` that is there already. Screenshots of all
pages are kept where STEPSCOPE_ARTIFACTS names a folder.
"""

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from monitoring.graph import picture as graph_picture
from monitoring.preview import picture, theme

AXE = "axe-core@4.14.1"
PAGES = (
    "/",
    "/dashboards",
    "/dashboards/pipeline",
    "/monitors",
    "/monitors/failed",
    "/monitors?state=Alert&q=fail",
    "/executions",
    "/executions?from=-2d&to=-1d",
    "/executions/00000000000000aa",
    "/executions/00000000000000aa?step=0000000000000003",
    "/machines",
    "/machines/orders",
    "/machines/orders?against=before",
    "/machines/orders?show=cost",
    "/machines/orders?show=drill",
    "/machines/orders?from=-3d&to=-2d",
    "/functions",
    "/functions/orders-pay",
    "/logs",
    "/metrics",
    "/metrics?q=sum:aws.states.executions_failed{*}",
    "/metrics?q=sum:x{",
    "/slos",
    "/slos/succeed",
    "/events",
    "/downtimes",
    "/monitors/none",
    "/logs?from=soon",
)
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.flatMap(rule =>
  rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)} ${(node.any[0] || {}).message || ''}`))));
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The text of axe-core."""
    if ready := os.environ.get("STEPSCOPE_AXE"):
        return Path(ready).read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("axe")
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix", str(folder)]
    found = subprocess.run(
        ["npm", "install", *options, AXE], capture_output=True, text=True, timeout=280, check=False
    )
    if found.returncode:
        pytest.skip(f"npm cannot install axe-core: {found.stderr[-300:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.node
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm") and "STEPSCOPE_AXE" not in os.environ, reason="needs npm")
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False), (390, True)])
def test_axe_finds_no_violation(incident, window, axe, path, width, dark):
    window.viewport(width, 1000)
    window.dark(dark)
    window.open(incident + path)
    window.run(axe)
    name = re.sub(r"\W+", "-", path).strip("-") or "overview"
    window.shot(f"page-{name}-{width}-{'dark' if dark else 'light'}")
    assert window.ask("POST", "/execute/async", {"script": RUN, "args": []}) == []
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")


# -- colours, by WCAG's contrast


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)


INKS = ("ink", "muted", "good", "warn", "bad", "link")


@pytest.mark.parametrize(("ink", "back"), list(itertools.product(INKS, ("page", "panel"))))
@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_the_page_and_on_panels(colours, ink, back):
    assert contrast(getattr(colours, ink), getattr(colours, back)) >= 4.5


@pytest.mark.parametrize(
    "back",
    [
        *theme.BADGES.values(),
        *picture.GROUP_COLOURS.values(),
        *(row[0] for row in theme.CONDITIONAL.values() if row[1] == "#ffffff"),
    ],
)
def test_white_can_be_read_on_badges_groups_and_conditional_formats(back):
    assert contrast("#ffffff", back) >= 4.5


@pytest.mark.parametrize(
    "edge", sorted({*graph_picture.STATUS_COLORS.values(), *graph_picture.TYPE_COLORS.values()})
)
def test_the_edges_of_states_stand_out(edge):
    assert contrast(edge, theme.LIGHT.panel) >= 3
