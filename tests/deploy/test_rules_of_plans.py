"""What a plan compares, and what a saved plan holds (docs/deploy.md).

The API's defaults are those of https://docs.datadoghq.com/api/latest/monitors/, /dashboards/ and /downtimes/.
"""

import copy
import json

import pytest

from monitoring.deploy import saved
from monitoring.deploy.actual import Other
from monitoring.deploy.canonical import DEFAULTS, MONITOR_OPTION_DEFAULTS, explicit, fingerprint, normalise
from monitoring.deploy.differ import _made_now, age, make_plan
from monitoring.deploy.marker import Owner, read_marker, with_marker
from monitoring.deploy.plan_report import WIDTH, as_data, as_lines, as_markdown, summary
from monitoring.deploy.twins import find_twins
from monitoring.errors import InputError
from monitoring.resources.resource import Resource

CHECK = {
    "type": "service check",
    "name": "Up",
    "query": '"app.up".over("*").by("host").last(6).count_by_status()',
    "message": "@a",
    "options": {"thresholds": {"critical": 1, "warning": 1, "ok": 1}},
}
METRIC = {
    "type": "query alert",
    "name": "M",
    "query": "avg(last_5m):avg:a{*} > 5",
    "message": "@a",
    "options": {"thresholds": {"critical": 5}},
}


def in_datadog(body, key="m", identity="1", kind="monitor"):
    owner = Owner("p", "prod", key, fingerprint(kind, body))
    return Resource(kind, key, with_marker(kind, body, owner), identity)


def plan_of(wanted, there, kind="monitor"):
    return make_plan([Resource(kind, "m", wanted)], [in_datadog(there, kind=kind)])


def changes(wanted, there, kind="monitor"):
    return [
        (each.path, each.before, each.after)
        for step in plan_of(wanted, there, kind).update
        for each in step.changes
    ]


