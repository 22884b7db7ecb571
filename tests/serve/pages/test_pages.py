"""The pages, without a browser: what they answer, and what they never do."""

import json
import time

import pytest
from asgi import Client
from pages_data import EVIL, FAILED, MONITOR, dashboard, execution

from monitoring.deploy.marker import Owner, with_marker
from monitoring.local_datadog import create_app
from monitoring.preview.sample import sample
from monitoring.resources.catalogue import known_metrics
from monitoring.serve.pages import page_routes
from monitoring.serve.pages.log_lines import gist
from monitoring.serve.pages.waterfall import tree
from monitoring.store import Store


@pytest.fixture(scope="module")
def store():
    with Store.open() as store:
        now = int(time.time()) // 60 * 60
        store.add_points(sample(dashboard(), now - 86400, now, known_metrics(), [FAILED]))
        store.add_spans(execution(now))
        store.add_logs([{"message": f"{EVIL} in r-1", "service": "slides", "timestamp": (now - 59) * 1000}])
        yield store


@pytest.fixture
def project(tmp_path):
    for kind, bodies in {"dashboards": {"pipeline": dashboard()}, "monitors": {"failed": MONITOR}}.items():
        (tmp_path / kind).mkdir()
        for key, body in bodies.items():
            (tmp_path / kind / f"{key}.json").write_text(json.dumps(body))
    (tmp_path / "dashboards" / "broken.json").write_text("{")
    return tmp_path


@pytest.fixture
def client(store, project):
    return Client(create_app(store, routes=page_routes(store, project)), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/", 200, "run-7"),
        ("/", 200, '<div class="tally"><span><b>1</b>'),
        ("/", 200, "Slides pipeline"),
        ("/dashboards", 200, "Slides pipeline"),
        ("/dashboards/pipeline", 200, "Executions"),
        ("/dashboards/pipeline?from=-15m&tpl_var_statemachine=x", 200, "No data in this time"),
        ("/dashboards/broken", 200, "dashboards/broken.json:1:2: Expecting property name"),
        ("/dashboards/none", 404, "There is no such dashboard."),
        ("/dashboards/pipeline?from=soon", 400, "&#x27;soon&#x27; is not a valid time"),
        ("/monitors", 200, "executions fail"),
        ("/monitors/failed", 200, "What it would have sent"),
        ("/monitors/none", 404, "There is no such monitor."),
        ("/executions", 200, "run-7"),
        ("/executions/00000000000000aa", 200, "Identify"),
        ("/executions/ff", 404, "There is no such execution."),
        ("/metrics", 200, "aws.states.executions_failed"),
        (f"/metrics?q={FAILED}", 200, "<path"),
        ("/metrics?q=avg:a{", 200, "^"),
    ],
)
def test_a_page_answers_and_says_what_it_cannot_show(client, path, status, said):
    answer = client.get(path)
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path", ["/dashboards/pipeline", "/executions/00000000000000aa", "/monitors/failed", f"/metrics?q={EVIL}"]
)
def test_no_page_runs_what_the_data_says_or_asks_for_anything_from_elsewhere(client, path):
    answer = client.get(path)
    assert EVIL not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "src=" not in answer.text.replace("default-src", "").replace("script-src", "")


def test_an_objective_has_graphs_of_its_status_and_its_budget_that_can_be_read(client, project):
    (project / "slos").mkdir()
    body = {
        "name": "Executions succeed",
        "type": "metric",
        "query": {"numerator": FAILED, "denominator": FAILED},
        "thresholds": [{"timeframe": "7d", "target": 99}],
    }
    (project / "slos" / "good.json").write_text(json.dumps(body))
    text = client.get("/slos/good").text
    assert "<h2>Status</h2>" in text
    assert "<h2>Error budget that is left</h2>" in text
    assert text.count("data-chart=") == 2


def test_a_monitor_without_a_point_in_its_window_says_so(client, project):
    body = {**MONITOR, "query": MONITOR["query"].replace("{*}", "{nobody:has}")}
    (project / "monitors" / "empty.json").write_text(json.dumps(body))
    assert "but no point of what it asks for in" in client.get("/monitors").text


def test_a_monitors_graph_can_be_read(client):
    assert "data-chart=" in client.get("/monitors/failed").text


