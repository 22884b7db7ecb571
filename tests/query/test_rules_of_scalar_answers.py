"""Rules of answers: scalar columns and formulas, lines as bodies, filters that are added, switches that decided.

Sources: the API reference, "Query scalar data across multiple products" (columns of groups and numbers, formulas with a limit)
and "Query timeseries points"; dashboards/guide/query-to-the-graph; docs/query.md (joins, the switches).
"""

from dataclasses import replace

import numpy as np
import pytest
from query_cases import GAUGE, HOSTS, START, series

from monitoring.query import QueryError, Switches, evaluate, format, parse  # noqa: A004
from monitoring.query.answers import body, scope_text
from monitoring.query.decided import OTHERWISE, Decision, decisions
from monitoring.query.narrowing import in_words, narrowed
from monitoring.query.scalars import scalar_columns, scalar_results
from monitoring.query.sources import as_source

_ = None
END = START + 300
BY_HOST = [series(tags=f"host:{name}", values=values) for name, values in (("a", [1, 3]), ("b", [8, 4]))]


def query(name="a", text="sum:m{*} by {host}", aggregator="avg"):
    return {"name": name, "query": text, "aggregator": aggregator}


def columns(queries, formulas, data=BY_HOST):
    found = scalar_columns(queries, [dict(formula) for formula in formulas], as_source(data), START, END)
    return {column["name"]: column["values"] for column in found}


def test_a_scalar_answer_has_a_column_of_each_key_and_of_each_query():
    found = scalar_columns([query()], [], as_source(BY_HOST), START, END)
    assert found == [
        {"name": "host", "type": "group", "values": [["a"], ["b"]]},
        {"name": "a", "type": "number", "values": [2.0, 6.0], "meta": {"unit": None}},
    ]
    assert columns([query(aggregator="max"), query("b", aggregator="last")], []) == {
        "host": [["a"], ["b"]],
        "a": [3.0, 8.0],
        "b": [3.0, 4.0],
    }
    assert columns([query(text="sum:m{*}")], []) == {"a": [9 / 2 + 7 / 2]}
    assert columns([query(text="sum:nothing{*}")], []) == {"a": []}


@pytest.mark.parametrize(
    ("formula", "values"),
    [
        ("a", [2.0, 6.0]),
        ("a + 1", [3.0, 7.0]),
        ("a - 3", [-1.0, 3.0]),
        ("a * b", [18.0, 54.0]),
        ("a / b", [2 / 9, 6 / 9]),
        ("b - a", [7.0, 3.0]),
        ("-a", [-2.0, -6.0]),
        ("a + a * 2", [6.0, 18.0]),
        ("12 / (a - 2)", [_, 3.0]),
    ],
)
def test_a_formula_of_arithmetic_works_on_the_reduced_values(formula, values):
    queries = [query(), query("b", "sum:m{*}", "max")]
    found = columns(queries, [{"formula": formula}])
    assert [value for value in found[formula] if value is not None] == pytest.approx(
        [value for value in values if value is not None]
    )


def test_a_formula_of_numbers_alone_is_one_value_without_a_group():
    assert columns([], [{"formula": "2 * 3 + 1"}]) == {"2 * 3 + 1": [7.0]}
    assert columns([query(text="sum:nothing{*}")], [{"formula": "a + 1"}]) == {"a + 1": []}


def test_groups_of_one_side_only_are_left_out_of_a_formula():
    data = [
        *BY_HOST,
        series(metric="n", tags="host:b", values=[2, 2]),
        series(metric="n", tags="host:c", values=[1, 1]),
    ]
    queries = [query(), query("b", "sum:n{*} by {host}"), query("c", "sum:n{*}", "sum")]
    assert columns(queries, [{"formula": "a / b"}], data) == {"host": [["b"]], "a / b": [3.0]}
    assert columns(queries, [{"formula": "a + c"}], data) == {"host": [["a"], ["b"]], "a + c": [8.0, 12.0]}
    both = columns(queries, [{"formula": "b"}, {"formula": "a"}], data)
    assert both == {"host": [["b"], ["c"], ["a"]], "b": [2.0, 1.0, _], "a": [6.0, _, 2.0]}


@pytest.mark.parametrize(
    ("limit", "hosts"),
    [
        ({"count": 1}, ["b"]),
        ({"count": 1, "order": "desc"}, ["b"]),
        ({"count": 1, "order": "asc"}, ["a"]),
        ({"count": 2, "order": "asc"}, ["a", "b"]),
        ({"order": "desc"}, ["b", "a"]),
        ({}, ["b", "a"]),
        (None, ["a", "b"]),
    ],
)
def test_the_first_formula_with_a_limit_sorts_and_cuts_the_groups(limit, hosts):
    formulas = [
        {"formula": "a"},
        {"formula": "a * 2", "limit": limit},
        {"formula": "-a", "limit": {"count": 1}},
    ]
    found = columns([query()], formulas if limit is not None else formulas[:2])
    assert [name for (name,) in found["host"]] == hosts


