"""What a finding is: its severity, its place and pointer, its fix; and edges of single rules (docs/lint/).

A pointer is that of RFC 6901. Rules are errors only for what is known to be refused (docs/lint.md).
"""

import json
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.lint import engine, run
from monitoring.lint.contrast import Input, Variant, contrast
from monitoring.lint.coverage import Covered, as_json, full, gaps, of_files, summary
from monitoring.lint.engine import apply_edits, lint_text, lint_together
from monitoring.lint.model import REMOVE, Edit, Finding, Problem, Rule
from monitoring.lint.proof import tags_of
from monitoring.lint.report import _uri, sarif, text_lines
from monitoring.lint.report import as_json as findings_as_json
from monitoring.lint.rules import modules
from monitoring.lint.run import LintResult
from monitoring.lint.scopes import grouped, keys, prefixes, terms
from monitoring.lint.templates.application import Spot, TemplateProblem
from monitoring.lint.templates.text import YamlText
from monitoring.query import Metric, parse, walk
from monitoring.resources.catalogue import MetricFacts

ERRORS = "sum:aws.lambda.errors{*}.as_count()"


def findings(body, rule, path="monitors/m.json"):
    return lint_text(path, json.dumps(body), frozenset({rule})).findings


def monitor(query=f"sum(last_15m):{ERRORS} > 5", message="@a", **options):
    return {"name": "m", "type": "query alert", "query": query, "message": message, "options": options}


def board(*widgets, **more):
    return {"title": "A", "layout_type": "ordered", "widgets": list(widgets), **more}


def graph(query, **layout):
    made = {"definition": {"type": "timeseries", "requests": [{"q": query}]}}
    return {**made, "layout": layout} if layout else made


# --- severity, place and pointer


@pytest.mark.parametrize("code", modules())
def test_a_rule_that_can_be_an_error_says_what_was_refused(code):
    rule = modules()[code].RULE
    assert rule.code == code
    assert rule.severity in {"error", "warning"}
    assert all(refusal.words and refusal.source for refusal in rule.refusals)
    if rule.severity == "error":
        assert rule.refusals


def with_rule(monkeypatch, **functions):
    rule = Rule("x", "warning", "Something.", functions.pop("kinds", ()))
    monkeypatch.setattr(engine, "modules", lambda: {"x": SimpleNamespace(RULE=rule, **functions)})


@pytest.mark.parametrize(("own", "severity"), [(None, "warning"), ("error", "error"), ("warning", "warning")])
def test_a_problem_may_be_graver_than_its_rule(own, severity, monkeypatch):
    problem = SimpleNamespace(path="p", mark=(1, 2, 3, 4), message="m", severity=own)
    with_rule(monkeypatch, check_all=lambda project: [problem])
    (found,) = lint_together([], frozenset({"x"}))
    assert found == Finding("x", severity, "p", 1, 2, "m", 3, 4)
    assert list(lint_together([], frozenset())) == []
    with_rule(monkeypatch, check=lambda subject: [Problem(("query",), "m", severity=own)])
    (found,) = findings(monitor(), "x")
    assert found.severity == severity


@pytest.mark.parametrize(
    ("kinds", "count"), [((), 1), (("monitor",), 1), (("slo", "monitor"), 1), (("slo",), 0)]
)
def test_a_rule_looks_at_its_kinds_of_resource(kinds, count, monkeypatch):
    with_rule(monkeypatch, kinds=kinds, check=lambda subject: [Problem((), "m")])
    assert len(findings(monitor(), "x")) == count


TEXT = '{"type": "query alert",\n "query": "abc",\n "a~b/c": [1, {"d": "é\\n"}],\n "e": 2}'


@pytest.mark.parametrize(
    ("problem", "place", "pointer"),
    [
        (Problem(("query",), "m"), (2, 11, 2, 16), "/query"),
        (Problem(("query",), "m", on_key=True), (2, 2, 2, 9), "/query"),
        (Problem(("query",), "m", 1, 3), (2, 13, 2, 15), "/query"),
        (Problem(("query",), "m", 0, 0), (2, 12, 2, 13), "/query"),
        (Problem(("query",), "m", 1), (2, 13, 2, 14), "/query"),
        (Problem(("query",), "m", 0, 99), (2, 12, 2, 15), "/query"),
        (Problem(("a~b/c", 1, "d"), "m"), (3, 21, 3, 26), "/a~0b~1c/1/d"),
        (Problem(("a~b/c", 1, "d"), "m", 1, 2), (3, 23, 3, 25), "/a~0b~1c/1/d"),
        (Problem(("a~b/c", 0), "m", on_key=True), (3, 12, 3, 13), "/a~0b~1c/0"),
        (Problem((), "m"), (1, 1, 4, 9), ""),
        (Problem(("query", "none"), "m"), (2, 11, 2, 16), "/query/none"),
    ],
)
def test_a_finding_stands_where_its_value_key_or_part_does(problem, place, pointer, monkeypatch):
    with_rule(monkeypatch, check=lambda subject: [problem])
    (found,) = lint_text("monitors/m.json", TEXT, frozenset({"x"})).findings
    assert (found.line, found.column, found.end_line, found.end_column) == place
    assert found.pointer == pointer