def edited(body, path, value):
    body = copy.deepcopy(body)
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner.setdefault(name, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value
    return body


@pytest.mark.parametrize(
    ("base", "path", "value"),
    [
        (CHECK, "options.thresholds.critical", 5),
        (CHECK, "options.thresholds.warning", 5),
        (CHECK, "options.thresholds.ok", 5),
        (CHECK, "options.thresholds.unknown", 1),
        (CHECK, "query", CHECK["query"].replace("last(6)", "last(5)")),
        (METRIC, "options.thresholds.warning", 4),
        (METRIC, "options.thresholds.critical_recovery", 4),
        (METRIC, "options.no_data_timeframe", 10),
        (METRIC, "options.notify_no_data", True),
        (METRIC, "options.include_tags", False),
        (METRIC, "options.new_host_delay", 299),
        (METRIC, "options.new_group_delay", 60),
        (METRIC, "options.evaluation_delay", 900),
        (METRIC, "options.timeout_h", 1),
        (METRIC, "options.renotify_statuses", ["alert"]),
        (METRIC, "options.on_missing_data", "default"),
        (METRIC, "options.escalation_message", "again"),
        (METRIC, "priority", 1),
        (METRIC, "tags", ["a:b"]),
        (METRIC, "name", "N"),
        (METRIC, "type", "event-v2 alert"),
        (METRIC, "draft_status", "draft"),
        (METRIC, "restricted_roles", ["r"]),
    ],
)
def test_every_setting_that_changes_is_an_update_in_both_directions(base, path, value):
    other = edited(base, path, value)
    for wanted, there in ((other, base), (base, other)):
        (change,) = changes(wanted, there)
        assert change[0] == path or path.startswith(f"{change[0]}.")


def test_a_service_checks_threshold_is_compared_whatever_its_query_ends_with():
    """The number in a metric query repeats the critical threshold; a service check has its number in the options alone."""
    assert changes(edited(CHECK, "options.thresholds.critical", 5), CHECK) == [
        ("options.thresholds.critical", 1, 5)
    ]


@pytest.mark.parametrize(
    ("query", "critical", "same"),
    [
        ("avg(last_5m):avg:a{*} > 5", 5, True),
        ("avg(last_5m):avg:a{*} > 5.0", 5, True),
        ("avg(last_5m):avg:a{*} > 5", 6, False),
    ],
)
def test_a_critical_threshold_that_repeats_the_query_says_nothing(query, critical, same):
    body = {**METRIC, "query": query, "options": {"thresholds": {"critical": critical}}}
    assert (plan_of(body, {**METRIC, "query": query, "options": {}}).steps == ()) is same


DEFAULTED = [
    *(
        ("monitor", METRIC, f"options.{name}", value)
        for name, value in MONITOR_OPTION_DEFAULTS.items()
        if value is not None
    ),
    *(
        ("monitor", METRIC, name, value)
        for name, value in DEFAULTS["monitor"].items()
        if name not in {"message", "options"}
    ),
    ("monitor", METRIC, "options.avalanche_window", 20),
    ("monitor", METRIC, "options.threshold_windows", {}),
    ("monitor", METRIC, "options.thresholds.critical", 5.0),
    ("monitor", METRIC, "type", "metric alert"),
    ("monitor", METRIC, "query", f"\n {METRIC['query']} "),
    ("monitor", METRIC, "overall_state", "Alert"),
]


@pytest.mark.parametrize(("kind", "base", "path", "value"), DEFAULTED)
def test_what_the_api_adds_by_itself_is_no_change(kind, base, path, value):
    assert plan_of(base, edited(base, path, value), kind).steps == ()
    assert fingerprint(kind, base) == fingerprint(kind, edited(base, path, value))


BOARD = {
    "title": "B",
    "layout_type": "ordered",
    "widgets": [
        {"definition": {"type": "group", "widgets": [{"definition": {"type": "note", "content": "a"}}]}}
    ],
    "template_variables": [{"name": "env", "defaults": ["*"]}],
}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda body: body["widgets"][0].update(id=7), True),
        (lambda body: body["widgets"][0]["definition"]["widgets"][0].update(id=7, has_data_gap=True), True),
        (
            lambda body: body["widgets"][0]["definition"]["widgets"][0]["definition"].update(content="b"),
            False,
        ),
        (lambda body: body["template_variables"][0].update(default="x"), True),
        (lambda body: body["template_variables"][0].update(available_values=[]), True),
        (lambda body: body["template_variables"][0].update(available_values=["a"]), False),
        (lambda body: body.update(template_variables=[{"name": "env", "default": "*"}]), True),
        (lambda body: body.update(reflow_type="auto"), True),
        (lambda body: body.update(reflow_type="fixed"), False),
        (lambda body: body.update(layout_type="free"), False),
        (lambda body: body.update(url="/dashboard/x", author_handle="me"), True),
        (lambda body: body["widgets"].append({}), False),
    ],
)
def test_a_dashboard_is_compared_without_what_datadog_numbers(change, same):
    other = copy.deepcopy(BOARD)
    change(other)
    assert (plan_of(BOARD, other, "dashboard").steps == ()) is same


def test_the_order_of_states_and_tags_of_a_downtime_does_not_matter():
    body = {
        "scope": "env:a",
        "monitor_identifier": {"monitor_tags": ["b", "a"]},
        "notify_end_states": ["warn", "alert"],
    }
    other = {
        **body,
        "monitor_identifier": {"monitor_tags": ["a", "b"]},
        "notify_end_states": ["alert", "warn"],
    }
    assert plan_of(body, other, "downtime").steps == ()
    assert plan_of(body, {**body, "notify_end_states": ["alert"]}, "downtime").steps


def test_the_zone_of_a_recurring_downtime_is_sent_where_the_file_leaves_it_out():
    recurring = {"schedule": {"recurrences": [{"rrule": "FREQ=DAILY"}]}}
    assert explicit("downtime", recurring)["schedule"]["timezone"] == "UTC"
    zone = {"schedule": {"recurrences": [], "timezone": "Asia/Tokyo"}}
    assert explicit("downtime", zone)["schedule"]["timezone"] == "Asia/Tokyo"
    once = {"schedule": {"start": "2050-01-02T03:04:05Z"}}
    assert explicit("downtime", once) == once
    assert explicit("monitor", recurring) == recurring


def test_an_objectives_first_threshold_is_answered_twice_and_counts_once():
    body = {
        "name": "S",
        "type": "metric",
        "thresholds": [{"timeframe": "7d", "target": 99.0, "target_display": "99."}],
    }
    other = {**body, "timeframe": "7d", "target_threshold": 99.0, "warning_threshold": 99.5}
    assert normalise("slo", body) == normalise("slo", other)
    assert normalise("slo", other)["thresholds"] == [{"timeframe": "7d", "target": 99}]