def test_a_group_without_a_key_is_not_there_and_the_longest_grouping_gives_the_keys():
    data = [series(tags="host:a az:x", values=[1]), series(tags="host:b", values=[2])]
    queries = [query("a", "sum:m{*} by {host}"), query("b", "sum:m{*} by {host,az}")]
    found = columns(queries, [], data)
    assert found["host"] == [["a"], ["b"], ["a"], ["b"]]
    assert found["az"] == [["N/A"], ["N/A"], ["x"], ["N/A"]]
    assert (found["a"], found["b"]) == ([1.0, 2.0, _, _], [_, _, 1.0, 2.0])


def test_a_formula_with_a_function_is_evaluated_over_time_and_reduced_as_its_first_query_is():
    queries = [query(aggregator="max"), query("b", aggregator="min")]
    assert columns(queries, [{"formula": "cumsum(a)"}])["cumsum(a)"] == [4.0, 12.0]
    assert columns(queries, [{"formula": "cumsum(b) + a"}])["cumsum(b) + a"] == [2.0, 16.0]
    assert columns(queries, [{"formula": "abs(sum:m{*})"}])["abs(sum:m{*})"] == [8.0]
    with pytest.raises(QueryError, match="no query is named 'c'"):
        columns(queries, [{"formula": "c + 1"}])


def test_default_zero_of_one_value_over_the_whole_time_fills_no_bucket_beside_it():
    data = [series(values=[4, _, 2]), series(metric="n", tags="host:a", values=[1])]
    queries = [query("a", "sum:m{*}", "avg"), query("n", "sum:n{*}", "sum"), query("o", "sum:o{*}", "sum")]

    def value(formula, whole):
        found = scalar_results(queries, [{"formula": formula}], as_source(data), START, END, whole=whole)
        return found[1][0][1]

    assert value("default_zero(a)", True) == {(): 3.0}
    assert value("default_zero(a) + 1", True) == {(): 4.0}
    assert value("default_zero(o) + default_zero(a)", True) == {}
    assert value("abs(default_zero(a))", True) == value("abs(default_zero(a))", False)


# --- filters that are added (docs/query.md: template variables)


@pytest.mark.parametrize(
    ("text", "filters", "expected"),
    [
        ("avg:a{*}", ("env:x",), "avg:a{env:x}"),
        ("avg:a{host:y}", ("env:x",), "avg:a{host:y AND env:x}"),
        ("avg:a{host:y,!az:z}", ("env:x,!b:c",), "avg:a{(host:y AND NOT az:z) AND (env:x AND NOT b:c)}"),
        ("avg:a{host:y OR az:z}", ("env:x",), "avg:a{(host:y OR az:z) AND env:x}"),
        ("avg:a{host:y}", ("", "  ", "*"), "avg:a{host:y}"),
        ("avg:a{host:y}", ("env IN (p, q)", "az:z"), "avg:a{(host:y AND env IN (p, q)) AND az:z}"),
        ("avg:a{*} / sum:b{c:d}", ("env:x",), "avg:a{env:x} / sum:b{c:d AND env:x}"),
        ("-avg:a{*} + 1", ("env:x",), "-avg:a{env:x} + 1"),
        ("top(avg:a{*} by {b}, 3, 'max', 'desc')", ("env:x",), "top(avg:a{env:x} by {b}, 3, 'max', 'desc')"),
        ("abs(-avg:a{*})", ("env:x",), "abs(-avg:a{env:x})"),
        ("abs(avg:a{*} + abs(avg:b{*}))", ("env:x",), "abs(avg:a{env:x} + abs(avg:b{env:x}))"),
        ("1 + 2", ("env:x",), "1 + 2"),
    ],
)
def test_a_filter_is_added_to_every_scope(text, filters, expected):
    assert narrowed(parse(text), *filters) == parse(expected)
    assert parse(format(narrowed(parse(text), *filters))) == parse(expected)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("a:b,!c:d", "a:b AND NOT c:d"),
        ("!a:b", "NOT a:b"),
        ("a:b OR NOT c:d", "a:b OR NOT c:d"),
        ("a:b", "a:b"),
        ("*", "*"),
    ],
)
def test_a_scope_with_commas_is_the_same_in_words(scope, words):
    written = format(parse(f"avg:m{{{words}}}"))
    found = parse(f"avg:m{{{scope}}}")
    assert format(replace(found, scope=in_words(found.scope))) == written


# --- lines as a body


