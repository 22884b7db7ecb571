"""From the monitor to the log line by links, and no link of any page that leads nowhere."""

import html
import re
import shutil
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from asgi import Client
from incident import NOW, REQUEST, fill, write_project

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    with Store.open() as store:
        fill(store)
        app = create_app(store, routes=page_routes(store, root, clock=lambda: NOW))
        yield Client(app, base_url="http://127.0.0.1")


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
    assert 'class="state task failed' in execution
    function = follow(client, execution, "/functions/orders-pay")
    assert "CardRefused" in function
    again = follow(client, function, "/executions/00000000000000aa")
    machine = follow(client, again, "/machines/orders")
    assert '<td class=brief data-head="Failed">100 %</td>' in machine
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
