"""The command `stepscope test`, its reports, and the pytest items."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import entry_points

import pytest

from monitoring.cli import main

BODY = {
    "type": "query alert",
    "query": "avg(last_5m):avg:a{*} > 1",
    "options": {"thresholds": {"critical": 1}},
}
TEST = """\
tests:
  - name: high alerts
    series: [{metric: a, values: 0x9 5x9}]
    expect: [{alerts_within: 5m, of: 10m}]
  - name: low is fine
    series: [{metric: a, values: 0x20}]
    expect: [{never: Alert}]
"""


@pytest.fixture
def monitors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "monitors"
    folder.mkdir()
    (folder / "high.json").write_text(json.dumps(BODY))
    (folder / "high.test.yaml").write_text(TEST)
    return folder


def status(*argv):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    return int(stopped.value.code or 0)


def test_all_passed_is_status_0(monitors, capsys):
    assert status("test") == 0
    assert "2 passed" in capsys.readouterr().out


def test_a_failure_is_status_1_and_json_says_what(monitors, capsys):
    (monitors / "high.test.yaml").write_text(TEST.replace("0x20", "9x20"))
    assert status("test", "--json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["passed"], data["failed"], data["errors"]) == (1, 1, 0)
    failure = data["cases"][1]["failures"][0]
    assert failure["expected"] == "never Alert"
    assert failure["evidence"]["state"] == "Alert"


def test_a_file_that_cannot_be_used_is_status_2_and_costs_no_other(monitors, capsys):
    (monitors / "bad.test.yaml").write_text("series: []\nexpct: []\n")
    assert status("test") == 2
    out = capsys.readouterr().out
    assert "2 passed" in out
    assert "did you mean 'expect'?" in out


def test_k_selects_cases_and_nothing_selected_is_an_error(monitors, capsys):
    assert status("test", "-k", "low") == 0
    assert "1 passed" in capsys.readouterr().out
    assert status("test", "-k", "nowhere") == 2


def test_a_monitor_without_a_test_is_named_and_fails_if_required(monitors, capsys):
    (monitors / "lonely.json").write_text(json.dumps(BODY))
    assert status("test") == 0
    assert "lonely.json" in capsys.readouterr().out
    assert status("test", "--require-tests") == 1


def test_no_test_at_all_is_an_error(tmp_path, capsys):
    assert status("test", str(tmp_path)) == 2
    assert "no monitor test" in capsys.readouterr().err


def test_junit_has_a_testcase_for_each_case(monitors, tmp_path):
    (monitors / "high.test.yaml").write_text(TEST.replace("0x20", "9x20"))
    file = tmp_path / "out.xml"
    assert status("test", "--junit", str(file)) == 1
    root = ET.parse(file).getroot()
    assert [case.get("name") for case in root.iter("testcase")] == ["high alerts", "low is fine"]
    assert "never Alert" in next(root.iter("failure")).text


def test_several_processes_give_the_same(monitors, capsys):
    (monitors / "again.test.yaml").write_text("monitor: high\n" + TEST)
    assert status("test", "--jobs", "2") == 0
    assert "4 passed" in capsys.readouterr().out


def test_pytest_collects_the_same_files(monitors):
    (monitors / "high.test.yaml").write_text(TEST.replace("0x20", "9x20"))
    installed = any(entry.name == "stepscope" for entry in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "stepscope_pytest"]
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, str(monitors)]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 1 passed" in run.stdout
    assert "expected  never Alert" in run.stdout
    assert "Traceback" not in run.stdout


EMPTY = """\
monitor:
  type: query alert
  query: "sum(last_5m):default_zero(sum:jobs.done{*}.as_count()) < 1"
  options: {thresholds: {critical: 1}}
series: [{metric: jobs.done, type: count, values: 2x10 _x20}]
expect: [{at: 9m, state: OK}, {at: 25m, state: STATE}]
"""


def test_the_switch_that_decided_is_named_with_its_pages(monitors, capsys):
    (monitors / "empty.test.yaml").write_text(EMPTY.replace("STATE", "Alert"))
    assert status("test", str(monitors / "empty.test.yaml")) == 0
    out = capsys.readouterr().out
    assert "decided by the switch default_zero_empty: zero (monitors/configuration of 2026-08-17" in out
    assert "holds with" not in out


def test_a_failure_names_the_switch_with_which_it_would_hold(monitors, capsys):
    (monitors / "empty.test.yaml").write_text(EMPTY.replace("STATE", "OK"))
    assert status("test", str(monitors / "empty.test.yaml")) == 1
    out = capsys.readouterr().out
    assert "by the switch default_zero_empty: zero" in out
    assert [line.strip() for line in out.splitlines() if "holds with" in line] == [
        "holds with  switches: {default_zero_empty: skip}"
    ]
    (monitors / "empty.test.yaml").write_text(
        EMPTY.replace("STATE", "OK") + "switches: {default_zero_empty: skip}\n"
    )
    assert status("test", str(monitors / "empty.test.yaml")) == 0


def test_no_switch_is_named_where_none_decided(monitors, capsys):
    assert status("test") == 0
    assert "switch" not in capsys.readouterr().out