def test_a_line_is_written_with_its_expression_its_scope_and_its_points():
    text = "sum:m{env:p} by {host} / sum:m{env:p} by {host}.rollup(sum, 60)"
    data = [series(tags="host:a env:p", values=[_, 2, 3])]
    answers = evaluate(text, data, START, END, 60)
    (line,) = body(text, START, END, answers)["series"]
    assert line == {
        "metric": "(m / m)",
        "display_name": "(m / m)",
        "expression": "sum:m{env:p,host:a} / sum:m{env:p,host:a}.rollup(sum, 60)",
        "scope": "env:p,host:a",
        "tag_set": ["host:a"],
        "aggr": None,
        "interval": 60,
        "start": (START + 60) * 1000,
        "end": (START + 179) * 1000 + 0,
        "length": 2,
        "query_index": 0,
        "unit": None,
        "attributes": {},
        "pointlist": [[(START + 60) * 1000.0, 1.0], [(START + 120) * 1000.0, 1.0]],
    }
    assert body(text, START, END, answers)["group_by"] == ["host"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sum:m{*}, -sum:m{*}", ["m", "-m"]),
        ("abs(sum:m{*})", ["abs(m)"]),
        ("top(sum:m{*} by {host}, 1, 'max', 'desc')", ["top(m, 1, 'max', 'desc')"]),
        ("sum:m{*} + 1", ["(m + 1)"]),
    ],
)
def test_a_line_is_named_by_its_expression_without_scopes(text, names):
    answers = evaluate(text, GAUGE, START, END, 60)
    assert [answer.metric for answer in answers] == names
    assert [answer.query_index for answer in answers] == list(range(len(names)))
    aggregators = ["sum" if name == "m" else None for name in names]
    assert [answer.aggregator for answer in answers] == aggregators


@pytest.mark.parametrize(
    ("scope", "tags", "text"),
    [("*", (), "*"), ("*", ("a:b", "c:d"), "a:b,c:d"), ("e:f", (), "e:f"), ("e:f", ("a:b",), "e:f,a:b")],
)
def test_the_scope_of_a_line_is_that_of_its_query_and_the_tags_of_its_group(scope, tags, text):
    assert scope_text(parse(f"avg:m{{{scope}}}").scope, tags) == text


# --- switches that decided


def decided(text, data, switches=None):
    chosen = switches or Switches()
    node = parse(text)

    def run(with_switches):
        return evaluate(node, data, START, END, 60, switches=with_switches)

    return {row.switch: (row.value, row.other) for row in decisions(node, run(chosen), chosen, run)}


COUNTER = [series(values=[5, 9, 2, 4])]


@pytest.mark.parametrize(
    ("text", "data", "switch"),
    [
        ("monotonic_diff(sum:m{*})", COUNTER, "monotonic_reset"),
        ("diff(sum:m{*})", COUNTER, "negative_deltas"),
        ("integral(sum:m{*})", COUNTER, "integral_of"),
        ("diff(sum:m{*})", HOSTS[:2], None),
        ("abs(sum:m{*})", COUNTER, None),
    ],
)
def test_a_switch_decided_if_its_other_value_gives_another_answer(text, data, switch):
    found = decided(text, data)
    assert (set(found) == {switch}) if switch else (found == {}), found
    if switch:
        default = getattr(Switches(), switch)
        assert found == {switch: (default, OTHERWISE[switch])}
        other = Switches(**{switch: OTHERWISE[switch]})
        assert switch not in decided(text, data, other)  # the caller's choice is not open


def test_a_switch_is_open_only_where_the_query_has_what_it_speaks_of():
    asked = []

    def run(switches):
        asked.extend(name for name in OTHERWISE if getattr(switches, name) != getattr(Switches(), name))
        return []

    always = {"interpolate_counts", "align_groups", "long_gaps", "count_rollup", "wildcards"}
    for text, more in (
        ("sum:m{*}", set()),
        ("sum:m{*} + sum:n{*}", {"join"}),
        ("sum:m{*}.fill(last)", {"longest_fill", "bare_fill"}),
        ("fill(sum:m{*}, 'last')", {"longest_fill", "bare_fill"}),
        ("monotonic_diff(sum:m{*})", {"monotonic_reset", "rates"}),
        ("integral(sum:m{*})", {"integral_of"}),
        *(
            (f"{name}(sum:m{{*}})", {"negative_deltas", "rates"})
            for name in ("diff", "derivative", "rate", "per_second", "per_minute", "per_hour")
        ),
    ):
        asked.clear()
        assert decisions(parse(text), [], Switches(), run) == []
        assert set(asked) == always | more, text


def test_answers_are_the_same_if_their_groups_times_and_values_are():
    (first, second) = evaluate("sum:m{*} by {host}", BY_HOST, START, END, 60)
    for others, same in (
        ([first, second], True),
        ([replace(first, values=first.values + 1e-12), second], True),
        ([first], False),
        ([second, first], False),
        ([replace(first, values=first.values + 0.1), second], False),
        ([replace(first, times=first.times + 60), second], False),
        ([replace(first, values=np.array([1.0, np.nan])), second], False),
    ):
        found = decisions(
            parse("sum:m{*} by {host}"), [first, second], Switches(), lambda switches, others=others: others
        )
        assert (found == []) is same


def test_a_query_that_another_choice_cannot_evaluate_is_not_decided_by_it():
    def run(switches):
        raise QueryError("sum:m{*}", "no", 0, 1)

    assert decisions(parse("sum:m{*}"), [], Switches(), run) == []
    text = "decided by the switch rates: before (after gives another answer)"
    assert str(Decision("rates", "before", "after")) == text
    assert "align_groups: false (true gives" in str(Decision("align_groups", False, True))
