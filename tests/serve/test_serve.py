"""`stepscope serve`: monitors that are evaluated as time passes, where notifications go, and how it starts
and ends.
"""

import json
import signal
import subprocess
import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from monitoring.errors import InputError
from monitoring.local_datadog import Settings, create_app
from monitoring.monitor.definition import Monitor
from monitoring.query.series import Series
from monitoring.resources import normalise
from monitoring.serve import Watch
from monitoring.serve.sinks import JsonLines, Webhook
from monitoring.store import Store
from monitoring.store.states import recorded

T0 = 1_800_000_000 // 60 * 60


class Heard:
    def __init__(self):
        self.bodies = []

    def send(self, notification):
        self.bodies.append(notification)


def monitor(store, ident=1, **more):
    body = {
        "type": "query alert",
        "name": "errors",
        "query": "sum(last_5m):sum:errors{*} by {fn}.as_count() > 5",
    }
    body |= {"message": "broken {{fn.name}} @team", "options": {"thresholds": {"critical": 5}}} | more
    stored = normalise.monitor(body, ident, T0 - 60)
    store.documents.put("monitor", str(ident), stored)
    return stored


def errors(store, at, values, fn="f"):
    times = T0 + 60 * np.arange(at, at + len(values)) + 30
    store.add_points([Series("errors", (f"fn:{fn}",), times, np.array(values, float), "count", 60)])


def watched(store, heard=None):
    now = [T0]
    said = []
    watch = Watch(store, [heard] if heard else [], said.append, clock=lambda: now[0])

    def look(minute):
        now[0] = T0 + minute * 60
        return watch.look()

    return look, said


def test_a_monitor_alerts_and_recovers_as_points_arrive_and_tells_each_once():
    with Store.open() as store:
        monitor(store)
        heard = Heard()
        look, _ = watched(store, heard)
        errors(store, 0, [0, 0, 9])
        for minute in range(1, 5):
            look(minute)
        assert [(one["kind"], one["group"], one["state"]) for one in heard.bodies] == [
            ("alert", "fn:f", "Alert")
        ]
        assert "broken f" in heard.bodies[0]["message"]
        errors(store, 3, [0] * 10)
        for minute in range(5, 14):
            look(minute)
        assert [one["kind"] for one in heard.bodies] == ["alert", "recovery"]
        state = store.documents.get("monitor_state", "1")
        assert state["overall_state"] == "OK"
        assert state["groups"]["fn:f"]["last_triggered_ts"] is not None


def test_a_server_that_starts_again_comes_to_the_same_states_and_tells_nothing_twice(tmp_path):
    path = tmp_path / "d.duckdb"
    with Store.open(path) as store:
        monitor(store)
        errors(store, 0, [9, 9, 9])
        heard = Heard()
        watched(store, heard)[0](3)
        assert [one["kind"] for one in heard.bodies] == ["alert"]
    with Store.open(path) as store:
        again = Heard()
        look, _ = watched(store, again)
        look(4)
        assert again.bodies == []
        errors(store, 3, [0] * 40)
        look(40)  # the recovery was long ago, and nobody knows of it yet
        assert [one["kind"] for one in again.bodies] == ["recovery"]


@pytest.mark.parametrize(
    ("about", "held"),
    [
        ({}, True),
        ({"scope": ["fn:g"]}, False),
        ({"monitor_id": 1}, True),
        ({"monitor_id": 2}, False),
        ({"monitor_tags": ["team:a"]}, True),
        ({"monitor_tags": ["team:b"]}, False),
        ({"canceled": T0}, False),
    ],
)
def test_a_downtime_holds_back_what_it_is_about_and_changes_no_state(about, held):
    with Store.open() as store:
        monitor(store, tags=["team:a"])
        errors(store, 0, [9, 9, 9])
        downtime = {"id": 7, "scope": ["fn:f"], "start": T0 - 60, "end": None, "monitor_id": None}
        downtime |= {"monitor_tags": ["*"], "recurrence": None, "canceled": None}
        store.documents.put("downtime", "7", downtime | about)
        heard = Heard()
        watched(store, heard)[0](3)
        assert (heard.bodies == []) is held
        assert store.documents.get("monitor_state", "1")["overall_state"] == "Alert"