@pytest.mark.parametrize(
    ("problem", "after"),
    [
        (Problem(("query",), "m", fix="é"), {"type": "query alert", "query": "é", "a~b/c": [1, {"d": "é\n"}], "e": 2}),
        (Problem(("query",), "m", 1, 2, fix='"'), {"type": "query alert", "query": 'a"c', "a~b/c": [1, {"d": "é\n"}], "e": 2}),
        (Problem(("e",), "m", fix=False), {"type": "query alert", "query": "abc", "a~b/c": [1, {"d": "é\n"}], "e": False}),
        (Problem(("e",), "m", fix=REMOVE), {"type": "query alert", "query": "abc", "a~b/c": [1, {"d": "é\n"}]}),
        (Problem(("query",), "m", fix=REMOVE), {"type": "query alert", "a~b/c": [1, {"d": "é\n"}], "e": 2}),
        (Problem(("a~b/c", 1, "d"), "m", fix=REMOVE), {"type": "query alert", "query": "abc", "a~b/c": [1, {}], "e": 2}),
    ],
)  # fmt: skip
def test_a_fix_puts_a_value_in_the_place_of_another_or_takes_the_key_out(problem, after, monkeypatch):
    with_rule(monkeypatch, check=lambda subject: [problem])
    (found,) = lint_text("monitors/m.json", TEXT, frozenset({"x"})).findings
    text = apply_edits(TEXT, [found.fix])
    assert json.loads(text) == after
    assert "\\u00e9" not in text


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from(["", "x", "yz"])), max_size=5)
)
def test_of_edits_that_overlap_the_later_one_is_made_and_the_others_keep_the_rest(rows):
    text = "abcdefghijkl"
    edits = [Edit(min(a, b), max(a, b), new) for a, b, new in rows]
    kept, before = [], len(text) + 1
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        if edit.end <= before:
            kept.append(edit)
            before = edit.start
    expected, at = "", 0
    for edit in reversed(kept):
        expected += text[at : edit.start] + edit.text
        at = edit.end
    assert apply_edits(text, edits) == expected + text[at:]


# --- the report for people


def finding(message, rule="the-rule", severity="warning"):
    return Finding(rule, severity, "p", 3, 14, message, 3, 15)


@pytest.mark.parametrize("width", [45, 60, 200])
def test_a_message_is_wrapped_and_the_name_of_its_rule_is_the_last_of_it(width):
    words = " ".join(f"word{number} [the-rule] more" for number in range(8))
    lines = list(text_lines(LintResult((finding(words),), 1), width))[1:-2]
    assert all(
        sum(len(part if isinstance(part, str) else part[0]) for part in line) <= width for line in lines
    )
    marks = [line[-1] for line in lines]
    assert marks[-1] == ("[the-rule]", "dim")
    shown = " ".join(
        "".join(part if isinstance(part, str) else part[0] for part in line[-2:]) for line in lines
    )
    assert " ".join(shown.split()) == f"{words} [the-rule]"
    assert "".join(part if isinstance(part, str) else part[0] for part in lines[0]).startswith(
        "  3:14  warning  "
    )


