"""Rules of queries beside their functions (docs/query.md): names, time shifts, answers, text that is written back."""

import numpy as np
import pytest
from query_cases import GAUGE, START, line

from monitoring.query import QueryError, evaluate, format, parse, parse_monitor  # noqa: A004
from monitoring.query.answers import body
from monitoring.query.errors import nearest
from monitoring.query.frame import FARTHEST
from monitoring.query.names import resolve
from monitoring.query.sources import occupied_columns


def test_names_and_variables_are_replaced_wherever_they_stand():
    text = "abs(a) + -(b * 2)"
    queries = {"a": "avg:m{$env}", "b": parse("sum:n{$env,x:y} by {z}")}
    resolved = resolve(parse(text), text, queries, {"env": "env:prod"})
    assert resolved == parse("abs(avg:m{env:prod}) + -(sum:n{env:prod,x:y} by {z} * 2)")


def test_a_name_without_a_query_cannot_be_evaluated():
    with pytest.raises(QueryError, match="no query is named 'a'") as caught:
        evaluate("1 + a", [], START, START + 60)
    assert (caught.value.start, caught.value.end) == (4, 5)


def test_an_answer_repeats_its_query_without_the_space_around_it():
    """API reference: "Query timeseries points": from_date and to_date are in milliseconds."""
    answer = body("  avg:m{*} by {host}\n", START + 0.5, START + 60, [])
    assert answer["query"] == "avg:m{*} by {host}"
    assert (answer["from_date"], answer["to_date"]) == (START * 1000, START * 1000 + 60_000)
    assert (answer["series"], answer["group_by"], answer["status"]) == ([], ["host"], "ok")


@pytest.mark.parametrize(("unit", "seconds"), [("d", 86400), ("w", 7 * 86400), ("mo", 31 * 86400)])
def test_a_query_looks_back_ten_years_and_no_longer(unit, seconds):
    most = FARTHEST // seconds
    assert line(f"calendar_shift(avg:m{{*}}, '-{most}{unit}', 'UTC')", GAUGE) == {}
    with pytest.raises(QueryError, match="ten years at most"):
        line(f"calendar_shift(avg:m{{*}}, '-{most + 1}{unit}', 'UTC')", GAUGE)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("AVERAGE", ("Average", "sum"), "Average"),
        ("averag", ("Average", "sum"), "Average"),
        ("zzz", ("Average", "sum"), ""),
        ("", ("sum",), ""),
    ],
)
def test_the_nearest_name_is_that_which_is_spelt_alike_whatever_its_case(word, known, meant):
    assert nearest(word, known) == meant


@pytest.mark.parametrize("text", ['a"b', "a\\b", 'a\\"b', "\\", "a b", "@x:(y OR z)"])
def test_a_quoted_text_is_written_so_that_it_reads_back(text):
    written = text.replace("\\", "\\\\").replace('"', '\\"')
    query = f'logs("{written}").index("main").rollup("count", "@{written}").by("a,b").last("5m") > 1'
    monitor = parse_monitor(query)
    assert (monitor.search, monitor.rollup) == (text, ("count", f"@{text}"))
    assert format(monitor) == query


WRITTEN = [
    'rum("a").source("x", "y").index("main").rollup("avg", "@b").by("c,d").current("1d") >= 2',
    'formula("query1 / query2").rollup("sum").by("a").last("7d").anomaly(direction="above", threshold=10) > 5',
    '"c".over("a:b", "c:d").exclude("e:f").by("host", "*").last(4).count_by_status()',
    '"c".over("*").last(100).pct_by_status()',
    'processes("java").over("a:b").by("host").rollup("count").last("1h") > 5',
    'burn_rate("abc").over("30d").long_window("24h").short_window("2h") > 14.4',
    'error_budget("abc").over("7d") >= 75',
    "pct_change(avg(last_5m),last_1h):avg:m{*} < -50",
    "change(max(last_5m),1h_ago):avg:m{*} < threshold",
    "percentile(last_5m):p95:m{a:b,!c:d} by {e,f}.as_count() == 1",
    "(1 || 2) && !3 && !(4 || 5)",
    "1 || 2 && 3",
    "1 && (2 && 3)",
    "no_query",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_monitor_is_written_as_datadog_writes_it(text):
    assert format(parse_monitor(text)) == text


@pytest.mark.parametrize("count", [5, 50_000_001])
def test_columns_that_occur_are_ascending_with_the_place_of_each(count):
    """Both ways to count them, that for many and that for few, say the same."""
    kept, places = occupied_columns(np.array([3, 0, 3, 4]), count)
    assert (kept.tolist(), places.tolist()) == ([0, 3, 4], [1, 0, 1, 2])
