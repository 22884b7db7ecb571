"""What the drill says of monitors that are as they should be, and of ones that were sabotaged."""

import json
import shutil
from pathlib import Path

import pytest
from drill_cases import MONITORS, PLAYED

from monitoring.drill import watching
from monitoring.drill.faults import chosen
from monitoring.drill.judge import DrillResult
from monitoring.drill.lane import Run
from monitoring.drill.recordings import clock_of
from monitoring.drill.run import Scene, judged
from monitoring.drill.show import summary
from monitoring.local_aws.invocation import Invoked
from monitoring.monitor.definition import Monitor
from monitoring.terminal import plain
from monitoring.testing.project import Folder


def scene(drilled, folder: Path, delay: int = 720, **more) -> Scene:
    return Scene(watching.load(Folder(folder), delay)[0], drilled.health, **more)


@pytest.fixture(scope="module")
def shipped(drilled) -> Scene:
    return scene(drilled, MONITORS)


def outcome(drilled, scene: Scene, name: str):
    return judged(scene, drilled.faults[name], drilled.played[name])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped monitors, to be sabotaged."""
    return Path(shutil.copytree(MONITORS, tmp_path / "monitors"))


def change(folder: Path, key: str, **changes) -> None:
    path = folder / f"{key}.json"
    body = json.loads(path.read_text())
    for name, value in changes.items():
        if isinstance(value, dict):
            body[name] |= value
        else:
            body[name] = value
    path.write_text(json.dumps(body))


@pytest.mark.parametrize("name", PLAYED)
def test_the_shipped_monitors_notice_and_keep_quiet_as_they_should(drilled, shipped, name: str):
    assert outcome(drilled, shipped, name).wrong == ()


def test_a_raised_threshold_is_named(drilled, folder: Path):
    change(
        folder,
        "claims-broken",
        query="sum(last_15m):sum:claims.broken{*} by {functionname,claim}.as_count() > 1000",
        options={"thresholds": {"critical": 1000}},
    )
    assert outcome(drilled, scene(drilled, folder), "claim-broken").wrong == (
        "claims-broken does not notice",
    )


def test_a_wrong_metric_is_named(drilled, folder: Path):
    change(
        folder,
        "lambda-throttles",
        query="sum(last_15m):sum:aws.lambda.url_5xx_count{*} by {functionname}.as_count() > 10",
    )
    assert outcome(drilled, scene(drilled, folder), "throttled").wrong == (
        "lambda-throttles does not notice",
    )


@pytest.mark.parametrize(
    "message",
    [
        "nobody is named here",
        "{{#is_recovery}}@slack-pipelines{{/is_recovery}} broken",
        "{{#is_warning}}@slack-pipelines{{/is_warning}}",
        '{{#is_match "claim.name" "another"}}@slack-pipelines{{/is_match}}',
        "write to pipelines at example.com",
    ],
)
def test_an_alert_that_nobody_is_notified_of_is_not_noticed(drilled, folder: Path, message: str):
    change(folder, "claims-broken", message=message)
    (sentence,) = outcome(drilled, scene(drilled, folder), "claim-broken").wrong
    assert sentence.startswith("claims-broken alerts after ")
    assert sentence.endswith("and nobody is notified: its message has no @handle for an alert")


def test_a_handle_for_an_alert_alone_is_enough(drilled, folder: Path):
    change(folder, "claims-broken", message="{{#is_alert}}broken @oncall-pipelines{{/is_alert}}")
    assert outcome(drilled, scene(drilled, folder), "claim-broken").wrong == ()


def test_a_new_group_is_held_back_for_new_group_delay_and_a_known_one_is_not(drilled, folder: Path):
    """The name of an error is a group that nobody has seen; the state machine ran for hours before."""
    change(folder, "execution-errors", options={"new_group_delay": 86_400})
    change(folder, "executions-failed", options={"new_group_delay": 86_400})
    assert outcome(drilled, scene(drilled, folder), "table-gone").wrong == (
        "execution-errors does not notice: it evaluates a new group only after new_group_delay",
    )


def test_a_monitor_that_is_not_there_is_named(drilled, folder: Path):
    (folder / "executions-stuck.json").unlink()
    (sentence,) = outcome(drilled, scene(drilled, folder), "stuck-executions").wrong
    assert sentence == "there is no monitor executions-stuck, which has to notice"


def test_a_monitor_that_is_too_slow_is_named(drilled, folder: Path):
    change(folder, "claims-broken", options={"evaluation_delay": 1800})
    (sentence,) = outcome(drilled, scene(drilled, folder), "claim-broken").wrong
    assert sentence == "claims-broken notices after 31 min, and has to within 5"


def test_a_monitor_that_is_too_sensitive_alerts_in_vain(drilled, folder: Path):
    query = json.loads((folder / "lambda-duration-near-timeout.json").read_text())["query"]
    change(
        folder,
        "lambda-duration-near-timeout",
        query=query.replace("> ${var:lambda_duration_near_timeout|90}", "> 40"),
        options={"thresholds": {"critical": 40}},
    )
    (sentence,) = outcome(drilled, scene(drilled, folder), "one-slow-call").wrong
    assert sentence.startswith("lambda-duration-near-timeout alerts in vain after")


def test_a_monitor_that_always_alerts_is_said_to(drilled, folder: Path):
    change(
        folder,
        "executions-failed",
        query="sum(last_15m):sum:aws.states.executions_started{statemachinearn:*} by {statemachinearn}.as_count() > 2",
    )
    wrong = outcome(drilled, scene(drilled, folder), "busy-hour").wrong
    assert "executions-failed alerts before anything is broken" in wrong


def test_monitors_of_ones_own_may_be_any(drilled, tmp_path: Path):
    (tmp_path / "mine.json").write_text(
        json.dumps(
            {
                "type": "query alert",
                "query": "sum(last_15m):sum:aws.states.executions_failed{env:prod}.as_count() > 1",
                "message": "@me",
                "options": {"thresholds": {"critical": 1}, "evaluation_delay": 900},
            }
        )
    )
    mine = scene(drilled, tmp_path, any_monitor=True)
    assert outcome(drilled, mine, "table-gone").wrong == ()
    assert outcome(drilled, mine, "claim-broken").wrong == ("no monitor notices",)


@pytest.mark.parametrize(
    ("scopes", "sentence"),
    [
        (
            ("env:staging", "team:shop"),
            "each asks for a tag that no point carries here (mine0 for env:staging, mine1 for team:shop)",
        ),
        (
            ("env:staging",) * 4,
            "(mine0 for env:staging, mine1 for env:staging, mine2 for env:staging and 1 more)",
        ),
        (("env:staging", "env:prod"), "no monitor notices"),
    ],
)
def test_monitors_of_which_no_scope_matches_are_said_to(drilled, tmp_path: Path, scopes, sentence):
    for number, scope in enumerate(scopes):
        query = f"sum(last_15m):sum:aws.lambda.invocations{{{scope}}}.as_count() > 1000000"
        body = {"type": "query alert", "query": query, "message": "@me"}
        (tmp_path / f"mine{number}.json").write_text(
            json.dumps({**body, "options": {"thresholds": {"critical": 1000000}, "evaluation_delay": 900}})
        )
    (said,) = outcome(drilled, scene(drilled, tmp_path, any_monitor=True), "table-gone").wrong
    assert said.endswith(sentence)


@pytest.mark.parametrize(
    ("scope", "tags", "absent"),
    [
        ("functionname:shop-take", (), {"functionname:shop-take": ("lambda-throttles",)}),
        ("functionname:shop-take", ("functionname:shop-take",), {}),
        ("functionname:shop-*", (), {}),
        ("!functionname:shop-take", (), {}),
        ("env:staging,team:a", (), dict.fromkeys(("env:staging", "team:a"), ("lambda-throttles",))),
        ("env:prod", (), {}),
    ],
)
def test_tags_that_nothing_in_the_drill_carries_are_named_with_the_way_out(
    drilled, folder: Path, scope: str, tags: tuple[str, ...], absent: dict[str, tuple[str, ...]]
):
    query = f"sum(last_15m):sum:aws.lambda.throttles{{{scope}}} by {{functionname}}.as_count() > 10"
    change(folder, "lambda-throttles", query=query)
    mine = scene(drilled, folder, tags=tags)
    outcomes = tuple(outcome(drilled, mine, name) for name in ("throttled", "table-gone"))
    result = DrillResult(outcomes, tuple(mine.watchers), {}, False, 0.0)
    assert result.absent == absent
    assert result.as_data()["absent_tags"] == {tag: list(keys) for tag, keys in absent.items()}
    shown = "\n".join(plain(part) for part in summary(result))
    assert shown.count("--tag") == len(absent)
    for tag in absent:
        assert (
            f"nothing in the drill has {tag}, which lambda-throttles asks for: --tag {tag} adds it" in shown
        )


def late(query: str, delay: int = 0) -> Monitor:
    return Monitor.from_body(
        {"type": "query alert", "query": query, "options": {"evaluation_delay": delay}}, "m"
    )


def test_a_monitor_that_does_not_wait_for_cloudwatch_never_sees_a_short_window(drilled, folder: Path):
    change(
        folder,
        "lambda-throttles",
        query="sum(last_10m):sum:aws.lambda.throttles{*} by {functionname}.as_count() > 10",
        options={"evaluation_delay": 0},
    )
    assert outcome(drilled, scene(drilled, folder), "throttled").wrong == (
        "lambda-throttles does not notice",
    )
    assert outcome(drilled, scene(drilled, folder, delay=180), "throttled").wrong == ()


def test_a_window_that_ends_before_any_point_has_arrived_counts_none(drilled, folder: Path):
    """Too few of something alerts at once there: the group is known, and its window is always empty."""
    change(
        folder,
        "nothing-started",
        query="sum(last_10m):sum:aws.states.executions_started{expected:hourly} by {statemachinearn}.as_count() < 1",
        options={"evaluation_delay": 0},
    )
    wrong = outcome(drilled, scene(drilled, folder), "busy-hour").wrong
    assert "nothing-started alerts before anything is broken" in wrong
    assert outcome(drilled, scene(drilled, folder, delay=180), "busy-hour").wrong == ()


QUIET = "avg(last_15m):avg:aws.states.execution_time.maximum{statemachinearn:*} by {statemachinearn} > 1e9"


def silent(folder: Path, message: str, choice: str, query: str = QUIET) -> None:
    """Turn a monitor into one that only No Data sets off."""
    options = {"on_missing_data": choice, "thresholds": {"critical": 1e9}, "evaluation_delay": 900}
    body = {"type": "query alert", "name": "silent", "query": query, "message": message, "options": options}
    (folder / "nothing-started.json").write_text(json.dumps(body))


def test_no_data_that_notifies_somebody_notices_a_fault(drilled, folder: Path):
    silent(folder, "@slack-pipelines", "show_and_notify_no_data")
    assert outcome(drilled, scene(drilled, folder), "trigger-disabled").wrong == ()


@pytest.mark.parametrize(
    ("message", "choice"),
    [
        ("@slack-pipelines", "show_no_data"),
        ("@slack-pipelines", "resolve"),
        ("{{#is_alert}}@slack-pipelines{{/is_alert}}", "show_and_notify_no_data"),
        ("{{^is_no_data}}@slack-pipelines{{/is_no_data}}", "show_and_notify_no_data"),
    ],
)
def test_no_data_that_notifies_nobody_notices_nothing(drilled, folder: Path, message: str, choice: str):
    silent(folder, message, choice)
    (sentence,) = outcome(drilled, scene(drilled, folder), "trigger-disabled").wrong
    assert sentence.startswith(("nothing-started does not notice", "nothing-started alerts after"))


def test_no_data_on_a_quiet_night_is_an_alert_in_vain(drilled, folder: Path):
    """Two executions an hour leave a window of a quarter of an hour empty."""
    (night,) = chosen(("quiet-night",))
    assert judged(scene(drilled, folder), night, drilled.health).wrong == ()
    silent(folder, "@slack-pipelines", "show_and_notify_no_data")
    (sentence,) = judged(scene(drilled, folder), night, drilled.health).wrong
    assert sentence.startswith("nothing-started alerts in vain after ")


def test_a_longer_window_is_cut_by_what_has_not_arrived():
    seen = watching.as_seen(late("sum(last_30m):sum:aws.lambda.errors{*}.as_count() > 1", 120), 720)
    assert seen.query == "sum(last_20m):sum:aws.lambda.errors{*}.as_count() > 1"
    assert seen.options.evaluation_delay == 720


def test_what_comes_from_logs_or_waits_long_enough_is_left_as_it_is():
    for monitor in (
        late("sum(last_5m):sum:claims.broken{*}.as_count() > 1"),
        late("sum(last_5m):sum:aws.lambda.errors{*}.as_count() > 1", 900),
    ):
        assert watching.as_seen(monitor, 720) is monitor


def test_monitors_that_cannot_be_drilled_are_said_with_a_reason(tmp_path: Path):
    body = {
        "type": "log alert",
        "query": 'logs("error").index("*").rollup("count").last("5m") > 1',
        "message": "",
    }
    (tmp_path / "logs.json").write_text(json.dumps(body))
    found, left_out = watching.load(Folder(tmp_path), 720)
    assert (found, list(left_out)) == ([], ["logs"])
    assert "data that the drill does not produce" in left_out["logs"]


def test_state_machine_time_passes_as_it_is_while_a_handler_works():
    run = Run(100.0, 110.0, "SUCCEEDED", "", "machine", ({"timestamp": 104.0},))
    clock = clock_of(run, [Invoked("f", 101.5, 500.0, init_ms=500.0)], speed=10)
    assert [clock(moment) for moment in (100.0, 101.0, 102.0, 104.0, 200.0)] == [0.0, 10.0, 11.0, 31.0, 31.0]
