"""Reading and evaluating at their edges: arguments of every kind, ends of texts, points in files, buckets.

Sources: docs/query.md and docs/query-functions.md (what each function takes), metrics/distributions (percentiles, thresholds),
dashboards/functions/rollup (the ladder of intervals), dashboards/functions/interpolation (default_zero), docs/data-files.md.
"""

import json

import numpy as np
import pytest
from query_cases import START, ask, distribution, line, row, series

from monitoring.errors import InputError
from monitoring.query import (
    FUNCTIONS,
    Lines,
    QueryError,
    Switches,
    evaluate,
    evaluate_lines,
    format,  # noqa: A004
    parse,
    parse_monitor,
)
from monitoring.query.cursor import DEEPEST
from monitoring.query.datafile import load, seconds
from monitoring.query.distribution import in_bins, percentile
from monitoring.query.errors import nearest
from monitoring.query.grid import LADDER, Grid, default_interval, grid_between, uniform_grid
from monitoring.query.nodes import Number, Tag
from monitoring.query.selection import all_tags, matcher
from monitoring.query.switches import choices

_ = None
OF_KIND = {"query": "avg:m{*}", "number": "3", "word": "'zzzzzz'", "text": "'zzzzzz'", "groups": "{host}"}
SAID = {"query": "a query", "number": "a number", "text": "a quoted text", "groups": "groups ({host})"}


def valid(parameter):
    if parameter.choices and parameter.kind == "word":
        return f"'{'p95' if parameter.choices[0] == 'pNN' else parameter.choices[0]}'"
    return "'-1d'" if parameter.name == "shift" else OF_KIND[parameter.kind]


def takes(parameter, kind):
    """Whether an argument of the kind fits the parameter, by the tables of functions."""
    if parameter.kind == "query":
        return kind in {"query", "number"} or (kind == "groups" and "groups" in parameter.choices)
    if parameter.kind == "word" and not parameter.choices:
        return kind in {"word", "text"}
    return kind == parameter.kind or (parameter.kind == "text" and kind == "word")


WRONG = [
    (name, place, kind)
    for name, function in FUNCTIONS.items()
    for place, parameter in enumerate(function.parameters)
    for kind in ("query", "number", "text", "groups")
    if not takes(parameter, kind) and not function.keywords
]


@pytest.mark.parametrize(("name", "place", "kind"), WRONG)
def test_an_argument_of_another_kind_is_refused_with_what_is_expected(name, place, kind):
    function = FUNCTIONS[name]
    parameter = function.parameters[place]
    arguments = [valid(each) for each in function.parameters]
    arguments[place] = OF_KIND[kind]
    text = f"{name}({', '.join(arguments)})"
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert error.message == f"{OF_KIND[kind]} is not a valid {parameter.name} for {name}"
    assert text[error.start : error.end] == OF_KIND[kind]
    if parameter.kind == "word":
        said = tuple("a percentile ('p95')" if word == "pNN" else f"'{word}'" for word in parameter.choices)
        assert error.expected == said
    else:
        assert error.expected == (SAID[parameter.kind],)
    assert error.suggestion == ""


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if not function.keywords])
def test_a_function_takes_from_its_fewest_to_all_of_its_arguments(name):
    function = FUNCTIONS[name]
    arguments = [valid(each) for each in function.parameters]
    for count in range(len(arguments) + 2):
        text = f"{name}({', '.join([*arguments, '1'][:count])})"
        if function.fewest <= count <= len(arguments):
            assert parse(text).name == name
        else:
            with pytest.raises(QueryError, match=f"{name} takes .* argument") as caught:
                parse(text)
            assert f", not {count}" in caught.value.message
            assert (caught.value.start, caught.value.end) == (0, len(text))


