"""No false positive: what Datadog accepted has no error, what it refused has one."""

import json
from collections import Counter

import pytest
from shared_data import shared_data

from monitoring.resources.lint.engine import lint_text
from monitoring.resources.lint.run import selected


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


def test_every_dashboard_body_that_datadog_refused_for_its_shape_has_an_error():
    refused = [
        row
        for row in rows("api_errors.jsonl")
        if row["status"] == 400
        and row["path"].startswith("/api/v1/dashboard")
        and "/lists" not in row["path"]
        and "is_read_only" not in row["response"]
    ]
    assert refused
    for row in refused:
        try:
            body = json.loads(row["request_body"])
        except ValueError:
            continue
        severities = Counter(finding.severity for finding in found("dashboard", body))
        assert severities["error"], row["response"]


def test_every_monitor_body_that_datadog_refused_for_its_threshold_or_type_has_an_error():
    known = ("does not match", "type' is required", "'query' is invalid")
    missed = []
    for row in rows("api_errors.jsonl"):
        if row["path"].rstrip("/") not in {"/api/v1/monitor", "/api/v1/monitor/validate"}:
            continue
        if row["status"] != 400 or not any(words in row["response"] for words in known):
            continue
        body = json.loads(row["request_body"] or "{}")
        if not any(finding.severity == "error" for finding in found("monitor", body)):
            missed.append((row["response"], body))
    assert not missed
