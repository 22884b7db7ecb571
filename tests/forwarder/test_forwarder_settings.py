"""What settings change: which logs go on, how metrics are sent, what is late, and the entry point itself."""

import io
import json
import sys
import time

import pytest

from monitoring.cli import main
from monitoring.forwarder import lambda_handler as entry
from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events.names import METRICS

NOW = int(time.time())


def run(intake, event, **environ):
    base = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    return Forwarder(ForwarderSettings.from_env(base | environ), "eu-west-1").handle(event, 30)


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ({}, ["from 10.1.2.3 by a@b.example", "token=abc", "plain"]),
        ({"DD_FORWARD_LOG": "false"}, []),
        ({"INCLUDE_AT_MATCH": "token|plain"}, ["token=abc", "plain"]),
        ({"EXCLUDE_AT_MATCH": "^plain"}, ["from 10.1.2.3 by a@b.example", "token=abc"]),
        ({"REDACT_IP": "true", "INCLUDE_AT_MATCH": "10.1"}, ["from xxx.xxx.xxx.xxx by a@b.example"]),
        ({"REDACT_EMAIL": "true", "INCLUDE_AT_MATCH": "@"}, ["from 10.1.2.3 by xxxxx@xxxxx.com"]),
        ({"DD_SCRUBBING_RULE": "token=\\w+", "INCLUDE_AT_MATCH": "token"}, ["xxxxx"]),
        (
            {
                "DD_SCRUBBING_RULE": "(token)=\\w+",
                "DD_SCRUBBING_RULE_REPLACEMENT": "\\1=?",
                "INCLUDE_AT_MATCH": "t",
            },
            ["token=?"],
        ),
    ],
)
def test_logs_go_on_as_the_settings_say(intake, subscription, setting, kept):
    messages = ["from 10.1.2.3 by a@b.example", "token=abc", "plain"]
    run(intake, subscription([*messages, f"MONITORING|{NOW}|1|count|a.b|"]), **setting)
    found = [e["message"] for e in intake.logs()]
    if setting.get("INCLUDE_AT_MATCH") == "t":
        found = [m for m in found if "token" in m]
    assert found == kept
    assert intake.values("a.b") == [1]


def test_what_is_spooled_is_scrubbed(intake, subscription, tmp_path):
    intake.script = lambda *_: (503, {}, b"")
    spool = {"MONITORING_SPOOL_FOLDER": str(tmp_path), "MONITORING_RETRY_SECONDS": "0"}
    run(intake, subscription(["token=abc"]), DD_SCRUBBING_RULE="token=\\w+", **spool)
    intake.script = None
    run(intake, {"stepscope": "redrive"}, **spool)
    assert [e["message"] for e in intake.logs()] == ["xxxxx"]


def test_a_refused_line_is_a_log_with_its_reason(intake, subscription):
    run(intake, subscription([f"MONITORING|{NOW}|12ms|count|a.b|"]))
    (found,) = intake.logs()
    assert (found["status"], found["stepscope"]["refused"]) == ("warn", "the value is not a number")


def test_counts_of_concurrent_functions_add_up_as_distributions(intake, subscription):
    for stream in ("one", "two"):
        run(intake, subscription([f"MONITORING|{NOW}|2|count|a.b|"] * 2, stream=stream))
    assert intake.values("a.b") == [2, 2, 2, 2]
    assert intake.series() == []


def test_native_counts_are_summed_and_gauges_keep_the_last(intake, subscription):
    lines = [
        f"MONITORING|{NOW}|2|count|a.count|", f"MONITORING|{NOW}|3|count|a.count|",
        f"MONITORING|{NOW}|2|gauge|a.gauge|", f"MONITORING|{NOW}|3|gauge|a.gauge|",
        f"MONITORING|{NOW}|3|histogram|a.histogram|",
    ]  # fmt: skip
    run(intake, subscription(lines), MONITORING_METRICS="native")
    found = {s["metric"]: (s["type"], s["points"]) for s in intake.series()}
    assert found == {"a.count": ("count", [[NOW, 5]]), "a.gauge": ("gauge", [[NOW, 3]])}
    assert intake.values("a.histogram") == [3]


def test_points_too_old_or_too_far_ahead_are_sent_counted_and_reported(intake, subscription):
    now = int(time.time())  # not when the file was imported, which may be a quarter of an hour ago
    lines = [f"MONITORING|{now + seconds}|1|count|a.b|" for seconds in (-7200, -60, 0, 500, 1200)]
    summary = run(intake, subscription(lines), MONITORING_OWN_METRICS="true")
    assert summary["late"] == {"too_old": 1, "too_far_ahead": 1}
    assert len(intake.values("a.b")) == 5
    late = [tags for name, _, _, tags in intake.points() if name == "stepscope.forwarder.points_late"]
    assert sorted(late) == [("reason:too_far_ahead",), ("reason:too_old",)]


