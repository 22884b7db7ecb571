"""A finding is an error only where a refusal is recorded, and what was refused has an error for that reason."""

import json
import re
from pathlib import Path

import pytest
from shared_data import ROOT, shared_data

from monitoring.lint import rules
from monitoring.lint.engine import lint_text
from monitoring.lint.model import RECORDED
from monitoring.lint.rules import modules
from monitoring.lint.run import selected

RULES = {code: module.RULE for code, module in modules().items()}
_SOURCE = re.compile(
    rf"{re.escape(RECORDED)}|[\w-]+/[\w-]+#\d+|grosser/kennel|stepscope|AWS Lambda, \w+",
)


@pytest.mark.parametrize("code", RULES)
def test_a_rule_with_errors_names_the_refusal_and_where_it_is_recorded(code):
    rule = RULES[code]
    assert rule.severity == "warning" or rule.refusals
    for refusal in rule.refusals:
        assert refusal.words
        assert _SOURCE.search(refusal.source)


def test_no_rule_raises_a_finding_to_an_error_without_a_refusal():
    raised = set()
    for path in sorted(Path(rules.__file__).parent.glob("*.py")):
        if re.search(r"severity=\"error\"|\"error\" if ", path.read_text("utf-8")):
            raised.add(path.stem.replace("_", "-"))
    assert raised == {"schema", "timeout-order"}
    assert all(RULES[code].refusals for code in (*raised, "unknown-kind"))


def test_the_overview_lists_every_refusal_with_its_source():
    text = (ROOT / "docs" / "lint.md").read_text("utf-8")
    listed = re.findall(r"^\| ([\w-]+) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    expected = [(code, *refusal) for code, rule in RULES.items() for refusal in rule.refusals]
    assert [row for row in listed if row[0] in RULES] == expected


def errors(kind, body):
    findings = lint_text(f"{kind}s/x.json", json.dumps(body), selected()).findings
    return [finding for finding in findings if finding.severity == "error"]


SLO = {"name": "S", "thresholds": [{"timeframe": "7d", "target": 99.0}]}
QUERY = {"numerator": "sum:a{*}.as_count()", "denominator": "sum:b{*}.as_count()"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**SLO, "type": "monitor"}, "has no monitor_ids"),
        ({**SLO, "type": "monitor", "monitor_ids": []}, "has no monitor_ids"),
        ({**SLO, "type": "monitor", "monitor_ids": [1]}, None),
        ({**SLO, "type": "metric"}, "has no query"),
        ({**SLO, "type": "metric", "query": QUERY}, None),
        ({**SLO, "type": "metric", "sli_specification": {"count": {}}}, None),
    ],
)
def test_an_slo_has_what_its_type_is_computed_from(body, words):
    found = [finding.message for finding in errors("slo", body) if "an SLO" in finding.message]
    assert [words in text for text in found] == [True] * bool(words)


NOTE = {"definition": {"type": "note", "content": "a"}}
BOARD = {"title": "A", "layout_type": "ordered", "widgets": [NOTE]}


@pytest.mark.parametrize(
    ("kind", "body", "severities"),
    [
        ("dashboard", {**BOARD, "widgets": "x"}, ["error"]),
        ("dashboard", {**BOARD, "layout_type": "x"}, ["error"]),
        ("dashboard", {key: BOARD[key] for key in ("title", "widgets")}, ["error"]),
        ("dashboard", {**BOARD, "notify_list": "x"}, ["warning"]),
        ("dashboard", {key: BOARD[key] for key in ("layout_type", "widgets")}, ["warning"]),
        ("dashboard", {**BOARD, "id": 7}, []),
        ("dashboard", {**BOARD, "widgets": [{"definition": {"type": "note", "content": 3}}]}, ["error"]),
        ("monitor", {"name": 3, "type": "query alert", "query": "avg(last_5m):avg:a{*} > 1"}, ["warning"]),
        ("monitor", {"name": "m", "query": "avg(last_5m):avg:a{*} > 1"}, ["error"]),
    ],
)
def test_a_shape_is_an_error_only_at_the_keys_whose_refusal_is_recorded(kind, body, severities):
    findings = lint_text(f"{kind}s/x.json", json.dumps(body), frozenset({"schema"})).findings
    assert [finding.severity for finding in findings] == severities


def refused():
    """(path, kind, body, answer) of each recorded refusal of a body that a file could hold."""
    for line in shared_data("api_errors.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        place = re.fullmatch(r"/api/v1/(dashboard|monitor|slo|downtime)(/validate|/[^/]*)?", row["path"])
        if row["status"] != 400 or row["method"] not in {"POST", "PUT"} or place is None:
            continue
        if "unmute" in row["path"]:
            continue
        yield row["path"], place[1], json.loads(row["request_body"] or "{}"), row["response"]


def quoted(finding, answer):
    """Return whether the rule of a finding names the answer among its refusals."""
    patterns = [
        ".*".join(map(re.escape, refusal.words.split("…"))) for refusal in RULES[finding.rule].refusals
    ]
    return any(re.search(pattern, answer) for pattern in patterns)


OTHERWISE = {
    "The is_read_only attribute is no longer supported": "accepted until September 2025: a warning of read-only-key",
    "Invalid recurrence type": "the older API of downtimes, whose bodies are no downtimes of a project",
}
"""Answer -> why the finding is not an error with these words."""


def test_what_the_api_was_recorded_to_refuse_has_an_error_for_that_reason():
    rows = list(refused())
    assert len(rows) >= 15
    missed = [
        (path, answer)
        for path, kind, body, answer in rows
        if not any(words in answer for words in OTHERWISE)
        and not any(quoted(finding, answer) for finding in errors(kind, body))
    ]
    assert missed == []
    gone = [body for _, kind, body, answer in rows if "is_read_only" in answer]
    assert gone
    for body in gone:
        findings = lint_text("dashboards/x.json", json.dumps(body), frozenset({"read-only-key"})).findings
        assert any("takes it no longer" in finding.message for finding in findings)
