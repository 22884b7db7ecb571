"""Charts in a real headless Chromium: crosshair, zoom, legend, full screen, zone, and data that arrive."""

import json
import time

import numpy as np
import pytest
from incident import NOW, fill, write_project

from monitoring.local_datadog import LocalDatadog
from monitoring.query.series import Series
from monitoring.serve.pages import page_routes

pytestmark = pytest.mark.browser

ARROW_LEFT, ARROW_RIGHT, ENTER, ESCAPE = "\ue012", "\ue014", "\ue007", "\ue00c"
READINGS = (
    "return [...document.querySelectorAll('.chart .overlay:not([hidden]) .reading')].map(e => e.innerText)"
)
POINT = """
const chart = document.querySelectorAll('.chart')[arguments[0]], svg = [...chart.querySelectorAll('svg')]
  .find(e => e.getBoundingClientRect().width > 0), box = svg.getBoundingClientRect();
const at = {bubbles: true, clientX: box.left + box.width * arguments[1], clientY: box.top + 40, button: 0, pointerId: 1,
  pointerType: 'mouse'};
if (arguments[2] === 'pointerdown') chart.setPointerCapture = () => {};
svg.dispatchEvent(new PointerEvent(arguments[2], at));
"""


def graph(title, query):
    return {"type": "timeseries", "title": title, "requests": [{"q": query}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "dashboards").mkdir()
    widgets = [
        graph("Calls", "sum:shop.calls{*} by {function}.as_count()"),
        graph("Time", "avg:shop.time{*}"),
        graph("Nothing", "avg:shop.nothing{*}"),
    ]
    body = {"title": "Shop", "layout_type": "ordered", "widgets": [{"definition": one} for one in widgets]}
    (root / "dashboards" / "shop.json").write_text(json.dumps(body))
    place = {"x": 2, "y": 2, "width": 60, "height": 24}
    free = [{"definition": graph("Calls", "sum:shop.calls{*} by {function}.as_count()"), "layout": place}]
    (root / "dashboards" / "free.json").write_text(
        json.dumps({"title": "Free", "layout_type": "free", "widgets": free})
    )
    (root / "monitors").mkdir()
    monitor = {
        "name": "calls",
        "type": "query alert",
        "query": "sum(last_5m):sum:shop.calls{*} by {function}.as_count() > 90",
        "message": "@a",
        "options": {"thresholds": {"critical": 90}},
    }
    (root / "monitors" / "calls.json").write_text(json.dumps(monitor))
    with LocalDatadog(pages=lambda store: page_routes(store, root, clock=lambda: NOW)) as server:
        times = np.arange(NOW - 7200, NOW, 60)
        for number, name in enumerate(("<b>pay</b>", "ship"), 1):
            values = np.full(len(times), float(number))
            server.store.add_points([Series("shop.calls", (f"function:{name}",), times, values, "count", 60)])
        server.store.add_points([Series("shop.time", (), times, np.linspace(0, 3, len(times)))])
        yield server


@pytest.fixture
def page(site, window):
    window.viewport(1280, 900)
    window.open(f"{site.url}/dashboards/shop?from=-1h")
    window.run("localStorage.clear()")
    window.open(f"{site.url}/dashboards/shop?from=-1h")
    window.log()
    return window


def test_a_pointer_reads_every_chart_of_the_page_at_its_time(page):
    page.run(POINT, 0, 0.5, "pointermove")
    calls, seconds = page.run(READINGS)
    assert calls.splitlines()[1:] == ["<b>pay</b> 1", "ship 2"]
    assert seconds.splitlines()[0] == calls.splitlines()[0]
    assert calls.startswith("2026-11-") and calls.splitlines()[0].endswith(" UTC")
    page.shot("charts-crosshair")
    page.run("document.querySelector('.chart').dispatchEvent(new PointerEvent('pointerleave'))")
    assert page.run(READINGS) == []
    assert page.log() == []


@pytest.mark.parametrize("path", ["/dashboards/free", "/monitors/calls"])
def test_charts_of_free_boards_and_of_monitors_are_read_and_zoomed_too(window, site, path):
    window.viewport(1280, 900)
    window.open(f"{site.url}{path}?from=-1h")
    window.run("localStorage.clear()")
    window.run(POINT, 0, 0.5, "pointermove")
    (reading,) = window.run(READINGS)
    assert "pay" in reading
    assert "ship" in reading
    assert window.run("return document.querySelectorAll('.chart details.legend').length") == 1
    inside = """const box = document.querySelector('.chart').getBoundingClientRect();
        const around = document.querySelector('.chart').closest('section, .panel').getBoundingClientRect();
        return box.bottom <= around.bottom + 1 && box.right <= around.right + 1"""
    assert window.run(inside)
    for place, kind in ((0.3, "pointerdown"), (0.6, "pointermove"), (0.6, "pointerup")):
        window.run(POINT, 0, place, kind)
    window.until("return !location.search.includes('from=-1h')")


def test_a_chart_without_data_has_no_legend_and_nothing_to_read(page):
    assert page.run("return document.querySelectorAll('.chart').length") == 2


def test_the_legend_says_statistics_units_and_the_width_of_a_bucket(page):
    assert page.texts("details.legend summary")[0].startswith("2 series · a value each ")
    page.run("document.querySelector('.legend').open = true")
    cells = page.run(
        "return [...document.querySelectorAll('.legend tbody tr')].map(r => [...r.cells].map(e => e.innerText))"
    )
    assert len(cells) == 3  # two of the first chart, one of the second
    assert cells[0] == ["<b>pay</b>", "1", "1", "1", cells[0][4], "1"]
    assert cells[1][1:4] == ["2", "2", "2"]


def test_a_series_is_switched_off_and_on_by_keyboard(page):
    page.run("document.querySelector('.legend').open = true; document.querySelector('button.series').focus()")
    shown = (
        "return [...document.querySelectorAll('.chart')[0].querySelectorAll('[data-line=\"0\"]')]"
        ".filter(e => e.tagName === 'g').map(e => e.style.display)"
    )
    page.press(ENTER)
    assert set(page.run(shown)) == {"none"}
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "false"
    page.run(POINT, 0, 0.5, "pointermove")
    assert page.run(READINGS)[0].splitlines()[1:] == ["ship 2"]
    page.press(ENTER)
    assert set(page.run(shown)) == {""}


def test_dragging_zooms_to_the_time_and_keeps_the_other_parameters(page, site):
    page.open(f"{site.url}/dashboards/shop?from=-1h&tpl_var_env=prod")
    page.run(POINT, 0, 0.25, "pointerdown")
    page.run(POINT, 0, 0.75, "pointermove")
    page.run(POINT, 0, 0.75, "pointerup")
    page.until("return new URLSearchParams(location.search).get('from').includes('..')")
    start, end = map(int, page.run("return new URLSearchParams(location.search).get('from')").split(".."))
    assert NOW - 3600 < start < end < NOW
    assert 1200 < end - start < 2400
    assert page.run("return new URLSearchParams(location.search).get('tpl_var_env')") == "prod"
    assert page.run("return document.querySelectorAll('.chart').length") == 2


def test_a_click_is_no_zoom(page):
    before = page.run("return location.href")
    page.run(POINT, 0, 0.5, "pointerdown")
    page.run(POINT, 0, 0.5, "pointerup")
    assert page.run("return location.href") == before


def test_arrow_keys_move_the_crosshair_and_enter_zooms(page):
    page.run("document.querySelector('.widget:has(.chart)').focus()")
    page.press(ARROW_RIGHT)
    first = page.run(READINGS)[0].splitlines()[0]
    page.press(ARROW_RIGHT)
    assert page.run(READINGS)[0].splitlines()[0] > first
    assert page.run("return document.querySelector('.reading').getAttribute('role')") == "status"
    page.press(ESCAPE)
    assert page.run(READINGS) == []
    page.run(
        "const key = (name, shift) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: name, shiftKey: shift, bubbles: true})); for (let i = 0; i < 9; i++) key('ArrowRight', true); key('Enter')"
    )
    page.until("return new URLSearchParams(location.search).get('from').includes('..')")


def test_full_screen_covers_the_page_shows_the_legend_and_ends_with_escape(page):
    page.run(
        "document.querySelector('button.screen').click(); document.querySelector('.widget:has(.chart)').focus()"
    )
    box = page.run(
        "const b = document.querySelector('.full').getBoundingClientRect(); return [b.width, b.height]"
    )
    assert box == [1280, 900]
    assert page.run("return document.querySelector('.full .legend').open")
    page.shot("charts-full-screen")
    page.press(ESCAPE)
    assert page.run("return document.querySelector('.full')") is None


def test_a_range_of_ones_own_has_to_end_after_it_starts(page):
    script = """
    const form = document.querySelector('form.custom'), [first, last] = form.querySelectorAll('input[data-t]');
    form.parentElement.open = true;
    last.value = arguments[0]; first.value = arguments[1]; first.dispatchEvent(new Event('input'));
    form.querySelector('button').click();
    return last.validationMessage;
    """
    assert page.run(script, "2026-11-26T10:00", "2026-11-26T12:00") == "The end has to be after the start."
    assert "from=-1h" in page.run("return location.search")
    assert page.run(script, "2026-11-26T12:00", "2026-11-26T10:00") == ""
    page.until("return location.search.includes('..')")
    start, end = map(int, page.run("return new URLSearchParams(location.search).get('from')").split(".."))
    assert (end - start, end) == (7200, 1_795_694_400)


def test_times_are_written_in_the_readers_zone_and_back(page):
    page.ask(
        "POST",
        "/goog/cdp/execute",
        {"cmd": "Emulation.setTimezoneOverride", "params": {"timezoneId": "Asia/Tokyo"}},
    )
    try:
        axis = "return [...document.querySelectorAll('.chart svg.desk text[data-t], .chart svg text[data-t]')].map(e => e.textContent)[0]"
        before = page.run(axis)
        page.run("document.getElementById('zone').click()")
        after = page.run(axis)
        assert (int(after[:2]) - int(before[:2])) % 24 == 9
        page.run(POINT, 0, 0.5, "pointermove")
        assert "UTC" not in page.run(READINGS)[0]
        page.run("document.getElementById('zone').click()")
        assert page.run(axis) == before
    finally:
        page.ask(
            "POST",
            "/goog/cdp/execute",
            {"cmd": "Emulation.setTimezoneOverride", "params": {"timezoneId": ""}},
        )


def newest(site, value):
    site.store.add_points([Series("shop.time", (), np.array([NOW - 30]), np.array([value]))])


def test_what_arrives_appears_by_itself(page, site):
    time.sleep(1.0)  # the stream has to be watching first
    newest(site, 4711.0)
    page.until("return document.querySelector('main').textContent.includes('4.71k')", seconds=60)
    assert page.run("return document.querySelectorAll('.chart button.screen').length") == 2
    assert page.log() == []


def test_nobody_is_interrupted_by_what_arrives(page, site):
    page.run("document.querySelector('.legend').open = true")
    time.sleep(1.0)
    newest(site, 815_000.0)
    page.until("return !document.getElementById('arrived').hidden", seconds=60)
    assert "815k" not in page.run("return document.querySelector('main').textContent")
    page.run("document.getElementById('arrived').click()")
    page.until("return document.querySelector('main').textContent.includes('815k')", seconds=60)


def test_a_page_that_is_paused_or_of_the_past_stays_as_it_is(page, site):
    page.run("document.getElementById('live').click()")
    assert page.run("return document.getElementById('live').getAttribute('aria-pressed')") == "false"
    page.open(f"{site.url}/dashboards/shop?from={NOW - 3600}..{NOW - 60}")
    assert page.run("return document.getElementById('live')") is None


def test_a_large_graph_begins_at_the_state_that_failed(window, tmp_path):
    write_project(tmp_path)
    with LocalDatadog(pages=lambda store: page_routes(store, tmp_path, clock=lambda: NOW)) as server:
        fill(server.store)
        window.viewport(390, 700)
        window.open(f"{server.url}/executions/00000000000000aa")
        inside = window.run(
            "const graph = document.querySelector('.panel.graph'), room = graph.getBoundingClientRect(),"
            " box = graph.querySelector('g.state.failed').getBoundingClientRect();"
            " return box.left >= room.left - 1 && box.right <= room.right + 1 && box.top >= room.top - 1"
        )
        assert inside
        assert window.log() == []