def test_its_own_metrics_are_those_of_the_table(intake, subscription):
    lines = [f"MONITORING|{NOW}|1|count|a.b|", "MONITORING|x|1|count|a.b|", "text"]
    run(
        intake, subscription(lines, now=int(time.time()) - 5), MONITORING_OWN_METRICS="true", DD_TAGS="team:a"
    )
    own = {name: tags for name, _, _, tags in intake.points() if name.startswith("stepscope.forwarder.")}
    assert own.keys() <= {metric.name for metric in METRICS}
    assert {
        "stepscope.forwarder." + n for n in ("points", "logs", "events", "refused", "batches", "bytes", "lag")
    } <= (own.keys())
    assert all("team:a" in tags for tags in own.values())
    assert 4 <= intake.values("stepscope.forwarder.lag")[0] < 60


def test_the_summary_is_one_line_of_json(intake, subscription, capsys):
    run(intake, subscription(["text"]))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["stepscope.forwarder"]["batches"] == {"sent": 1}


class Context:
    def get_remaining_time_in_millis(self):
        return 5000


def test_the_entry_point_reads_the_environment_and_keeps_what_it_made(intake, subscription, monkeypatch):
    monkeypatch.setenv("DD_URL", intake.url)
    monkeypatch.setenv("DD_API_KEY", "k")
    entry.handler(subscription([f"MONITORING|{NOW}|1|count|a.b|"]), Context())
    kept = list(entry._forwarders.values())
    entry.handler(subscription([f"MONITORING|{NOW}|2|count|a.b|"]), None)
    assert list(entry._forwarders.values()) == kept
    monkeypatch.setenv("DD_TAGS", "changed:yes")
    entry.handler(subscription([f"MONITORING|{NOW}|3|count|a.b|"]), None)
    assert intake.values("a.b") == [1, 2, 3]
    assert "changed:yes" in [p for p in intake.points() if p[0] == "a.b"][-1][3]


# The command


def command(monkeypatch, capsys, *argv, stdin=b"", **environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    with pytest.raises(SystemExit) as stopped:
        main(["forward", *argv])
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out, shown.err


def test_the_command_shows_what_lines_are(monkeypatch, capsys, tmp_path):
    file = tmp_path / "x.log"
    file.write_text("plain\nMONITORING|1700000000|1|count|a.b|#x:y\nMONITORING|1700000000|1ms|count|a.b|\n")
    status, out, _ = command(monkeypatch, capsys, "--json", str(file))
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert rows[0] == {
        "point": {"metric": "a.b", "value": 1, "timestamp": 1700000000, "type": "count", "tags": ["x:y"]}
    }
    assert rows[1]["log"]["message"] == "plain"
    assert rows[2] == {
        "refused": {
            "reason": "the value is not a number", "path": str(file), "line": 3, "column": 23, "text": "1ms",
        }
    }  # fmt: skip


def test_the_command_reads_events_as_aws_sends_them(monkeypatch, capsys, subscription):
    text = json.dumps(subscription([f"MONITORING|{NOW}|1|count|a.b|", "text"]), indent=1)
    status, out, _ = command(monkeypatch, capsys, "--json", stdin=text.encode())
    assert (status, [next(iter(json.loads(line))) for line in out.splitlines()]) == (0, ["point", "log"])


def test_the_command_sends_files_and_goes_on_after_one_that_is_not_there(
    intake, monkeypatch, capsys, tmp_path
):
    file = tmp_path / "x.log"
    file.write_text(f"MONITORING|{NOW}|1|count|a.b|\n")
    status, out, err = command(
        monkeypatch,
        capsys,
        str(tmp_path / "none"),
        str(file),
        DD_URL=intake.url,
        MONITORING_OWN_METRICS="false",
    )
    assert status == 2
    assert json.loads(out)["points"] == 1
    assert "No such file" in err
    assert intake.values("a.b") == [1]


def test_the_command_without_a_key_says_where_to_put_one(monkeypatch, capsys):
    status, _, err = command(monkeypatch, capsys, stdin=b"x", DD_URL="", DD_API_KEY="")
    assert status == 2
    assert "DD_API_KEY_SECRET_ARN" in err


def test_the_command_redrives(intake, monkeypatch, capsys, tmp_path, subscription):
    intake.script = lambda *_: (503, {}, b"")
    spool = {"MONITORING_SPOOL_FOLDER": str(tmp_path), "MONITORING_RETRY_SECONDS": "0"}
    run(intake, subscription(["text"]), **spool)
    intake.script = None
    status, out, _ = command(monkeypatch, capsys, "--redrive", DD_URL=intake.url, **spool)
    assert (status, json.loads(out.splitlines()[-1])["redriven"]) == (0, 1)
    assert [e["message"] for e in intake.logs()] == ["text"]
