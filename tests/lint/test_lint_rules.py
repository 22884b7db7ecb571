"""Every rule finds what its page shows, at the place that its page shows, and is silent beside it."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.lint import report
from monitoring.lint.engine import lint_text, lint_together
from monitoring.lint.rules import MODULES, downtime_scope, modules
from monitoring.lint.run import LintResult, fix_text, lint, selected
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.monitor.mutes import scope_test
from monitoring.resources.own_metrics import FILE as CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"
CODES = sorted(modules())
_FILE = re.compile(
    r"^`(?P<path>[\w/.-]+)`\n\n```(?:json|toml|yaml|python)\n(?P<text>.*?)```", re.MULTILINE | re.DOTALL
)
_SNAPSHOT = re.compile(r"^```text\n(?P<text>.*?)\n```", re.MULTILINE | re.DOTALL)


def run(files, codes=None):
    codes = codes or selected()
    reports = [lint_text(path, text, codes) for path, text in files.items()]
    findings = [finding for each in reports for finding in each.findings]
    findings += lint_together([each.facts for each in reports if each.facts], codes)
    places = list(files)
    findings.sort(key=lambda each: (places.index(each.path), each.line, each.column, each.rule))
    return LintResult(tuple(findings), len(files))


def run_application(files, codes, folder, monkeypatch):
    """Lint the first of the files, which is a template; the others lie beside it."""
    monkeypatch.chdir(folder)
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")
    return lint([Path(next(iter(files)))], codes)


def page(code):
    return (DOCS / "lint" / f"{code}.md").read_text("utf-8")


def example(code):
    files = {found["path"]: found["text"] for found in _FILE.finditer(page(code))}
    if code == "too-many-widgets":
        widget = {"definition": {"type": "timeseries", "requests": [{"q": "avg:system.load.1{*}"}]}}
        board = {"title": "Example", "layout_type": "ordered", "widgets": [widget] * 101}
        return {"dashboards/example.json": json.dumps(board, indent=2)}
    return files


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_a_rule_shows_what_it_says_of_the_example(code, tmp_path, monkeypatch):
    rule = modules()[code].RULE
    assert page(code).startswith(f"# {code}\n\n*{rule.severity}*: {rule.summary}\n\n")
    shown = _SNAPSHOT.search(page(code))["text"]
    files = example(code)
    if catalogue := files.pop(CATALOGUE, ""):
        (tmp_path / CATALOGUE).write_text(catalogue, "utf-8")
    on_disk = rule.kinds == TEMPLATE or catalogue
    codes = frozenset({code})
    result = run_application(files, codes, tmp_path, monkeypatch) if on_disk else run(files, codes)
    assert report.text(result) == shown


def test_every_page_belongs_to_a_rule_and_the_overview_lists_them_all_in_order():
    assert sorted(path.stem for path in (DOCS / "lint").glob("*.md")) == CODES
    overview = (DOCS / "lint.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([\w-]+)\]\(lint/([\w-]+)\.md\) \| (\w+) \| (.*) \|$", overview, re.MULTILINE)
    expected = [module.RULE for module in modules().values()]
    assert listed == [(rule.code, rule.code, rule.severity, rule.summary) for rule in expected]
    assert [rule.code for rule in expected] == [name.replace("_", "-") for name in MODULES]


def monitor(query, **options):
    body = {
        "name": "A",
        "type": "query alert",
        "query": query,
        "message": "Bad. @slack-a",
        "options": options,
    }
    return {"monitors/a.json": json.dumps(body, indent=2)}


def graph(query, *names):
    variables = [{"name": name, "prefix": name, "defaults": ["*"]} for name in names]
    widget = {"definition": {"type": "timeseries", "requests": [{"q": query}]}}
    board = {"title": "A", "layout_type": "ordered", "template_variables": variables, "widgets": [widget]}
    return {"dashboards/a.json": json.dumps(board, indent=2)}


def formula(text, *names):
    queries = [{"data_source": "metrics", "name": name, "query": "avg:system.load.1{*}"} for name in names]
    request = {"response_format": "timeseries", "queries": queries, "formulas": [{"formula": text}]}
    widget = {"definition": {"type": "timeseries", "requests": [request]}}
    return {"dashboards/a.json": json.dumps({"title": "A", "layout_type": "ordered", "widgets": [widget]})}


ERRORS = "sum:aws.lambda.errors{*} by {functionname}.as_count()"
LATE = {"evaluation_delay": 900}
BLOCK = {"definition": {"type": "note", "content": "a"}, "layout": {"x": 0, "y": 0, "width": 12, "height": 4}}


def downtime(**more):
    body = {"scope": "env:dev", "monitor_identifier": {"monitor_tags": ["team:a"]}, **more}
    return {"downtimes/a.json": json.dumps(body, indent=2)}


def recurring(timezone="UTC", **more):
    one = {"start": "2026-01-05T02:00:00", "duration": "30m", "rrule": "FREQ=DAILY", **more}
    return downtime(schedule={"timezone": timezone, "recurrences": [one]}, display_timezone=timezone)


def meant(scope, tags=("team:a",), by="by {host}", own=("team:a",)):
    """A downtime beside a monitor of `{env:prod,!role:db}`."""
    query = f"avg(last_5m):avg:system.load.1{{env:prod,!role:db}} {by} > 5"
    body = {"name": "A", "type": "query alert", "query": query, "message": "@slack-a", "tags": list(own)}
    return {
        "monitors/a.json": json.dumps(body),
        **downtime(scope=scope, monitor_identifier={"monitor_tags": list(tags)}),
    }


# The examples of https://docs.datadoghq.com/monitors/downtimes/: what is read, and what is not.
READ = (
    "*",
    "service:web-store",
    "service:web-store AND env:dev",
    "env:(dev OR staging)",
    "service:web-store AND env:(dev OR staging)",
    "host:authentication-*",
    "host:*-prod-cluster",
    "service:webstore AND -env:prod",
    "-service:(a OR b)",
    "team:app AND (service:auth OR env:prod)",
    "statemachinearn:arn:aws:states:eu-west-1:123456789012:statemachine:orders",
    "${var:maintenance|env:staging}",
    "env:${var:env}",
)
NOT_READ = {
    "service:A OR host:X": "OR",
    "prod AND service:(A OR B)": "prod",
    "prod": "prod",
    "service:auth?": "service:auth?",
    "en&v:prod": "en&v:prod",
    "-service:(A AND B)": "AND",
    "service:(-A OR B)": "-A",
    "team:a AND (b:c OR (d:e AND (f:g OR h:i)))": "(",
    "env:(dev": "(dev",
    "env:dev)": ")",
    "": "",
}
CLEAN = {
    **{f"a scope: {scope}": downtime(scope=scope) for scope in READ if "${var:env}" not in scope},
    "a window a day in another zone": recurring("America/New_York", duration="2h"),
    "a window without a start": recurring(start=None),
    "the second Tuesday of a month, five times": recurring(
        rrule="FREQ=MONTHLY;BYDAY=2TU;COUNT=5", duration="1d"
    ),
    "a downtime that is on once": downtime(
        schedule={"start": "2050-01-02T03:04:05Z", "end": "2050-01-02T04:04:05+00:00"}
    ),
    "all monitors until an end": downtime(
        scope="*", monitor_identifier={"monitor_tags": ["*"]}, schedule={"end": "2050-01-02T03:04:05Z"}
    ),
    "one monitor for ever": downtime(scope="*"),
    "a group that the monitor has": meant("host:a*"),
    "a tag that its query asks for": meant("env:prod AND host:b"),
    "all groups": meant("*"),
    "all monitors, and what is excluded needs no group": meant("-service:x", tags=["*"]),
    "widgets as Datadog stores them": {
        "dashboards/a.json": json.dumps(
            {
                "title": "A",
                "layout_type": "ordered",
                "widgets": [
                    BLOCK,
                    BLOCK,
                    BLOCK | {"layout": BLOCK["layout"] | {"is_column_break": True}},
                    BLOCK | {"layout": BLOCK["layout"] | {"y": 4}},
                ],
            }
        )
    },
    "a sum of a count": monitor(f"sum(last_15m):{ERRORS} > 5", thresholds={"critical": 5}, **LATE),
    "a rate may be averaged": monitor("avg(last_15m):sum:aws.lambda.errors{*}.as_rate() > 5", **LATE),
    "a gauge may be averaged": monitor("avg(last_15m):avg:aws.lambda.duration{*} > 5", **LATE),
    "a low count whose silence is zero": monitor(f"sum(last_1h):{ERRORS} < 1", on_missing_data="default"),
    "another metric may notify of silence": monitor(
        "avg(last_5m):avg:system.load.1{*} > 5", notify_no_data=True
    ),
    "default_zero outside of a ratio": monitor("avg(last_5m):default_zero(avg:system.load.1{*}) > 5"),
    "percent at its edge": monitor(
        "max(last_1h):max:aws.lambda.provisioned_concurrency_utilization.maximum{*} >= 100"
    ),
    "a warning below, a recovery below it": monitor(
        "max(last_1h):max:system.load.1{*} >= 5",
        thresholds={"critical": 5, "warning": 4, "critical_recovery": 5, "warning_recovery": 3},
    ),
    "a custom tag of the resource": graph("sum:aws.lambda.errors{team_name:a} by {costcentre}.as_count()"),
    "a tag in lower case with a wildcard": graph("avg:aws.lambda.duration{functionname:a-*,!env:dev}"),
    "words in upper case are not tags": graph("avg:system.load.1{env IN (a,b) AND NOT host:c}"),
    "a variable, and its value in a tag": graph("avg:system.load.1{$env,host:*$host.value}", "env", "host"),
    "executions of machines only": graph("sum:aws.states.executions_failed{statemachinearn:*}.as_count()"),
    "executions by machine": graph("sum:aws.states.executions_failed{*} by {statemachinearn}.as_count()"),
    "a formula over its queries": formula("100 * a / (b + week_before(a))", "a", "b"),
    "a percentile of a metric with dots": graph("avg:aws.lambda.duration.p99.9{*}"),
    "a metric that the forwarder makes": graph(
        "sum:aws.states.enhanced.state.failed{*} by {statename}.as_count()"
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_right_has_no_finding(name):
    assert [(each.rule, each.message) for each in run(CLEAN[name]).findings] == []


def objective(**more):
    body = {"name": "S", "type": "metric", "thresholds": [{"timeframe": "7d", "target": 99.0}], **more}
    return {"slos/a.json": json.dumps(body, indent=2)}


def counted(numerator, denominator="sum:aws.states.executions_started{statemachinearn:*}.as_count()"):
    return objective(query={"numerator": numerator, "denominator": denominator})


GOOD_EVENTS = "sum:aws.states.executions_succeeded{statemachinearn:*}.as_count()"
CLEAN |= {
    "an objective of counts": counted(GOOD_EVENTS, f"{GOOD_EVENTS} + {GOOD_EVENTS}"),
}
WRONG = {
    "a metric of an objective": (counted(GOOD_EVENTS.replace("succeeded", "suceeded")), {"unknown-metric"}),
    "a tag of an objective": (
        counted(GOOD_EVENTS.replace(":*}", ":*,Env:a}")),
        {"tag-case"},
    ),
    "a query of an objective that ends early": (counted("sum:a{*"), {"query-syntax"}),
    "a formula of an objective": (
        objective(
            type="time_slice",
            sli_specification={
                "time_slice": {
                    "query": {
                        "queries": [{"data_source": "metrics", "name": "a", "query": "avg:system.load.1{*}"}],
                        "formulas": [{"formula": "b / 2"}],
                    },
                    "comparator": "<",
                    "threshold": 5,
                }
            },
        ),
        {"unknown-query"},
    ),
    "formulas of good and bad events": (
        objective(
            sli_specification={
                "count": {
                    "queries": [{"data_source": "metrics", "name": "a", "query": "sum:system.load.1{*}"}],
                    "good_events_formula": {"formula": "a"},
                    "bad_events_formula": {"formula": "(a"},
                }
            }
        ),
        {"query-syntax"},
    ),
    "a negative count": (monitor(f"sum(last_1h):{ERRORS} < 0", **LATE), {"never-fires"}),
    "more than 100 percent": (
        monitor("avg(last_1h):avg:aws.lambda.provisioned_concurrency_utilization{*} > 100"),
        {"never-fires"},
    ),
    "longer than Lambda allows": (
        monitor("max(last_1h):max:aws.lambda.duration.maximum{*} > 1000000"),
        {"never-fires"},
    ),
    "more anomalies than all": (
        monitor("avg(last_4h):anomalies(avg:system.load.1{*}, 'basic', 2) > 1"),
        {"never-fires"},
    ),
    "a count of points": (
        graph("count:aws.states.executions_started{statemachinearn:*}.as_count()"),
        {"count-with-avg"},
    ),
    "a variable of another dimension": (
        graph("sum:aws.lambda.errors{$statemachinearn}.as_count()", "statemachinearn"),
        {"unknown-tag"},
    ),
    "upper case in a list": (graph("avg:system.load.1{env IN (Prod,dev)}"), {"tag-case"}),
    "upper case in the grouping": (graph("avg:system.load.1{*} by {Host}"), {"tag-case"}),
    "an unnamed host in an escalation": (
        monitor("avg(last_1h):avg:system.load.1{*} > 5", escalation_message="{{host.name}} @a"),
        {"message-variable"},
    ),
}


@pytest.mark.parametrize("scope", NOT_READ)
def test_a_scope_that_downtimes_do_not_read_is_marked_where_it_is_wrong(scope):
    first, *_ = run(downtime(scope=scope), frozenset({"downtime-scope"})).findings
    text = downtime(scope=scope)["downtimes/a.json"]
    line = text.splitlines()[first.line - 1]
    assert line[first.column - 1 :].startswith(NOT_READ[scope])


@pytest.mark.parametrize("scope", READ)
def test_a_scope_with_a_variable_is_read_with_its_default(scope):
    assert run(downtime(scope=scope), frozenset({"downtime-scope"})).findings == ()


WORDS = st.sampled_from(
    ["env:dev", "-host:a*", "key:(a OR b)", "AND", "OR", "(", ")", "-k:(", "word", "a:b?", " "]
)


@given(st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=30))
def test_whatever_lint_lets_pass_the_embedded_datadog_reads(scope):
    if not list(downtime_scope.faults(scope)):
        scope_test(scope)


BAD_TIMES = {
    "a rule with its own start": (recurring(rrule="DTSTART=20260105;FREQ=DAILY"), "an RRULE has no DTSTART"),
    "a rule without a frequency": (recurring(rrule="INTERVAL=2"), "cannot be read"),
    "a rule that is never true": (
        recurring(rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        "has no occurrence",
    ),
    "no length": (recurring(duration="0m"), "is not a duration"),
    "no zone": (recurring("Mars/Olympus"), "there is no time zone"),
    "a start in UTC": (recurring(start="2026-01-05T02:00:00+00:00"), "has an offset"),
    "always": (recurring(duration="24h"), "never ends"),
    "another clock": (
        downtime(
            display_timezone="Europe/Paris",
            schedule={"recurrences": [{"duration": "1h", "rrule": "FREQ=DAILY"}]},
        ),
        "recurs by the clock of UTC",
    ),
    "once in local time": (downtime(schedule={"start": "2050-01-02T03:04:05"}), "is not in UTC"),
    "once with an offset": (downtime(schedule={"end": "2050-01-02T03:04:05+01:00"}), "is not in UTC"),
    "once and no time": (downtime(schedule={"end": "tomorrow"}), "is not an ISO-8601 time"),
    "backwards": (
        downtime(schedule={"start": "2050-01-02T03:04:05Z", "end": "2050-01-02T03:04:05Z"}),
        "ends before it starts",
    ),
}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_times_that_cannot_be_kept_are_found(name):
    files, words = BAD_TIMES[name]
    found = run(files, frozenset({"downtime-schedule"})).findings
    assert any(words in each.message for each in found)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (meant("service:web"), "no monitor that it matches is grouped by service"),
        (meant("host:a", by=""), "their groups are env"),
        (meant("role:app"), "grouped by role"),
        (meant("*", tags=["team:b"]), "no monitor of the project carries team:b"),
        (meant("*", tags=["team:a", "x:y"]), "carries team:a and x:y"),
        ({**meant("*"), **downtime(scope="b:c", monitor_identifier={"monitor_id": "${monitor:a}"})}, "by b"),
    ],
)
def test_a_downtime_that_means_nobody_is_found(files, words):
    (finding,) = run(files, frozenset({"silences-nothing"})).findings
    assert words in finding.message
    assert finding.path == "downtimes/a.json"


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_has_exactly_its_finding(name):
    files, rules = WRONG[name]
    assert {each.rule for each in run(files).findings} == rules


@pytest.mark.parametrize("code", ["tag-case", "threshold-mismatch", "read-only-key"])
def test_fixing_mends_the_file_in_place_and_leaves_the_rest_as_it_was(code):
    ((path, text),) = example(code).items()
    after, count = fix_text(path, text, frozenset({code}))
    assert count >= 1
    assert not run({path: after}, frozenset({code})).findings
    before, now = text.splitlines(), after.splitlines()
    assert [line for line in now if line not in before] != before
    assert len(set(before) & set(now)) >= len(now) - count
    assert fix_text(path, after, selected()) == (after, 0)


def test_a_place_behind_escapes_and_other_alphabets_is_still_the_right_one():
    text = '{"name": "Ä \\u00e4 \\"x\\" 🚀 {{host.name}}", "type": "query alert",\n "query": "avg(last_1h):avg:x.y{*} > 1"}'
    (finding,) = run({"monitors/a.json": text}, frozenset({"message-variable"})).findings
    shown = text.splitlines()[finding.line - 1][finding.column - 1 : finding.end_column - 1]
    assert shown == "{{host.name}}"


def test_a_composite_of_a_composite_and_an_unknown_variable_of_a_link_are_found():
    boards = graph("avg:system.load.1{$env}", "env")
    message = "Down. https://app.datadoghq.com/dashboard/${dashboard:a}?tpl_var_envi=prod&from_ts=1 @slack-a"
    files = {
        **boards,
        "monitors/a.json": json.dumps(
            {"name": "A", "type": "composite", "query": "1 && 2", "message": "@slack-a"}
        ),
        "monitors/b.json": json.dumps(
            {"name": "B", "type": "composite", "query": "${monitor:a} && 3", "message": message}
        ),
    }
    assert [each.message for each in run(files).findings] == [
        "a is a composite itself, and a composite cannot be a member of one",
        "the dashboard a has no template variable envi. Did you mean env?",
    ]