# --- copies, twins, summaries


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("9", {}), ("10", {})),
        (("10", {"created": "2026-01-01"}), ("9", {"created": "2026-01-02"})),
        (("abc", {"created_at": "2026-01-01"}), ("abd", {"created_at": "2026-01-01"})),
        (("1", {"created": "2026-01-01", "created_at": "9"}), ("1", {"created_at": "3"})),
    ],
)
def test_the_oldest_of_one_key_is_kept_by_its_creation_and_then_by_its_id(first, second):
    assert age(*first) < age(*second)


def test_of_three_with_one_key_two_are_deleted_as_copies():
    there = [in_datadog(METRIC, identity=identity) for identity in ("30", "4", "100")]
    plan = make_plan([Resource("monitor", "m", METRIC)], there)
    assert [step.id for step in plan.unchanged] == ["4"]
    assert [(step.id, step.copy) for step in plan.delete] == [("100", True), ("30", True)]
    lines = [line for _, line in as_lines(plan)]
    assert sum("a copy: two applies ran at the same time" in line for line in lines) == 2
    assert "| delete | monitor | `m` | a copy |" in as_markdown(plan)


def other_env(body, kind="monitor"):
    return Other(kind, Owner("p", "dev", "x", ""), body)


@pytest.mark.parametrize(
    ("change", "twin"),
    [
        ({}, True),
        ({"name": "N"}, False),
        ({"query": "avg(last_5m):avg:b{*} > 5"}, False),
        ({"message": "other"}, True),
    ],
)
def test_a_twin_has_the_same_name_and_the_same_query(change, twin):
    found = find_twins([Resource("monitor", "m", METRIC)], [other_env({**METRIC, **change})])
    assert [str(each) for each in found] == [
        "monitors/m.json: p/dev has a monitor with the same name and query, so each alert would notify twice"
    ] * twin
    assert find_twins([Resource("slo", "m", METRIC)], [other_env(METRIC)]) == []
    assert find_twins([Resource("monitor", "m", METRIC)], [other_env(METRIC, "slo")]) == []


def test_the_last_line_counts_each_kind_of_step():
    there = [
        in_datadog(METRIC, "same", "1"),
        in_datadog(METRIC, "gone", "2"),
        in_datadog(METRIC, "other", "3"),
    ]
    wanted = [
        Resource("monitor", "same", METRIC),
        Resource("monitor", "new", METRIC),
        Resource("monitor", "other", {**METRIC, "name": "N"}),
    ]
    plan = make_plan(wanted, there)
    assert summary(plan) == "1 to create, 1 to update, 1 to delete, 1 unchanged."
    assert summary(make_plan(wanted[:1], there[:1])) == "Nothing to do: 1 unchanged."
    assert [line for _, line in as_lines(plan) if line[:1] in "+~-"] == [
        "+ monitor new",
        "~ monitor other 3",
        "- monitor gone 2",
    ]
    assert [colour for colour, line in as_lines(plan) if line[:1] in "+~-"] == ["green", "yellow", "red"]
    assert as_markdown(make_plan([], [])) == "**stepscope plan**: Nothing to do: 0 unchanged.\n"


def test_a_short_value_is_shown_whole_and_a_text_of_lines_line_by_line():
    lines = [line for _, line in as_lines(plan_of({**METRIC, "name": "x" * (WIDTH - 2)}, METRIC))]
    assert f'      + "{"x" * (WIDTH - 2)}"' in lines
    texts = [
        line for _, line in as_lines(plan_of({**METRIC, "message": "a\nc"}, {**METRIC, "message": "a\nb"}))
    ]
    assert [line for line in texts if line.startswith("      ")] == ["      - b", "      + c"]


def test_a_fingerprint_is_the_same_in_every_version():
    """With another one everything that is deployed would look as if somebody had changed it in Datadog."""
    assert fingerprint("monitor", {"name": "é", "options": {"b": 1, "a": [2.0]}}) == "e914a97bfc75"


# --- saved plans


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "plan.json"
    saved.save(plan_of({**METRIC, "name": "N"}, METRIC), path, "p", "prod")
    return path


