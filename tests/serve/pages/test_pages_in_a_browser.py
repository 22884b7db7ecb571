"""The pages in a real headless Chromium; screenshots are kept where STEPSCOPE_ARTIFACTS names a folder."""

import json
import time

import pytest
from incident import REQUEST
from pages_data import FAILED, dashboard

pytestmark = pytest.mark.browser


@pytest.fixture
def browser(window):
    window.viewport(0, 0)
    window.resize(1280, 900)
    window.dark(False)
    window.log()
    return window


def test_a_dashboard_shows_every_widget_and_the_broken_one_says_why(site, browser):
    url, _ = site
    browser.open(f"{url}/dashboards/pipeline")
    browser.shot("dashboard")
    assert browser.run("return document.title") == "Slides pipeline · stepscope"
    kinds = browser.run(
        "return [...document.querySelectorAll('.widget[data-type]')].map(e => e.dataset.type)"
    )
    assert kinds == ["query_value", "timeseries", "toplist", "timeseries", "alert_graph"]
    assert any("^^^" in text for text in browser.texts(".widget text"))
    assert browser.run("return document.querySelectorAll('.widget rect').length") > 20
    assert browser.log() == []


def test_a_drop_down_narrows_the_dashboard_at_once(site, browser):
    url, _ = site
    browser.open(f"{url}/dashboards/pipeline")
    options = browser.run(
        "return [...document.querySelectorAll('select[name=tpl_var_statemachine] option')].map(e => e.value)"
    )
    orders = next(value for value in options if value.endswith(":orders"))
    browser.run(
        "const e = document.querySelector('select[name=tpl_var_statemachine]');"
        "e.value = arguments[0]; e.dispatchEvent(new Event('change'))",
        orders,
    )
    browser.until("return location.search.includes('orders')")
    legends = "".join(browser.texts(".widget[data-type=timeseries] text"))
    assert "statemachine:orders" in legends or "orders" in "".join(browser.texts(".widget title"))
    assert "statemachine:slides" not in legends


def test_another_time_range_is_one_choice_away(site, browser):
    url, _ = site
    browser.open(f"{url}/dashboards/pipeline")
    browser.run(
        "const e = document.querySelector('select[name=from]'); e.value = '-1w'; e.dispatchEvent(new Event('change'))"
    )
    browser.until("return new URLSearchParams(location.search).get('from') === '-1w'")
    assert browser.run("return document.querySelector('select[name=from]').value") == "-1w"


def test_a_changed_file_is_shown_without_a_hand(site, browser):
    url, root = site
    browser.open(f"{url}/dashboards/pipeline")
    body = {**dashboard(), "title": "Renamed while you look"}
    time.sleep(1.2)  # the stream has to be watching first
    (root / "dashboards" / "pipeline.json").write_text(json.dumps(body))
    browser.until("return document.title.startsWith('Renamed')")
    (root / "dashboards" / "pipeline.json").write_text(json.dumps(dashboard()))


def test_an_execution_is_a_waterfall_that_opens_by_keyboard(site, browser):
    url, _ = site
    browser.open(f"{url}/executions")
    browser.run("document.querySelector('table a').click()")
    browser.until("return location.pathname.startsWith('/executions/')")
    names = browser.texts(".fall .name")
    assert names[:4] == ["slides", "Identify", "aws.lambda identify-slide", "dynamodb.get_item slides"]
    lefts = browser.run("return [...document.querySelectorAll('.bar')].map(e => parseFloat(e.style.left))")
    assert lefts[0] == 0 < lefts[1] < lefts[2] < lefts[3]
    browser.run("document.querySelector('.fall summary').focus()")
    browser.press("\ue007")  # Enter
    assert browser.run("return document.querySelector('.fall details').open")
    browser.shot("execution")
    assert browser.log() == []


def test_a_monitor_shows_its_history_evidence_and_message(site, browser):
    url, _ = site
    browser.open(f"{url}/monitors/failed?from=-1d")
    browser.shot("monitor")
    assert browser.run("return document.querySelectorAll('.band i').length") >= 2
    assert any("@slack-ops" in text for text in browser.texts("td"))
    assert browser.log() == []


def test_clicks_lead_from_a_firing_monitor_to_the_log_line_and_back(incident, browser):
    browser.open(incident)

    def click(selector, until):
        browser.run("document.querySelector(arguments[0]).click()", selector)
        browser.until(until)

    click('a[href="/monitors/failed"]', "return location.pathname === '/monitors/failed'")
    click('main a[href*="status=failed"]', "return location.pathname === '/executions'")
    click('main a[href^="/executions/"]', "return location.pathname.startsWith('/executions/')")
    assert any(REQUEST in line for line in browser.texts(".logs .is-bad code"))
    browser.run(
        "document.querySelector('.state-machine-graph a').dispatchEvent(new MouseEvent('click', {bubbles: true, view: window}))"
    )
    browser.until("return location.hash === '#s-0000000000000002'")
    browser.shot("execution-step")
    click('main a[href^="/functions/"]', "return location.pathname === '/functions/orders-pay'")
    click('main a[href^="/executions/"]', "return location.pathname.startsWith('/executions/')")
    browser.run("history.go(-5)")
    browser.until("return location.pathname === '/monitors/failed'", seconds=60)
    assert browser.log() == []


def test_it_reads_on_a_phone_and_in_the_dark(site, browser):
    url, _ = site
    browser.dark()
    browser.viewport(390, 844)
    browser.open(f"{url}/dashboards/pipeline")
    browser.shot("dashboard-phone-dark")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    colour = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 150
    for path in (
        "/",
        "/dashboards",
        "/monitors",
        "/monitors/failed",
        "/executions/00000000000000aa",
        "/metrics",
    ):
        browser.open(url + path)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path
    browser.viewport(0, 0)


def test_letters_of_a_wide_graph_can_be_read_on_a_phone(site, browser):
    """What is seen is not smaller than two thirds of what it was drawn as, whatever the widget's width."""
    url, _ = site
    browser.viewport(390, 844)
    for path in ("/dashboards/pipeline", f"/metrics?q={FAILED}", "/monitors/failed"):
        browser.open(url + path)
        sizes = browser.run(
            "return [...document.querySelectorAll('main svg text')].filter(t => t.getBoundingClientRect().width)"
            ".map(t => parseFloat(t.getAttribute('font-size')) * t.ownerSVGElement.getScreenCTM().a)"
        )
        assert sizes and min(sizes) >= 6.5, path
    browser.viewport(0, 0)


def test_script_in_the_data_never_runs(site, browser):
    url, _ = site
    for path in ("/dashboards/pipeline", "/executions/00000000000000aa"):
        browser.open(url + path)
        assert browser.run("return document.title") != "taken"