@pytest.mark.parametrize(
    ("text", "message", "marked", "hint"),
    [
        ("   ", "the query is empty", "", ""),
        ("avg:m{a:b", "the scope ends too early", "", "Expected ',', AND, OR or '}'."),
        ("avg:m{a:b c:d}", "unexpected 'c:d' in the scope", "c:d", "Expected ',', AND, OR or '}'."),
        ("avg:m{}", "the scope is empty", "{}", "Expected a tag (key:value) or *. Write {*}"),
        ("avg(m{*})", "", "avg(m{*})", "Write avg:m{…}"),
        ("abs(avg:m{*}, 1)", "abs takes 1 argument, not 2", "abs(avg:m{*}, 1)", "Write abs(query)"),
        ("avg:m{*}.fill(last, -1)", "fill takes a limit in seconds, at least 0", ".fill(last, -1)", "Write "),
        ("avg:m{*}.fill(lest)", "fill has no method 'lest': did you mean last?", ".fill(lest)", "Write "),
        ("avg:m{*}.fill(zzzz)", "fill has no method 'zzzz'", ".fill(zzzz)", "Write "),
        ("avg:m{*}.fill()", "fill needs a method", ".fill()", "Write "),
        ("avg:m{*}.fill(1, 2)", "fill takes one number only", ".fill(1, 2)", "Write "),
        ("avg:m{*}.fill(last, last)", "fill takes a limit in seconds, at least 0", "", ""),
        ("avg:m{*}.fill(last, 1, 2)", "fill takes a method and a limit, no more", "", ""),
        ("avg:m{*}.rollup()", "a rollup needs an aggregator, or seconds", ".rollup()", "Write "),
        ("avg:m{*}.rollup(agv, 60)", "a rollup cannot aggregate by 'agv': did you mean avg?", "", ""),
        ("avg:m{*}.rollup(zzzz, 60)", "a rollup cannot aggregate by 'zzzz'", "", ""),
        (
            "avg:m{*}.rollup(avg, day)",
            "'day' is not a number of seconds, nor daily, weekly or monthly",
            "",
            "",
        ),
        ("avg:m{*}.rollup(avg, 60, 1)", "a rollup takes an aggregator and seconds, no more", "", ""),
        ("avg:m{*}.rollup(avg, 0)", "a rollup takes whole seconds, at least 1", "", ""),
        ("avg:m{*}.rollup(avg, 1.5)", "a rollup takes whole seconds, at least 1", "", ""),
        ("avg:m{*}.as_count(1)", "this modifier takes no arguments", ".as_count(1)", "Write .as_count()"),
        ("avg:m{*}.as_cuont()", "unknown modifier '.as_cuont'", ".as_cuont", "Write .as_count()"),
        ("avg:m{*}.as_count", "the modifier .as_count needs parentheses", ".as_count", "Write .as_count()"),
        ("p0:d{*}", "unknown aggregator 'p0'", "p0", "or a percentile (p95)."),
        ("p100:d{*}", "unknown aggregator 'p100'", "p100", "or a percentile (p95)."),
        (
            "abs(avg:m{*}).rollup(sum, 60)",
            "a modifier belongs to one metric query, not to an expression",
            ".rollup",
            "Expected an operator.",
        ),
        ("(avg:m{*} + 1).as_count()", "a modifier belongs to one metric query", ".as_count", ""),
        (
            "anomalies(avg:m{*}, 'basic', 2, zzzzzz=1)",
            "anomalies has no argument 'zzzzzz'",
            "zzzzzz=1",
            "Expected direction",
        ),
        (
            "anomalies(avg:m{*}, 'basic', 2, directoin='above')",
            "anomalies has no argument 'directoin'",
            "directoin='above'",
            "Write direction=…",
        ),
        (
            "anomalies(avg:m{*}, 'basic', 2, direction='abvoe')",
            "'abvoe' is not a valid direction",
            "direction='abvoe'",
            "Write 'above'",
        ),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text, message, marked, hint):
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert message in error.message if message else True
    if marked:
        assert text[error.start : error.end] == marked
    assert hint in error.hint
    assert "Write ''" not in error.hint


def test_a_word_without_a_near_one_gets_no_proposal():
    for text in (
        "anomalies(avg:m{*}, 'basic', 2, zzzzzz=1)",
        "anomalies(avg:m{*}, 'basic', 2, direction='zzzz')",
    ):
        with pytest.raises(QueryError) as caught:
            parse(text)
        assert caught.value.suggestion == ""
        assert "Write" not in caught.value.hint


@pytest.mark.parametrize("sign", ["+", "-"])
def test_signs_side_by_side_are_not_nested(sign):
    assert parse(" * ".join([f"{sign}avg:m{{*}}"] * (DEEPEST + 5)))
    with pytest.raises(QueryError, match="levels deep"):
        parse(sign * (DEEPEST + 1) + "avg:m{*}")
    assert parse(sign * 3 + "avg:m{*}")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5, "5"),
        (0.25, "0.25"),
        (-3, "-3"),
        (1e20, "1e+20"),
        (999_999_999_999_999, "999999999999999"),
        (1e15, "1000000000000000.0"),
        (-1e15, "-1000000000000000.0"),
    ],
)
def test_a_number_is_written_so_that_it_reads_back(number, text):
    assert format(Number(float(number), start=0, end=0)) == text
    assert parse(text).value == number


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("(avg:a{*} + 1) * 2", "(avg:a{*} + 1) * 2"),
        ("(avg:a{*} * 1) + 2", "avg:a{*} * 1 + 2"),
        ("2 - (avg:a{*} - 1)", "2 - (avg:a{*} - 1)"),
        ("(2 - avg:a{*}) - 1", "2 - avg:a{*} - 1"),
        ("2 / (avg:a{*} * 3)", "2 / (avg:a{*} * 3)"),
        ("-(avg:a{*} + 1)", "-(avg:a{*} + 1)"),
        ("+(-avg:a{*}) * 2", "-avg:a{*} * 2"),
        ("avg( avg:m{*} by {host} , {host} )", "avg(avg:m{*} by {host}, {host})"),
    ],
)
def test_an_expression_is_written_with_the_parentheses_that_it_needs(text, written):
    assert format(parse(text)) == written
    assert parse(written) == parse(text)


