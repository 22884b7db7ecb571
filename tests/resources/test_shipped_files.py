"""What is shipped: clean under lint, complete over the catalogue, accepted by Datadog's published models."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from monitoring.lint import coverage
from monitoring.lint.run import find, lint
from monitoring.resources.sites import widgets
from monitoring.resources.variables import fill_in, with_defaults

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
MONITORS = sorted((ROOT / "monitors").glob("*.json"))
SLOS = sorted((ROOT / "slos").glob("*.json"))
DOWNTIMES = sorted((ROOT / "downtimes").glob("*.json"))
FILES = [*DASHBOARDS, *MONITORS, *SLOS, *DOWNTIMES]


def body(path):
    """Return what a file makes in a project that sets nothing; its texts as they are written."""
    file = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "for_each"}
    made = with_defaults(file)
    return made | ({"query": fill_in(file, {})["query"]} if path.parent.name == "monitors" else {})


def test_no_shipped_file_has_a_finding():
    files, missing = find([ROOT / name for name in ("dashboards", "monitors", "slos", "downtimes")])
    assert len(files) == len(FILES) > 50
    assert not missing
    assert not [f"{each.path}:{each.line} {each.message}" for each in lint(files).findings]


def test_every_metric_is_on_a_dashboard_or_has_a_reason_and_every_failure_has_a_monitor():
    table = coverage.of_files(FILES)
    assert len(table) == 191
    assert not [(row.name, row.gap) for row in coverage.gaps(table)]
    reasons = [row for row in table if not row.dashboards]
    assert all(row.facts.reason for row in reasons)
    assert len(reasons) == 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_published_models_accept_every_file(path):
    client = pytest.importorskip("datadog_api_client")
    from datadog_api_client.model_utils import UnparsedObject, validate_and_convert_types
    from datadog_api_client.v1.model.dashboard import Dashboard
    from datadog_api_client.v1.model.monitor import Monitor
    from datadog_api_client.v1.model.service_level_objective_request import ServiceLevelObjectiveRequest
    from datadog_api_client.v2.model.downtime_create_request_attributes import DowntimeCreateRequestAttributes

    model = {
        "dashboards": Dashboard,
        "monitors": Monitor,
        "slos": ServiceLevelObjectiveRequest,
        "downtimes": DowntimeCreateRequestAttributes,
    }[path.parent.name]
    configuration = client.Configuration()
    value = validate_and_convert_types(
        body(path), (model,), ["file"], True, True, configuration=configuration
    )
    assert isinstance(value, model)
    assert not list(unparsed(value, UnparsedObject))


def unparsed(value, kind):
    if isinstance(value, kind):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from unparsed(item, kind)
    elif isinstance(value, list):
        for item in value:
            yield from unparsed(item, kind)
    elif hasattr(value, "_data_store"):
        yield from unparsed(value._data_store, kind)


def test_the_published_client_takes_every_slo_and_downtime_that_was_applied(tmp_path, monkeypatch):
    """They go through our client into an embedded Datadog, and come back through Datadog's own."""
    client = pytest.importorskip("datadog_api_client")
    from datadog_api_client.v1.api.service_level_objectives_api import ServiceLevelObjectivesApi
    from datadog_api_client.v2.api.downtimes_api import DowntimesApi

    from monitoring.cli import main
    from monitoring.local_datadog import LocalDatadog

    for folder in ("slos", "downtimes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.delenv("DD_ENV", raising=False)
    with LocalDatadog() as datadog:
        for argv in (["apply", "--yes"], ["plan", "--check"]):
            with pytest.raises(SystemExit) as stopped:
                main([*argv, "--dir", str(tmp_path), "--url", datadog.url])
            assert stopped.value.code == 0
        configuration = client.Configuration(
            host=datadog.url, api_key={"apiKeyAuth": "local", "appKeyAuth": "local"}
        )
        with client.ApiClient(configuration) as api:
            downtimes = DowntimesApi(api).list_downtimes().data
            slos = ServiceLevelObjectivesApi(api).list_slos().data
    assert len(downtimes) == len(DOWNTIMES) >= 1
    assert len(slos) == len(SLOS) >= 1
    assert {str(one.attributes.status) for one in downtimes} <= {"active", "scheduled"}


def test_the_shipped_downtime_silences_groups_of_the_shipped_monitors_and_no_production():
    from monitoring.monitor.mutes import scope_test

    for path in DOWNTIMES:
        downtime = body(path)
        scope = re.sub(r"\$\{var:\w+\|([^}]*)\}", r"\1", downtime["scope"])
        tags = set(downtime["monitor_identifier"]["monitor_tags"])
        about = [one for one in map(body, MONITORS) if tags <= set(one["tags"])]
        assert len(about) >= 5
        key = scope.partition(":")[0]
        assert any(f"by {{{key}}}" in one["query"] for one in about)
        arn = f"{key}:arn:aws:states:eu-west-1:123456789012:statemachine:orders-"
        assert scope_test(scope)([f"{arn}staging"])
        assert not scope_test(scope)([f"{arn}prod"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_its_variables_a_place_for_each_widget_notes_monitors_and_links(path):
    board = body(path)
    assert [row["name"] for row in board["template_variables"]] == [
        "env",
        "service",
        "statemachine",
        "function",
    ]
    found = list(widgets(board))
    assert all(widget.layout is not None for widget in found)
    kinds = {widget.type for widget in found}
    assert {"group", "note", "alert_graph"} <= kinds
    text = path.read_text("utf-8")
    assert text.count("${dashboard:") >= 5
    titled = [widget for widget in found if widget.type != "note"]
    assert all(widget.definition.get("title") for widget in titled)


@pytest.mark.parametrize("path", MONITORS, ids=lambda path: path.stem)
def test_a_monitor_says_what_happened_where_to_look_and_what_to_do(path):
    monitor = body(path)
    options = monitor["options"]
    assert 1 <= monitor["priority"] <= 5
    assert "made-by:stepscope" in monitor["tags"]
    if monitor["type"] != "composite":
        assert options["on_missing_data"] in {"default", "resolve"}
        assert "critical_recovery" in options["thresholds"]
    if path.stem.startswith("part-"):
        return
    for words in (
        "{{#is_alert}}",
        "{{#is_recovery}}",
        "**Look at** [",
        "${dashboard:",
        "**Do**\n1. ",
        "${var:notify|@",
    ):
        assert words in monitor["message"]
    assert ("${var:page|@" in monitor["message"]) == (monitor["priority"] <= 2)


@pytest.mark.parametrize("path", MONITORS, ids=lambda path: path.stem)
def test_a_monitor_has_a_test_that_alerts_one_that_does_not_a_recovery_and_missing_data(path):
    text = path.with_name(f"{path.stem}.test.yaml").read_text("utf-8")
    kinds = {kind for case in yaml.safe_load(text)["tests"] for kind in kinds_of(case)}
    assert kinds == {"firing", "not firing", "recovery", "missing data"}


def kinds_of(case):
    """What a case of a test shows. Data is missing where a series ends with a gap."""
    expected = case["expect"]
    missing = any(re.search(r"_(x\d+)?$", str(row["values"]).strip()) for row in case["series"])
    fires = any("alerts_within" in item or item.get("state") == "Alert" for item in expected)
    if fires:
        yield "firing"
    elif not missing and any(item.get("never") == "Alert" and "to" not in item for item in expected):
        yield "not firing"
    if any("recovers_by" in item for item in expected):
        yield "recovery"
    if missing and any("no data" in str(list(item.values())).lower() for item in expected):
        yield "missing data"


def test_the_pages_list_every_dashboard_and_monitor_with_its_threshold_and_priority():
    text = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
    assert {path.stem for path in DASHBOARDS} == set(
        re.findall(r"^\| ([a-z-]+) \| [A-Z]", text, re.MULTILINE)
    )
    text = (ROOT / "docs" / "monitors.md").read_text("utf-8")
    listed = re.findall(r"^\| ([a-z-]+) \| .+ \| (.+) \| P(\d) \| (yes|no) \|$", text, re.MULTILINE)
    expected = set()
    for path in MONITORS:
        monitor = body(path)
        limit = re.search(r"[<>] [\d.]+$", monitor["query"])
        pages = "yes" if "${var:page" in monitor["message"] else "no"
        at = f"`{limit.group()}`" if limit else "both parts"
        expected.add((path.stem, at, str(monitor["priority"]), pages))
    assert set(listed) == expected


@pytest.mark.parametrize("path", MONITORS, ids=lambda path: path.stem)
def test_a_monitor_does_what_its_test_says(path):
    from monitoring.testing import explain, load, run_case
    from monitoring.testing.project import Folder

    cases = load(path.with_name(f"{path.stem}.test.yaml"))
    assert len(cases) >= 3
    for case in cases:
        result = run_case(case, Folder(path.parent))
        assert result.passed, explain(result)
