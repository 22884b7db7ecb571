"""The queries of monitors of every type are read into values and written back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.query import QueryError, format, grouped_by, parse, parse_monitor  # noqa: A004


def read(text):
    """The monitor, once it has been seen to survive being written."""
    monitor = parse_monitor(text)
    assert parse_monitor(format(monitor)) == monitor
    return monitor


def test_a_metric_monitor_says_how_its_window_is_aggregated():
    monitor = read("avg(last_5m):avg:system.cpu.user{env:prod} by {host} > 90")
    assert (monitor.kind, monitor.aggregation, monitor.window.seconds) == ("metric", "avg", 300)
    assert (monitor.operator, monitor.threshold) == (">", 90)
    assert monitor.query == parse("avg:system.cpu.user{env:prod} by {host}")
    assert grouped_by(monitor) == ("host",)


WINDOWS = [
    ("last_60m", 3600),
    ("last_2d", 172800),
    ("last_1w", 604800),
    ("last_1mo", 2628000),
    ("current_1d", 86400),
]


@pytest.mark.parametrize(("window", "seconds"), WINDOWS)
def test_a_window_has_a_length(window, seconds):
    assert read(f"sum({window}):sum:m{{*}} >= 0.5").window.seconds == seconds


@pytest.mark.parametrize(("written", "ago"), [("last_1h", False), ("1h_ago", True)])
def test_a_change_compares_with_the_same_query_earlier(written, ago):
    monitor = read(f"pct_change(avg(last_5m),{written}):avg:m{{*}} < -50")
    assert monitor.kind == "change"
    assert monitor.change.relative
    assert (monitor.change.shift.seconds, monitor.change.ago) == (3600, ago)
    assert monitor.threshold == -50


def test_an_anomaly_monitor_names_its_algorithm():
    monitor = read(
        "avg(last_4h):anomalies(avg:m{*} by {host}, 'basic', 2, direction='above', "
        "alert_window='last_15m', interval=60, count_default_zero='true') >= 1"
    )
    assert monitor.kind == "anomaly"
    assert monitor.algorithm.query == parse("avg:m{*} by {host}")
    assert (monitor.algorithm.method, monitor.algorithm.deviations) == ("basic", 2)
    assert monitor.algorithm.option("alert_window") == "last_15m"


def test_an_outlier_and_a_forecast_monitor_name_theirs():
    outlier = read("avg(last_30m):outliers(avg:m{*} by {host}, 'DBSCAN', 7) > 0")
    assert (outlier.kind, outlier.algorithm.method, outlier.algorithm.deviations) == ("outlier", "dbscan", 7)
    forecast = read("max(next_12h):forecast(avg:m{*}, 'linear', 1, interval='30m', history='1mo') >= 500")
    assert (forecast.kind, forecast.window.tense, forecast.algorithm.option("history")) == (
        "forecast",
        "next",
        "1mo",
    )


def test_a_dynamic_threshold_stands_in_the_options():
    assert read("avg(last_5m):avg:m{*} > threshold").threshold is None


def test_a_search_monitor_says_where_what_and_how():
    monitor = read(
        'logs("service:foo AND \\"a b\\"").index("main")'
        '.rollup("cardinality", "@usr.id").by("a,@b").last("5m") > 2'
    )
    assert (monitor.kind, monitor.source, monitor.search) == ("search", "logs", 'service:foo AND "a b"')
    assert (monitor.rollup, monitor.by, monitor.window.seconds) == (
        ("cardinality", "@usr.id"),
        ("a", "@b"),
        300,
    )


@pytest.mark.parametrize(
    "source", ["events", "rum", "ci-pipelines", "ci-tests", "llm-observability", "error-tracking"]
)
def test_every_source_of_events_is_searched_alike(source):
    assert read(f"{source}('*').rollup('count').last('1h') >= 3").source == source


def test_parts_that_only_some_sources_have_are_kept():
    monitor = read(
        'error-tracking("env:prod").source("all").new().rollup("count").by("@issue.id").last("1d") > 0'
    )
    assert monitor.others == (("source", ("all",)), ("new", ()))


def test_a_formula_monitor_holds_its_formula():
    monitor = read('formula("query1 / query2").rollup("sum").last("5m") > 124')
    assert monitor.formula == parse("query1 / query2")
    assert monitor.rollup == ("sum",)
    cost = read('formula("exclude_null(query1)").last("7d").anomaly(direction="above", threshold=10) >= 5')
    assert cost.anomaly == (("direction", "above"), ("threshold", 10))


def test_a_service_check_counts_statuses():
    monitor = read(
        '"ntp.in_sync".over("role:db","env:prod").exclude("host:a").by("host","env").last(4).count_by_status()'
    )
    assert (monitor.check, monitor.over) == ("ntp.in_sync", ("role:db", "env:prod"))
    assert (monitor.exclude, monitor.by, monitor.last) == (("host:a",), ("host", "env"), 4)
    assert read('"ntp.in_sync".by("*").last(2).count_by_status()').over == ()


def test_a_process_monitor_counts_processes():
    monitor = read(
        "processes('java AND elastic').over('service:a').by('host').rollup('count').last('1h') > 5"
    )
    assert (monitor.search, monitor.over, monitor.window.seconds) == (
        "java AND elastic",
        ("service:a",),
        3600,
    )


def test_a_composite_names_its_members():
    monitor = read("1234 && !5678 || (9 && 10)")
    assert monitor.members == (1234, 5678, 9, 10)
    assert format(read("(1 || 2) && 3")) == "(1 || 2) && 3"


def test_an_slo_monitor_says_how_much_budget_or_how_fast():
    assert read('error_budget("abc").over("7d") > 75').over.seconds == 604800
    burn = read('burn_rate("abc").over("30d").long_window("24h").short_window("2h") > 14.4')
    assert (burn.long_window.seconds, burn.short_window.seconds) == (86400, 7200)


REFUSED = [
    ("", "", "the query is empty"),
    ("avg:system.load.1{*} > 1", "avg:system.load.1", "unexpected"),
    ("avg(last_5m):avg:m{*}", "", "the query of the monitor ends too early"),
    ("avg(last_5m):avg:m{*} => 1", "=", "unexpected"),
    ("avg(last_5m):avg:m{*} = 1", "=", "unexpected"),
    ("avg(last_5m):avg:m{*} > .5", ".5", "a number below 1 needs a leading zero"),
    ("avg(last_5m):avg:m{*} > 1 2", "2", "unexpected '2'"),
    ("avg(last_5m):avg:m{*}, avg:m{*} > 1", ",", "unexpected"),
    ("avg(last_5min):avg:m{*} > 1", "last_5min", "'last_5min' is not an evaluation window"),
    ("avg(5m):avg:m{*} > 1", "5m", "'5m' is not an evaluation window"),
    ("avg(last_0m):avg:m{*} > 1", "last_0m", "the evaluation window is empty"),
    ("avg(last_2mo):avg:m{*} > 1", "last_2mo", "the evaluation window is longer than a month"),
    ("mean(last_5m):avg:m{*} > 1", "mean", "unknown time aggregation 'mean'"),
    ("avg(last_5m) avg:m{*} > 1", "avg:m", "unexpected"),
    ("avg(next_1h):avg:m{*} > 1", "next_1h", "a metric monitor looks at last_"),
    ("avg(last_1h):forecast(avg:m{*}, 'linear', 1) > 1", "last_1h", "a forecast monitor looks at next_"),
    ("pct_change(avg(last_5m)):avg:m{*} > 1", ")", "unexpected"),
    ('logs("a").rollup("count").last("5m")', "", "the query of the monitor ends too early"),
    ('logs("a").rollup("count") > 1', "", "the query of the monitor ends too early"),
    ('logs("a").last("5m") > 1', 'logs("a").last("5m") > 1', "a search needs a rollup"),
    ('logs("a").rollups("count").last("5m") > 1', ".rollups", "unknown part '.rollups'"),
    ('logs("a").rollup("count").last("5x") > 1', '"5x"', "'5x' is not a length of time"),
    ('logs("a.rollup', '"a.rollup', "the quoted text has no end"),
    ('formula("query1 +").last("5m") > 1', "", "the query ends too early"),
    ('"check".over("*").last(2)', "", "the service check ends too early"),
    ('"check".over("*").last(200).count_by_status()', ".last(200)", ".last takes the number of results"),
    ('error_budget("abc").over("7d") < 75', "<", "an SLO is compared with > or >="),
    ("1 && ", "", "the composite ends too early"),
    ("1 & 2", "1", "unexpected"),
    (
        " && ".join(map(str, range(1, 12))),
        " && ".join(map(str, range(1, 12))),
        "a composite takes at most 10",
    ),
    ("avg(last_5m):avg:m{$env} > 1", "$env", "a monitor has no template variables"),
    ("avg(last_5m):avg:m{host:$host} > 1", "host:$host", "a monitor has no template variables"),
    ("avg(last_5m):query1 > 1", "query1", "a metric needs a scope"),
    ("avg(last_5m):5 > 1", "5", "a monitor needs a metric"),
    ("avg(current_2d):avg:m{*} > 1", "current_2d", "a cumulative window is the current hour, day or month"),
    ('log("a").rollup("count").last("5m") > 1', "log", "unknown source 'log'"),
    ("logs('a').rollup('count').last('5m') > 1", "'", "the search of logs needs double quotes"),
    ('logs("a").rollup("counts").last("5m") > 1', '.rollup("counts")', "a search cannot be rolled up by"),
    ('error_budget("abc").over("8d") > 75', '"8d"', "an SLO looks at 7, 30 or 90 days"),
]


@pytest.mark.parametrize(("text", "part", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_no_monitor_says_is_refused_at_its_place(text, part, message):
    with pytest.raises(QueryError) as refused:
        parse_monitor(text)
    error = refused.value
    assert error.message.startswith(message)
    assert error.text[error.start : error.end] == part


def test_an_unknown_window_comes_with_the_one_that_was_meant():
    with pytest.raises(QueryError) as refused:
        parse_monitor("avg(last_300s):avg:m{*} > 1")
    assert refused.value.suggestion == "last_5m"


TOKENS = """avg( last_5m ) : avg:m{*} > 1 >= ! && || 12 logs(" ") .rollup("count") .last("5m") change( ,
    formula(" "check" .over("*") .count_by_status() anomalies( 'basic' =
    threshold processes(' error_budget("""
PIECES = st.sampled_from(TOKENS.split())


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)))
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        monitor = parse_monitor(text)
    except QueryError as error:
        refused = error
    else:
        assert parse_monitor(format(monitor)) == monitor
        return
    assert 0 <= refused.start <= refused.end <= len(text)
    assert str(refused)


@pytest.mark.parametrize("name", ["monitors.jsonl", "accepted_monitors.jsonl"])
def test_monitors_that_datadog_took_are_read_and_written_back(name):
    rows = [json.loads(line) for line in shared_data(name).read_text().splitlines()]
    for row in rows:
        text = row["query"] if "query" in row else row["request"]["query"]
        monitor = read(text)
        assert monitor.kind == "composite" or monitor.end <= len(text)


def test_a_stored_monitor_alerts_by_group_exactly_when_its_query_groups():
    rows = [json.loads(line) for line in shared_data("accepted_monitors.jsonl").read_text().splitlines()]
    for row in rows:
        monitor = parse_monitor(row["request"]["query"])
        if monitor.kind in {"metric", "change", "anomaly", "outlier"} and "multi" in row["response"]:
            assert bool(grouped_by(monitor)) == row["response"]["multi"]
