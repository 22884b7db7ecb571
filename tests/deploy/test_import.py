"""Files of other tools, and everything of an account, become files that refer to one another by key."""

import json

import pytest

from monitoring.cli import main
from monitoring.deploy.api import Client
from monitoring.deploy.foreign import resources_in
from monitoring.deploy.linking import linked
from monitoring.deploy.references import resolve
from monitoring.local_datadog import LocalDatadog

MONITOR = {
    "type": "query alert",
    "name": "Load is high",
    "query": "avg(last_5m):avg:shop.load{*} > 5",
    "message": "See https://app.datadoghq.com/dashboard/abc-def-ghi/overview and /monitors/7",
    "options": {"thresholds": {"critical": 5, "warning": 3}},
}
BOTH = {"type": "composite", "name": "Both", "query": "7 && !8", "message": "@a"}
OTHER = {**MONITOR, "name": "Load is very high", "query": "avg(last_5m):avg:shop.load{*} > 9", "options": {}}
GRAPH = {"definition": {"type": "alert_graph", "alert_id": "7", "viz_type": "timeseries"}}
BOARD = {"title": "Overview", "layout_type": "ordered", "widgets": [GRAPH]}
WAYS = {
    "each alone": {
        "m7.json": {"id": 7, **MONITOR},
        "m8.json": {"id": 8, **OTHER},
        "m9.json": {"id": 9, **BOTH},
        "deep/er/board.json": {"id": "abc-def-ghi", **BOARD},
    },
    "lists": {
        "monitors.json": [{"id": 7, **MONITOR}, {"id": 8, **OTHER}, {"id": 9, **BOTH}],
        "dashboards.json": {"dashboards": [{"id": "abc-def-ghi", **BOARD}]},
    },
    "by id": {
        "monitors.json": {"7": MONITOR, "8": OTHER, "9": BOTH},
        "dashboards.abc-def-ghi.json": {"abc-def-ghi": BOARD},
    },
    "wrapped": {
        "m.json": {
            "resources": {"monitor": {"7": {"definition": {"id": 7, **MONITOR}}, "8": OTHER, "9": BOTH}}
        },
        "d.json": {"data": [{"id": "abc-def-ghi", "type": "dashboards", "attributes": BOARD}]},
    },
    "Terraform": {
        "main.tf.json": {
            "resource": {
                "datadog_monitor_json": {
                    "a": {"monitor": json.dumps({"id": 7, **MONITOR})},
                    "b": [{"monitor": json.dumps({"id": 8, **OTHER})}],
                    "c": {"monitor": json.dumps({"id": 9, **BOTH})},
                    "d": {"monitor": "${var.not_json}"},
                },
                "datadog_dashboard_json": {"o": {"dashboard": json.dumps({"id": "abc-def-ghi", **BOARD})}},
            }
        }
    },
}


def run(*argv):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in argv])
    return int(stopped.value.code or 0)


def written(folder, files):
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body if isinstance(body, str) else json.dumps(body))
    return folder


def read(root):
    return {str(path.relative_to(root)): json.loads(path.read_text()) for path in root.rglob("*.json")}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_resources_come_out_of_every_form_once_and_refer_by_key(way, tmp_path):
    source, root = written(tmp_path / "export", WAYS[way]), tmp_path / "project"
    assert run("import", source, "--dir", root) == 0
    files = read(root)
    load, both = files["monitors/load-is-high.json"], files["monitors/both.json"]
    assert sorted(files) == [
        "dashboards/overview.json",
        "monitors/both.json",
        "monitors/load-is-high.json",
        "monitors/load-is-very-high.json",
    ]
    assert both["query"] == "${monitor:load-is-high} && !${monitor:load-is-very-high}"
    assert (
        files["dashboards/overview.json"]["widgets"][0]["definition"]["alert_id"] == "${monitor:load-is-high}"
    )
    assert load["options"]["thresholds"] == {"critical": 5, "warning": 3}
    assert not any("id" in body for body in files.values())
    if way != "by id" or "abc-def-ghi" in load["message"]:
        assert load["message"].endswith("/monitors/${monitor:load-is-high}")


