"""`init --from` with a catalogue of the project's own metrics: monitors of claims and counts, and graphs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitoring.cli.test import command
from monitoring.deploy.own_files import claiming, metric_entries, metric_graphs
from monitoring.deploy.start import files_of
from monitoring.discovery.found import DiscoveredResources, LambdaFunction
from monitoring.lint.engine import lint_text
from monitoring.lint.rules import modules
from monitoring.resources.own_metrics import FILE, OwnMetric, OwnMetrics, catalogue_text

APPLICATION = DiscoveredResources(
    "template.yaml",
    functions=(LambdaFunction("shop-${var:stage|dev}-take"), LambdaFunction("shop-${var:stage|dev}-pay")),
)
BOTH = "(functionname:shop-${var:stage|dev}-take OR functionname:shop-${var:stage|dev}-pay)"
TAKE = "functionname:shop-${var:stage|dev}-take"


def catalogue(name: str, *functions: str, kind: str = "count", **tags: int) -> OwnMetrics:
    return OwnMetrics({name: OwnMetric(kind, tags=tags, functions=functions)})


ENTRIES = {
    "one function": (catalogue("shop.orders", "shop-dev-take"), {"scope": TAKE, "steady": True}),
    "in another environment": (catalogue("shop.orders", "Shop-Prod-Take"), {"scope": TAKE, "steady": True}),
    "two functions": (
        catalogue("shop.orders", "shop-dev-take", "shop-dev-pay"),
        {"scope": BOTH, "steady": True},
    ),
    "a failure of nobody known": (catalogue("shop.pay_failed"), {"scope": BOTH, "failures": True}),
    "an error": (catalogue("shop.errors.card", "shop-dev-take"), {"scope": TAKE, "failures": True}),
    "no failure in a longer word": (
        catalogue("shop.failsafe", "shop-dev-take"),
        {"scope": TAKE, "steady": True},
    ),
    "a count of nobody known": (catalogue("shop.orders", "other"), None),
    "a gauge": (catalogue("shop.stock", "shop-dev-take", kind="gauge"), None),
    "a claim": (catalogue("claims.verified", "shop-dev-take"), None),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_counts_are_watched_with_the_scope_of_their_functions(name: str):
    own, expected = ENTRIES[name]
    (metric,) = own.metrics
    entries = list(metric_entries(own, APPLICATION).values())
    assert entries == ([{"metric": metric, **expected}] if expected else [])


def test_names_that_are_nearly_equal_have_entries_of_their_own():
    own = OwnMetrics({name: OwnMetric("count") for name in ("a.failed", "a_failed", "a__failed")})
    assert list(metric_entries(own, APPLICATION)) == ["a-failed", "a-failed-2", "a-failed-2-2"]


def test_an_application_without_functions_has_no_such_monitor():
    assert metric_entries(catalogue("shop.failed"), DiscoveredResources("x")) == {}


def test_functions_that_claim_are_marked_and_all_where_nobody_knows_which():
    assert claiming(OwnMetrics({}), APPLICATION) == {}
    assert claiming(catalogue("claims.broken", "Shop-Dev-Pay"), APPLICATION) == {
        "shop-dev-pay": {"claims": True}
    }
    assert len(claiming(catalogue("claims.broken"), APPLICATION)) == 2


GRAPHS = {
    "count": (
        {"region": 3, "customer": 300},
        ["sum:a.b{$env,$service,$statemachine,$function} by {region}.as_count()"],
    ),
    "gauge": ({"shelf": 10, "one": 1}, ["avg:a.b{$env,$service,$statemachine,$function} by {shelf}"]),
    "histogram": (
        {"region": 3},
        [f"{kind}:a.b{{$env,$service,$statemachine,$function}}" for kind in ("p50", "p95", "max")],
    ),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_graph_asks_for_what_the_metric_is(kind: str):
    tags, queries = GRAPHS[kind]
    ((graph),) = metric_graphs(catalogue("a.b", kind=kind, **tags))
    assert [query["query"] for query in graph["definition"]["requests"][0]["queries"]] == queries


def test_many_metrics_make_rows_that_do_not_overlap_and_end():
    own = OwnMetrics({f"a.m{number:03}": OwnMetric("count") for number in range(60)})
    places = [(graph["layout"]["x"], graph["layout"]["y"]) for graph in metric_graphs(own)]
    assert len(set(places)) == len(places) == 24
    assert {x for x, _ in places} == {0, 4, 8}


@pytest.mark.parametrize("number", range(24))
def test_graphs_stand_in_rows_of_three_that_fill_the_width_and_touch(number: int):
    own = OwnMetrics({f"a.m{place:03}": OwnMetric("count") for place in range(24)})
    layout = metric_graphs(own)[number]["layout"]
    assert layout == {"x": [0, 4, 8][number % 3], "y": 3 * (number // 3), "width": 4, "height": 3}
    assert all(isinstance(value, int) for value in layout.values())


@pytest.mark.parametrize(
    ("tags", "key"),
    [
        ({"a": 1}, None),
        ({"a": 2}, "a"),
        ({"a": 10}, "a"),
        ({"a": 11}, None),
        ({"a": 3, "b": 9, "c": 12}, "b"),
        ({"a": 3, "b": 3}, "b"),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", ["count", "gauge", "check", "histogram"])
def test_a_graph_has_a_line_for_each_value_of_the_tag_with_the_most_up_to_ten(kind: str, tags, key):
    (graph,) = metric_graphs(catalogue("a.b", kind=kind, **tags))
    (request,) = graph["definition"]["requests"]
    split = key is not None and kind != "histogram"
    assert all((f"by {{{key}}}" in query["query"]) == split for query in request["queries"])
    assert graph["definition"]["title"] == (f"a.b by {key}" if split else "a.b")


@pytest.mark.parametrize(
    ("kind", "display", "palette"),
    [
        ("count", "bars", "dog_classic"),
        ("gauge", "line", "purple"),
        ("check", "line", "purple"),
        ("histogram", "line", "purple"),
    ],
)
def test_counts_are_bars_and_everything_else_lines(kind: str, display: str, palette: str):
    """Palettes: https://docs.datadoghq.com/dashboards/guide/widget_colors/."""
    (graph,) = metric_graphs(OwnMetrics({"a.b": OwnMetric(kind, "byte")}))
    definition = graph["definition"]
    (request,) = definition["requests"]
    assert request["display_type"] == display
    assert request["style"] == {"palette": palette, "line_type": "solid"}
    assert definition["title"] == "a.b (byte)"
    assert definition["show_legend"] is True
    names = [query["name"] for query in request["queries"]]
    assert [formula["formula"] for formula in request["formulas"]] == names == sorted(set(names))
    assert [formula.get("alias") for formula in request["formulas"]] == (
        ["median", "p95", "max"] if kind == "histogram" else [None]
    )


