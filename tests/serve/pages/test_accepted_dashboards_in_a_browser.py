"""Every dashboard that Datadog accepted, opened in a real headless Chromium: nothing breaks, every widget says something."""

import json
import time

import pytest
from shared_data import shared_data

from monitoring.local_datadog import LocalDatadog
from monitoring.preview.data import definitions
from monitoring.preview.sample import sample
from monitoring.resources.catalogue import known_metrics
from monitoring.serve.pages import page_routes

pytestmark = pytest.mark.browser

LOOK = """
const said = e => [...e.querySelectorAll('svg text, p, td, li, h1, h2, pre')].some(t => t.textContent.trim())
  || e.textContent.trim() !== '';
const marks = e => e.querySelectorAll('svg path, svg rect, svg circle, svg line, table tr').length;
const boxes = [...document.querySelectorAll('section.widget, section.group')];
return {
  title: document.title,
  kinds: boxes.map(e => e.dataset.type ?? (e.matches('.note') ? 'note' : 'group')),
  silent: boxes.filter(e => !said(e) && !marks(e) && e.querySelector('.widget') === null)
               .map(e => e.dataset.path ?? e.className),
  sizes: boxes.filter(e => e.getBoundingClientRect().height < 10 || e.getBoundingClientRect().width < 10).length,
  wide: document.documentElement.scrollWidth - innerWidth,
  cut: [...document.querySelectorAll('section.widget > svg')].filter(s => s.getBoundingClientRect().width).flatMap(s => {
    const outer = s.getBoundingClientRect();
    return [...s.querySelectorAll('text')].filter(t => {
      const r = t.getBoundingClientRect();
      return r.width && (r.left < outer.left - 3 || r.right > outer.right + 3 || r.bottom > outer.bottom + 4);
    }).map(t => s.closest('section').dataset.type + ': ' + t.textContent);
  }),
  odd: [...document.querySelectorAll('svg *')].some(e => [...e.attributes].some(a => /NaN|Infinity|undefined/.test(a.value)
       && a.name !== 'aria-label')),
};
"""


def accepted():
    """(key, body) of every dashboard of the recorded requests that has widgets."""
    rows = [json.loads(text) for text in shared_data("accepted_dashboards.jsonl").read_text().splitlines()]
    bodies = [row["request"] for row in rows if row["request"] and row["request"].get("widgets")]
    return {f"accepted-{at}": body for at, body in enumerate(bodies)}


@pytest.fixture(scope="module")
def bodies():
    return accepted()


@pytest.fixture(scope="module")
def url(tmp_path_factory, bodies):
    root = tmp_path_factory.mktemp("accepted")
    (root / "dashboards").mkdir()
    now = int(time.time()) // 60 * 60
    with LocalDatadog(pages=lambda store: page_routes(store, root)) as server:
        for key, body in bodies.items():
            (root / "dashboards" / f"{key}.json").write_text(json.dumps(body))
            server.store.add_points(sample(body, now - 3600, now, known_metrics()))
        yield server.url


SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def problems(window, url, bodies):
    """What is wrong with any of the pages in a window of any size, by the dashboard's key and the size."""
    found, sizes = {}, [*SIZES.items()]
    for key, body in bodies.items():
        window.open(f"{url}/dashboards/{key}?from=-1h")
        expected = sum(1 for one in definitions(body["widgets"]) if one in _shown(body))
        sizes.reverse()  # a page begins with the size of the last one: half of them are opened with each
        for size, (width, height) in sizes:
            window.viewport(width, height)
            look, log = window.run(LOOK), window.log()
            faults = {
                "console": log,
                "missing": expected - len(look["kinds"]),
                "silent": look["silent"],
                "flat": look["sizes"],
                "wide": max(look["wide"], 0),
                "odd": look["odd"],
                "cut": look["cut"],
            }
            if any(faults.values()) or str(body.get("title")) not in look["title"]:
                found[key, size] = {name: fault for name, fault in faults.items() if fault} or look["title"]
    return found


def _shown(body):
    """The definitions that are a widget of their own: the one inside of a split graph is repeated by it."""
    inside = [one.get("source_widget_definition") for one in definitions(body["widgets"])]
    return [one for one in definitions(body["widgets"]) if one not in inside]


def test_every_accepted_dashboard_opens_without_an_error_and_every_widget_says_something(url, window, bodies):
    assert len(bodies) >= 100
    window.log()
    assert problems(window, url, bodies) == {}