@pytest.mark.parametrize("text", ["avg( last_5m ) : avg:a{*} > 1", " avg(last_5m) :avg:a{*}>1 "])
def test_space_changes_no_query_of_a_monitor(text):
    assert parse_monitor(text) == parse_monitor("avg(last_5m):avg:a{*} > 1")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("align_groups", "TRUE", True),
        ("align_groups", "false", False),
        ("default_points", "12", 12),
        ("longest_fill", "600", 600),
        ("longest_fill", "none", None),
        ("join", "shared", "shared"),
    ],
)
def test_a_switch_is_read_from_its_text(name, text, value):
    assert choices(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("align_groups", "yes", "write true or false"),
        ("default_points", "0", "write a whole number"),
        ("default_points", "none", "write a whole number"),
        ("longest_fill", "-1", "write a whole number"),
        ("join", "Shared", "write equal or shared"),
        ("join", "none", "write equal or shared"),
    ],
)
def test_a_value_that_a_switch_cannot_have_is_refused_with_those_it_can(name, text, says):
    with pytest.raises(InputError, match=says) as caught:
        choices(name, text)
    assert caught.value.where == "--switch"


@pytest.mark.parametrize(
    ("pattern", "tag", "matches"),
    [
        ("*a*", "abc", True),
        ("*b*", "abc", True),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("ab*bc", "abc", False),
        ("a*b*c", "abc", True),
        ("a*b*b*c", "abc", False),
        ("*a*a*", "aa", True),
        ("*a*a*", "ab", False),
        ("K:V*", "k:value", True),
        ("k:v*", "j:v", False),
    ],
)
def test_a_star_stands_for_any_text(pattern, tag, matches):
    assert matcher(Tag(None, pattern))(frozenset({tag})) is matches


def test_an_older_page_excludes_a_star_at_both_ends_of_a_value():
    tags = all_tags(["Env:Prod"], "Web-1")
    assert tags == {"env:prod", "host:web-1"}
    assert all_tags(["a"]) == {"a"}
    for value, ends in (("*ro*", False), ("p*", True), ("*d", True), ("p*d", True)):
        assert matcher(Tag("env", value))(tags) is True
        assert matcher(Tag("env", value), False)(tags) is ends


