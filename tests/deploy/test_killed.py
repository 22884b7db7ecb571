"""An apply of 200 resources, killed at random moments and run again: everything is there once, nothing is lost."""

import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from troubled import fatal

from monitoring.cli import main
from monitoring.deploy.api import Client
from monitoring.deploy.marker import read_marker
from monitoring.resources.resource import KINDS

KILLS = int(os.environ.get("STEPSCOPE_KILLS", "4"))
COUNTS = {"monitor": 179, "composite": 10, "dashboard": 10, "slo": 1}


def bodies(edition):
    """200 resources that refer to each other, in a circle too: monitors link to dashboards that show them."""
    query = "sum(last_5m):sum:aws.states.executions_failed{{statemachinearn:m{}}}.as_count() > 1"
    for n in range(COUNTS["monitor"]):
        message = f"Edition {edition}: /dashboard/${{dashboard:d{n % 10}}}"
        yield (
            "monitor",
            f"m{n}",
            {"type": "query alert", "name": f"M {n}", "query": query.format(n), "message": message},
        )
    for n in range(COUNTS["composite"]):
        both = f"${{monitor:m{n}}} && ${{monitor:m{n + 1}}}"
        yield (
            "monitor",
            f"c{n}",
            {"type": "composite", "name": f"C {n}", "query": both, "message": f"Edition {edition}"},
        )
    for n in range(COUNTS["dashboard"]):
        graph = {"type": "alert_graph", "alert_id": f"${{monitor:m{n}}}", "viz_type": "timeseries"}
        board = {"title": f"D {n}", "description": f"Edition {edition}", "layout_type": "ordered"}
        yield "dashboard", f"d{n}", {**board, "widgets": [{"definition": graph}]}
    slo = {
        "name": "S",
        "type": "monitor",
        "monitor_ids": ["${monitor:m0}"],
        "description": f"Edition {edition}",
    }
    yield "slo", "s", {**slo, "thresholds": [{"timeframe": "7d", "target": 99.0}]}


def write(root, edition):
    for kind, key, body in bodies(edition):
        folder = root / f"{kind}s"
        folder.mkdir(exist_ok=True)
        (folder / f"{key}.json").write_text(json.dumps(body))


def run(*argv):
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in argv])
    return int(stopped.value.code or 0)


def killed(app, url, chance, *argv):
    """Whether the command was killed in a request of its own, chosen by chance among all that it makes."""
    command = [sys.executable, "-c", "from monitoring.cli import main; main()", *argv]
    process = subprocess.Popen(
        command, env={**os.environ, "DD_URL": url}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    app.arm(process.kill, chance.randint(1, sum(COUNTS.values())), after=chance.random() < 0.5)
    said = process.communicate()[1].decode()
    app.arm(lambda: None, 0, after=False)
    assert process.returncode in (-9, 0), said
    return process.returncode == -9


def there(url):
    """How often each key of the project is in Datadog."""
    client = Client(url, "k", "a")
    return Counter(
        (kind, read_marker(kind, body).key) for kind in KINDS for _, body in client.everything(kind)
    )


def test_killed_at_random_moments_and_applied_again_everything_is_there_once(tmp_path, monkeypatch, capsys):
    chance = random.Random(20180)
    expected = {(kind, key): 1 for kind, key, _ in bodies(0)}
    assert len(expected) == 200
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DD_ENV", raising=False)
    kills = 0
    while kills < KILLS:
        with fatal() as (url, app):
            monkeypatch.setenv("DD_URL", url)
            for edition in range(2):  # from nothing, then a change of all 200
                write(tmp_path, edition)
                before = there(url)
                kills += killed(app, url, chance, "apply", "--json", "--yes")
                left = there(url)
                assert set(before) <= set(left) <= set(expected)
                assert set(left.values()) <= {1}
                assert run("apply", "--yes") == 0
                assert run("plan", "--check") == 0
                capsys.readouterr()  # 200 resources told fifty times over are no help to anybody
                assert there(url) == expected
    with capsys.disabled():
        print(f" {kills} kills", end="")
