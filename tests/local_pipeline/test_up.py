"""`stepscope up`: the application stays up, its files are followed, and executions start from outside."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from monitoring.errors import InputError
from monitoring.local_aws.schedules import ScheduleEntry
from monitoring.resources.own_metrics import FILE, read_own_metrics
from monitoring.up.pages import _schedules, run_routes

STEPSCOPE = [sys.executable, "-c", "from monitoring.cli import main; main()"]
MONITOR = {
    "name": "orders {{x.name}}",
    "type": "query alert",
    "query": "sum(last_5m):sum:shop.orders{*}.as_count() > 100",
    "message": "too many @me@example.com",
}


class Running:
    """The command as a process."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.log = project / "up.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*STEPSCOPE, "up", "--port", "0", "--aws-port", "0"], cwd=project, stdout=log, stderr=log
            )
        self.url = self.wait_for("Datadog, embedded: ").split()[-1]
        self.wait_for("start executions")

    def wait_for(self, text: str) -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if text in line:
                    return line
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def run(self, *arguments: str) -> tuple[int, dict]:
        done = subprocess.run(
            [*STEPSCOPE, "run", *arguments, "--url", self.url, "--input", "input.json", "--json"],
            cwd=self.project,
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, json.loads(done.stdout or "{}") | {"said": done.stderr}

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read().decode()


@pytest.fixture
def up(project: Path) -> Iterator[Running]:
    (project / "monitors").mkdir()
    (project / "monitors" / "orders.json").write_text(json.dumps(MONITOR))
    running = Running(project)
    yield running
    running.process.kill()
    running.process.wait()


def test_an_application_is_up_until_it_is_told_to_stop(up: Running) -> None:
    status, result = up.run("Orders")
    assert (status, result["status"], result["output"]) == (0, "SUCCEEDED", {"paid": 20})
    assert "shop.orders" in {row["metric"] for row in result["metrics"]}

    page = up.get("/run")
    assert "SUCCEEDED" in page
    assert "orders-dev" in page
    assert '<a href="/run" aria-current=page>Run</a>' in page
    assert "orders " in up.get("/monitors")
    graph = up.get("/run/Orders")
    assert 'class="state-machine-graph"' in graph
    assert 'class="state task succeeded"' in graph
    path = re.search(r'href="(/run/Orders\?execution=[^"]+)"', page)
    assert 'class="state task succeeded"' in up.get(path[1])

    app = up.project / "src" / "app.py"
    app.write_text(app.read_text().replace('{"paid": event["amount"]}', '{"paid": "anew"}'))
    up.wait_for("app.py changed: functions restart")
    assert up.run("Orders")[1]["output"] == {"paid": "anew"}

    definition = up.project / "orders.asl.yaml"
    definition.write_text(
        definition.read_text().replace("OutputPath: $.Payload", "OutputPath: $.Payload.paid")
    )
    up.wait_for("orders.asl.yaml changed: deploying again")
    deadline = time.monotonic() + 60
    while up.run("Orders")[1]["output"] != "anew" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert up.run("Orders")[1]["output"] == "anew"

    (up.project / "template.yaml").write_text("Resources: [")
    up.wait_for("not deployed: ")
    assert up.run("Orders")[0] == 0

    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(60) == 0
    assert "Traceback" not in up.log.read_text()
    metrics = read_own_metrics(up.project / FILE).metrics
    assert dict(metrics["shop.orders"].tags) == {"env": 1, "kind": 1}
    assert "-Take-" in metrics["shop.orders"].functions[0]


def test_a_broken_catalogue_is_named_before_anything_starts(project: Path) -> None:
    (project / FILE).write_text("[metrics")
    done = subprocess.run(
        [*STEPSCOPE, "up", "--port", "0"], cwd=project, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"{FILE}:1:9: not valid TOML" in done.stderr


def test_the_form_starts_an_execution_and_no_other_site_does(up: Running) -> None:
    form = urllib.parse.urlencode({"machine": "Orders", "input": '{"id": 3, "amount": 4}'}).encode()

    def post(origin: str, body: bytes = form) -> str:
        request = urllib.request.Request(f"{up.url}/run", body, {"Origin": origin})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return f"{answer.status} {answer.read().decode()}"
        except urllib.error.HTTPError as refused:
            return f"{refused.code} {refused.read().decode()}"

    assert not post("http://evil.example").startswith("200")
    assert "orders-dev" not in up.get("/run").partition("<h2>Executions</h2>")[2]
    assert post(up.url).startswith("200")
    assert "orders-dev" in up.get("/run").partition("<h2>Executions</h2>")[2]
    assert "not JSON" in post(up.url, b"machine=Orders&input=%7B")


def test_what_run_is_refused_is_said(up: Running) -> None:
    status, result = up.run("Nobody")
    assert (status, "no state machine Nobody" in result["said"]) == (2, True)
    up.url = "http://127.0.0.1:9"
    status, result = up.run("Orders")
    assert (status, "nothing answers" in result["said"]) == (2, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/run", "/run/executions", "/run/orders"])
def test_until_everything_is_deployed_the_server_says_so(path: str, method: str) -> None:
    if (path, method) == ("/run/orders", "POST"):
        pytest.skip("this page has no form")
    client = TestClient(Starlette(routes=run_routes(lambda: None)))
    answer = client.request(method, path)
    assert answer.status_code == 503
    assert "still being deployed" in answer.text
    assert answer.headers["content-type"].startswith(
        "application/json" if "executions" in path else "text/html"
    )


class Scheduling:
    """An embedded AWS with one schedule, and what was fired."""

    def __init__(self) -> None:
        self.fired: list[str] = []

    def schedules(self) -> list[ScheduleEntry]:
        return [ScheduleEntry("night<ly", "rate(1 day)", None)]

    def fire_schedule(self, name: str) -> None:
        if name != "night<ly":
            raise InputError(f"there is no schedule {name}")
        self.fired.append(name)


@pytest.mark.parametrize(
    ("name", "origin", "status", "fired"),
    [
        ("night<ly", "", 303, ["night<ly"]),
        ("night<ly", "http://testserver", 303, ["night<ly"]),
        ("night<ly", "http://elsewhere", 403, []),
        ("other", "", 400, []),
        ("", "", 400, []),
    ],
)
def test_a_schedule_fires_from_the_page_or_a_client(
    name: str, origin: str, status: int, fired: list[str]
) -> None:
    aws = Scheduling()
    pipeline: Any = SimpleNamespace(aws=aws)
    client = TestClient(Starlette(routes=run_routes(lambda: pipeline)), follow_redirects=False)
    headers = {"Origin": origin} if origin else {}
    assert client.post("/run/schedules", data={"schedule": name}, headers=headers).status_code == status
    assert aws.fired == fired
    assert 'name="schedule" value="night&lt;ly"' in _schedules(pipeline)