def test_the_nearest_word_is_one_that_is_like_it():
    assert nearest("avgg", ["avg", "sum"]) == "avg"
    assert nearest("av", ["avg", "max", "xav"]) in {"avg", "xav"}
    assert nearest("abcdef", ["uvwxyz"]) == ""


# --- buckets


@pytest.mark.parametrize(
    ("span", "most", "interval"),
    [
        (300 * LADDER[-1], 300, LADDER[-1]),
        (300 * LADDER[-1] + 1, 300, 29 * 86400),
        (301 * LADDER[-1], 300, 29 * 86400),
        (600 * LADDER[-1], 300, 56 * 86400),
        (100, 10, 10),
        (0, 300, 1),
    ],
)
def test_beyond_the_ladder_an_interval_is_of_whole_days(span, most, interval):
    assert default_interval(span, most) == interval


def test_a_window_without_the_start_of_a_bucket_has_none():
    assert grid_between(1, 59, 60).starts.tolist() == []
    assert len(grid_between(1, 59, 60)) == 0
    assert uniform_grid(60, 60, -3).edges.tolist() == [60]
    grid = uniform_grid(60, 60, 2)
    assert grid.index(np.array([59, 60, 119, 120, 180])).tolist() == [-1, 0, 0, 1, 2]
    days = Grid(np.array([0, 10, 30]), 10, uniform=False)
    assert days.index(np.array([-1, 0, 9, 10, 29, 30])).tolist() == [-1, 0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("before", "after", "first", "count"),
    [(0, 0, 600, 2), (1, 0, 540, 3), (60, 61, 540, 5), (10**9, 0, 600 - 600_000, 10_002)],
)
def test_a_padded_grid_has_whole_buckets_more_at_its_ends(before, after, first, count):
    padded = uniform_grid(600, 60, 2).padded(before, after)
    assert (int(padded.edges[0]), len(padded), padded.step) == (first, count, 60)
    days = Grid(np.array([0, 10, 30]), 10, uniform=False)
    assert days.padded(before, after) is days
    nothing = uniform_grid(600, 60, 0)
    assert nothing.padded(before, after) is nothing


def test_lines_at_other_times_have_no_value_where_there_was_no_bucket():
    lines = Lines(("h",), (("a",),), np.array([60, 120, 240]), np.array([[1.0, 2.0, 4.0]]), 60)
    assert lines.at(lines.times.copy()) is lines
    for times, values in (
        ([60, 120], [1, 2]),
        ([120, 180, 240], [2, _, 4]),
        ([0, 60], [_, 1]),
        ([300], [_]),
        ([], []),
        ([120, 180, 300], [2, _, _]),
    ):
        found = lines.at(np.array(times, dtype=np.int64))
        assert [None if np.isnan(value) else value for value in found.values[0]] == values
        assert (found.times.tolist(), found.keys, found.groups) == (times, ("h",), (("a",),))


def test_buckets_that_are_too_fine_are_refused_at_the_query():
    fine = Switches(most_points=10**9)
    with pytest.raises(QueryError, match="buckets of 1 s are too fine for 200000000 s") as caught:
        evaluate_lines(parse("1 + avg:m{*}.rollup(1)"), [], 0, 200_000_000, 60, switches=fine)
    assert (caught.value.start, caught.value.end) == (4, 22)
    with pytest.raises(QueryError, match="buckets of 1 s are too fine"):
        evaluate_lines(parse("1"), [], 0, 200_000_000, 1, switches=fine)


# --- distributions


def spread(tags, *minutes):
    """Values of a distribution by minute."""
    return [distribution("d", tags, values, START + 60 * at) for at, values in enumerate(minutes) if values]


