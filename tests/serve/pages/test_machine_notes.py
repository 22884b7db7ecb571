"""The page of a state machine: what its states cost, and who notices when they break."""

import html
import json
import re

import pytest
from asgi import Client
from incident import NOW, fill, write_project

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store


def row(name, machine, *by, minutes=2.0):
    target = name.partition("/")[0]
    noticed = {"noticed_by": list(by), "minutes": minutes if by else None}
    return {"name": name, "target": target, "machine": machine, **noticed}


FAULTS = [
    row("PayFunction/raises", "Orders", "failed", "elsewhere"),
    row("PayFunction/slow", "Orders"),
    row("Orders/stuck", "Orders", "failed", minutes=16.0),
    row("PayFunction/times-out", "OrdersRefund", "failed"),
    "nonsense",
]


@pytest.fixture
def root(tmp_path):
    write_project(tmp_path)
    (tmp_path / "drill.json").unlink()
    return tmp_path


@pytest.fixture
def client(root):
    with Store.open() as store:
        fill(store)
        app = create_app(store, routes=page_routes(store, root, clock=lambda: NOW))
        yield Client(app, base_url="http://127.0.0.1")


def cells(text, heading):
    part = text.partition(heading)[2]
    rows = re.findall(r"<tr>(.*?)</tr>", part.partition("</table>")[0], re.DOTALL)
    return [
        [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)]
        for line in rows[1:]
    ]


def graph(text):
    return text[text.index('<svg xmlns="http://www.w3.org/2000/svg"') :].partition("</svg>")[0]


def test_the_states_have_their_costs(client):
    text = client.get("/machines/orders").text
    # 1 transition: $25; 1 request: $0.20; 40 s of 128 MB: $83.33
    assert cells(text, "<h2>States</h2>")[0][6:8] == ["$108.53", "100 %"]
    assert "$108.53 for a million executions" in text
    assert "per million" not in graph(text)
    assert "$108.53 per million" in graph(client.get("/machines/orders?show=cost").text)


def test_without_an_execution_no_cost_is_told(client):
    text = client.get("/machines/orders?show=cost&from=-2d&to=-1d").text
    assert "No state was entered." in text
    assert "$" not in text.partition("<main>")[2].partition("<script>")[0]


def test_the_drill_of_the_projects_folder_is_on_the_page_and_on_the_graph(client, root):
    (root / "drill.json").write_text(json.dumps({"faults": FAULTS}))
    text = client.get("/machines/orders").text
    assert cells(text, ">Drill</h2>") == [
        ["raises", "Pay", "failed, elsewhere", "2 min"],
        ["slow", "Pay", "nobody", "–"],
        ["stuck", "Orders", "failed", "16 min"],
    ]
    assert '<a href="/monitors/failed">failed</a>' in text
    assert "/monitors/elsewhere" not in text
    assert "3 faults were brought about, 1 of them noticed by nobody." in text
    assert "nobody notices" not in graph(text)
    drawn = graph(client.get("/machines/orders?show=drill").text)
    assert "slow: nobody notices" in drawn
    assert "times-out" not in drawn


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("\x00", "is not JSON"),
        ('{"faults": ' + "[" * 100_000, "is nested too deeply"),
        ("[]", "is not the result of a drill"),
        ('{"faults": 3}', "is not the result of a drill"),
        ('\ufeff{"faults": 3}', "is not the result of a drill"),
    ],
    ids=lambda text: text[:40],
)
def test_a_file_that_is_not_a_drill_is_said_on_the_page(client, root, content, words):
    (root / "drill.json").write_text(content)
    answer = client.get("/machines/orders")
    assert answer.status_code == 200
    assert f'<p class="bad">drill.json {words}' in answer.text


def test_without_a_drill_only_its_view_says_how_to_make_one(client):
    assert "stepscope drill" not in client.get("/machines/orders").text
    assert "stepscope drill --from TEMPLATE --json" in client.get("/machines/orders?show=drill").text


def test_a_machine_is_found_in_the_drill_by_its_logical_id_in_the_template(client, root):
    template = """
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Checkout:
        Type: AWS::Serverless::StateMachine
        Properties: {Name: orders, Definition: {StartAt: A, States: {A: {Type: Succeed}}}}
    """
    (root / "template.yaml").write_text(template)
    (root / "drill.json").write_text(json.dumps({"faults": [row("Checkout/stuck", "Checkout", "failed")]}))
    assert cells(client.get("/machines/orders").text, ">Drill</h2>") == [
        ["stuck", "Checkout", "failed", "2 min"]
    ]


@pytest.mark.parametrize("query", ["show=nonsense", "show=", "against=x", "show=cost&against=before"])
def test_any_view_is_a_page(client, query):
    assert client.get(f"/machines/orders?{query}").status_code == 200
