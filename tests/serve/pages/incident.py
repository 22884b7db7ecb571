"""A project and a store with one incident: an execution that failed, its call, its log line, its monitor."""

import json

import numpy as np
from pages_data import MONITOR, dashboard

from monitoring.query.series import Series
from monitoring.store.definitions import record_definition

NOW = 1_795_740_000
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:run-1"
REQUEST = "7b1f0000-0000-4000-8000-00000000c0de"
DEFINITION = {
    "StartAt": "Pay",
    "States": {
        "Pay": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:orders-pay", "Next": "Ship"},
        "Ship": {"Type": "Succeed"},
    },
}


def span(number, parent, name, resource, at, seconds, error=0, **meta):
    ids = {"trace_id": "00000000000000aa", "span_id": f"{number:016x}", "parent_id": f"{parent:016x}"}
    times = {"start": (NOW - 300 + at) * 10**9, "duration": seconds * 10**9}
    rest = {"service": "orders", "type": "serverless", "error": error, "meta": meta, "metrics": {}}
    return {**ids, **times, **rest, "name": name, "resource": resource}


def incident_dashboard():
    body = dashboard()
    body["widgets"][0]["definition"]["content"] += (
        "\n\n[here](/dashboard/${dashboard:pipeline}?from_ts=1&to_ts=2)"
    )
    body["widgets"][2]["definition"]["custom_links"] = [
        {
            "label": "In depth",
            "link": "/dashboard/${dashboard:pipeline}?tpl_var_statemachine={{statemachinearn.value}}",
        }
    ]
    return body


def incident_monitor():
    link = "[the dashboard](https://app.datadoghq.com/dashboard/${dashboard:pipeline}?tpl_var_statemachine=x)"
    return MONITOR | {"message": f"{{{{#is_alert}}}}See {link} @slack-ops{{{{/is_alert}}}}"}


def fill(store):
    times = np.arange(NOW - 3600, NOW, 60)
    values = np.where(times == NOW - 240, 1.0, 0.0)
    tags = (f"statemachinearn:{MACHINE.lower()}",)
    store.add_points(
        Series(f"aws.states.executions_{name}", tags, times, numbers, type="count")
        for name, numbers in (("failed", values), ("succeeded", 1 - values))
    )
    state = {"executionarn": EXECUTION, "statetype": "Task", "state": "Pay", "status": "failed"}
    call = {"request_id": REQUEST, "stepfunctions.state": "Pay", "stepfunctions.state_machine": "orders"}
    store.add_spans(
        [
            span(1, 0, "aws.stepfunctions", "orders", 0, 60, 1, executionarn=EXECUTION, status="failed"),
            span(2, 1, "aws.stepfunctions.state", "Pay", 1, 50, 1, **state),
            span(3, 2, "aws.lambda", "orders-pay", 2, 40, 1, **call, **{"error.type": "CardRefused"}),
        ]
    )
    line = {"message": f"[ERROR] CardRefused {REQUEST}", "service": "orders-pay", "status": "error"}
    store.add_logs([line | {"timestamp": (NOW - 280) * 1000}])
    record_definition(store, "orders", DEFINITION)


OBJECTIVE = {
    "name": "Executions succeed",
    "type": "metric",
    "description": "Of all that ended.",
    "query": {
        "numerator": "sum:aws.states.executions_succeeded{*}.as_count()",
        "denominator": "sum:aws.states.executions_succeeded{*}.as_count()"
        " + sum:aws.states.executions_failed{*}.as_count()",
    },
    "thresholds": [{"timeframe": "7d", "target": 99.0, "warning": 99.5}],
}
DRILL = {
    "faults": [
        {"name": "Pay/raises", "target": "Pay", "machine": "Orders", "noticed_by": ["failed"], "minutes": 2},
        {"name": "Orders/stuck", "target": "Orders", "machine": "Orders", "noticed_by": [], "minutes": None},
    ]
}


def write_project(root):
    files = {
        "dashboards": {"pipeline": incident_dashboard()},
        "monitors": {"failed": incident_monitor()},
        "slos": {"succeed": OBJECTIVE},
    }
    for kind, bodies in files.items():
        (root / kind).mkdir()
        for key, body in bodies.items():
            (root / kind / f"{key}.json").write_text(json.dumps(body))
    (root / "drill.json").write_text(json.dumps(DRILL))