# --- scopes


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("avg:a{*} by {host}", ["host"]),
        ("avg:a{by:x} by {by,y}", ["by", "y"]),
        ("avg:a{*} by {ab,b,a}", ["ab", "b", "a"]),
        ("avg:a{*} by {y}", ["y"]),
        ("avg:a{*}", []),
    ],
)
def test_each_key_of_a_grouping_has_its_own_place(query, places):
    found = list(grouped(parse(query), query))
    assert [key for key, _, _ in found] == [query[start:end] for _, start, end in found] == places
    ends = [end for _, _, end in found]
    assert all(query[end] in ",}" for end in ends)
    assert all(query[start - 1] in ",{ " for _, start, _ in found)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("*", []),
        ("a:b", [("a:b", False)]),
        ("!a:b", [("a:b", True)]),
        ("a:b,c:d", [("a:b", False), ("c:d", False)]),
        ("a:b OR NOT c:d", [("a:b", False), ("c:d", True)]),
        ("NOT (a:b OR NOT c:d)", [("a:b", True), ("c:d", False)]),
        ("a IN (b,c)", [("a IN (b,c)", False)]),
        ("a NOT IN (b)", [("a NOT IN (b)", True)]),
        ("$v,a:b", [("$v", False), ("a:b", False)]),
    ],
)
def test_each_term_of_a_scope_is_found_with_whether_it_is_excluded(scope, found):
    query = f"avg:a{{{scope}}}"
    listed = [(query[term.start : term.end], excluded) for term, excluded in terms(parse(query).scope)]
    assert [(text.lstrip("!"), excluded) for text, excluded in listed] == found


def test_the_keys_of_a_scope_and_of_its_variables_have_places():
    query = "avg:a{$v AND $w AND bc:d AND e IN (f)}"
    found = list(keys(parse(query), {"v": "env", "w": ""}))
    assert [(key, query[start:end]) for key, start, end in found] == [("env", "$v"), ("bc", "bc"), ("e", "e")]
    rows = [{"name": "v", "prefix": "env"}, {"name": "w"}, "x", {"prefix": "p"}]
    assert prefixes({"template_variables": rows}) == {"v": "env", "w": "", "None": "p"}
    assert prefixes({}) == prefixes({"template_variables": "x"}) == {}


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("avg:a{env:Prod}", {"env:prod"}),
        ("avg:a{env:pro*}", {"env:prox"}),
        ("avg:a{!env:prod}", set()),
        ("avg:a{env IN (a,b)}", {"env:a"}),
        ("avg:a{env NOT IN (a)}", set()),
        ("avg:a{env:prod} by {env,Host}", {"env:prod", "host:x"}),
        ("avg:a{word}", {"word"}),
    ],
)
def test_a_made_up_series_has_the_tags_that_the_query_asks_for(query, tags):
    assert set(tags_of(parse(query))) == tags


# --- coverage


def row(name="m", dashboards=(), monitors=(), failure=False, reason="", cloudwatch="C"):
    facts = MetricFacts(name, "count", "", cloudwatch, failure=failure, reason=reason)
    return Covered(facts, tuple(dashboards), tuple(monitors))


@pytest.mark.parametrize(
    ("covered", "gap"),
    [
        (row(), "on no dashboard"),
        (row(reason="r"), ""),
        (row(dashboards=["d"]), ""),
        (row(dashboards=["d"], failure=True), "a failure without a monitor"),
        (row(dashboards=["d"], failure=True, monitors=["m"]), ""),
        (row(reason="r", failure=True), "a failure without a monitor"),
        (row(monitors=["m"]), "on no dashboard"),
    ],
)
def test_a_metric_is_on_a_dashboard_and_a_failure_has_a_monitor(covered, gap):
    assert covered.gap == gap
    assert gaps([covered]) == ([covered] if gap else [])
    (data,) = json.loads(as_json([covered]))["metrics"]
    assert (data["metric"], data["gap"], data["failure"]) == ("m", gap, covered.facts.failure)
    assert ("nothing is missing" in summary([covered])) is not bool(gap)
    assert (f"** {gap}" in full([covered])) is bool(gap)


def test_a_metric_without_a_name_has_that_of_cloudwatch():
    assert (row().name, row(name="").name) == ("m", "(C)")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("aws.states.executions_failed", "aws.states executions"),
        ("aws.states.lambda_functions_failed", "aws.states lambda_function*"),
        ("aws.states.service_integrations_failed", "aws.states service_integration*"),
        ("aws.states.activities_failed", "aws.states activities"),
        ("aws.states.activity_time", "aws.states activities"),
        ("aws.states.enhanced.execution.failed", "aws.states enhanced"),
        ("aws.states.throttled_events", "aws.states throttling"),
        ("aws.lambda.enhanced.errors", "aws.lambda enhanced"),
        ("aws.lambda.errors", "aws.lambda"),
        ("", "without a Datadog name"),
    ],
)
def test_the_summary_counts_each_family(name, family):
    rows = [
        row(name, ["d"], ["m"], failure=True),
        row(name, [], ["m"], reason="r"),
        row(name, ["d"], failure=True),
    ]
    lines = [line.split() for line in summary(rows).splitlines()]
    numbers = {" ".join(words[:-5]): words[-5:] for words in lines if len(words) > 5}
    assert numbers[family] == numbers["all"] == ["3", "2", "1", "2", "1"]
    others = [
        counts for key, counts in numbers.items() if key.startswith(("aws.", "without")) and key != family
    ]
    assert others == [["0"] * 5] * 8