def test_adopted_files_keep_the_id_of_the_original(tmp_path):
    source = written(tmp_path / "export", {"m.json": {"id": 7, **MONITOR}})
    assert run("import", source / "m.json", "--dir", tmp_path, "--adopt") == 0
    assert read(tmp_path / "monitors")["load-is-high.json"]["id"] == "7"


def test_a_file_that_cannot_be_read_costs_no_other(tmp_path, capsys):
    files = {
        "a.json": "{",
        "b.json": {"id": 7, **MONITOR},
        "c.json": "[]",
        "d.json": '{"a": 1, "a": 2}',
        "e.json": "",
    }
    source, root = written(tmp_path / "export", files), tmp_path / "project"
    assert run("import", source, "--dir", root) == 1
    assert list(read(root)) == ["monitors/load-is-high.json"]
    said = capsys.readouterr().err
    assert "a.json" in said
    assert "2 of the files hold something else" in said


def test_a_file_of_the_project_is_not_overwritten(tmp_path):
    source = written(tmp_path / "export", {"m.json": MONITOR})
    for _ in range(2):
        assert run("import", source, "--dir", tmp_path) == 0
    assert sorted(read(tmp_path / "monitors")) == ["load-is-high-2.json", "load-is-high.json"]
    assert run("import", source, "--dir", tmp_path, "--force") == 0
    assert len(read(tmp_path / "monitors")) == 2


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_resource_is_wrong_input(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run("import", tmp_path / name, "--dir", tmp_path / "project") == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    "body",
    [
        {"name": "view", "page": "stream", "query": "source:a", "type": "logs"},
        {"name": "rule", "type": "log_detection", "query": "x", "message": "m"},
        {"widgets": 3},
        {"a": {"b": [1, None, "x"]}},
        [],
        "text",
    ],
)
def test_what_only_looks_like_a_resource_is_none(body):
    assert list(resources_in(body)) == []


def test_links_are_the_inverse_of_references():
    keys = {("monitor", "7"): "m", ("slo", "0" * 32): "s", ("dashboard", "abc-def-ghi"): "d"}
    ids = {(kind, key): id_ for (kind, id_), key in keys.items()}
    bodies = [
        {"type": "composite", "query": "7 || !77", "message": "/monitors/7 /monitors/77"},
        {"type": "slo alert", "query": f'error_budget("{"0" * 32}").over("7d") > 10'},
        {"type": "monitor", "monitor_ids": [7, 8]},
        {"monitor_identifier": {"monitor_id": 7}},
        {"widgets": [{"definition": {"slo_id": "0" * 32, "content": "/dashboard/abc-def-ghi"}}]},
    ]
    for body in bodies:
        found = linked(body, keys)
        assert "${" in json.dumps(found)
        assert resolve(found, ids) == body
        assert linked(body, {}) == body


def test_everything_is_pulled_with_references(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LocalDatadog() as datadog:
        monkeypatch.setenv("DD_URL", datadog.url)
        client = Client(datadog.url, "k", "a")
        first = client.create("monitor", {**MONITOR, "message": "@a"})
        client.create("slo", {"name": "S", "type": "monitor", "monitor_ids": [int(first)],
                              "thresholds": [{"timeframe": "7d", "target": 99.0}]})  # fmt: skip
        client.create(
            "dashboard", BOARD | {"widgets": [{"definition": {**GRAPH["definition"], "alert_id": first}}]}
        )
        assert run("pull", "--all") == 0
        assert run("pull") == 2
        assert run("pull", "--all", "x") == 2
    files = read(tmp_path)
    assert files["slos/s.json"]["monitor_ids"] == ["${monitor:load-is-high}"]
    assert (
        files["dashboards/overview.json"]["widgets"][0]["definition"]["alert_id"] == "${monitor:load-is-high}"
    )