OWN = OwnMetrics(
    {
        "shop.orders": OwnMetric("count", tags={"region": 3}, functions=("shop-dev-take",)),
        "shop.failed": OwnMetric("count", tags={"reason": 30}),
        "shop.seconds": OwnMetric("histogram", "second"),
        "claims.broken": OwnMetric("count", tags={"claim": 1}, functions=("shop-dev-pay",)),
    }
)


def test_what_is_written_passes_lint_and_its_own_tests(tmp_path: Path):
    files = files_of(APPLICATION, "shop", own=OWN)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / FILE).write_text(catalogue_text(OWN))
    keys = ("metrics-failures", "metrics-stopped", "claims-broken")
    for path in (*(f"monitors/{key}.json" for key in keys), "dashboards/business.json"):
        report = lint_text(str(tmp_path / path), files[path], frozenset(modules()))
        assert [finding.message for finding in report.findings] == []
    assert "[defaults.functions.shop-pay]" in files["application.toml"]
    assert files["application.toml"].count("claims = true") == 1
    done = CliRunner().invoke(command, [str(tmp_path / f"monitors/{key}.test.yaml") for key in keys])
    assert "8 passed" in done.output


def test_the_group_of_the_example_goes_or_becomes_the_projects():
    def groups(own: OwnMetrics | None) -> list[str]:
        board = json.loads(files_of(APPLICATION, "shop", own=own)["dashboards/business.json"])
        assert "slides." not in json.dumps(board)
        return [widget["definition"].get("title", "") for widget in board["widgets"]]

    assert "Business metrics" not in groups(None)
    assert groups(OWN)[-1] == "Business metrics"
    assert len(groups(None)) == len(groups(OWN)) - 1