def test_coverage_names_the_files_that_ask_for_a_metric(tmp_path):
    for name, body in {
        "dashboards/a": board(graph(ERRORS)),
        "monitors/m": monitor(),
        "monitors/n": monitor(),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    (tmp_path / "dashboards" / "broken.json").write_text("{")
    table = {covered.name: covered for covered in of_files(run.find([tmp_path])[0])}
    found = table["aws.lambda.errors"]
    assert (found.dashboards, found.monitors) == (("a",), ("m", "n"))
    assert table["aws.lambda.throttles"].dashboards == ()


# --- edges of single rules


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (ERRORS, 0),
        ("sum:aws.lambda.errors{*}", 1),
        ("sum:aws.lambda.errors{*}.rollup(sum, 60)", 0),
        ("sum:aws.lambda.errors{*}.as_rate()", 0),
        ("avg:aws.lambda.errors{*}", 1),
        ("max:aws.lambda.errors{*}", 0),
        ("avg:aws.lambda.duration{*}", 0),
    ],
)
def test_a_count_on_a_dashboard_is_summed_in_space_and_time(query, count):
    assert len(findings(board(graph(query)), "count-with-avg", "dashboards/a.json")) == count


def placed(x, y, width=4, height=2, **more):
    return graph(ERRORS, x=x, y=y, width=width, height=height, **more)


@pytest.mark.parametrize(
    ("widgets", "messages"),
    [
        ([placed(0, 0), placed(4, 0), placed(8, 0), placed(0, 2, 12)], []),
        ([placed(8, 0, 5)], ["the widget ends at column 13 of 12. Make it narrower"]),
        ([placed(0, 1), placed(3, 2)], ["the widget overlaps widget 0 of the same group. Move one"]),
        ([placed(0, 0), placed(0, 0)], []),
        ([placed(0, 0), placed(0, 1)], ["the widget overlaps widget 0 of the same group. Move one"]),
        (
            [placed(0, 2), placed(4, 2), placed(3, 3)],
            ["the widget overlaps widget 0 of the same group. Move one"],
        ),
        ([placed(0, 2), placed(0, 2, is_column_break=True)], []),
        ([placed(0, 2), placed(0, 4)], []),
        ([placed(0, 4), placed(0, 2)], []),
        ([placed("0", 2), placed(0, 2)], []),
    ],
)
def test_widgets_neither_overlap_nor_reach_over_the_twelve_columns(widgets, messages):
    body = board(*widgets)
    assert [found.message for found in findings(body, "layout", "dashboards/a.json")] == messages
    assert findings({**body, "layout_type": "free"}, "layout", "dashboards/a.json") == ()


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("sum:a{env:Prod}", ["env:prod"]),
        ("sum:a{$Env}", []),
        ("sum:a{$Env,Host:a} by {Team}", ["host:a", "team"]),
        ("sum:a{env IN (A,b)}", ["env IN (a,b)"]),
        ("sum:a{Env NOT IN (A)}", ["env NOT IN (a)"]),
        ("sum:a{NOT env:A}", ["env:a"]),
        ("sum:a{env:a}", []),
    ],
)
def test_a_tag_is_written_in_lower_case_and_a_variable_as_it_is_called(query, written):
    found = findings(board(graph(query)), "tag-case", "dashboards/a.json")
    assert [item.fix.text for item in found] == written


@pytest.mark.parametrize(
    ("shown", "kept", "count"),
    [
        ("Europe/Berlin", "Europe/Berlin", 0),
        ("Europe/Berlin", "UTC", 1),
        ("Europe/Berlin", None, 1),
        ("UTC", None, 0),
        ("Nowhere/X", "UTC", 1),
        ("Europe/Berlin", "Nowhere/X", 1),
        ("Nowhere/X", "Nowhere/Y", 2),
        ("${var:zone}", "Europe/Berlin", 0),
        ("Europe/Berlin", "${var:zone}", 0),
        (None, "Europe/Berlin", 0),
    ],
)
def test_the_zones_of_a_downtime_are_known_and_the_same(shown, kept, count):
    rule = {"rrule": "FREQ=DAILY", "duration": "1h"}
    schedule = {"recurrences": [rule], **({"timezone": kept} if kept else {})}
    body = {"scope": "env:prod", "schedule": schedule, "monitor_identifier": {"monitor_tags": ["a:b"]}}
    body |= {"display_timezone": shown} if shown else {}
    assert len(findings(body, "downtime-schedule", "downtimes/d.json")) == count


