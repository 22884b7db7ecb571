"""Widgets over what is not a metric: logs, events, spans, checks, objectives and monitors' states."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from monitoring.monitor.search import Record
from monitoring.preview.charts.lists import Column, Listing, ListRow, as_html, fitting
from monitoring.preview.charts.slo import budget_words, status_words
from monitoring.preview.data import Data
from monitoring.preview.drawing import Drawing, own_time, time_label
from monitoring.preview.log_queries import Beside
from monitoring.preview.monitors import Monitors
from monitoring.preview.objectives import find, seen, window_of
from monitoring.preview.page import dashboard_page
from monitoring.preview.picture import SAMPLED, prepared
from monitoring.preview.render import data_of, draw, made_up
from monitoring.preview.stored import Histories, facts_of
from monitoring.preview.variables import Variable, as_search
from monitoring.query.series import Series
from monitoring.query.sources import SeriesSource
from monitoring.resources.resource import Resource
from monitoring.store import Store
from monitoring.store.query_source import StoreSource

START = 1_772_323_200
"""2026-03-01T00:00:00Z, a Sunday."""
END = START + 3600
SLO = {
    "name": "Most succeed",
    "type": "metric",
    "query": {"numerator": "sum:good{*}.as_count()", "denominator": "sum:all{*}.as_count()"},
    "thresholds": [{"timeframe": "7d", "target": 90.0, "warning": 95.0}],
    "tags": ["team:a"],
}
MONITOR = {
    "type": "metric alert",
    "name": "Bad ones",
    "query": "max(last_5m):max:bad{*} by {az} > 5",
    "tags": ["t:x"],
}


def counts(metric, values, *tags):
    times = np.arange(len(values), dtype=np.int64) * 60 + START
    return Series(metric, tags, times, np.array(values, float), "count", 60)


def span(number, parent, service, error=0, duration=10**7):
    ids = {"trace_id": "01", "span_id": f"{number:02x}", "parent_id": f"{parent:02x}"}
    rest = {
        "name": "call",
        "service": service,
        "resource": f"r{number}",
        "error": error,
        "duration": duration,
    }
    return {**ids, **rest, "start": (START + number) * 10**9, "meta": {"env": "prod"}}


@pytest.fixture(scope="module")
def store():
    with Store.open() as store:
        store.add_points([counts("good", [9] * 60), counts("all", [10] * 60)])
        store.add_points([counts("bad", [9] * 60, "az:a"), counts("bad", [1] * 60, "az:b")])
        store.add_points([counts("cpu", [7] * 60, "host:web-1"), counts("cpu", [3] * 60, "host:web-2")])
        store.add_logs(
            {
                "timestamp": (START + at) * 1000,
                "message": f"line {at}",
                "service": "slides" if at % 4 else "orders",
                "status": "error" if at % 10 == 0 else "info",
                "duration": at,
                "ddtags": "env:prod",
            }
            for at in range(100)
        )
        store.add_spans([span(1, 0, "slides"), span(2, 1, "dynamodb", 1), span(3, 1, "s3")])
        store.add_checks(
            {"check": "up", "host_name": host, "status": status, "timestamp": END - 60, "tags": ["env:prod"]}
            for host, status in (("web-1", 0), ("web-2", 2), ("web-3", 0))
        )
        for at, kind in enumerate(("error", "info"), 1):
            event = {"title": f"Event {at}", "text": "t", "tags": [], "source": "s", "priority": None}
            store.documents.put(
                "event", str(at), {**event, "alert_type": kind, "date_happened": START + 60 * at}
            )
        yield store


@pytest.fixture(scope="module")
def drawing(store):
    monitors = {"bad": MONITOR}
    facts = facts_of(store, {"most": SLO}, monitors)
    variables = {"service": Variable("service", "service", ("orders",))}
    data = Data(StoreSource(store), START, END, variables, facts=facts)
    return Drawing(data, Monitors(monitors, Histories(store, monitors).states(END)))


def texts(picture):
    return [one.text for one in ET.fromstring(picture).iter() if one.tag.endswith("text") and one.text]


def drawn(drawing, **definition):
    body = {
        "title": "T",
        "widgets": [{"definition": definition, "layout": {"x": 0, "y": 0, "width": 12, "height": 6}}],
    }
    facts, monitors = drawing.data.facts, drawing.monitors
    body["template_variables"] = [{"name": "service", "prefix": "service", "defaults": ["orders"]}]
    return draw(Resource("dashboard", "t", body), drawing.data.source, (START, END), monitors, facts=facts)


def logs(query, columns=("timestamp", "service", "content"), **more):
    request = {
        "response_format": "event_list",
        "columns": [{"field": one, "width": "auto"} for one in columns],
        "query": {"data_source": "logs_stream", "query_string": query, **more},
    }
    return {"type": "list_stream", "requests": [request]}


@pytest.mark.parametrize(
    "aggregation", ["sum", "avg", "min", "max", "pc95", "median", "cardinality", "count"]
)
@pytest.mark.parametrize("group_by", [[], [{"facet": "service", "limit": 10}]])
def test_a_measure_that_no_log_has_is_no_data_and_not_an_error(drawing, aggregation, group_by):
    query = {
        "data_source": "logs",
        "name": "q",
        "search": {"query": "*"},
        "compute": {"aggregation": aggregation, "metric": "@network.bytes"},
        "group_by": group_by,
    }
    for kind in ("query_value", "toplist"):
        request = {"response_format": "scalar", "queries": [query], "formulas": [{"formula": "q"}]}
        assert texts(drawn(drawing, type=kind, title="bytes", requests=[request]))


def test_a_log_list_shows_its_columns_of_the_logs_that_fit_the_newest_first(drawing):
    found = texts(drawn(drawing, **logs("status:error $service")))
    assert [one for one in found if one.startswith("line")] == [
        "line 80",
        "line 60",
        "line 40",
        "line 20",
        "line 0",
    ]
    assert "slides" not in found and "Mar 01 00:01:20" in found


def test_a_log_list_can_be_sorted_the_other_way_and_says_what_it_left_out(drawing):
    found = texts(drawn(drawing, **logs("", sort={"column": "timestamp", "order": "asc"})))
    assert found.index("line 1") < found.index("line 2")
    assert any(re.fullmatch(r"\d+ more", one) for one in found)


def test_a_search_that_cannot_be_read_is_said_in_its_place(drawing):
    assert any("bracket" in one for one in texts(drawn(drawing, **logs("(a"))))


def test_an_older_log_stream_maps_its_columns(drawing):
    found = texts(drawn(drawing, type="log_stream", query="status:error", columns=["core_service"]))
    assert {"service", "orders", "line 80", "Mar 01 00:01:20"} <= set(found)


def test_events_are_listed_and_drawn_over_time(drawing):
    assert "Event 2" in texts(drawn(drawing, type="event_stream", query="*"))
    assert "Event 2" not in texts(drawn(drawing, type="event_stream", query="status:error"))
    assert {"error", "info"} <= set(texts(drawn(drawing, type="event_timeline", query="*")))


def test_a_check_shows_its_worst_state_or_counts_its_groups(drawing):
    assert "Critical" in texts(
        drawn(drawing, type="check_status", check="up", grouping="check", tags=["env:prod"])
    )
    found = texts(drawn(drawing, type="check_status", check="up", grouping="cluster", group_by=["host"]))
    assert [found[found.index(name) - 1] for name in ("OK", "Warning", "Critical")] == ["2", "0", "1"]
    one = drawn(drawing, type="check_status", check="up", grouping="check", group="host:web-1")
    assert "OK" in texts(one)
    assert any("sent no result" in words for words in texts(drawn(drawing, type="check_status", check="x")))


def test_an_objective_shows_status_target_and_budget_of_each_window(drawing):
    found = texts(drawn(drawing, type="slo", slo_id="${slo:most}", time_windows=["7d", "global_time"]))
    assert found.count("90 %") == 2
    assert {"7 days", "Dashboard's time", "Target 90 %", "0 % left · 0 events"} <= set(found)
    hidden = texts(drawn(drawing, type="slo", slo_id="most", time_windows=["7d"], show_error_budget=False))
    assert not any("left" in one for one in hidden)
    assert any("not among this project" in one for one in texts(drawn(drawing, type="slo", slo_id="none")))


def test_the_objectives_status_has_the_colour_of_target_and_warning(drawing):
    def colour(target, warning=None):
        facts = drawing.data.facts
        body = {**SLO, "thresholds": [{"timeframe": "7d", "target": target, "warning": warning}]}
        facts = facts_of_body(facts, body)
        picture = drawn(
            Drawing(Data(drawing.data.source, START, END, facts=facts)), type="slo", slo_id="most"
        )
        return next(one.get("fill") for one in ET.fromstring(picture).iter() if one.text == "90 %")

    green, yellow, red = colour(80.0), colour(85.0, 95.0), colour(95.0)
    assert len({green, yellow, red}) == 3
    assert colour(89.0) == green


def facts_of_body(facts, body):
    from dataclasses import replace

    return replace(facts, slos={"most": body})


def test_a_monitor_objective_comes_from_the_monitors_own_history(drawing):
    body = {"name": "m", "type": "monitor", "monitor_ids": [1], "thresholds": SLO["thresholds"]}
    store_facts = facts_of_body(drawing.data.facts, body)
    from dataclasses import replace

    facts = replace(
        store_facts, history=lambda ident, start, end: drawing.data.facts.history("bad", start, end)
    )
    slo, _ = find(facts, "most")
    (one,) = seen(facts, slo, ["global_time"], (START, END), "", None)
    assert one.sli is not None and one.sli < 50  # az:a alerts from its first evaluation on


def test_objectives_are_listed_by_a_search(drawing):
    request = {"request_type": "slo_list", "query": {"query_string": "team:a", "limit": 5}}
    assert {"Most succeed", "7d", "90 %"} <= set(texts(drawn(drawing, type="slo_list", requests=[request])))
    request["query"]["query_string"] = "team:b"
    assert "No objective fits the search" in texts(drawn(drawing, type="slo_list", requests=[request]))


def test_monitors_are_counted_and_listed_with_their_real_states(drawing):
    found = texts(drawn(drawing, type="manage_status", query="tag:t:x", display_format="countsAndList"))
    assert found.count("Alert") == 2 and "Bad ones" in found
    groups = drawn(drawing, type="manage_status", query="", display_format="counts", summary_type="groups")
    assert [one for one in texts(groups) if one in {"1", "Alert", "OK"}] == ["1", "Alert", "1", "OK"]
    assert any("No monitor" in one for one in texts(drawn(drawing, type="manage_status", query="tag:t:y")))
    assert "Bad ones" in texts(drawn(drawing, type="manage_status", query="status:alert"))


def test_services_that_call_each_other_are_a_graph(drawing):
    picture = drawn(drawing, type="servicemap", service="", filters=["env:prod"])
    assert {"slides", "dynamodb", "s3"} <= set(texts(picture))
    assert picture.count("<title>1 calls</title>") == 2
    near = drawn(drawing, type="servicemap", service="s3", filters=[])
    assert "dynamodb" not in texts(near)


def test_a_service_summary_counts_hits_and_errors_of_its_spans(drawing):
    found = texts(
        drawn(
            drawing,
            type="trace_service",
            service="dynamodb",
            span_name="call",
            env="prod",
            show_resource_list=True,
        )
    )
    assert {"Hits", "Errors", "Latency p50, p95", "r2"} <= set(found)


def test_hosts_are_squares_with_their_values(drawing):
    picture = drawn(drawing, type="hostmap", requests={"fill": {"q": "avg:cpu{*}"}})
    assert re.findall(r"<title>(\S+)", picture) == ["host:web-1", "host:web-2"]


def query(source, **more):
    return {"data_source": source, "name": "a", **more}


def value_of(drawing, *queries, formula="a"):
    request = {"response_format": "scalar", "formulas": [{"formula": formula}], "queries": list(queries)}
    return {row.name: row.values[0] for row in drawing.data.rows(request)}


@pytest.mark.parametrize(
    ("compute", "value"),
    [
        ({"aggregation": "count"}, 100),
        ({"aggregation": "cardinality", "metric": "service"}, 2),
        ({"aggregation": "avg", "metric": "@duration"}, 49.5),
        ({"aggregation": "max", "metric": "@duration"}, 99),
        ({"aggregation": "sum", "metric": "@duration"}, 4950),
        ({"aggregation": "median", "metric": "@duration"}, 49.5),
    ],
)
def test_logs_are_counted_and_measured_over_the_whole_time(drawing, compute, value):
    (found,) = value_of(drawing, query("logs", search={"query": ""}, compute=compute)).values()
    assert found == pytest.approx(value)


def test_counts_of_logs_have_groups_limits_and_meet_metrics_in_formulas(drawing):
    by = [{"facet": "service", "limit": 1}]
    counted = query("logs", search={"query": "*"}, compute={"aggregation": "count"}, group_by=by)
    assert value_of(drawing, counted) == {"service:slides": 75}
    metric = {"data_source": "metrics", "name": "b", "query": "sum:all{*}.as_count()", "aggregator": "sum"}
    everything = query("logs", compute={"aggregation": "count"})
    assert list(value_of(drawing, everything, metric, formula="a / b").values()) == [pytest.approx(100 / 600)]


def test_counts_of_logs_over_time_add_up(drawing):
    request = {"formulas": [{"formula": "a"}], "queries": [query("logs", compute={"aggregation": "count"})]}
    (line,) = drawing.data.lines({**request, "display_type": "bars"})
    assert line.values.sum() == 100
    older = {"log_query": {"compute": {"aggregation": "count"}, "search": {"query": "status:error"}}}
    assert sum(line.values.sum() for line in drawing.data.lines(older)) == 10


@pytest.mark.parametrize(
    ("stat", "value"), [("hits", 1), ("errors", 1), ("error_rate", 100), ("latency_avg", 10**7)]
)
def test_statistics_of_spans(drawing, stat, value):
    (found,) = value_of(drawing, query("apm_metrics", stat=stat, service="dynamodb")).values()
    assert found == pytest.approx(value)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("slo_status", 90),
        ("good_events", 540),
        ("bad_events", 60),
        ("error_budget_remaining", 0),
        ("burn_rate", 1),
    ],
)
def test_measures_of_an_objective(drawing, measure, value):
    (found,) = value_of(drawing, query("slo", slo_id="most", measure=measure)).values()
    assert found == pytest.approx(value, abs=1e-9)


def test_our_own_series_stand_beside_those_of_the_source():
    own = Series("stepscope_counted.a", ("k:v",), np.array([START]), np.array([5.0]), "count", 1)
    both = Beside(SeriesSource([counts("good", [1, 2])]), [own])
    data = Data(both, START, END)
    assert data.rows({"q": "sum:good{*}.as_count()", "aggregator": "sum"})[0].values == (3,)
    assert data.rows({"q": "sum:stepscope_counted.a{*} by {k}.as_count()", "aggregator": "sum"})[
        0
    ].values == (5,)


@pytest.mark.parametrize(
    ("time", "seconds", "label"),
    [
        ({"live_span": "15m"}, 900, "15 min"),
        ({"live_span": "1mo"}, 2_592_000, "30 d"),
        ({"type": "live", "value": 2, "unit": "hour"}, 7200, "2 h"),
        ({"type": "fixed", "from": START, "to": START + 600}, 600, "10 min"),
        ({"type": "fixed", "from": START * 1000, "to": START * 1000 + 600_000}, 600, "10 min"),
        ({"live_span": "soon"}, 3600, ""),
        ({"live_span": "1h"}, 3600, ""),
        ({}, 3600, ""),
    ],
)
def test_a_widget_may_have_a_time_of_its_own(time, seconds, label):
    drawing = Drawing(Data(SeriesSource(()), START, END))
    found = own_time({"time": time}, drawing).data
    assert found.end - found.start == seconds
    assert time_label({"time": time}, drawing) == label


def test_calendar_windows_of_an_objective():
    wednesday = START + 3 * 86400 + 7200
    assert window_of("week_to_date", (0, wednesday)) == (START + 86400, wednesday)
    assert window_of("previous_week", (0, wednesday)) == (START - 6 * 86400, START + 86400)
    assert window_of("month_to_date", (0, wednesday)) == (START, wednesday)
    assert window_of("previous_month", (0, wednesday)) == (START - 28 * 86400, START)


@pytest.mark.parametrize(
    ("search", "chosen", "wanted"),
    [
        ("$env status:error", ("prod",), "env:prod status:error"),
        ("$env", ("a", "b"), "env:(a OR b)"),
        ("host:$env.value", ("a",), "host:a"),
        ("$env", ("*",), "*"),
        ("stage:$env.value", ("*",), "stage:*"),
        ("$env", ("a b",), 'env:"a b"'),
        ("$other", ("a",), "$other"),
    ],
)
def test_template_variables_in_a_search(search, chosen, wanted):
    assert as_search(search, {"env": Variable("env", "env", chosen)}) == wanted


def test_nearly_all_is_never_shown_as_all():
    good = {**SLO, "query": {"numerator": "sum:good{*}.as_count()", "denominator": "sum:all{*}.as_count()"}}
    series = SeriesSource([counts("good", [99_999]), counts("all", [100_000])])
    facts = facts_of_body(made_up({}, (START, END), {}, {}).facts, good)
    from dataclasses import replace

    facts = replace(facts, points=lambda queries, start, end: series)
    slo, _ = find(facts, "most")
    (one,) = seen(facts, slo, ["global_time"], (START, END), "", None)
    assert status_words(one) == "99.999 %" and "left" in budget_words(one, "")


def test_columns_that_can_be_spared_are_left_out_where_the_room_is_short():
    columns = (Column("a"), Column("b", 100, spare=2), Column("c", 100, spare=1))
    listing = Listing(columns, (ListRow(("1", "2", "3"), "", 2),), "")
    assert [one.name for one in fitting(listing, 400).columns] == ["a", "b", "c"]
    narrow = fitting(listing, 240)
    assert [one.name for one in narrow.columns] == ["a", "c"] and narrow.entries[0].coloured == 1


def test_a_list_in_a_page_shows_script_as_text():
    listing = Listing((Column("<b>"),), (ListRow(("<script>x</script>",), '"><script>'),), "")
    assert "<script>" not in as_html(listing) and "<b>" not in as_html(listing)


EVERYTHING = [
    {"type": "slo", "slo_id": "some", "time_windows": ["7d", "30d"]},
    {"type": "slo_list", "requests": [{"request_type": "slo_list", "query": {"query_string": ""}}]},
    logs("service:nobody"),
    {"type": "event_stream", "query": "*"},
    {"type": "check_status", "check": "c", "grouping": "cluster", "tags": ["$service"]},
    {"type": "servicemap", "service": "", "filters": []},
    {"type": "manage_status", "query": ""},
]


def test_a_sample_has_everything_and_says_that_it_is_one():
    body = {"title": "T", "widgets": [{"definition": one} for one in EVERYTHING]}
    given = made_up(body, (START, END), {"bad": MONITOR}, {})
    picture = draw(
        Resource("dashboard", "t", body), given.source, (START, END), given.monitors, facts=given.facts
    )
    found = texts(picture)
    assert any(SAMPLED in one for one in found)
    assert not any("No " in one or "not among" in one for one in found)
    assert sum(one.startswith("Sample") for one in found) > 5
    page = dashboard_page(
        body, prepared(body, data_of(given.source, (START, END), given.facts), given.monitors)
    )
    assert SAMPLED in page and page.count('<table class="rows">') == 4
    assert page == dashboard_page(
        body, prepared(body, data_of(given.source, (START, END), given.facts), given.monitors)
    )


def test_a_span_is_searched_by_what_it_carries(store):
    from monitoring.monitor.search import compile_search
    from monitoring.store import facts as store_facts

    found = store_facts.spans(store, START, END)
    test = compile_search("service:dynamodb status:error @duration:>5 env:prod")
    assert [one.attributes["span_id"] for one in found if test(one)] == ["02"]
    assert isinstance(found[0], Record)


@pytest.fixture
def fresh():
    with Store.open() as store:
        yield store


def test_a_widget_and_the_api_say_the_same_of_an_objective_that_was_corrected(fresh):
    from starlette.testclient import TestClient

    from monitoring.local_datadog import create_app

    client = TestClient(create_app(fresh), base_url="http://127.0.0.1")
    keys = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
    made = client.post("/api/v1/slo", headers=keys, json=SLO).json()["data"][0]
    fresh.add_points([counts("good", [0] * 5 + [9] * 55), counts("all", [10] * 60)])  # five minutes of outage
    span = {"from_ts": START, "to_ts": END}

    def answers():
        history = client.get(f"/api/v1/slo/{made['id']}/history", headers=keys, params=span).json()["data"]
        facts = facts_of(fresh, {}, {})
        slo, _ = find(facts, made["id"])
        (one,) = seen(facts, slo, ["global_time"], (START, END), "", None)
        return history["overall"]["sli_value"], one.sli

    before = answers()
    attributes = {"slo_id": made["id"], "start": START, "end": START + 300, "category": "Other"}
    correction = {"data": {"type": "correction", "attributes": attributes}}
    assert client.post("/api/v1/slo/correction", headers=keys, json=correction).status_code == 200
    after = answers()
    assert before[0] == pytest.approx(before[1]) == pytest.approx(82.5)
    assert after[0] == pytest.approx(after[1]) == pytest.approx(90)
