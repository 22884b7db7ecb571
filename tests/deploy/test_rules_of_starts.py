"""What init writes, what it leaves alone, and the thresholds that it takes from what was measured (docs/deploy.md)."""

import json

import numpy as np
import pytest

from monitoring.deploy.measured import read_measured
from monitoring.deploy.start import RECORD, files_of, shipped, write
from monitoring.discovery.source import discover
from monitoring.errors import InputError
from monitoring.query.series import Series
from monitoring.resources.project import load_project
from monitoring.store import Store

OLD, NEW = {"monitors/a.json": "old\n"}, {"monitors/a.json": "new\n"}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("edit", "outcome", "text"),
    [
        (None, "written", "new\n"),
        ("edited\n", "kept", "edited\n"),
        ("new\n", "same", "new\n"),
        ("", "kept", ""),
        (False, "kept", None),
    ],
)
def test_a_file_is_written_anew_only_where_nobody_has_edited_it_since(tmp_path, force, edit, outcome, text):
    """Edited files stay, and are named; `--force` writes them anew; a deleted file counts as edited."""
    write(OLD, tmp_path, force=False)
    path = tmp_path / "monitors/a.json"
    if edit is False:
        path.unlink()
    elif edit is not None:
        path.write_text(edit)
    again = write(NEW, tmp_path, force=force)
    if force and outcome == "kept":
        outcome, text = "written", "new\n"
    assert again.written == ["monitors/a.json"] * (outcome == "written")
    assert again.kept == ["monitors/a.json"] * (outcome == "kept")
    assert again.gone == []
    assert (path.read_text() if path.exists() else None) == text
    # What lies there as it would be written is known from now on.
    if outcome == "same":
        assert write(OLD, tmp_path, force=False).written == ["monitors/a.json"]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_init_did_not_write_is_never_touched(tmp_path, force):
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors/a.json").write_text("mine\n")
    outcome = write(NEW, tmp_path, force=force)
    assert (outcome.written, outcome.kept) == ([], ["monitors/a.json"])
    assert not (tmp_path / RECORD).exists()


def test_the_record_has_a_digest_of_every_file_that_was_written_by_name(tmp_path):
    write({"b/x.json": "1", "a/y.json": "2"}, tmp_path / "deep/er", force=False)
    record = (tmp_path / "deep/er" / RECORD).read_text()
    assert record.endswith("}\n")
    assert list(json.loads(record)) == ["a/y.json", "b/x.json"]
    assert record.startswith('{\n "a/y.json": "')
    assert all(len(digest) == 16 for digest in json.loads(record).values())
    again = write({"b/x.json": "1"}, tmp_path / "deep/er", force=False)
    # Of a folder that was not asked for this time, nothing is missed.
    assert again == ([], [], [])
    write({"b/z.json": "3"}, tmp_path / "deep/er", force=False)
    gone = write({"b/z.json": "3"}, tmp_path / "deep/er", force=False)
    assert gone.gone == ["b/x.json"]
    (tmp_path / "deep/er/b/x.json").unlink()
    assert write({"b/z.json": "3"}, tmp_path / "deep/er", force=False).gone == []


@pytest.mark.parametrize("record", ["[]", "{", "5"])
def test_a_record_that_cannot_be_read_is_none(tmp_path, record):
    write(OLD, tmp_path, force=False)
    (tmp_path / RECORD).write_text(record)
    assert write(NEW, tmp_path, force=True).kept == ["monitors/a.json"]


def test_a_folder_in_the_place_of_a_file_is_said_with_its_path(tmp_path):
    (tmp_path / "monitors/a.json").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        write(NEW, tmp_path, force=False)
    assert caught.value.where == str(tmp_path / "monitors/a.json")


def test_what_is_not_shipped_is_said():
    assert shipped("monitors").name == "monitors"
    with pytest.raises(InputError, match="this installation has no nonsense"):
        shipped("nonsense")