def test_another_sites_page_cannot_read_the_pages(client):
    assert client.get("/dashboards", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/dashboards", headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/dashboards/..%2f..%2fetc%2fpasswd", "/dashboards/../../etc/passwd", "/monitors/%2e%2e%2fx"]
)
def test_no_path_leads_out_of_the_folder(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_what_clients_made_is_listed_beside_the_files(client):
    keys = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
    made = client.post("/api/v1/dashboard", headers=keys, json={**dashboard(), "title": "By a client"}).json()
    assert "By a client" in client.get("/dashboards").text
    assert client.get(f"/dashboards/{made['id']}").status_code == 200


def test_what_was_applied_from_a_file_is_listed_once(client):
    keys = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
    owned = with_marker("monitor", MONITOR, Owner("shop", "prod", "failed", "0123456789ab"))
    made = client.post("/api/v1/monitor", headers=keys, json=owned).json()
    listed = client.get("/monitors").text
    assert f"failed.json, applied as {made['id']}" in listed
    assert listed.count("executions fail") == 1
    assert client.get(f"/monitors/{made['id']}").status_code == 200


def test_what_needs_somebody_stands_first(client, project):
    calm = MONITOR | {"name": "Calm", "query": MONITOR["query"].replace("> 0", "> 99999")}
    (project / "monitors" / "calm.json").write_text(json.dumps(calm))
    listed = client.get("/monitors").text
    assert listed.index("executions fail") < listed.index("Calm")


def test_an_empty_server_says_how_to_send_something():
    with Store.open() as store:
        app = create_app(store, routes=page_routes(store))
        answer = Client(app, base_url="http://127.0.0.1:8126").get("/").text
    assert "DD_URL=http://127.0.0.1:8126" in answer
    assert "There is no monitor." in answer


def test_a_monitors_page_shows_the_downtimes_that_mute_it_now(client):
    assert "Muted now" not in client.get("/monitors/failed").text
    keys = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
    attributes = {"scope": "*", "monitor_identifier": {"monitor_tags": ["*"]}, "message": f"deploy {EVIL}"}
    body = {"data": {"type": "downtime", "attributes": attributes}}
    made = client.post("/api/v2/downtime", headers=keys, json=body).json()["data"]["id"]
    shown = client.get("/monitors/failed").text
    assert "Muted now" in shown
    assert "deploy &lt;script&gt;" in shown
    assert "until it is cancelled" in shown
    client.delete(f"/api/v2/downtime/{made}", headers=keys)
    assert "Muted now" not in client.get("/monitors/failed").text


def test_a_circle_of_parents_and_an_unknown_parent_are_still_shown():
    spans = [
        {"span_id": "1", "parent_id": "2", "start": 1, "duration": 1},
        {"span_id": "2", "parent_id": "1", "start": 2, "duration": 1},
        {"span_id": "3", "parent_id": "99", "start": 3, "duration": 1},
        {"span_id": "4", "parent_id": "3", "start": 4, "duration": 1},
    ]
    assert {span["span_id"]: depth for span, depth in tree(spans)} == {"3": 0, "4": 1, "1": 0, "2": 0}


def test_a_composite_of_files_is_evaluated_over_its_members(client, project):
    both = {
        "type": "composite",
        "name": "Both",
        "query": "${monitor:failed} && !${monitor:failed}",
        "options": {},
    }
    (project / "monitors" / "both.json").write_text(json.dumps(both))
    answer = client.get("/monitors/both?from=-1h")
    assert "unexpected" not in answer.text
    assert 'class="band"' in answer.text


def test_a_log_of_an_execution_is_a_line_that_opens_to_the_whole_message(client, store):
    now = int(time.time())
    message = json.dumps({"request": "r-1", "deep": {"value": 1}})
    store.add_logs(
        [{"message": message, "service": "slides", "status": "error", "timestamp": (now - 59) * 1000}]
    )
    text = client.get("/executions/00000000000000aa").text
    assert '<details class="is-bad"><summary>' in text
    assert "  &quot;deep&quot;: {\n    &quot;value&quot;: 1" in text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"level": "INFO", "message": "identified"}, "identified"),
        ({"type": "TaskStateEntered", "details": {"name": "Build"}}, "TaskStateEntered Build"),
        ({"type": "TaskFailed", "details": {"error": "E", "cause": "gone"}}, "TaskFailed E gone"),
        ({"type": "TaskFailed", "details": "none"}, "TaskFailed"),
        ({"count": 1}, '{"count": 1}'),
        ([1], "[1]"),
    ],
)
def test_the_line_of_a_log_says_what_its_json_is_about(message, shown):
    assert gist(json.dumps(message)) == shown


def test_an_execution_says_how_it_ended_and_why(client, store):
    said = {"error.type": "BuildFailed", "error.message": f"exit 1 {EVIL}"}
    root = execution(int(time.time()))[0]
    store.add_spans([root | {"trace_id": "00000000000000bb", "meta": root["meta"] | said}])
    text = client.get("/executions/00000000000000bb").text
    assert '<span class="state Alert">failed</span>' in text
    assert "BuildFailed: exit 1 &lt;script&gt;" in text


def test_a_monitor_without_data_names_the_metric_that_never_came(client, project):
    body = MONITOR | {"query": "avg(last_5m):avg:slides.unheard_of{*} > 0", "name": "Quiet"}
    (project / "monitors" / "quiet.json").write_text(json.dumps(body))
    assert "Never received: <code>slides.unheard_of</code>." in client.get("/monitors/quiet").text
    assert "Never received" not in client.get("/monitors/failed").text


def test_a_monitor_of_a_file_is_shown_with_its_variables_filled_in(client, project):
    body = MONITOR | {"name": "Named", "message": "${var:who|@default} ${var:channel|@none}"}
    (project / "monitors" / "named.json").write_text(json.dumps(body))
    (project / "stepscope.toml").write_text('[defaults]\nchannel = "@slack-mine"\n')
    assert "@default @slack-mine" in client.get("/monitors/named").text
    (project / "monitors" / "named.json").write_text(json.dumps(body | {"message": "${var:unknown} of prod"}))
    assert "${var:unknown} of prod" in client.get("/monitors/named").text


def test_a_wide_widget_is_drawn_for_a_phone_too(client, project):
    body = dashboard()
    for at, one in enumerate(body["widgets"]):
        one["layout"] = {"x": 0, "y": 3 * at, "width": 12, "height": 3}
    (project / "dashboards" / "pipeline.json").write_text(json.dumps(body))
    text = client.get("/dashboards/pipeline?from=-1h").text
    assert text.count('<svg class="desk"') == text.count('<svg class="phone"') == 5


def test_the_overview_says_what_was_received():
    with Store.open() as store:
        client = Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1")
        assert "Nothing has been received yet." in client.get("/").text
        store.add_logs([{"message": "a line", "timestamp": 1_795_740_000_000}])
        text = client.get("/").text
        assert 'Received: <a href="/logs">1 log line</a>.' in text
        assert "Nothing has been received yet." not in text
        store.add_spans(execution(1_795_740_000))
        assert '<a href="/logs">1 log line</a>, <a href="/executions">7 spans</a>.' in client.get("/").text
