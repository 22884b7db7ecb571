"""The pages in a real headless Chromium, without a mouse."""

import pytest
from pages_data import EVIL

pytestmark = pytest.mark.browser

TAB, ENTER, ESCAPE, SPACE, UP, DOWN = "\ue004", "\ue007", "\ue00c", " ", "\ue013", "\ue015"
FIELD = "const box = document.querySelector('input[name=q]');"
STATE = FIELD + (
    "return {value: box.value, caret: box.selectionStart, expanded: box.getAttribute('aria-expanded'),"
    " offers: [...document.querySelectorAll('[role=option]')].map(e => e.textContent),"
    " marked: (document.getElementById(box.getAttribute('aria-activedescendant')) || {}).textContent || ''}"
)


@pytest.fixture(autouse=True)
def sized(window):
    window.viewport(1280, 900)


@pytest.fixture
def field(site, window):
    """The explorer with the caret in its field; what was typed, and what is offered."""
    window.open(f"{site.url}/metrics")
    window.run(f"{FIELD} box.focus()")

    def typed(*keys):
        for one in keys:
            window.press(one)
        return window.run(STATE)

    return typed


def focused(browser):
    return browser.run(
        "const e = document.activeElement, style = getComputedStyle(e);"
        "return [e.name || e.textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)]"
    )


def test_tab_goes_through_a_page_in_reading_order_and_every_stop_is_seen(site, window):
    window.open(f"{site.url}/dashboards/pipeline")
    stops = []
    for _ in range(17):
        window.press(TAB)
        name, style, width = focused(window)
        stops.append(name)
        assert (style, width >= 2) == ("solid", True), name
    assert stops[:5] == ["Overview", "Dashboards", "Monitors", "Executions", "State machines"]
    assert stops[5:10] == ["Functions", "Logs", "Metrics", "SLOs", "Events"]
    assert stops[10:13] == ["tpl_var_env", "tpl_var_statemachine", "from"]
    assert stops[13:16] == ["Custom", "Local time", "Live"]
    assert stops[16].startswith("What to do")  # the first widget


def test_a_drop_down_is_chosen_with_the_arrows(site, window):
    window.open(f"{site.url}/dashboards/pipeline")
    window.run("document.querySelector('select[name=from]').focus()")
    window.press(DOWN)
    window.until("return location.search.includes('from=-1d')")


@pytest.mark.parametrize("key", [ENTER, SPACE])
def test_a_row_of_the_waterfall_opens_and_closes(site, window, key):
    window.open(f"{site.url}/executions/00000000000000aa")
    window.run("document.querySelectorAll('.fall summary')[1].focus()")
    opened = "return document.querySelectorAll('.fall details')[1].open"
    window.press(key)
    assert window.run(opened) is True
    window.press(key)
    assert window.run(opened) is False
    window.press(TAB)
    assert window.run("return document.activeElement.innerText.includes('aws.lambda identify-slide')")


def test_a_query_is_written_with_the_completion_alone(field, window):
    assert field("sum:exec")["offers"][0].startswith("aws.states.executions_")
    assert field("utions_f")["offers"] == ["aws.states.executions_failed"]
    found = field(DOWN)
    assert (found["marked"], found["expanded"]) == ("aws.states.executions_failed", "true")
    found = field(ENTER)
    assert found["value"] == "sum:aws.states.executions_failed{}"
    assert found["caret"] == len("sum:aws.states.executions_failed{")
    assert found["offers"] == ["*", "env", "statemachinearn"]  # the keys of this metric, and of no other
    found = field("state", DOWN, ENTER)
    assert found["value"] == "sum:aws.states.executions_failed{statemachinearn:}"
    assert [one.rpartition(":")[2] for one in found["offers"]] == ["orders", "slides"]
    found = field("sli", DOWN, TAB)  # Tab takes what is marked, and stays
    assert found["value"].endswith(":slides}")
    found = field("}", " b", DOWN, ENTER, DOWN, DOWN, ENTER)  # a bracket that is there is stepped over
    assert found["value"].endswith(":slides} by {statemachinearn}")
    found = field("}", ".as_c", DOWN, ENTER)
    assert found["value"].endswith(" by {statemachinearn}.as_count()")
    assert found["expanded"] == "false"
    window.press(ENTER)
    window.until("return location.search.includes('as_count')")
    assert window.run("return document.querySelectorAll('main svg path').length") > 0
    assert window.log() == []


def test_arrows_go_round_and_escape_leaves_what_was_typed(field):
    found = field("avg:aws.", UP)
    assert found["marked"] == found["offers"][-1]
    assert field(DOWN)["marked"] == found["offers"][0]
    found = field(ESCAPE)
    assert (found["value"], found["offers"], found["marked"]) == ("avg:aws.", [], "")


def test_a_metric_without_an_aggregator_is_taken_as_a_whole_query(field):
    assert field("executions_f", DOWN, ENTER)["value"] == "sum:aws.states.executions_failed{*}.as_count()"


def test_enter_without_a_mark_sends_what_was_typed(field, window):
    assert field("avg:aws.lambda.duration{*}")["marked"] == ""
    window.press(ENTER)
    window.until("return location.search.includes('duration')")


def test_what_the_data_says_is_offered_as_text(site, field, window):
    status = window.run(
        "const done = fetch('/api/v2/series', {method: 'POST', headers: {'DD-API-KEY': 'k', 'Content-Type':"
        " 'application/json'}, body: JSON.stringify({series: [{metric: 'evil.one', type: 3, points:"
        " [{timestamp: Math.floor(Date.now() / 1000), value: 1}], tags: [arguments[0]]}]})}); return done"
        ".then(a => a.status)",
        f"name:{EVIL}",
    )
    assert status == 202
    window.open(f"{site.url}/metrics")
    window.run(f"{FIELD} box.focus()")
    found = field("avg:evil", DOWN, ENTER, "name", DOWN, ENTER)
    assert any("script" in one for one in found["offers"])
    assert window.run("return document.title") != "taken"
    assert window.run("return document.querySelectorAll('#offers script').length") == 0
