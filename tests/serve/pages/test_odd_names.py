"""Whatever monitors, dashboards, state machines, states and functions are called, no link leads nowhere."""

import json
import re

import pytest
from asgi import Client
from incident import MACHINE, NOW, OBJECTIVE, span
from pages_data import MONITOR, dashboard
from test_chain import crawl, follow, links

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store
from monitoring.store.definitions import record_definition

NAMES = (
    "a b",
    'quo"te',
    "50%",
    "a#b",
    "a?b=c&d+e",
    "naïve-名前-🚀",
    "<b>bold</b>",
    "arn:aws:lambda:eu-west-1:123456789012:function:pay",
    "a/b",
    "x" * 80,
)


def site(root, name, state):
    for kind, body in (
        ("dashboards", dashboard()),
        ("monitors", MONITOR),
        ("slos", OBJECTIVE),
    ):
        (root / kind).mkdir()
        if "/" not in name:
            (root / kind / f"{name}.json").write_text(json.dumps(body))
    store, machine = Store.open(), re.sub("[:/]", "-", name)  # which AWS refuses in names of state machines
    execution = f"arn:aws:states:eu-west-1:123456789012:execution:{machine}:run"
    meta = {"executionarn": execution, "statetype": "Task", "state": state, "status": "failed"}
    call = {"stepfunctions.state": state, "stepfunctions.state_machine": name, "error.type": name}
    store.add_spans(
        [
            span(1, 0, "aws.stepfunctions", machine, 0, 60, 1, **meta),
            span(2, 1, "aws.stepfunctions.state", state, 1, 50, 1, **meta),
            span(3, 2, "aws.lambda", name, 2, 40, 1, **call),
        ]
    )
    definition = {"StartAt": state, "States": {state: {"Type": "Task", "Resource": MACHINE, "End": True}}}
    record_definition(store, machine, definition)
    return store


@pytest.mark.parametrize("name", NAMES)
def test_no_link_leads_nowhere(tmp_path, name):
    with site(tmp_path, name, f"State {name}") as store:
        client = Client(
            create_app(store, routes=page_routes(store, tmp_path, clock=lambda: NOW)),
            base_url="http://127.0.0.1",
        )
        pages = crawl(client, "/", 60)
        assert [page for page in pages if page[1] != 200] == []
        machine = follow(client, client.get("/machines").text, "/machines/")
        assert any(href.startswith("#state-State") for href in links(machine))
        follow(client, client.get("/functions").text, "/functions/")
        if "/" not in name:
            for kind in ("dashboards", "monitors", "slos"):
                follow(client, client.get(f"/{kind}").text, f"/{kind}/")
