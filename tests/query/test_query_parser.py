"""Queries are read into nodes and written back; what cannot be read is refused at its place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.query import FUNCTIONS, QueryError, format, parse  # noqa: A004
from monitoring.query.nodes import (
    And,
    Binary,
    Call,
    Everything,
    Groups,
    In,
    Keyword,
    Metric,
    Modifier,
    Negative,
    Not,
    Number,
    Or,
    Reference,
    Several,
    String,
    Tag,
    Threshold,
    Variable,
)

ALL = Everything()
CPU = Metric("system.cpu.user", "avg", ALL)

READ = [
    ("avg:system.cpu.user{*}", CPU),
    ("  avg:system.cpu.user{*}\n", CPU),
    ("system.cpu.user{*}", Metric("system.cpu.user", None, ALL)),
    ("p99.99:d{*}", Metric("d", "p99.99", ALL)),
    ("stddev:d{*}", Metric("d", "stddev", ALL)),
    ("count(v: v<=1):d{a:b}", Metric("d", "count", Tag("a", "b"), threshold=Threshold("<=", 1))),
    ("sum:m{a:b,!c:d}", Metric("m", "sum", And((Tag("a", "b"), Not(Tag("c", "d")))))),
    ("sum:m{a:b , ! c:d}", Metric("m", "sum", And((Tag("a", "b"), Not(Tag("c", "d")))))),
    ("sum:m{env:staging:east}", Metric("m", "sum", Tag("env", "staging:east"))),
    ("sum:m{foo}", Metric("m", "sum", Tag(None, "foo"))),
    ("sum:m{!key:}", Metric("m", "sum", Not(Tag("key", "")))),
    ("sum:m{$env,host:$host.value}", Metric("m", "sum", And((Variable("env"), Tag("host", "$host.value"))))),
    ("sum:m{az IN (a, b )}", Metric("m", "sum", In("az", ("a", "b")))),
    ("sum:m{az not in (a)}", Metric("m", "sum", In("az", ("a",), negated=True))),
    (
        "sum:m{a:b AND (c:d OR NOT e:f)}",
        Metric("m", "sum", And((Tag("a", "b"), Or((Tag("c", "d"), Not(Tag("e", "f"), "AND")))), "AND")),
    ),
    (
        "sum:m{a:b OR c:d and e:f}",
        Metric("m", "sum", Or((Tag("a", "b"), And((Tag("c", "d"), Tag("e", "f")), "AND")))),
    ),
    (
        "sum:m{order:1,device:/dev/loop*}",
        Metric("m", "sum", And((Tag("order", "1"), Tag("device", "/dev/loop*")))),
    ),
    ("sum:m{*}by{host}", Metric("m", "sum", ALL, ("host",))),
    ("sum:m{*} by {host, cluster-id}", Metric("m", "sum", ALL, ("host", "cluster-id"))),
    (
        "sum:m{*}.rollup(max, 60).as_count()",
        Metric("m", "sum", ALL, (), (Modifier("rollup", ("max", 60)), Modifier("as_count"))),
    ),
    ("sum:m{*}.rollup(10)", Metric("m", "sum", ALL, (), (Modifier("rollup", (10,)),))),
    ("sum:m{*}.rollup(sum, monthly)", Metric("m", "sum", ALL, (), (Modifier("rollup", ("sum", "monthly")),))),
    ("sum:m{*}.fill(last, 900)", Metric("m", "sum", ALL, (), (Modifier("fill", ("last", 900)),))),
    ("a + b * 2", Binary("+", Reference("a"), Binary("*", Reference("b"), Number(2)))),
    ("(a + b) * 2", Binary("*", Binary("+", Reference("a"), Reference("b")), Number(2))),
    ("a - b - c", Binary("-", Binary("-", Reference("a"), Reference("b")), Reference("c"))),
    ("a / (b / c)", Binary("/", Reference("a"), Binary("/", Reference("b"), Reference("c")))),
    ("a * -1", Binary("*", Reference("a"), Number(-1))),
    (
        "-query5 * 8 / dt(query1)",
        Binary(
            "/", Binary("*", Negative(Reference("query5")), Number(8)), Call("dt", (Reference("query1"),))
        ),
    ),
    ("a, b", Several((Reference("a"), Reference("b")))),
    (
        "top(m{*}, 10, mean, desc)",
        Call("top", (Metric("m", None, ALL), Number(10), String("mean"), String("desc"))),
    ),
    (
        "top(a, 10, 'mean', desc)",
        Call("top", (Reference("a"), Number(10), String("mean"), String("desc"))),
    ),
    ("max(a, 100)", Call("max", (Reference("a"), Number(100)))),
    ("sum(a, { host })", Call("sum", (Reference("a"), Groups(("host",))))),
    ("percentile(a, 'p90', { * })", Call("percentile", (Reference("a"), String("p90"), Groups(())))),
    (
        "anomalies(a, 'basic', 2, direction='above', interval=60)",
        Call(
            "anomalies",
            (Reference("a"), String("basic"), Number(2)),
            (Keyword("direction", "above"), Keyword("interval", 60)),
        ),
    ),
]


@pytest.mark.parametrize(("text", "nodes"), READ, ids=[text for text, _ in READ])
def test_a_query_means_its_nodes(text, nodes):
    assert parse(text) == nodes


@pytest.mark.parametrize(("text", "nodes"), READ, ids=[text for text, _ in READ])
def test_nodes_are_written_as_a_query_that_means_them(text, nodes):
    assert parse(format(nodes)) == nodes


def test_nodes_know_where_they_stand():
    text = "2 * avg:system.load.1{a:b} by {host}.as_count()"
    query = parse(text)
    assert text[query.right.start : query.right.end] == "avg:system.load.1{a:b} by {host}.as_count()"
    assert text[query.right.scope.start : query.right.scope.end] == "a:b"
    assert text[query.right.modifiers[0].start : query.right.modifiers[0].end] == ".as_count()"


# text, the part that is pointed at, the message, the suggestion
REFUSED = [
    ("", "", "the query is empty", ""),
    ("avg:m{}", "{}", "the scope is empty", "{*}"),
    ("avg:system.cpu.user", "", "a metric needs a scope", "avg:system.cpu.user{*}"),
    ("system.cpu.user", "", "a metric needs a scope", "system.cpu.user{*}"),
    ("avg:m.as_count()", "", "a metric needs a scope before its modifiers", "m{*} and then the rest"),
    ("avg:m{env:prod", "", "the scope ends too early", ""),
    ("avg:m{env:prod AND !region:us-east}", "!", "the symbols ! and , cannot be mixed", "NOT instead of !"),
    ("avg:m{a:b,c:d OR e:f}", ",", "the symbols ! and , cannot be mixed", "AND instead of the comma"),
    ("avg:m{env=prod}", "=", "unexpected '=' in the scope", "key:value, with a colon"),
    ("avg:m{a:b && c:d}", "&&", "unexpected '&&' in the scope", "AND between the tags"),
    ("avg:m{a:b,}", "}", "unexpected '}' in the scope", ""),
    ("avg:m{az IN ()}", ")", "unexpected ')' in the scope", ""),
    ("mean:m{*}", "mean", "unknown aggregator 'mean'", "avg:m{…}"),
    ("p100:m{*}", "p100", "unknown aggregator 'p100'", ""),
    ("p99.999:m{*}", "p99.999", "unknown aggregator", ""),
    ("avg(m{*})", "avg(m{*})", "avg takes 2 arguments, not 1", "avg:m{…}"),
    ("default_zeros(avg:m{*})", "default_zeros", "unknown function 'default_zeros'", "default_zero(…)"),
    ("avg:m{*}.as_counts()", ".as_counts", "unknown modifier '.as_counts'", ".as_count()"),
    ("avg:m{*}.as_count", ".as_count", "the modifier .as_count needs parentheses", ".as_count()"),
    ("avg:m{*}.as_count(1)", ".as_count(1)", "this modifier takes no arguments", ".as_count()"),
    ("avg:m{*}.rollup(mean, 60)", ".rollup(mean, 60)", "a rollup cannot aggregate by 'mean'", ""),
    ("avg:m{*}.rollup(sum, 0)", ".rollup(sum, 0)", "a rollup takes whole seconds, at least 1", ""),
    ("avg:m{*}.fill(lasts)", ".fill(lasts)", "fill has no method 'lasts': did you mean last?", ""),
    ("avg:m{*}.as_count() by {host}", "by", "the grouping comes before the modifiers", ""),
    ("avg:m{*} by {}", "}", "unexpected '}' in the grouping", ""),
    ("avg:m{*} by {host:a}", "host:", "a grouping names keys, without values", "host"),
    ("avg:m{*} by host", "by", "unexpected 'by' in the query", ""),
    ("(avg:m{*}).as_count()", ".as_count", "a modifier belongs to one metric query", ""),
    ("abs(avg:m{*}).rollup(sum, 60)", ".rollup", "a modifier belongs to one metric query", ""),
    ("avg:m{*} + ", "", "the query ends too early", ""),
    ("(avg:m{*}", "(", "this bracket is never closed", ""),
    ("avg:m{*})", ")", "this bracket was never opened", ""),
    ("avg:m{*} > 5", "> 5", "a comparison belongs to a monitor", ""),
    ("avg:m{*} avg:m{*}", "avg:m", "unexpected 'avg:m' in the query", ""),
    ("avg:m{*} / .5", ".5", "a number below 1 needs a leading zero", "0.5"),
    ("1e999", "1e999", "the number is too large", ""),
    ("top(a, 10, 'average', 'desc')", "'average'", "'average' is not a valid by for top", ""),
    ("clamp_min(a, 'x')", "'x'", "'x' is not a valid bound for clamp_min", ""),
    ("top()", "top()", "top takes 1 to 4 arguments, not 0", "top(query, count, by, order)"),
    (
        "anomalies(a, 'basic', 2, directions='up')",
        "directions='up'",
        "anomalies has no argument",
        "direction=…",
    ),
    ("anomalies(a, 'basic, 2)", "'basic, 2)", "the quoted text has no end", ""),
    ("1st.metric{*}", "1st.metric", "unexpected '1st.metric' in the query", ""),
    ("avg:my metric{*}", "", "a metric needs a scope", ""),
    ("avg:my-metric{*}", "my-metric", "the name of a metric is letters", "avg:my_metric{…}"),
    ("my-metric{*}", "my", "'my' is the name of a query", "my{*}"),
    ("avg:1st{*}", "1st", "the name of a metric is letters", "avg:st{…}"),
    ("avg:mé{*}", "mé", "the name of a metric is letters", "avg:m_{…}"),
    ("avg:m{$,a:b}", "$", "'$' is not a tag", "$name"),
    ("avg:m{a:$%}", "a:$%", "'a:$%' is not a tag", "$name"),
    ("avg:m{a$b}", "a$b", "'a$b' is not a tag", "$name"),
    ("avg:{*}", "", "the name of the metric is missing", "avg:metric{*}"),
    ("avg:m{*} / b", "b", "'b' is the name of a query", "b{*}"),
    (
        "anomalies(a, 'basic', 2, direction='up')",
        "direction='up'",
        "'up' is not a valid direction",
        "",
    ),
]


@pytest.mark.parametrize(("text", "part", "message", "suggestion"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_read_is_refused_at_its_place(text, part, message, suggestion):
    with pytest.raises(QueryError) as refused:
        parse(text)
    error = refused.value
    assert error.text[error.start : error.end] == part
    assert error.message.startswith(message)
    assert suggestion in error.suggestion
    assert bool(suggestion) == bool(error.suggestion) or not suggestion


def test_an_error_shows_the_place_and_the_next_step():
    with pytest.raises(QueryError) as refused:
        parse("a +\n  default_zeros(b)")
    assert str(refused.value).splitlines() == [
        "unknown function 'default_zeros'",
        "    default_zeros(b)",
        "    ^^^^^^^^^^^^^",
        "  Write default_zero(…)",
    ]


def test_a_formula_may_use_only_the_names_that_are_given():
    assert parse("a / b", names={"a", "b"}) == Binary("/", Reference("a"), Reference("b"))
    with pytest.raises(QueryError, match="no query is named 'query2'") as refused:
        parse("query1 / query2", names={"query1", "query3"})
    assert refused.value.expected == ("query1", "query3")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a",
        "-" * 5000 + "a",
        "abs(" * 5000 + "a",
        "1" + "+1" * 5000,
        "m{" + "NOT " * 5000 + "a:b}",
    ],
    ids=["brackets", "signs", "functions", "operators", "scope"],
)
def test_a_text_without_bottom_is_refused_rather_than_overflowing(text):
    with pytest.raises(QueryError):
        parse(text)


TOKENS = r"""avg: sum: p95: count(v: v >= 1): m system.cpu {*} {a:b} {a:b,!c:d} AND OR NOT IN {x ( ) { } , + -
    * / top( abs( by {host} .as_count() .rollup(sum,60) .fill(zero) .weighted() 1 0.5 .5 1e9 'a' " ' ewma_5(
    ! $ $v query1 = == > \ é _ . : ;"""
PIECES = st.sampled_from([*TOKENS.split(), " ", "\n"])


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(PIECES, max_size=25).map("".join),
        st.lists(PIECES, max_size=25).map(" ".join),
    )
)
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        query = parse(text)
    except QueryError as error:
        refused = error
    else:
        assert parse(format(query)) == query
        return
    assert 0 <= refused.start <= refused.end <= len(text)
    assert str(refused)


SCOPES = st.recursive(
    st.one_of(
        st.just(Everything()),
        st.builds(
            Tag, st.sampled_from(["env", "a-b", "x.y"]), st.sampled_from(["", "a", "a:b", "w-*", "/x", "$v"])
        ),
        st.builds(Variable, st.sampled_from(["env", "env.value"])),
        st.builds(In, st.just("az"), st.just(("a", "b")), st.booleans()),
    ),
    lambda inner: st.one_of(
        st.builds(lambda terms: And(tuple(terms), "AND"), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda terms: Or(tuple(terms)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda term: Not(term, "AND"), inner),
    ),
    max_leaves=6,
)
MODIFIERS = st.sampled_from(
    [
        Modifier("as_count"),
        Modifier("rollup", ("sum", 60.0)),
        Modifier("fill", ("last",)),
        Modifier("weighted"),
    ]
)
METRICS = st.builds(
    Metric,
    st.sampled_from(["m", "a.b_c.1"]),
    st.sampled_from([None, "avg", "p99.9"]),
    SCOPES,
    st.sampled_from([(), ("host",), ("a", "b-c")]),
    st.lists(MODIFIERS, max_size=2).map(tuple),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(Number)


def expressions(leaves):
    return st.recursive(st.one_of(leaves, NUMBERS), _combined, max_leaves=8)


def _combined(inner):
    return st.one_of(
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner),
        st.builds(lambda each: each if isinstance(each, Number) else Negative(each), inner),
        st.builds(lambda each: Call("abs", (each,)), inner),
        st.builds(lambda each: Call("clamp_min", (each, Number(-0.5))), inner),
    )


@settings(max_examples=300, deadline=None)
@given(st.one_of(expressions(METRICS), expressions(st.just(Reference("query1")))))
def test_whatever_can_be_built_is_written_so_that_it_reads_back(query):
    assert parse(format(query)) == query


def test_shipped_dashboards_are_read_and_written_back():
    rows = [json.loads(line) for line in shared_data("dashboard_queries.jsonl").read_text().splitlines()]
    refused = []
    for row in rows:
        try:
            query = parse(row["text"])
        except QueryError:
            refused.append(row["text"])
        else:
            assert parse(format(query)) == query
    assert len(refused) <= 0.001 * len(rows), refused


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_says_what_it_does_and_who_says_so(name):
    function = FUNCTIONS[name]
    assert function.summary
    assert function.source
    assert function.parameters[0].kind == "query"
