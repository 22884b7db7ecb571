"""dogshell, unmodified, end to end: every family of its sub-commands that Datadog still serves."""

import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("datadog")

NOW = int(time.time())
QUERY = "avg(last_5m):avg:m{*} by {host} > 5"
WIDGETS = json.dumps([{"definition": {"type": "note", "content": "x"}}])
RATIO = ("--numerator", "sum:a{*}.as_count()", "--denominator", "sum:b{*}.as_count()")
OBJECTIVE = ("--type", "metric", "--name", "s", "--thresholds", "7d:99.9", *RATIO)
# One interpreter runs several command lines: its start costs more than they do.
SHELL = """
import json, sys
from datadog.dogshell import main
for line in json.load(sys.stdin):
    sys.argv[1:] = sys.argv[1:3] + line
    main()
    print("\\0", end="", flush=True)
"""


@pytest.fixture
def dog(datadog, tmp_path):
    """Run command lines; what each of them printed, as JSON where it is some."""
    config = tmp_path / "dogrc"
    config.write_text(f"[Connection]\napikey = k\nappkey = a\napi_host = {datadog.url}\n")

    def run(*lines, fine=True):
        command = [sys.executable, "-c", SHELL, "--config", str(config)]
        asked = json.dumps([["--raw", *line] for line in lines])
        found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, input=asked)
        assert (found.returncode == 0) is fine, found.stderr + found.stdout
        if not fine:
            return found.stdout + found.stderr
        return [printed(text) for text in found.stdout.split("\0")[:-1]]

    return run


def printed(text):
    """The last line, which is the answer: `history` tells its times before."""
    lines = text.splitlines()
    return json.loads(lines[-1]) if lines else None


def test_metrics_are_posted_and_found(datadog, dog):
    posted, found, checked = dog(
        ("metric", "post", "shell.metric", "5", "--tags", "a:b", "--host", "h1"),
        ("search", "query", "metrics:shell"),
        ("service_check", "check", "c", "h1", "0"),
    )
    assert [(m.name, m.sum) for m in datadog.store.metrics()] == [("shell.metric", 5.0)]
    assert (posted, found) == (None, {"results": {"metrics": ["shell.metric"]}})
    assert checked == {"status": "ok"}


def test_monitors_are_made_changed_muted_and_deleted(datadog, dog):
    made, shown, changed, listed, muted, unmuted, _, nothing, deletable, valid, _ = dog(
        ("monitor", "post", "query alert", QUERY, "--name", "n", "--message", "m"),
        ("monitor", "show", "1001"),
        ("monitor", "update", "1001", "--query", QUERY.replace("5", "7"), "--name", "o"),
        ("monitor", "show_all"),
        ("monitor", "mute", "1001", "--scope", "host:a", "--end", str(NOW + 86_400)),
        ("monitor", "unmute", "1001", "--scope", "host:a"),
        ("monitor", "mute_all"),
        ("monitor", "unmute_all"),
        ("monitor", "can_delete", "1001"),
        ("monitor", "validate", "query alert", QUERY),
        ("monitor", "delete", "1001"),
    )
    assert (made["id"], shown["name"], changed["name"]) == (1001, "n", "o")
    assert [one["name"] for one in listed] == ["o"]
    assert (muted["options"]["silenced"], unmuted["options"]["silenced"]) == ({"host:a": NOW + 86_400}, {})
    assert (nothing, deletable["data"], valid) == (None, {"ok": [1001]}, {})
    assert datadog.store.documents.all("monitor") == []


def test_downtimes_are_made_changed_and_cancelled(dog):
    made, shown, changed, listed, cancelled, _, ended = dog(
        ("downtime", "post", "env:p", str(NOW), "--end", str(NOW + 86_4000), "--message", "m"),
        ("downtime", "show", "1001"),
        ("downtime", "update", "1001", "--scope", "env:q", "--end", str(NOW + 900)),
        ("downtime", "show_all"),
        ("downtime", "cancel_by_scope", "env:q"),
        ("downtime", "post", "env:r", str(NOW)),
        ("downtime", "delete", "1002"),
    )
    assert (made["start"], made["end"], made["scope"]) == (NOW, NOW + 86_4000, ["env:p"])
    assert shown["message"] == "m"
    assert (changed["scope"], changed["end"]) == (["env:q"], NOW + 900)
    assert [one["id"] for one in listed] == [1001]
    assert (cancelled, ended) == ({"cancelled_ids": [1001]}, None)


def test_dashboards_and_lists_of_them_are_made_changed_and_deleted(dog):
    board, listed, lists = dog(
        ("dashboard", "post", "t", WIDGETS, "ordered", "--description", "d"),
        ("dashboard_list", "post", "l"),
        ("dashboard_list", "show_all"),
    )
    assert [one["name"] for one in lists["dashboard_lists"]] == ["l"]
    item = {"type": "custom_timeboard", "id": board["id"]}
    added, shown, changed, _, _ = dog(
        ("dashboard_list", "add_dashboards_v2", str(listed["id"]), json.dumps([item])),
        ("dashboard", "show", board["id"]),
        ("dashboard", "update", board["id"], "u", WIDGETS, "ordered"),
        ("dashboard_list", "delete", str(listed["id"])),
        ("dashboard", "delete", board["id"]),
    )
    assert added == {"added_dashboards_to_list": [item]}
    assert (shown["description"], changed["title"]) == ("d", "u")
    assert "not found" in dog(("dashboard", "show", board["id"]), fine=False)


def test_objectives_are_made_changed_and_deleted(dog):
    (made,) = dog(("service_level_objective", "create", *OBJECTIVE))
    ident = made["data"][0]["id"]
    # `show` of version 0.56 ends with an AttributeError of its own before it has asked anything.
    listed, changed, deletable, history, _, left = dog(
        ("service_level_objective", "show_all"),
        ("service_level_objective", "update", ident, *OBJECTIVE, "--description", "d"),
        ("service_level_objective", "can_delete", ident),
        ("service_level_objective", "history", ident, str(NOW - 86_400), str(NOW)),
        ("service_level_objective", "delete", ident),
        ("service_level_objective", "show_all"),
    )
    assert [(one["name"], one["id"]) for one in listed["data"]] == [("s", ident)]
    assert changed["data"][0]["description"] == "d"
    assert deletable["data"] == {"ok": [ident]}
    assert history["data"]["to_ts"] == NOW
    assert left["data"] == []


def test_events_tags_and_hosts_are_told(dog):
    event, shown, stream, _, tags, _, muted, _, hosts = dog(
        ("event", "post", "title", "text", "--tags", "a:b"),
        ("event", "show", "1001"),
        ("event", "stream", str(NOW - 60), str(NOW + 86_4000)),
        ("tag", "add", "h1", "role:db"),
        ("tag", "show", "h1"),
        ("tag", "detach", "h1"),
        ("host", "mute", "h1"),
        ("host", "unmute", "h1"),
        ("hosts", "totals"),
    )
    assert event["event"]["title"] == shown["event"]["title"] == stream["events"][0]["title"] == "title"
    assert (tags, muted["action"]) == ({"tags": ["role:db"]}, "Muted")
    assert hosts == {"total_up": 0, "total_active": 0}


def test_a_refusal_is_what_it_prints_and_a_status(dog):
    said = dog(("monitor", "post", "query alert", "avg(last_5m):avg:m{*} >"), fine=False)
    assert "invalid" in said