def recurring(**more):
    """Ten minutes of every hour, from ten minutes past T0's on."""
    start = datetime.fromtimestamp(T0 + 600, ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
    rule = {"rrule": "FREQ=HOURLY", "duration": "10m", "start": start.isoformat()}
    body = {"id": 7, "scope": ["*"], "start": T0 + 600, "end": None, "monitor_id": None}
    body |= {"monitor_tags": ["*"], "recurrence": None, "canceled": None, "timezone": "Asia/Tokyo"}
    return body | {"recurrences": [rule]} | more


def kinds_and_minutes(heard):
    return [(one["kind"], (one["time"] - T0) // 60) for one in heard.bodies]


def test_a_recurring_downtime_holds_back_within_its_windows_and_tells_what_is_left_at_their_end():
    with Store.open() as store:
        monitor(store)
        store.documents.put("downtime", "7", recurring())
        heard = Heard()
        look, _ = watched(store, heard)
        errors(store, 0, [0] * 11 + [9] * 9 + [0] * 50 + [9] + [0] * 20)
        for minute in range(1, 90):
            look(minute)
        assert kinds_and_minutes(heard) == [("alert", 20), ("recovery", 25)]
        assert store.documents.get("monitor_state", "1")["overall_state"] == "OK"


def test_a_cancelled_downtime_tells_what_is_left_only_where_that_was_asked_for():
    for types, told in ((["expired"], []), (["canceled"], [("alert", 7)])):
        with Store.open() as store:
            monitor(store)
            body = recurring(recurrences=None, start=T0, end=T0 + 7200, notify_end_types=types)
            store.documents.put("downtime", "7", body)
            heard = Heard()
            look, _ = watched(store, heard)
            errors(store, 0, [0, 0, 0] + [9] * 20)
            for minute in range(1, 7):
                look(minute)
            store.documents.put("downtime", "7", body | {"canceled": T0 + 390})
            for minute in range(7, 20):
                look(minute)
            assert kinds_and_minutes(heard) == told, types


def test_a_stored_downtime_that_cannot_be_read_is_said_and_costs_no_other_monitor():
    with Store.open() as store:
        monitor(store, 1)
        monitor(store, 2)
        store.documents.put(
            "downtime", "7", recurring(monitor_id=1, recurrences=[{"rrule": "x", "duration": "1h"}])
        )
        heard = Heard()
        look, said = watched(store, heard)
        errors(store, 0, [9])
        look(2)
        assert [one["monitor_id"] for one in heard.bodies] == [2]
        assert "the RRULE 'x' cannot be read" in said[0]


def test_what_changes_is_recorded_once_and_stays_when_the_points_change(tmp_path):
    path = tmp_path / "d.duckdb"
    with Store.open(path) as store:
        body = monitor(store)
        look, _ = watched(store)
        errors(store, 0, [0, 0, 9])
        for minute in (1, 2, 3):
            look(minute)
    with Store.open(path) as store:
        look, _ = watched(store)
        errors(store, 3, [0] * 7)
        look(12)  # not looked at in between: what happened is found all the same
        errors(store, 2, [0])  # the trouble is taken back, but it had been seen
        look(13)
        expected = [(T0 + 120, "fn:f", "OK"), (T0 + 180, "fn:f", "Alert"), (T0 + 480, "fn:f", "OK")]
        assert store.transitions(1) == expected
        assert store.transitions(1, T0 + 180) == expected[:1]
        history = recorded(store, Monitor.from_body(body), T0, T0 + 600)
        minutes = [(history.times[start] - T0) // 60 for start, _, _ in history.groups["fn:f"].spans()]
        assert minutes == [2, 3, 8]
        assert history.groups["fn:f"].segment(2).state == "Alert"
        assert (history.keys, len(history.times)) == (("fn",), 8)
        assert recorded(store, Monitor.from_body(body), T0 - 600, T0) is None


def test_a_group_that_is_no_more_is_recorded(tmp_path):
    with Store.open() as store:
        monitor(store)
        look, _ = watched(store)
        errors(store, 0, [0])
        look(2)
        look(24 * 60 + 20)
        assert [state for _, _, state in store.transitions(1)] == ["OK", ""]


def test_a_monitor_that_cannot_be_evaluated_is_said_once_and_costs_no_other():
    with Store.open() as store:
        monitor(store, 1, type="rum alert", query='rum("x").rollup("count").last("5m") > 5')
        monitor(store, 2)
        errors(store, 0, [9])
        look, said = watched(store)
        look(2)
        look(3)
        assert len(said) <= 1
        assert store.documents.get("monitor_state", "2")["overall_state"] == "Alert"


def test_an_alert_on_a_stored_slo_is_evaluated_and_one_on_another_is_said():
    slo = {
        "id": "a" * 32,
        "name": "orders",
        "type": "metric",
        "thresholds": [{"timeframe": "7d", "target": 99.0}],
    }
    slo["query"] = {"numerator": "sum:orders{ok:true}.as_count()", "denominator": "sum:orders{*}.as_count()"}
    with Store.open() as store:
        store.documents.put("slo", slo["id"], slo)
        for ident, id_ in ((1, slo["id"]), (2, "b" * 32)):
            query = f'error_budget("{id_}").over("7d") > 75'
            monitor(store, ident, type="slo alert", query=query, options={"thresholds": {"critical": 75}})
        times = T0 + 60 * np.arange(5)
        for ok, value in (("true", 80.0), ("false", 20.0)):
            store.add_points([Series("orders", (f"ok:{ok}",), times, np.full(5, value), "count", 60)])
        look, said = watched(store)
        look(6)
        assert store.documents.get("monitor_state", "1")["overall_state"] == "Alert", said
        assert [("monitor 2" in text, "is not known here" in text) for text in said] == [(True, True)]


def test_checks_logs_events_and_composites_are_evaluated_too():
    with Store.open() as store:
        now = T0 + 120
        store.add_checks(
            [{"check": "up", "host_name": "h", "status": 2, "timestamp": T0 + 30 * k} for k in range(4)]
        )
        store.add_logs([{"message": "boom", "service": "s", "timestamp": (now - 60) * 1000}] * 3)
        options = {"thresholds": {"critical": 2, "warning": 1, "ok": 1}}
        monitor(
            store,
            1,
            type="service check",
            query='"up".over("*").by("host").last(3).count_by_status()',
            options=options,
        )
        logs = 'logs("service:s").index("*").rollup("count").last("5m") > 2'
        monitor(store, 2, type="log alert", query=logs, options={"thresholds": {"critical": 2}})
        monitor(store, 3, type="composite", query="1 && 2", options={})
        look, said = watched(store)
        look(4)
        states = [store.documents.get("monitor_state", str(k))["overall_state"] for k in (1, 2, 3)]
        assert states == ["Alert", "Alert", "Alert"], said


def test_the_api_shows_the_states_that_were_found():
    with Store.open() as store:
        monitor(store)
        errors(store, 0, [9])
        watched(store)[0](2)
        app = create_app(store, settings=Settings(clock=lambda: T0 + 200))

        async def get(path):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return (await client.get(path, headers={"DD-API-KEY": "k"})).json()

        import asyncio

        body = asyncio.run(get("/api/v1/monitor/1?group_states=alert"))
        assert (body["overall_state"], list(body["state"]["groups"])) == ("Alert", ["fn:f"])
        found = asyncio.run(get("/api/v1/monitor/search?query=status:alert"))
        assert [one["id"] for one in found["monitors"]] == [1]


def test_a_webhook_that_is_down_gets_every_notification_later_in_order():
    taken, said, down = [], [], [True]

    def post(url, data, headers, timeout):
        if down[0]:
            raise OSError("refused")
        taken.append(json.loads(data)["title"])
        return 200

    hook = Webhook("http://localhost", said.append, post)
    hook.send({"title": "a"})
    hook.send({"title": "b"})
    down[0] = False
    hook.retry()
    assert (taken, len(said)) == (["a", "b"], 2)


def test_notifications_are_appended_to_a_file_as_json(tmp_path):
    sink = JsonLines.opened(tmp_path / "n.jsonl")
    sink.send({"title": "é"})
    sink.send({"title": "b"})
    lines = (tmp_path / "n.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"title": "é"}, {"title": "b"}]
    with pytest.raises(InputError, match="cannot be written there"):
        JsonLines.opened(tmp_path / "nowhere" / "n.jsonl")


def started(tmp_path, *more):
    arguments = [
        sys.executable,
        "-c",
        "from monitoring.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--database",
        str(tmp_path / "d.duckdb"),
    ]
    process = subprocess.Popen([*arguments, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    return process, line.partition("http://")[2].split()[0] if "http://" in line else line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop_and_leaves_one_whole_file(tmp_path, number):
    process, address = started(tmp_path)
    point = {"series": [{"metric": "m", "points": [[int(time.time()), 1]]}]}
    for _ in range(100):
        try:
            answer = httpx.post(f"http://{address}/api/v1/series", json=point, headers={"DD-API-KEY": "k"})
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    assert answer.status_code == 202
    for _ in range(3):  # impatience ends it no less cleanly
        process.send_signal(number)
    status, said = process.wait(20), process.stderr.read()
    assert (status, said) == (0, "")
    process.stdout.close()
    process.stderr.close()
    assert [file.name for file in tmp_path.iterdir()] == ["d.duckdb"]
    with Store.open(tmp_path / "d.duckdb", read_only=True) as store:
        assert store.metrics()[0].points == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "a key is needed"),
        (["--rate-limit", "nonsense"], "is not a rate limit"),
        (["--notify-webhook", "ftp://x"], "not an address of a webhook"),
        (["--database", "/proc/nowhere/x.duckdb"], "folder does not exist"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(arguments, says, monkeypatch):
    from monitoring.cli.serve import command

    monkeypatch.delenv("DD_API_KEY", raising=False)
    result = CliRunner().invoke(command, ["--port", "0", *arguments])
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)