@pytest.mark.parametrize(
    "query", ["avg(last_5m):avg:a{* > 5", "avg(last_5m):nonsense(", "avg(last_9x):avg:a{*} > 5", ""]
)
def test_the_words_of_a_query_that_cannot_be_read_are_whole_sentences(query):
    (found,) = findings(monitor(query), "query-syntax")
    assert found.message
    assert not found.message.endswith((".", " "))
    assert ".." not in found.message
    assert not found.message.startswith(".")


# --- SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/, 3.27 (results)


def test_a_result_names_its_rule_by_its_place_in_the_list_of_rules():
    rows = [finding("one", "tag-case"), finding("two", "layout", "error"), finding("three", "tag-case")]
    (made,) = json.loads(sarif(LintResult(tuple(rows), 1)))["runs"]
    rules = made["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["layout", "tag-case"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in made["results"])
    assert [result["level"] for result in made["results"]] == ["warning", "error", "warning"]
    assert [result["message"]["text"] for result in made["results"]] == ["one", "two", "three"]
    region = {"startLine": 3, "startColumn": 14, "endLine": 3, "endColumn": 15}
    for result in made["results"]:
        (location,) = result["locations"]
        assert location["physicalLocation"] == {"artifactLocation": {"uri": "p"}, "region": region}
    assert made["columnKind"] == "unicodeCodePoints"
    assert {rule["defaultConfiguration"]["level"] for rule in rules} <= {"error", "warning", "note"}


@pytest.mark.parametrize(("own", "severity"), [(None, "warning"), ("error", "error")])
def test_a_problem_of_a_template_has_its_severity_place_and_pointer(own, severity):
    text = YamlText("t.yaml", "a:\n  b/c: 1\n", yaml.compose("a:\n  b/c: 1\n"))
    problem = TemplateProblem(Spot(text, ("a", "b/c")), "m", None, own)
    found = engine._in_template(problem, Rule("x", "warning", "Something."))
    assert found == Finding("x", severity, "t.yaml", 2, 3, "m", 2, 6, "/a/b~1c")


@pytest.mark.parametrize(
    ("written", "meant", "differ"),
    [
        ("sum(last_1h):sum:m{*} > 5", "avg(last_1h):sum:m{*} > 5", True),
        ("avg(last_1h):sum:m{*} > 5", "avg(last_1h):sum:m{*} > 7", False),
        ("avg(last_1h):sum:m{*} by {none} > 5", "avg(last_1h):sum:m{*} > 5", False),
        ("avg(last_1h):sum:m{*} > 5", "avg(last_1h):sum:other{*} by {case_source} > 5", False),
        ("avg(last_1h):sum:m{*", "avg(last_1h):sum:m{*} > 5", False),
    ],
)
def test_two_monitors_are_contrasted_only_where_both_come_to_one_value_and_to_different_ones(
    written, meant, differ
):
    (metric,) = [node for node in walk(parse("sum:m{*}")) if isinstance(node, Metric)]
    inputs = Input((metric,), 60, 7200)
    text = contrast(Variant("a", written), Variant("b", meant), inputs)
    assert bool(text) is differ
    assert bool(contrast(Variant("b", meant), Variant("a", written), inputs)) is differ
    if differ:
        assert {one["name"] for one in yaml.safe_load(text)["tests"]} == {"a", "b"}


@pytest.mark.parametrize(
    ("path", "uri"),
    [("a b/c.json", "a%20b/c.json"), ("/here/x.json", "x.json"), ("/other/x.json", "file:///other/x.json")],
)
def test_a_file_is_named_from_the_working_folder_and_one_elsewhere_as_a_whole(
    path, uri, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert _uri(path.replace("/here", str(tmp_path))) == uri


def test_the_data_of_a_report_say_their_version_and_where_each_finding_is():
    data = json.loads(findings_as_json(LintResult((finding("é"),), 1)))
    assert data["version"] == json.loads(as_json([]))["version"] == 1
    (row,) = data["findings"]
    assert (row["message"], row["fixable"], "case" in row) == ("é", False, False)
    assert (row["line"], row["column"], row["end_line"], row["end_column"]) == (3, 14, 3, 15)