def test_a_saved_plan_is_read_back_with_its_project_and_environment(kept):
    saved.save(plan_of({**METRIC, "name": "é"}, METRIC), kept.with_name("other"), "p", "prod")
    assert '"é"' in kept.with_name("other").read_text("utf-8")
    content = saved.read(kept)
    assert (content["stepscope_plan"], content["project"], content["env"]) == (1, "p", "prod")
    assert content["update"][0]["id"] == "1"
    saved.insist(content, plan_of({**METRIC, "name": "N"}, METRIC), kept)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["update"][0].update(id="2"),
        lambda content: content["update"][0].update(key="other"),
        lambda content: content["update"][0].update(kind="slo"),
        lambda content: content["update"][0].update(drift=True),
        lambda content: content["update"][0]["changes"].clear(),
        lambda content: content["update"].clear(),
        lambda content: content["delete"].append(content["update"][0]),
        lambda content: content.update(checksum="0"),
        lambda content: content.pop("unchanged"),
    ],
)
def test_a_saved_plan_that_was_edited_is_refused(kept, change):
    content = saved.read(kept)
    change(content)
    with pytest.raises(InputError, match="what would be done now is not what was saved"):
        saved.insist(content, plan_of({**METRIC, "name": "N"}, METRIC), kept)


@pytest.mark.parametrize(
    "now",
    [
        lambda: make_plan(
            [Resource("monitor", "m", {**METRIC, "name": "N"})], [in_datadog(METRIC, identity="2")]
        ),
        lambda: plan_of({**METRIC, "name": "O"}, METRIC),
        lambda: plan_of({**METRIC, "name": "N"}, {**METRIC, "name": "P"}),
        lambda: plan_of(METRIC, METRIC),
    ],
)
def test_a_saved_plan_holds_for_the_ids_and_bodies_that_it_was_made_of(kept, now):
    """docs/deploy.md: fails if the files or Datadog have changed since; another id is another resource."""
    with pytest.raises(InputError, match="have changed"):
        saved.insist(saved.read(kept), now(), kept)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"stepscope_plan": 2}', '{"stepscope_plan": "1"}', "[" * 100_000]
)
def test_what_is_not_a_saved_plan_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        saved.read(path)
    assert caught.value.where == str(path)


def test_the_checksum_covers_ids_and_a_secret_that_the_report_hides():
    first = plan_of({**METRIC, "name": "N"}, METRIC)
    second = make_plan(
        [Resource("monitor", "m", {**METRIC, "name": "N"})], [in_datadog(METRIC, identity="2")]
    )
    assert first.checksum() != second.checksum()
    one, two = (
        plan_of({**METRIC, "options": {**METRIC["options"], "api_key": text}}, METRIC) for text in "ab"
    )
    assert one.checksum() != two.checksum()
    assert "********" in json.dumps(as_data(one))
    assert {key: value for key, value in as_data(one).items() if key != "checksum"} == {
        key: value for key, value in as_data(two).items() if key != "checksum"
    }


def test_the_checksum_is_the_same_whatever_the_order_of_keys():
    first, second = ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    one, two = (plan_of({**METRIC, "options": {"new_thing": value}}, METRIC) for value in (first, second))
    assert one.checksum() == two.checksum()


def test_a_marker_is_at_the_end_and_of_this_form():
    body = with_marker("monitor", {"message": "Text \n"}, Owner("p", "prod", "m", "0123456789ab"))
    assert body["message"] == "Text\n\nManaged by stepscope: p/prod/m (0123456789ab)"
    assert read_marker("monitor", {"message": f"{body['message']}\n"}) == Owner(
        "p", "prod", "m", "0123456789ab"
    )
    assert read_marker("monitor", {"message": f"{body['message']} and more"}) is None
    assert read_marker("dashboard", body) is None


def test_what_a_link_waits_for_is_told_in_one_order_each_time():
    text = " ".join(f"${{monitor:{key}}}" for key in "fbdace")
    desired = Resource("dashboard", "d", {"title": "D", "description": f"{text} ${{dashboard:d}}"})
    assert _made_now(desired, {}) == [f"monitor:{key}" for key in "abcdef"]
    assert _made_now(desired, {("monitor", key): "1" for key in "abcde"}) == ["monitor:f"]
