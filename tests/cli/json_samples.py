"""A project and the command lines whose JSON documents show every shape; shared by the tests of the shapes."""

import json
from pathlib import Path

MONITOR = {
    "name": "m",
    "type": "query alert",
    "query": "sum(last_5m):sum:shop.items{*}.as_count() > 5",
    "message": "@a",
    "options": {"thresholds": {"critical": 5}},
}
POINTS = [[1772323200 + 60 * minute, 9 if 20 <= minute < 25 else 1] for minute in range(60)]
TEST = """\
monitor: m
start: 2026-03-01T00:00:00Z
series:
  - {metric: shop.items, type: count, values: 0x9 9 0x19}
expect:
  - {alerts_within: 2m, of: 10m}
---
monitor: m
start: 2026-03-01T00:00:00Z
series:
  - {metric: shop.items, type: count, values: 0x20}
expect:
  - {alerts_within: 2m, of: 10m}
"""
MACHINE = {
    "StartAt": "Choose",
    "States": {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "Pay"}],
            "Default": "Done",
        },
        "Pay": {"Type": "Pass", "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}
HISTORY = {
    "events": [
        {"timestamp": "2026-11-23T08:06:13Z", "type": "ExecutionStarted", "id": 1, "executionStartedEventDetails": {}},
        {"timestamp": "2026-11-23T08:06:13.1Z", "type": "PassStateEntered", "id": 2, "previousEventId": 1,
         "stateEnteredEventDetails": {"name": "Pay", "input": "{}"}},
        {"timestamp": "2026-11-23T08:06:13.2Z", "type": "PassStateExited", "id": 3, "previousEventId": 2,
         "stateExitedEventDetails": {"name": "Pay", "output": "{}"}},
        {"timestamp": "2026-11-23T08:06:13.3Z", "type": "ExecutionFailed", "id": 4, "previousEventId": 3,
         "executionFailedEventDetails": {"error": "E", "cause": "c"}},
    ]
}  # fmt: skip
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Take:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: shop-take, Handler: take.handler, Runtime: python3.12, CodeUri: ., Timeout: 10}
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties: {Name: shop-orders, DefinitionUri: orders.asl.json}
"""


def write_project(folder: Path) -> None:
    """Write the files that the command lines read."""
    texts = {
        "monitors/m.json": json.dumps(MONITOR),
        "bad/bad.json": json.dumps({**MONITOR, "options": {"thresholds": {"critical": 6}}, "id": 1}),
        "monitors/m.test.yaml": TEST.split("---\n", maxsplit=1)[0],
        "monitors/fails.test.yaml": TEST.split("---\n")[1],
        "dashboards/d.json": '{"title": "d", "layout_type": "ordered", "widgets": []}',
        "points.json": json.dumps({"series": [{"metric": "shop.items", "type": "count", "points": POINTS}]}),
        "history.json": json.dumps(HISTORY),
        "orders.asl.json": json.dumps(MACHINE),
        "template.yaml": TEMPLATE,
        "order.json": '{"n": 1}',
        "take.py": "def handler(event, context): return event\n",
        "app.log": "MONITORING|1772323200|1|count|shop.items|\nMONITORING|x|1|count|a|\n",
        "logs/all.log": LOG,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


SPAN = {
    "trace_id": "138c378e9e240535", "parent_id": "0000000000000000", "span_id": "161152c845a50ba0", "error": 0,
    "service": "shop", "resource": "shop", "name": "aws.lambda", "start": 1795836937539395312, "duration": 11140149,
    "meta": {"request_id": "8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"}, "metrics": {}, "type": "serverless",
}  # fmt: skip
LOG = f"""\
START RequestId: 8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46 Version: $LATEST
MONITORING|1772323200|1|count|shop.items|#shop:north
{json.dumps({"traces": [[SPAN]]})}
a text
MONITORING|x|1|count|a|
"""


OFFLINE = {
    "backtest": [["backtest", "m", "--data", "points.json", "--set", "critical=50"]],
    "cost": [["cost", "--from", "template.yaml", "--executions", "1000"]],
    "drill": [["drill", "starts-refused", "--any"]],
    "drill-from": [["drill", "--from", ".", "--input", "order.json", "Orders/aborted", "Orders/never-started"]],
    "drill-from-list": [["drill", "--from", ".", "--list"], ["drill", "--from", ".", "--list", "Orders/aborted"]],
    "drill-list": [["drill", "--list"], ["drill", "--list", "handler-raises"]],
    "error": [["lint", "nosuch.json"], ["query", "sum:{", "--data", "points.json"], ["plna"]],
    "graph": [["graph", "orders.asl.json"], ["graph", "orders.asl.json", "--execution", "history", "--data", "history.json"]],
    "import": [["import", "dashboards", "--project", "new"]],
    "init": [["init", "--project", "made"], ["init", "--project", "own", "--from", "template.yaml"]],
    "lines": [["lines", "app.log"]],
    "lint": [["lint", "monitors", "bad"]],
    "lint-coverage": [["lint", "--coverage"]],
    "lint-rules": [["lint", "--rules"]],
    "preview": [["preview", "--format", "svg"], ["preview", "nosuch.json"]],
    "replay": [["replay", "logs", "--group", "/aws/lambda/shop", "--workers", "1"]],
    "run": [["run", "Orders", "--from", ".", "--input", "points.json"]],
    "test": [["test"]],
    "trace": [["trace", "history", "--data", "history.json"]],
    "trace-list": [["trace", "--data", "history.json"]],
}  # fmt: skip
"""Schema -> command lines that need no server, `--json` left out."""
LINES = {
    "forward": [["forward", "logs/all.log", "nosuch.log"]],
    "query": [["query", "sum:shop.items{*} by {shop}.as_count()", "--data", "points.json"]],
}
"""What has no version: JSON Lines, and the answer of Datadog's API."""
ELSEWHERE = {
    "advise": "advise/test_advise.py",
    "demo": "demo/test_demo_command.py",
    "doctor": "doctor/test_doctor.py",
}
"""Schema -> the test that runs its command, which takes long or needs an account."""
ONLINE = {
    "plan": [["plan"]],
    "apply": [["apply", "--yes"]],
    "pull": [["pull", "--all", "--project", "pulled"]],
    "destroy": [["destroy", "--yes"]],
}
"""The same against an embedded Datadog, in this order."""
