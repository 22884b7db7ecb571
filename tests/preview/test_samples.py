"""A sample has something for everything that a widget asks for, in the range of its unit."""

import json
from itertools import pairwise

import numpy as np
import pytest
from shared_data import shared_data

from monitoring.preview.picture import picture_of, prepared
from monitoring.preview.render import data_of, made_up
from monitoring.preview.sample import sample, sample_queries, satisfying
from monitoring.preview.theme import LIGHT
from monitoring.query import parse

WINDOW = (1_772_323_200, 1_772_409_600)
EMPTY = ("No data", "No host has", "No span fits", "has sent no", "fits in this time", "has the tag", "–<")


def board(definition, **more):
    return {"title": "T", "layout_type": "ordered", "widgets": [{"definition": definition}], **more}


def picture(body):
    given = made_up(body, WINDOW, {}, {})
    drawing = prepared(body, data_of(given.source, WINDOW, given.facts), given.monitors)
    drawn = picture_of(body, drawing, LIGHT)
    assert not drawing.failures
    return drawn


def is_empty(body):
    drawn = picture(body)
    return any(words in drawn for words in EMPTY)


def events(source="logs", search="source:shop", aggregation="count", metric="", by=(), formula="q", **more):
    compute = {"aggregation": aggregation, **({"metric": metric} if metric else {})}
    group_by = [{"facet": facet, "limit": 10} for facet in by]
    query = {"data_source": source, "name": "q", "search": {"query": search}, "compute": compute}
    return {
        "requests": [
            {"queries": [{**query, "group_by": group_by}], "formulas": [{"formula": formula}], **more}
        ]
    }


def metrics(*queries, formula="a"):
    named = [
        {"data_source": "metrics", "name": name, "query": query}
        for name, query in zip("abc", queries, strict=False)
    ]
    return {"requests": [{"queries": named, "formulas": [{"formula": formula}]}]}