SPREAD = [*spread("host:a", [1, 2, 3], [4], [], [7, 9]), *spread("host:b", [10], [], [20, 40])]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("p50:d{*} by {host}", {"host:a": [2, 4, _, 7], "host:b": [10, _, 20]}),
        ("p99:d{*} by {host}", {"host:a": [2, 4, _, 7], "host:b": [10, _, 20]}),
        ("p50:d{*}", {"": [2, 4, 20, 7]}),
        ("max:d{*}", {"": [10, 4, 40, 9]}),
        ("min:d{*} by {host}", {"host:a": [1, 4, _, 7], "host:b": [10, _, 20]}),
        ("sum:d{*}", {"": [16, 4, 60, 16]}),
        ("avg:d{*}", {"": [4, 4, 30, 8]}),
        ("count:d{*}.as_count()", {"": [4, 1, 2, 2]}),
        ("count(v: v>=4):d{*}", {"": [1, 1, 2, 2]}),
        ("count(v: v>4):d{*} by {host}", {"host:a": [0, 0, _, 2], "host:b": [1, _, 2]}),
        ("count(v: v<=4):d{host:a}", {"": [3, 1, _, 0]}),
        ("count(v: v==2):d{host:a}", {"": [1, 0, _, 0]}),
        ("stddev:d{host:b}", {"": [0, _, 10]}),
        ("p50:d{*}.rollup(avg, 120)", {"": [3, _, 9]}),
        ("p75:d{*}.fill(zero)", {"": [3, 4, 20, 7, 0]}),
    ],
)
def test_a_distribution_is_aggregated_from_all_of_its_values(query, expected):
    if query.startswith("p50:d{*}.rollup"):  # 1 2 3 4 10, and 7 9 20 40
        expected = {"": [3, _, 9]}
    assert ask(query, SPREAD) == {tags: row(values) for tags, values in expected.items()}


def test_a_value_counts_in_each_group_that_its_source_is_in():
    data = [distribution("d", "team:x team:y", [1, 5]), distribution("d", "team:y", [9])]
    assert ask("p50:d{*} by {team}", data) == {"team:x": {0: 1}, "team:y": {0: 5}}
    assert ask("count:d{*} by {team}", data) == {"team:x": {0: 2}, "team:y": {0: 3}}


def test_a_percentile_is_a_value_that_occurs_or_the_middle_of_its_bin():
    points = np.array([5.0, 1.0, 3.0, 2.0, 4.0])
    assert [percentile(points, share) for share in (0, 24, 25, 50, 99, 100)] == [1, 1, 2, 3, 4, 5]
    assert percentile(np.array([7.0]), 95) == 7
    values = np.array([0.0, 1.0, -1.0, 1000.0, 1e-12])
    moved = in_bins(values)
    assert moved[[0, 4]].tolist() == [0, 0]
    assert np.allclose(moved, values, rtol=1 / 128)
    assert moved[3] != 1000 and moved[1] == 1 and moved[2] == -1
    exact, sketch = (
        evaluate("p99:d{host:b}", SPREAD, START, START + 299, 60, switches=Switches(quantiles=name))[0]
        for name in ("exact", "sketch")
    )
    assert sketch.values.tolist() == in_bins(exact.values).tolist()


# --- empty buckets


def test_default_zero_of_a_gauge_is_interpolated_for_five_minutes_and_zero_beyond():
    gap = [series(values=[2, *[_] * 3, 10, *[_] * 6, 4])]
    near = {**row([2, 4, 6, 8, 10]), **dict.fromkeys(range(300, 660, 60), 0.0), 660: 4}
    assert line("default_zero(sum:m{*})", gap, 720) == near
    wide = line("default_zero(sum:m{*})", gap, 720, switches=Switches(long_gaps="limit"))
    assert [wide[at] for at in (300, 480, 540, 600)] == pytest.approx([64 / 7, 46 / 7, 40 / 7, 0])
    counted = [series("c", values=[2, _, 4], type="count", interval=60)]
    assert line("default_zero(sum:c{*}.as_count())", counted) == row([2, 0, 4, 0, 0])


