"""Apply asks, refuses what would page twice, and several at once leave one of each resource."""

import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from troubled import troubled

from monitoring.cli import main
from monitoring.deploy.api import Client
from monitoring.deploy.marker import read_marker
from monitoring.local_datadog import LocalDatadog
from monitoring.resources.resource import KINDS

QUERY = "sum(last_5m):sum:aws.states.executions_failed{{statemachinearn:m{}}}.as_count() > 1"
STEPSCOPE = [sys.executable, "-c", "from monitoring.cli import main; main()"]
COMPOSITE = {"type": "composite", "name": "Both", "query": "${monitor:m0} && ${monitor:m1}", "message": "@x"}
GRAPH = {"definition": {"type": "alert_graph", "alert_id": "${monitor:m0}", "viz_type": "timeseries"}}
SLO = {"name": "S", "type": "monitor", "monitor_ids": ["${monitor:m0}"]}


def monitor(n, scope=""):
    query = QUERY.format(n).replace("}", f"{scope}}}")
    return {
        "type": "query alert",
        "name": f"M {n}",
        "query": query,
        "message": "/dashboard/${dashboard:all} @x",
    }


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("DD_API_KEY", "DD_APP_KEY", "DD_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for n in range(6):
        write("monitors", f"m{n}", monitor(n))
    write("monitors", "both", COMPOSITE)
    write("dashboards", "all", {"title": "All", "layout_type": "ordered", "widgets": [GRAPH]})
    write("slos", "succeed", {**SLO, "thresholds": [{"timeframe": "7d", "target": 99.0}]})
    identifier = {"monitor_id": "${monitor:m1}"}
    write("downtimes", "nights", {"scope": "env:dev", "monitor_identifier": identifier, "message": "n"})
    return tmp_path


def write(folder, key, body):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{key}.json", "w") as file:
        json.dump(body, file)


KEYS = {("monitor", key) for key in ("m0", "m1", "m2", "m3", "m4", "m5", "both")} | {
    ("dashboard", "all"),
    ("slo", "succeed"),
    ("downtime", "nights"),
}
ONE_OF_EACH = dict.fromkeys(KEYS, 1)


def owned(url):
    """Return how often each key of the project is in Datadog."""
    client = Client(url, "k", "a")
    return Counter(
        (kind, read_marker(kind, body).key) for kind in KINDS for _, body in client.everything(kind)
    )


def started(url, *arguments, stdin=subprocess.DEVNULL):
    environment = {**os.environ, "DD_URL": url}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*STEPSCOPE, *arguments], env=environment, stdin=stdin, stdout=pipe, stderr=pipe, text=True
    )


def ended(process):
    printed, said = process.communicate()
    return process.returncode, printed, said


@pytest.mark.parametrize("answer", ["n\n", "y\n", ""])
@pytest.mark.parametrize("arguments", [("apply",), ("apply", "--json")])
def test_apply_without_a_terminal_needs_yes(project, answer, arguments):
    with LocalDatadog() as datadog:
        process = started(datadog.url, *arguments, stdin=subprocess.PIPE)
        _, said = process.communicate(answer)
        assert process.returncode == 2
        assert "10 to create" in said and "not a terminal" in said and "stepscope apply --yes" in said
        assert not owned(datadog.url)


def test_apply_with_nothing_to_do_needs_no_answer(project):
    with LocalDatadog() as datadog:
        assert ended(started(datadog.url, "apply", "--yes"))[0] == 0
        assert ended(started(datadog.url, "apply"))[0] == 0