ASKED = {
    "a facet": {"type": "toplist", **events(by=["@usr.name"])},
    "two facets": {"type": "sunburst", **events(by=["@usr.name", "@network.client.geoip.city.name"])},
    "a measure": {"type": "query_value", **events(aggregation="avg", metric="@network.bytes")},
    "a percentile of a measure by a facet": {
        "type": "timeseries",
        **events(aggregation="pc95", metric="@duration", by=["@http.method"]),
    },
    "how many different": {"type": "query_value", **events(aggregation="cardinality", metric="@usr.id")},
    "a search with everything": {
        "type": "query_table",
        **events(
            search='source:shop @a.b:(x OR "y z") -@c:d NOT e:f @n:>=500 @r:[400 TO 499] word "two words" @w:ab* @all:*',
            by=["@a.b", "@all"],
        ),
    },
    "variables": {"type": "toplist", **events(search="source:shop $host $all @x:$all.value", by=["host"])},
    "countries": {"type": "geomap", **events(by=["@network.client.geoip.country.iso_code"])},
    "events": {"type": "toplist", **events("events", "source:deploy", by=["service"])},
    "spans": {"type": "toplist", **events("spans", "service:web", by=["resource_name"])},
    "RUM": {"type": "toplist", **events("rum", "@type:view", by=["@view.url_path"])},
    "security signals": {"type": "query_value", **events("security_signals", "source:okta status:high")},
    "a ratio": {"type": "query_value", **events(formula="100 * q / q")},
    "a distribution": {"type": "distribution", **events(aggregation="avg", metric="@duration")},
    "a list": {
        "type": "list_stream",
        "requests": [
            {
                "response_format": "event_list",
                "query": {"data_source": "logs_stream", "query_string": "source:shop @usr.id:*"},
                "columns": [{"field": "timestamp"}, {"field": "@usr.id"}, {"field": "@duration"}],
            }
        ],
    },
    "an old request": {
        "type": "toplist",
        "requests": [
            {
                "log_query": {
                    "index": "*",
                    "search": {"query": "source:shop"},
                    "compute": {"aggregation": "avg", "facet": "@bytes"},
                    "group_by": [{"facet": "@zone"}],
                }
            }
        ],
    },
    "monitors": {"type": "manage_status", "query": "tag:integration:shop"},
    "a check": {"type": "check_status", "check": "shop.up", "grouping": "check", "tags": ["a:b"]},
    "long ago": {
        "type": "timeseries",
        "time": {"type": "fixed", "from": 1_672_366_400_000, "to": 1_672_370_000_000},
        **metrics("avg:shop.load{*}"),
    },
    "longer than the dashboard": {
        "type": "query_value",
        "time": {"live_span": "1mo"},
        **metrics("sum:shop.orders{*}.as_count()"),
    },
    "the week before": {"type": "query_value", **metrics("avg:shop.load{*}", formula="week_before(a)")},
    "what changed": {
        "type": "change",
        "requests": [{"q": "avg:shop.load{*} by {zone}", "compare_to": "week_before"}],
    },
    "a split by chosen tags": {
        "type": "split_group",
        "source_widget_definition": {"type": "timeseries", **metrics("avg:shop.load{*}")},
        "split_config": {
            "split_dimensions": [{"one_graph_per": "shop"}],
            "static_splits": [
                [{"tag_key": "shop", "tag_values": ["north"]}, {"tag_key": "floor", "tag_values": []}],
                [{"tag_key": "stage", "tag_values": ["env"]}],
            ],
        },
    },
    "a split by every value": {
        "type": "split_group",
        "source_widget_definition": {"type": "timeseries", **metrics("avg:shop.load{env:prod}")},
        "split_config": {"split_dimensions": [{"one_graph_per": "shop"}], "limit": 4},
    },
    "alternatives": {"type": "timeseries", **metrics("avg:a{(x:1 OR x:2) AND y:3 AND NOT z:4} by {k}")},
    "several values": {"type": "timeseries", **metrics("avg:a{x IN (1,2,3) AND y NOT IN (4)} by {x}")},
    "a ratio of two scopes": {
        "type": "query_value",
        **metrics("sum:a{x:1,y:2} by {k}", "sum:a{*} by {k}", formula="a / b"),
    },
    "below a threshold": {"type": "timeseries", **metrics("count(v: v<5):shop.latency{*}.as_count()")},
    "a percentile": {"type": "query_value", **metrics("p95:shop.latency{a:*}")},
}
VARIABLES = [
    {"name": "host", "prefix": "host", "defaults": ["web-1"]},
    {"name": "all", "prefix": "zone", "defaults": ["*"]},
]


@pytest.mark.parametrize("name", ASKED)
def test_a_sample_has_what_a_widget_asks_for(name):
    assert not is_empty(board(ASKED[name], template_variables=VARIABLES))


def test_a_wider_search_counts_at_least_what_a_narrower_one_does():
    searches = ("", "source:shop", "source:shop @zone:a", "source:shop @zone:a @kind:b")
    body = board(ASKED["a facet"])
    body["widgets"] = [{"definition": {"type": "query_value", **events(search=text)}} for text in searches]
    given = made_up(body, WINDOW, {}, {})
    data = prepared(body, data_of(given.source, WINDOW, given.facts), given.monitors).data
    requests = [widget["definition"]["requests"][0] for widget in body["widgets"]]
    counts = [data.rows(request)[0].values[0] for request in requests]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 0


def test_few_widgets_of_accepted_dashboards_are_empty():
    rows = [json.loads(text) for text in shared_data("accepted_dashboards.jsonl").read_text().splitlines()]
    widgets = [
        (widget, body)
        for body in (row["request"] for row in rows)
        for widget in body["widgets"]
        if widget["definition"]["type"] not in {"group", "image", "iframe", "powerpack"}
    ]
    empty = [widget for widget, body in widgets if is_empty({**body, "widgets": [widget]})]
    assert len(empty) <= 0.02 * len(widgets), [widget["definition"] for widget in empty]