def test_a_weighted_gauge_counts_each_point_for_the_time_until_the_next():
    """docs/query.md: weighted() is a sum of values times the seconds that each stood for, per second of the bucket."""
    data = [series(values=[1, 2, 3, 4, 5], every=60)]
    assert line("sum:m{*}.weighted().rollup(avg, 120)", data) == {0: 1.5, 120: 3.5, 240: 2.5}
    counts = [series("c", values=[6, 12], type="count", interval=60)]
    assert line("sum:c{*}.weighted()", counts) == row([6, 12])


# --- files


def read(tmp_path, content, name="a.json"):
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return load(file)


def test_points_without_a_value_are_gaps_of_an_answer_and_mistakes_elsewhere(tmp_path):
    answer = {"series": [{"metric": "m", "pointlist": [[60, None], [120, 2], [None, None]]}]}
    loaded = read(tmp_path, answer)
    assert loaded.series[0].times.tolist() == [120]
    assert [problem.message.split(":")[0] for problem in loaded.problems] == ["'None' is not a valid time"]
    assert loaded.problems[0].where.endswith("a.json series[0] points[2]")
    submitted = {"series": [{"metric": "m", "points": [[60, None], [120, 2]]}]}
    assert [problem.message for problem in read(tmp_path, submitted).problems] == [
        "'None' is not a finite number"
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"metric": "", "time": 1, "value": 1}, "the metric has no name"),
        ({"metric": "  ", "time": 1, "value": 1}, "the metric has no name"),
        ({"metric": 5, "time": 1, "value": 1}, "the metric has no name"),
        ({"time": 1, "value": 1}, "the metric has no name"),
        ({"metric": "m", "time": 1, "value": 1, "type": "gouge"}, "'gouge' is not a type of a metric"),
        ({"metric": "m", "time": "soon", "value": 1}, "'soon' is not a valid time"),
        ({"metric": "m", "time": 1, "value": True}, "'True' is not a finite number"),
        ({"metric": "m", "time": 1, "value": "NaN"}, "'NaN' is not a finite number"),
        ("text", "expected an object with a metric and points"),
    ],
)
def test_a_point_that_cannot_be_used_is_said_with_its_place(tmp_path, row, message):
    loaded = read(tmp_path, [row, {"metric": "m", "time": 60, "value": 1}])
    (problem,) = loaded.problems
    assert problem.message.startswith(message)
    assert problem.where == f"{tmp_path / 'a.json'} [0]"
    with pytest.raises(InputError, match="no point can be used: ") as caught:
        read(tmp_path, [row])
    assert message in caught.value.message
    assert caught.value.where == str(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "name"), [("[]", "a.json"), ("", "a.jsonl"), ('{"series": []}', "a.json")]
)
def test_a_file_without_a_point_is_refused(tmp_path, content, name):
    with pytest.raises(InputError, match="no point can be used: it is empty"):
        read(tmp_path, content, name)


def test_lines_of_json_are_read_one_by_one_whatever_the_suffix(tmp_path):
    lines = (
        '\n{"m": "a", "e": 60, "v": 1, "t": ["B:c"]}\n\n{broken\n{"m": "a", "e": 120, "v": 2, "t": "b:c"}\n'
    )
    for name in ("a.jsonl", "a.json"):
        loaded = read(tmp_path, lines, name)
        assert [(each.metric, each.tags, each.values.tolist()) for each in loaded.series] == [
            ("a", ("b:c",), [1.0, 2.0])
        ]
        (problem,) = loaded.problems
        assert problem.where == f"{tmp_path / name}:4:2"
        assert problem.message.startswith("the line is not valid JSON: ")
    with pytest.raises(InputError, match="not valid JSON") as caught:
        read(tmp_path, '{"series": [}')
    assert caught.value.where == f"{tmp_path / 'a.json'}:1:13"


