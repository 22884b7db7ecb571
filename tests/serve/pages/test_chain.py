"""From the monitor to the log line by links, and no link of any page that leads nowhere."""

import html
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest
from asgi import Client
from pages_data import MONITOR, dashboard

from monitoring.local_datadog import create_app
from monitoring.query.series import Series
from monitoring.serve.pages import page_routes
from monitoring.store import Store
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


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    for kind, bodies in {
        "dashboards": {"pipeline": _dashboard()},
        "monitors": {"failed": _monitor()},
    }.items():
        (root / kind).mkdir()
        for key, body in bodies.items():
            (root / kind / f"{key}.json").write_text(json.dumps(body))
    with Store.open() as store:
        fill(store)
        app = create_app(store, routes=page_routes(store, root, clock=lambda: NOW))
        yield Client(app, base_url="http://127.0.0.1")


def _dashboard():
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


def _monitor():
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


def links(text):
    return [html.unescape(href) for href in re.findall(r'<a[^>]*? href="([^"]*)"', text)]


def follow(client, page, wanted):
    """Open the first link of a page whose address contains a text."""
    address = next(href for href in links(page) if wanted in href)
    answer = client.get(urljoin("http://127.0.0.1/", address))
    assert answer.status_code == 200, address
    return answer.text


def test_links_lead_from_a_firing_monitor_to_the_log_line_and_to_the_function(client):
    overview = client.get("/").text
    monitor = follow(client, overview, "/monitors/failed")
    assert "Alert" in monitor
    executions = follow(client, monitor, "status=failed")
    assert "orders · run-1" in executions
    execution = follow(client, executions, "/executions/00000000000000aa")
    assert f"CardRefused {REQUEST}" in execution
    assert 'class="state task failed"' in execution
    function = follow(client, execution, "/functions/orders-pay")
    assert "CardRefused" in function
    again = follow(client, function, "/executions/00000000000000aa")
    machine = follow(client, again, "/machines/orders")
    assert "<td class=brief>100 %</td>" in machine
    logs = follow(client, execution, REQUEST)
    assert "CardRefused" in logs


def test_a_click_on_a_state_leads_to_its_step(client):
    text = client.get("/executions/00000000000000aa").text
    assert 'href="?step=0000000000000002#s-0000000000000002"' in text
    assert 'id="s-0000000000000002"' in text
    assert (
        '<details id="s-0000000000000002" open>'
        in client.get("/executions/00000000000000aa?step=0000000000000002").text
    )


def test_states_that_no_execution_reached_are_on_the_graph_of_a_known_definition(client):
    text = client.get("/executions/00000000000000aa").text
    assert 'class="state succeed untaken"' in text


def test_the_message_of_a_monitor_links_to_the_pages(client):
    assert (
        '<a href="/dashboards/pipeline?tpl_var_statemachine=x">the dashboard</a>'
        in client.get("/monitors/failed").text
    )


def crawl(client, start, most):
    """Return (address, status, from) of every page that is reached, one for each path and set of parameters."""
    seen, queue, found = set(), [(start, "")], []
    while queue and len(found) < most:
        address, origin = queue.pop(0)
        parts = urlsplit(urljoin(f"http://127.0.0.1{origin or '/'}", address))
        if parts.netloc != "127.0.0.1":
            continue
        kind = (parts.path, tuple(sorted({pair.partition("=")[0] for pair in parts.query.split("&")})))
        if kind in seen:
            continue
        seen.add(kind)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = client.get(path)
        found.append((path, answer.status_code, origin))
        ids = set(re.findall(r' id="([^"]*)"', answer.text))
        if (
            parts.fragment
            and answer.status_code == 200
            and html.escape(parts.fragment, quote=True) not in ids
        ):
            found.append((f"{path}#{parts.fragment}", 0, origin))
        queue += [(href, path) for href in links(answer.text)]
    return found


def test_no_link_of_any_page_leads_nowhere(client):
    found = crawl(client, "/", 300)
    assert len(found) > 20
    assert [one for one in found if one[1] != 200] == []
    kinds = {path.split("?")[0].split("/")[1] for path, _, _ in found}
    assert {
        "dashboards",
        "monitors",
        "executions",
        "machines",
        "functions",
        "logs",
        "metrics",
        "slos",
        "events",
    } <= kinds


@pytest.mark.checkout
def test_no_link_of_the_shipped_dashboards_and_monitors_leads_nowhere(client, tmp_path):
    shipped = Path(__file__).parents[3]
    for folder in ("dashboards", "monitors", "slos"):
        shutil.copytree(shipped / folder, tmp_path / folder)
    with Store.open() as store:
        fill(store)
        app = create_app(store, routes=page_routes(store, tmp_path, clock=lambda: NOW))
        found = crawl(Client(app, base_url="http://127.0.0.1"), "/", 400)
    assert len(found) > 60
    assert [one for one in found if one[1] != 200] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard/pipeline", 200),
        ("/dashboard/pipeline/any-slug?from_ts=1795736400000&to_ts=1795740000000&live=false", 200),
        ("/dashboard/lists", 200),
        ("/dashboard/none/slug", 404),
        ("/monitors/manage", 200),
        ("/monitors/downtimes", 200),
        ("/logs?query=status%3Aerror&from_ts=1795736400000&to_ts=1795740000000", 200),
        ("/logs?query=%28", 400),
        ("/slo", 200),
        ("/slo/manage", 200),
        ("/slo/none", 404),
        ("/event", 200),
        ("/event/explorer?query=source:x", 200),
        ("/event/stream", 200),
        ("/metric/explorer", 200),
        ("/metric/summary", 200),
        ("/apm/traces", 200),
        ("/apm/trace/00000000000000aa", 200),
        ("/apm/trace/00", 404),
        ("/machines/ORDERS", 200),
        ("/machines/none", 404),
        ("/functions/none", 200),
        ("/functions/a%22b", 200),
        ("/machines", 200),
        ("/functions", 200),
    ],
)
def test_datadogs_addresses_and_ours_answer_with_a_page(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<nav" in answer.text
