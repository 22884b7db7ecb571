"""The plan, from bodies alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.deploy.canonical import fingerprint, normalise
from monitoring.deploy.differ import make_plan
from monitoring.deploy.marker import Owner, read_marker, with_marker, without_marker
from monitoring.deploy.plan_report import as_data, as_lines, as_markdown
from monitoring.deploy.references import order, resolve
from monitoring.deploy.refusal import refuse_mass_deletes
from monitoring.errors import InputError
from monitoring.resources.resource import Resource

MONITOR = {
    "type": "query alert",
    "name": "Failed executions",
    "query": "sum(last_5m):sum:aws.states.executions_failed{*}.as_count() > 0",
    "message": "Look at it.",
    "options": {"thresholds": {"critical": 0}, "renotify_interval": 60},
}


def in_datadog(kind, key, body, id_="1", project="slides", applied=None):
    """A resource as it lies in Datadog: marked when it was applied as `applied`, now with `body`."""
    owner = Owner(project, "prod", key, fingerprint(kind, applied or body))
    return Resource(kind, key, with_marker(kind, body, owner), id_)


def changed(body, **options):
    return {**body, "options": {**body["options"], **options}}


@pytest.mark.parametrize(
    ("kind", "file"), [("monitor", "accepted_monitors.jsonl"), ("dashboard", "accepted_dashboards.jsonl")]
)
def test_what_was_sent_and_what_datadog_answered_are_the_same_body(kind, file):
    rows = [json.loads(line) for line in shared_data(file).read_text().splitlines()]
    created = [
        row
        for row in rows
        if row["response"]
        and row["endpoint"] == f"POST /api/v1/{kind}"
        and (kind != "monitor" or row["request"].get("name"))
    ]
    assert len(created) >= 90
    different = [
        row["source"]
        for row in created
        if normalise(kind, row["request"]) != normalise(kind, row["response"])
    ]
    assert different == []


def test_from_nothing_everything_is_created():
    plan = make_plan([Resource("monitor", "failed", MONITOR)], [])
    assert [(step.action, step.key) for step in plan.steps] == [("create", "failed")]


def test_after_an_apply_there_is_nothing_to_do():
    answered = {
        **MONITOR,
        "id": 7,
        "overall_state": "No Data",
        "created": "2026-01-01T00:00:00+00:00",
        "priority": None,
    }
    plan = make_plan([Resource("monitor", "failed", MONITOR)], [in_datadog("monitor", "failed", answered)])
    assert plan.steps == ()
    assert [step.key for step in plan.unchanged] == ["failed"]


def test_a_changed_file_is_an_update_that_names_the_place():
    wanted = changed(MONITOR, renotify_interval=30)
    plan = make_plan([Resource("monitor", "failed", wanted)], [in_datadog("monitor", "failed", MONITOR)])
    (step,) = plan.update
    assert [(c.path, c.before, c.after) for c in step.changes] == [("options.renotify_interval", 60, 30)]
    assert not step.drift


def test_a_change_made_in_datadog_is_shown_as_somebody_elses():
    theirs = in_datadog("monitor", "failed", changed(MONITOR, renotify_interval=5), applied=MONITOR)
    (step,) = make_plan([Resource("monitor", "failed", MONITOR)], [theirs]).update
    assert step.drift
    assert any(
        "changed in Datadog since the last apply" in line
        for _, line in as_lines(make_plan([Resource("monitor", "failed", MONITOR)], [theirs]))
    )


def test_a_file_that_is_gone_is_a_deletion():
    plan = make_plan([], [in_datadog("monitor", "failed", MONITOR)])
    assert [(step.key, step.id) for step in plan.delete] == [("failed", "1")]


def test_of_two_with_one_key_the_older_is_kept():
    there = [in_datadog("monitor", "failed", MONITOR, id_) for id_ in ("12", "9")]
    plan = make_plan([Resource("monitor", "failed", MONITOR)], there)
    assert [step.id for step in plan.unchanged] == ["9"]
    assert [step.id for step in plan.delete] == ["12"]


def test_a_reference_is_the_same_as_the_id_it_stands_for():
    dashboard = {
        "title": "All",
        "layout_type": "ordered",
        "widgets": [{"definition": {"type": "alert_graph", "alert_id": "${monitor:failed}"}}],
    }
    there = {**dashboard, "widgets": [{"id": 5, "definition": {"type": "alert_graph", "alert_id": "1"}}]}
    plan = make_plan(
        [Resource("monitor", "failed", MONITOR), Resource("dashboard", "all", dashboard)],
        [in_datadog("monitor", "failed", MONITOR), in_datadog("dashboard", "all", there, "abc-def-ghi")],
    )
    assert plan.steps == ()


def test_what_an_interrupted_apply_left_without_its_links_is_an_update():
    linked = {**MONITOR, "message": "See /dashboard/${dashboard:all}"}
    there = in_datadog("monitor", "failed", linked)
    board = {"title": "All", "layout_type": "ordered", "widgets": []}
    wanted = [Resource("monitor", "failed", linked), Resource("dashboard", "all", board)]
    (step,) = make_plan(wanted, [there]).update
    assert [(c.path, c.after) for c in step.changes] == [("links", ["dashboard:all"])]
    assert not step.drift


ANSWERED = {  # as the API answers, with what it adds
    "schedule": {
        "current_downtime": {"start": "2026-03-02T02:00:00+00:00", "end": "2026-03-02T02:30:00+00:00"},
        "recurrences": [{"rrule": "FREQ=DAILY", "duration": "30m", "start": "2026-03-01T09:22:35"}],
        "timezone": "UTC",
    },
    "scope": "env:dev",
    "monitor_identifier": {"monitor_tags": ["b", "a"]},
    "notify_end_states": ["no data", "warn", "alert"],
    "notify_end_types": ["expired"],
    "display_timezone": "UTC",
    "status": "scheduled",
    "canceled": None,
    "mute_first_recovery_notification": False,
}


@pytest.mark.parametrize(
    ("schedule", "answered", "changed"),
    [
        ({"recurrences": [{"rrule": "FREQ=DAILY", "duration": "30m"}]}, None, set()),
        (
            {"recurrences": [{"rrule": "FREQ=DAILY", "duration": "30m", "start": "2026-03-01T09:22:35"}]},
            None,
            set(),
        ),
        (
            {"recurrences": [{"rrule": "FREQ=DAILY", "duration": "1h"}]},
            None,
            {"schedule.recurrences[0].duration"},
        ),
        (
            {"recurrences": [{"rrule": "FREQ=DAILY", "duration": "30m", "start": "2026-03-01T02:00:00"}]},
            None,
            {"schedule.recurrences[0].start"},
        ),
        (None, {"start": "2026-03-01T09:22:35.286133+00:00", "end": None}, set()),
        ({"start": None}, {"start": "2026-03-01T09:22:35.286133+00:00", "end": None}, set()),
        (
            {"start": "2050-01-02T03:04:05Z", "end": "2050-01-03T03:04:05Z"},
            {"start": "2050-01-02T03:04:05+00:00", "end": "2050-01-03T03:04:05+00:00"},
            set(),
        ),
        (None, {"start": "2026-03-01T09:22:35+00:00", "end": "2050-01-03T03:04:05+00:00"}, {"schedule"}),
    ],
)
def test_a_downtime_is_compared_with_what_the_file_says_and_not_with_what_datadog_chose(
    schedule, answered, changed
):
    wanted = {"scope": "env:dev", "monitor_identifier": {"monitor_tags": ["a", "b"]}, "schedule": schedule}
    there = in_datadog("downtime", "nights", {**ANSWERED, **({"schedule": answered} if answered else {})})
    plan = make_plan([Resource("downtime", "nights", wanted)], [there])
    assert {change.path for step in plan.update for change in step.changes} == changed


def test_a_reference_alone_becomes_a_number_where_the_api_wants_one():
    ids = {("monitor", "a"): "7"}
    assert resolve({"monitor_ids": ["${monitor:a}"], "query": "${monitor:a} && 9"}, ids) == {
        "monitor_ids": [7],
        "query": "7 && 9",
    }


def test_what_is_referred_to_comes_first_and_links_may_go_in_a_circle():
    bodies = {
        ("monitor", "a"): {"message": "see /dashboard/${dashboard:d}"},
        ("monitor", "both"): {"query": "${monitor:a} && ${monitor:a}"},
        ("dashboard", "d"): {"widgets": [{"definition": {"alert_id": "${monitor:both}"}}]},
    }
    assert order(bodies) == [[("monitor", "a")], [("monitor", "both")], [("dashboard", "d")]]


def test_a_circle_of_queries_is_refused_with_its_path():
    bodies = {("monitor", "a"): {"query": "${monitor:b}"}, ("monitor", "b"): {"query": "${monitor:a}"}}
    with pytest.raises(InputError, match="monitor:a -> monitor:b -> monitor:a"):
        order(bodies)


def test_a_reference_to_nothing_names_the_file_and_the_one_to_add():
    with pytest.raises(InputError) as refused:
        order({("monitor", "a"): {"message": "${dashboard:none}"}})
    assert str(refused.value).startswith("monitors/a.json: ${dashboard:none} names no dashboard")
    assert "dashboards/none.json" in str(refused.value)


@given(st.text(max_size=200))
def test_a_marker_is_read_back_and_taken_off_whatever_the_text(text):
    body = {"message": text}
    owner = Owner("slides", "prod", "failed", "0123456789ab")
    marked = with_marker("monitor", body, owner)
    assert read_marker("monitor", marked) == owner
    assert without_marker("monitor", marked)["message"].rstrip() == text.rstrip() or read_marker(
        "monitor", body
    )


def test_the_marker_notifies_nobody():
    assert "@" not in Owner("slides", "prod", "failed", "0123456789ab").line()


def test_a_resource_without_a_marker_is_nobodys():
    assert read_marker("monitor", {"message": "Managed by hand"}) is None
    assert read_marker("dashboard", {"description": None}) is None


@pytest.mark.parametrize(
    ("doomed", "kept", "allowed", "refused"),
    [
        (12, 18, 0, True),
        (12, 18, 12, False),
        (12, 18, 11, True),
        (9, 21, 0, False),
        (1, 0, 0, False),
        (2, 0, 0, True),
    ],
)
def test_mass_deletes_are_refused_unless_their_number_is_named(doomed, kept, allowed, refused):
    actual = [in_datadog("monitor", f"m{i}", MONITOR, str(i)) for i in range(doomed + kept)]
    plan = make_plan([Resource("monitor", f"m{i}", MONITOR) for i in range(kept)], actual)
    if not refused:
        refuse_mass_deletes(plan, "stepscope apply", allowed)
        return
    with pytest.raises(InputError) as error:
        refuse_mass_deletes(plan, "stepscope apply", allowed)
    assert f"{doomed} of {doomed + kept} monitors would be deleted (limit 30%)" in str(error.value)
    assert f"stepscope apply --allow-deletes {doomed}" in str(error.value)


def test_the_plan_as_data_has_four_lists_and_hides_what_a_secret_key_holds():
    webhook = {**MONITOR, "options": {"restriction": {"api_key": "hunter2"}}}
    data = as_data(make_plan([Resource("monitor", "failed", webhook)], []))
    assert set(data) == {"create", "update", "delete", "unchanged", "checksum"}
    assert "hunter2" not in json.dumps(data)
    assert {"kind", "key", "changes"} <= set(data["create"][0])


@pytest.mark.parametrize("threshold", [5, 123456])
def test_what_differs_in_a_long_value_is_always_shown(threshold):
    query = (
        "sum(last_15m):sum:aws.states.executions_failed{statemachinearn:*,env:prod} by {statemachinearn} > "
    )
    wanted = {**MONITOR, "query": f"{query}{threshold}", "options": {}}
    there = {**MONITOR, "query": f"{query}2", "options": {}}
    plan = make_plan([Resource("monitor", "failed", wanted)], [in_datadog("monitor", "failed", there)])
    lines = [line.strip() for _, line in as_lines(plan)]
    assert any(line.startswith("- ") and line.endswith('> 2"') for line in lines)
    assert any(line.startswith("+ ") and line.endswith(f'> {threshold}"') for line in lines)


@given(st.text("ab", max_size=300), st.text("ab", max_size=300))
def test_two_different_values_are_never_told_alike(before, after):
    there = {**MONITOR, "name": f"x{before}"}
    plan = make_plan(
        [Resource("monitor", "m", {**MONITOR, "name": f"x{after}"})], [in_datadog("monitor", "m", there)]
    )
    told = [line for _, line in as_lines(plan) if line.startswith("      ")]
    assert not told if before == after else len({line[8:] for line in told}) == 2


def test_markdown_folds_each_update_and_survives_fences_in_a_message():
    wanted = {**MONITOR, "message": "run:\n```\nls\n```"}
    text = as_markdown(
        make_plan([Resource("monitor", "failed", wanted)], [in_datadog("monitor", "failed", MONITOR)])
    )
    assert "1 to update" in text
    assert "````diff" in text
    assert "| update | monitor | `failed` |" in text


def test_the_checksum_follows_what_would_be_done():
    one = make_plan([Resource("monitor", "a", MONITOR)], [])
    same = make_plan([Resource("monitor", "a", {**MONITOR, "priority": None})], [])
    other = make_plan([Resource("monitor", "a", changed(MONITOR, timeout_h=3))], [])
    assert one.checksum() == same.checksum() != other.checksum()