@pytest.mark.parametrize(
    ("body", "type", "tags", "host", "interval"),
    [
        ({"type": 1, "interval": 10}, "count", (), "", 10),
        ({"type": "COUNTER", "interval": 0}, "count", (), "", None),
        ({"type": "rate", "interval": "10"}, "rate", (), "", None),
        ({"type": None, "host": "h"}, "gauge", (), "h", None),
        ({"tag_set": ["b", "A:x", "b"]}, "gauge", ("a:x", "b"), "", None),
        ({"tags": "a:x|b:y"}, "gauge", ("a:x", "b:y"), "", None),
        ({"tags": "['b:y' 'a:x']"}, "gauge", ("a:x", "b:y"), "", None),
        ({"tags": "{a:x, b:y, }"}, "gauge", ("a:x", "b:y"), "", None),
        ({"resources": [{"type": "x", "name": "n"}, {"type": "host", "name": "h"}]}, "gauge", (), "h", None),
        ({"resources": ["h"]}, "gauge", (), "", None),
    ],
)
def test_a_series_is_read_as_clients_submit_it(tmp_path, body, type, tags, host, interval):
    (found,) = read(tmp_path, {"series": [{"metric": " m ", "points": [[60, 1]], **body}]}).series
    assert (found.metric, found.type, found.tags, found.host, found.interval) == (
        "m",
        type,
        tags,
        host,
        interval,
    )


def test_values_in_a_list_are_those_of_a_distribution(tmp_path):
    body = {"series": [{"metric": "d", "points": [[60, [1, 2]], {"timestamp": 120, "value": 3}]}]}
    (found,) = read(tmp_path, body).series
    assert (found.type, found.times.tolist(), found.values.tolist()) == (
        "distribution",
        [60, 60, 120],
        [1, 2, 3],
    )
    body["series"][0]["type"] = "gauge"
    assert read(tmp_path, body).series[0].type == "gauge"
    assert read(tmp_path, body).series[0].values.tolist() == [2, 3]  # the later of two at one second


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (60, 60),
        ("60", 60),
        (1e11, 1e11),
        (1e11 + 1000, 1e8 + 1),
        (-1e11 - 1000, -1e8 - 1),
        ("1970-01-01T00:01:00", 60),
        ("1970-01-01T01:01:00+01:00", 60),
        (" 1970-01-01 00:01:00Z ", 60),
        ("x", None),
        (None, None),
        (True, None),
    ],
)
def test_a_time_is_seconds_or_milliseconds_or_iso_8601_in_utc(time, expected):
    assert seconds(time) == expected


def test_series_are_in_the_order_of_metric_tags_and_host(tmp_path):
    sources = [("b", [], ""), ("a", ["x:1"], ""), ("a", [], "h"), ("a", [], "")]
    body = [{"metric": m, "tags": t, "host": h, "points": [[60, 1]]} for m, t, h in sources]
    found = [(each.metric, each.tags, each.host) for each in read(tmp_path, {"series": body}).series]
    assert found == [("a", (), ""), ("a", (), "h"), ("a", ("x:1",), ""), ("b", (), "")]


def test_fractions_of_seconds_are_rounded_to_the_nearest(tmp_path):
    points = [[59.5, 1], [60.4, 2], [60.5, 3]]
    (found,) = read(tmp_path, {"series": [{"metric": "m", "points": points}]}).series
    assert (found.times.tolist(), found.values.tolist()) == ([60, 61], [2, 3])


# --- queries of monitors


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            '"check".over("*").last(0).count_by_status()',
            ".last takes the number of results",
            "Expected .last(2).",
        ),
        ('"check".over("*").last(101).count_by_status()', ".last takes the number of results", ""),
        ('"check".over("*").last(1.5).count_by_status()', ".last takes the number of results", ""),
        ('"check".over("*").last("2").count_by_status()', ".last takes the number of results", ""),
        ('change("a") > 1', "", ""),
        ("no_query x", "unexpected 'x' in the query of the monitor", "Expected the end of the query."),
    ],
)
def test_a_query_of_a_monitor_that_cannot_be_read_says_what_it_takes(text, message, hint):
    with pytest.raises(QueryError) as caught:
        parse_monitor(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    if text.startswith("change"):
        assert "evaluation window" not in caught.value.message


@pytest.mark.parametrize("count", [1, 100])
def test_a_check_looks_at_one_to_a_hundred_results(count):
    assert parse_monitor(f'"check".over("*").last({count}).count_by_status()').last == count
    assert parse_monitor('"check".over("*").count_by_status()').last is None
