"""No false positive: what Datadog accepted has no error; broken on purpose, its rule finds it."""

import json

import pytest
from shared_data import shared_data

from monitoring.lint.engine import lint_text
from monitoring.lint.run import selected


def rows(name):
    with shared_data(name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def found(kind, body, **change):
    report = lint_text(f"{kind}s/x.json", json.dumps({**body, **change}, indent=1), selected())
    return report.findings


@pytest.mark.parametrize("kind", ["dashboard", "monitor"])
def test_no_body_that_datadog_accepted_has_an_error(kind):
    wrong = [
        (finding.rule, finding.message, row["source"])
        for row in rows(f"accepted_{kind}s.jsonl")
        for finding in found(kind, row["request"])
        if finding.severity == "error"
    ]
    assert not wrong


def test_no_monitor_that_an_integration_ships_has_an_error():
    wrong = [
        (finding.rule, finding.message, row["source"])
        for row in rows("monitors.jsonl")
        for finding in found("monitor", {key: row[key] for key in ("type", "query", "options")})
        if finding.severity == "error"
    ]
    assert not wrong


def broken_monitors():
    """(how, body, the rule that has to find it), of every accepted monitor that can be broken so."""
    for row in rows("accepted_monitors.jsonl"):
        body = row["request"]
        yield "no type", {key: value for key, value in body.items() if key != "type"}, "schema"
        yield "no such type", {**body, "type": "metric alrt"}, "schema"
        if "(" in body["query"]:
            text = body["query"].replace("(", "", 1).replace("{", "", 1)
            yield "a bracket too few", {**body, "query": text}, "query-syntax"
        options = body.get("options") or {}
        critical = (options.get("thresholds") or {}).get("critical")
        if critical is None or body["type"] in {"service check", "composite"}:
            continue
        side = -5 if "<" in body["query"].rpartition(" ")[0][-3:] else 5
        for name, value, rule in (
            ("critical", critical + 1, "threshold-mismatch"),
            ("warning", critical + side, "warning-side"),
            ("critical_recovery", critical + side, "recovery-overlap"),
        ):
            changed = {**options, "thresholds": {**options["thresholds"], name: value}}
            yield f"another {name}", {**body, "options": changed}, rule


def test_every_accepted_monitor_that_is_then_broken_is_found_by_its_rule():
    cases = list(broken_monitors())
    assert len(cases) > 1000
    missed = [
        (how, body["query"])
        for how, body, rule in cases
        if not any(each.rule == rule and each.severity == "error" for each in found("monitor", body))
    ]
    assert not missed


def broken_widgets():
    """The same of dashboards: each widget of each, one at a time."""
    for row in rows("accepted_dashboards.jsonl"):
        for index, widget in enumerate(row["request"]["widgets"]):
            definition = widget["definition"]
            yield row["request"], index, {**definition, "type": definition["type"] + "x"}, "schema"
            asked = definition.get("requests")
            if asked is not None:
                yield row["request"], index, {**definition, "requests": "x"}, "schema"
            first = asked[0] if isinstance(asked, list) and isinstance(asked[0], dict) else {}
            if isinstance(first.get("q"), str):
                changed = [{**first, "q": first["q"].replace("}", "", 1)}]
                yield row["request"], index, {**definition, "requests": changed}, "query-syntax"
            queries = first.get("queries") or [{}]
            if first.get("formulas") and all("name" in query for query in queries):
                changed = [{**first, "formulas": [{"formula": "no_such_query"}]}]
                yield row["request"], index, {**definition, "requests": changed}, "unknown-query"


def test_every_accepted_dashboard_that_is_then_broken_is_found_by_its_rule():
    cases = list(broken_widgets())
    assert len(cases) > 250
    missed = []
    for body, index, definition, rule in cases:
        widgets = [*body["widgets"]]
        widgets[index] = {**widgets[index], "definition": definition}
        problems = found("dashboard", {**body, "widgets": widgets})
        severity = "error" if rule == "schema" else "warning"  # Datadog stores any text as a query
        if not any(each.rule == rule and each.severity == severity for each in problems):
            missed.append((rule, definition))
    assert not missed