def test_the_same_monitors_for_another_environment_are_refused_with_the_ways_out(
    project, capsys, monkeypatch
):
    def run(*arguments):
        with pytest.raises(SystemExit) as finished:
            main(arguments)
        return finished.value.code, capsys.readouterr().err

    with LocalDatadog() as datadog:
        monkeypatch.setenv("DD_URL", datadog.url)
        assert run("apply", "--yes")[0] == 0
        assert run("apply", "--yes", "--env", "default")[0] == 0
        status, said = run("apply", "--yes", "--env", "prod")
        assert status == 2
        assert "monitors/m0.json: stepscope/default has a monitor with the same name and query" in said
        assert "${var:env}" in said and "stepscope destroy --env default" in said
        assert owned(datadog.url) == ONE_OF_EACH
        assert "has a monitor with the same name and query" in run("plan", "--env", "prod")[1]
        for n in range(6):
            write("monitors", f"m{n}", monitor(n, ",env:${var:env}"))
        assert run("apply", "--yes", "--env", "prod")[0] == 0
        assert owned(datadog.url) == dict.fromkeys(KEYS, 2)


RUNS = int(os.environ.get("STEPSCOPE_APPLIES", "1"))


@pytest.mark.parametrize("at_once", [2, 5, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("account", ["empty", "full"])
def test_several_applies_at_once_leave_one_of_each(project, at_once, account):
    for _ in range(RUNS):
        with troubled(latency=0.02) as (url, _):
            if account == "full":
                assert ended(started(url, "apply", "--yes"))[0] == 0
            processes = [started(url, "apply", "--yes") for _ in range(at_once)]
            said = [ended(process) for process in processes]
            assert [status for status, *_ in said] == [0] * at_once, said
            assert owned(url) == ONE_OF_EACH
            assert ended(started(url, "plan", "--check"))[0] == 0


def test_what_killed_applies_leave_twice_the_next_apply_repairs(project):
    chance = random.Random(7)
    for _ in range(RUNS):
        with troubled(latency=0.02) as (url, app):
            processes = [started(url, "apply", "--yes") for _ in range(3)]
            limit = chance.randint(20, 60)
            while app.calls < limit and any(process.poll() is None for process in processes):
                pass
            for process in processes:
                process.kill()
                process.communicate()
            status, printed, said = ended(started(url, "apply", "--yes"))
            assert status == 0, printed + said
            assert owned(url) == ONE_OF_EACH
            assert ended(started(url, "plan", "--check"))[0] == 0


@pytest.mark.parametrize("missing", [(), ("dashboard",), ("dashboard", "slo", "downtime")])
def test_copies_are_deleted_by_the_next_apply_whatever_else_it_does(project, missing):
    with LocalDatadog() as datadog:
        assert ended(started(datadog.url, "apply", "--yes"))[0] == 0
        client = Client(datadog.url, "k", "a")
        for _, body in client.everything("monitor"):
            if body["type"] != "composite":
                copy = {key: body[key] for key in ("type", "name", "query", "message", "options")}
                client.create("monitor", copy)
        assert owned(datadog.url)["monitor", "m3"] == 2
        for kind in missing:
            client.delete(kind, client.everything(kind)[0][0])
        status, printed, said = ended(started(datadog.url, "apply", "--yes"))
        assert status == 0, said
        assert "a copy: two applies ran at the same time" in printed
        assert owned(datadog.url) == ONE_OF_EACH


def test_a_copy_is_deleted_once_beside_a_creation(project, monkeypatch):
    deleted = []
    delete = Client.delete
    monkeypatch.setattr(Client, "delete", lambda *args: (deleted.append(args[1:]), delete(*args)))
    with LocalDatadog() as datadog:
        monkeypatch.setenv("DD_URL", datadog.url)
        assert ended(started(datadog.url, "apply", "--yes"))[0] == 0
        client = Client(datadog.url, "k", "a")
        identifier, body = next(row for row in client.everything("monitor") if row[1]["name"] == "M 5")
        copy = client.create("monitor", {key: body[key] for key in ("type", "name", "query", "message")})
        board = client.everything("dashboard")[0][0]
        client.delete("dashboard", board)
        with pytest.raises(SystemExit) as finished:
            main(["apply", "--yes"])
        assert finished.value.code == 0
        assert deleted == [("dashboard", board), ("monitor", copy)]
        assert identifier in dict(client.everything("monitor"))


def test_monitors_that_another_apply_has_deleted_do_not_keep_others_from_deletion(project):
    with LocalDatadog() as datadog:
        assert Client(datadog.url, "k", "a").undeletable(["424242"]) == {}
