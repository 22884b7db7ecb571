"""Links of notes, messages and widgets: references lead to pages, custom links to what a widget shows."""

import numpy as np
import pytest

from monitoring.preview.data import Data
from monitoring.preview.links import custom_links, shown_links
from monitoring.preview.picture import prepared
from monitoring.query.series import Series
from monitoring.query.sources import SeriesSource


def address(kind, key):
    return f"/{kind}s/{key}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](/dashboard/${dashboard:one})", "[a](/dashboards/one)"),
        ("[a](/dashboard/${dashboard:one}/slug?from_ts=1)", "[a](/dashboards/one?from_ts=1)"),
        ("(https://app.datadoghq.com/dashboard/${dashboard:one}?a=b)", "(/dashboards/one?a=b)"),
        ("(https://app.datadoghq.eu/monitors/${monitor:m.x})", "(/monitors/m.x)"),
        ("(${var:app|https://app.datadoghq.com}/dashboard/${dashboard:one})", "(/dashboards/one)"),
        ("/slo/${slo:s} and /slo/${slo:s}", "/slos/s and /slos/s"),
        ("the monitor ${monitor:m}", "the monitor m"),
        ("${var:app|x} ${unknown:y} ${dashboard:}", "${var:app|x} ${unknown:y} ${dashboard:}"),
        ("https://example.com/dashboard/x", "https://example.com/dashboard/x"),
        ("", ""),
    ],
)
def test_a_reference_in_a_text_leads_to_its_page(text, shown):
    assert shown_links(text, address) == shown


def drawing(chosen=()):
    times = np.array([60, 120])
    series = [
        Series("m", (f"functionname:{name}", "env:prod"), times, np.array([1.0, 2.0]), type="gauge")
        for name in ("a", "b c")
    ]
    dashboard = {"template_variables": [{"name": "env", "prefix": "env", "default": "prod"}]}
    return prepared(dashboard, Data(SeriesSource(series), 0, 180), None, dict(chosen))


def widget(*links, query="avg:m{*} by {functionname}"):
    return {"type": "toplist", "requests": [{"q": query}], "custom_links": list(links)}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/x?env={{$env.value}}", ["/x?env=prod"]),
        ("/x?q={{$env}}", ["/x?q=env:prod"]),
        ("/x?f={{functionname.value}}&e={{$env.value}}", ["/x?f=a&e=prod", "/x?f=b%20c&e=prod"]),
        ("/x?f={{functionname}}", ["/x?f=a", "/x?f=b%20c"]),
        ("/x?from={{timestamp_start}}&to={{timestamp_end}}", ["/x?from=0&to=180000"]),
        ("/x?f={{host.value}}", []),  # no group has it
        ("/dashboard/${dashboard:d}", ["d.html"]),
    ],
)
def test_a_custom_link_has_the_values_that_the_widget_shows(link, expected):
    found = custom_links(widget({"label": "Go", "link": link}), drawing())
    assert [where for _, where in found] == expected


@pytest.mark.parametrize(
    "definition",
    [
        {},
        widget({"label": "no link"}),
        widget({"label": "hidden", "link": "/x", "is_hidden": True}),
        widget("text"),
        widget({"link": "/x?f={{functionname.value}}"}, query="avg:m{"),
    ],
)
def test_a_widget_without_links_that_can_be_shown_has_none(definition):
    assert custom_links(definition, drawing()) == []


def test_the_same_link_twice_is_one():
    link = {"label": "Go", "link": "/x"}
    assert custom_links(widget(link, link), drawing()) == [("Go", "/x")]