def test_without_a_template_everything_is_written_with_the_values_that_it_uses(tmp_path):
    files = files_of(None, "shop")
    assert {path.partition("/")[0] for path in files} == {"stepscope.toml", "dashboards", "monitors", "slos"}
    (tmp_path / "stepscope.toml").write_text(files["stepscope.toml"])
    project = load_project(tmp_path, "prod")
    assert (project.name, project.variables["notify"], project.variables["page"]) == (
        "shop",
        "@slack-pipelines",
        "@oncall-pipelines",
    )
    assert {path.rpartition(".")[2] for path in files} <= {"json", "yaml", "toml", "py"}
    more = files_of(None, "shop", ["downtimes"])
    assert set(more) - set(files) == {path for path in more if path.startswith("downtimes/")} != set()


SERVERLESS = """
service: shop
provider: {name: aws, stage: prod, runtime: python3.13}
functions:
  pay: {handler: a.b, timeout: 20}
"""


def application(tmp_path, text):
    (tmp_path / "serverless.yml").write_text(text)
    return discover(tmp_path / "serverless.yml")


def test_an_application_gets_the_dashboards_narrowed_to_what_it_has(tmp_path):
    files = files_of(application(tmp_path, SERVERLESS), "shop")
    keys = {path.partition("/")[2].removesuffix(".json") for path in files if path.startswith("monitors/")}
    assert not any(path.startswith(("slos/executions", "downtimes/", "handlers/")) for path in files)
    # Monitors that every application has; those of state machines it has not.
    assert {key for key in keys if key.startswith("forwarder-")}
    assert "part-lambda-is-called" in keys
    assert not any(key.startswith("executions-") for key in keys)
    boards = "".join(text for path, text in files.items() if path.startswith("dashboards/"))
    assert "${monitor:executions-failed}" not in boards
    assert "${monitor:lambda-error-rate}" not in boards
    assert "${monitor:functions-fail}" in boards
    # A widget about a monitor or an SLO is shown only where that is written, too.
    shown = {part.partition("}")[0] for part in boards.split("${monitor:")[1:]}
    assert shown <= keys
    slos = {path.partition("/")[2].removesuffix(".json") for path in files if path.startswith("slos/")}
    assert {part.partition("}")[0] for part in boards.split("${slo:")[1:]} <= slos
    settings = files["stepscope.toml"]
    assert 'project = "shop"' in settings
    assert 'stage = "prod"' in settings.partition("[env.prod]")[2]
    assert 'stage = "prod"' in settings.partition("[defaults]")[2].partition("[env.prod]")[0]


# --- measured durations


def database(tmp_path, metric, tag, values):
    with Store.open(tmp_path / "datadog.duckdb") as store:
        times = np.arange(1_700_000_000, 1_700_000_000 + 60 * len(values), 60)
        store.add_points([Series(metric, (tag, "other:tag"), times, np.array(values, dtype=float))])
    return tmp_path


@pytest.mark.parametrize(
    ("values", "slow"),
    [
        ([2.0] * 19 + [400.0], 3000),
        ([2.0] * 18 + [400.0] * 2, 600_000),
        ([0.001] * 10, 1000),
        ([1.2345] * 10, 1852),
        ([*range(1, 11)], 15_000),
        ([2.0] * 9, None),
    ],
)
def test_slow_is_half_as_much_again_as_the_95th_percentile_and_a_second_at_least(tmp_path, values, slow):
    folder = database(tmp_path, "aws.lambda.enhanced.duration", "functionname:pay", values)
    expected = {} if slow is None else {"pay": {"slow_ms": slow}}
    assert read_measured(folder) == expected
    assert read_measured(folder / "datadog.duckdb") == expected


def test_the_duration_of_an_execution_is_in_nanoseconds(tmp_path):
    metric = "aws.states.enhanced.execution.execution_time"
    folder = database(tmp_path, metric, "statemachinename:flow", [4e9] * 10)
    assert read_measured(folder) == {"flow": {"slow_ms": 6000}}


def test_a_database_that_is_not_there_is_said_with_its_path(tmp_path):
    with pytest.raises(InputError) as caught:
        read_measured(tmp_path)
    assert caught.value.where == str(tmp_path / "datadog.duckdb")
    with pytest.raises(InputError, match="there is no such database"):
        read_measured(tmp_path / "none")