def level(name):
    (series,) = sample_queries([f"avg:{name}{{*}}"], *WINDOW, {})
    return series.values


def test_percentiles_of_a_family_are_in_order_and_shares_stay_below_100():
    for root in ("shop.latency", "shop.cpu.utilization"):
        family = [level(f"{root}.{end}") for end in ("min", "median", "p75", "p95", "p99", "p999", "max")]
        for lower, higher in pairwise(family):
            assert np.all(lower <= higher)
    for name in ("shop.cpu.percent", "shop.hit_ratio", "shop.pct.max", "shop.percent.p99"):
        values = level(name)
        assert np.all((values >= 0) & (values <= 100))


@pytest.mark.parametrize(
    ("scope", "sets"),
    [
        ("*", [()]),
        ("a:b", [("a:b",)]),
        ("A:B,c:d", [("a:b", "c:d")]),
        ("a:b AND (c:d OR e:f)", [("a:b", "c:d"), ("a:b", "e:f")]),
        ("a IN (b, c)", [("a:b",), ("a:c",)]),
        ("NOT a:b", [()]),
        ("a NOT IN (b)", [()]),
        ("plain", [("plain",)]),
    ],
)
def test_a_scope_is_satisfied_by_the_tags_that_it_asks_for(scope, sets):
    assert satisfying(parse(f"avg:m{{{scope}}}").scope) == sets


@pytest.mark.parametrize("aggregation", ["count", "avg", "max"])
def test_default_zero_leaves_the_one_value_of_a_whole_time_as_it_is(aggregation):
    values = []
    for formula in ("q", "default_zero(q)", "default_zero(q) + default_zero(q) - q"):
        asked = events(aggregation=aggregation, metric="@network.bytes", formula=formula)
        body = board({"type": "query_value", **asked})
        given = made_up(body, WINDOW, {}, {})
        data = prepared(body, data_of(given.source, WINDOW, given.facts), given.monitors).data
        values.append(data.rows(asked["requests"][0])[0].values[0])
    assert values == pytest.approx([values[0]] * 3)


@pytest.mark.parametrize(
    ("request_", "most"),
    [
        ({"q": "avg:shop.reachable{*}*100"}, 100),
        ({"q": "top(avg:shop.reachable{*} by {zone}*100, 50, 'mean', 'asc')"}, 100),
        ({"q": "100 * avg:shop.reachable{*}"}, 100),
        (metrics("avg:shop.reachable{*}", formula="a * 100")["requests"][0], 100),
        (metrics("avg:shop.ok{*}", "avg:shop.all{*}", formula="100 * (a + b)")["requests"][0], 200),
    ],
)
def test_what_is_multiplied_by_100_is_a_share(request_, most):
    body = board({"type": "timeseries", "requests": [request_]})
    series = sample(body, *WINDOW, {})
    values = np.concatenate([one.values for one in series])
    assert 0 <= values.min() <= values.max() <= 1
    assert 100 * values.mean() > 30
    assert 100 * values.max() * len({one.metric for one in series}) <= most


@pytest.mark.parametrize(
    "query",
    ["100 * sum:a.b{*} / sum:a.c{*}", "avg:a.b{*} * 10", "100 - avg:a.b{*}", "100 * (1 - avg:a.b{*})"],
)
def test_what_is_divided_or_otherwise_scaled_is_not(query):
    body = board({"type": "timeseries", "requests": [{"q": query}]})
    assert max(one.values.max() for one in sample(body, *WINDOW, {})) > 1


@pytest.mark.parametrize("column", ["@client.address", "client.address", "analyzer"])
def test_every_column_of_a_list_has_values(column):
    body = board(
        {
            "type": "list_stream",
            "requests": [
                {
                    "response_format": "event_list",
                    "query": {"data_source": "logs_stream", "query_string": "source:shop"},
                    "columns": [{"field": field} for field in ("status_line", "timestamp", column)],
                }
            ],
        }
    )
    leaf = column.rpartition(".")[2].lstrip("@")
    assert f"{leaf}-a" in picture(body)
