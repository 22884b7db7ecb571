"""Scopes that the product puts together: template variables, a host map's scope, a split graph's tags."""

import xml.etree.ElementTree as ET

import pytest

from monitoring.preview.charts.fields import sunburst
from monitoring.preview.charts.shapes import Frame, Row
from monitoring.preview.picture import picture_of, prepared
from monitoring.preview.render import data_of, made_up
from monitoring.preview.theme import LIGHT
from monitoring.preview.variables import as_search, put_in, variables_of
from monitoring.query import format as format_query
from monitoring.query import parse
from monitoring.query.narrowing import narrowed

WINDOW = (1_772_323_200, 1_772_326_800)
VARIABLES = [
    {"name": "shop", "prefix": "shop", "defaults": ["s"]},
    {"name": "shop.region", "prefix": "region", "defaults": ["eu", "us"]},
    {"name": "all", "prefix": "env", "defaults": ["*"]},
    {"name": "my-host", "prefix": "host", "defaults": ["h1"]},
    {"name": "a.value", "prefix": "a", "defaults": ["q"]},
]


@pytest.mark.parametrize(
    ("text", "filled", "search"),
    [
        ("{$shop.region}", "{region IN (eu, us)}", "{region:(eu OR us)}"),
        ("{$shop}", "{shop:s}", "{shop:s}"),
        ("{$shop.value}", "{s}", "{s}"),
        ("{region:$shop.region.value}", "{region IN (eu, us)}", "{region:(eu OR us)}"),
        ("{$all}", "{*}", "{*}"),
        ("{env:$all.value}", "{env:*}", "{env:*}"),
        ("{$my-host}", "{host:h1}", "{host:h1}"),
        ("{$my-hosts}", "{$my-hosts}", "{$my-hosts}"),
        ("{$shops}", "{$shops}", "{$shops}"),
        ("{$a.value}", "{a:q}", "{a:q}"),
        ("{$none}", "{$none}", "{$none}"),
    ],
)
def test_the_longest_defined_name_wins(text, filled, search):
    variables = variables_of({"template_variables": VARIABLES}, {})
    assert put_in(text, variables) == filled
    assert as_search(text, variables) == search


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{$shop.region,x:y}", "{region IN (eu, us) AND x:y}"),
        ("{x:y,$shop.region}", "{x:y AND region IN (eu, us)}"),
        ("{!$shop.region,!x:y}", "{NOT region IN (eu, us) AND NOT x:y}"),
        ("{x:y,$all}", "{x:y,*}"),
        ("{x:y or x:z,$all}", "{x:y or x:z}"),
        ("{x:y or x:z,$shop,!$all}", "{(x:y or x:z) AND shop:s AND NOT *}"),
        ("{x:y,!z:w}", "{x:y,!z:w}"),
        ("{x:y AND $shop.region}", "{x:y AND region IN (eu, us)}"),
        ("{arn:*:function:$shop.value}", "{arn:*:function:s}"),
        ("{arn:*:function:$all.value}", "{arn:*:function:*}"),
        ("{arn:*:function:$shop.region.value}", "{(arn:*:function:eu OR arn:*:function:us)}"),
        ("{host:web-$shop.region.value}", "{(host:web-eu OR host:web-us)}"),
        ("{!host:web-$shop.region.value,x:y}", "{NOT (host:web-eu OR host:web-us) AND x:y}"),
        ("{x:y,z:w} / avg:b{$shop.region,k:v}", "{x:y,z:w} / avg:b{region IN (eu, us) AND k:v}"),
    ],
)
def test_several_values_fit_every_notation(text, filled):
    query = put_in(f"avg:a{text}", variables_of({"template_variables": VARIABLES}, {}))
    assert query == f"avg:a{filled}"
    parse(query)


SCOPES = ("*", "x:y", "!x:y", "x:y,!z:w", "x:y,z:w", "x:y AND z:w", "NOT x:y", "x:y OR z:w", "x IN (y, z)")


@pytest.mark.parametrize("scope", SCOPES)
def test_filters_are_joined_as_trees_whatever_their_notation(scope):
    for added in SCOPES:
        for query in (f"avg:a{{{scope}}} by {{k}}", f"avg:a{{{scope}}} / sum:b{{x:y,!z:w}}.as_count()"):
            text = format_query(narrowed(parse(query), added, "last:one"))
            assert format_query(parse(text)) == text
            assert text.count("last:one") == query.count("{") - query.count(" by {")


def test_a_host_map_with_its_own_scope_and_a_split_graph_are_drawn():
    query = "avg:shop.cpu{$shop.region,$all} by {host}"
    host_map = {
        "type": "hostmap",
        "requests": {"fill": {"q": query}},
        "scope": ["$shop.region", "$all", "!role:db"],
        "group": ["az"],
    }
    split = {
        "type": "split_group",
        "source_widget_definition": {"type": "timeseries", "requests": [{"q": "avg:a{x:y,!z:w} by {k}"}]},
        "split_config": {
            "split_dimensions": [{"one_graph_per": "k"}, {"one_graph_per": "l"}],
            "static_splits": [
                [{"tag_key": "k", "tag_values": ["1"]}, {"tag_key": "l", "tag_values": ["2"]}],
            ],
        },
    }
    for definition in (host_map, split):
        body = {"title": "T", "layout_type": "ordered", "template_variables": VARIABLES}
        body |= {"widgets": [{"definition": definition}]}
        given = made_up(body, WINDOW, {}, {})
        drawing = prepared(body, data_of(given.source, WINDOW, given.facts), given.monitors)
        words = " ".join(ET.fromstring(picture_of(body, drawing, LIGHT)).itertext())
        assert "cannot" not in words
        assert "has no value" not in words


@pytest.mark.parametrize("values", [(5.0,), (5.0, 0.0), (5.0, 1e-9)])
def test_a_ring_of_one_slice_is_closed(values):
    drawn = sunburst(Frame(300, 150, LIGHT), [Row(f"k:{at}", (value,)) for at, value in enumerate(values)])
    first = [part for part in drawn.split("<path")[1:] if 'd="M' in part][:2]
    assert len(first) == 2
    for path in first:  # an arc whose two ends have one place is not drawn
        start, _, arc = path.partition('d="M')[2].partition("A")
        assert start != arc.partition("L")[0].rpartition(" 1 ")[2]
