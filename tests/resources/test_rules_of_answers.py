"""What Datadog refuses of a monitor or dashboard, in its own words, and what it adds to one that it stores.

The sentences and defaults are those of recorded answers of the API (docs/local-datadog.md says which).
"""

import itertools

import pytest

from monitoring.resources import dashboard_errors, monitor_errors, normalise
from monitoring.resources.dashboard_errors import slug, stored
from monitoring.resources.monitor_errors import TYPES
from monitoring.resources.normalise import LOG_LIKE, METRIC_LIKE

QUERY = "avg(last_5m):avg:a{*} > 5"
METRIC = {"type": "query alert", "query": QUERY, "name": "M", "message": "@a"}
CHECK = {"type": "service check", "query": '"app.up".over("*").by("host").last(3).count_by_status()'}
LOGS = {"type": "log alert", "query": 'logs("service:a").index("*").rollup("count").last("5m") > 5'}
INVALID = "The value provided for parameter '{}' is invalid"


def refused(body, previous=None):
    return monitor_errors.errors(body, previous)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_type_of_monitor_is_known(kind):
    assert "parameter 'type'" not in "".join(refused({"type": kind, "query": QUERY}))


@pytest.mark.parametrize(
    ("body", "previous", "said"),
    [
        ([], None, "The request body must be a JSON object"),
        ({"query": QUERY}, None, "The parameter 'type' is required"),
        ({"type": "", "query": QUERY}, None, "The parameter 'type' is required"),
        ({"type": "other", "query": QUERY}, None, INVALID.format("type")),
        (METRIC, "metric alert", None),
        ({**METRIC, "type": "metric alert"}, "query alert", None),
        (METRIC, "query alert", None),
        (METRIC, "log alert", "Monitor type change not allowed"),
        (LOGS, "query alert", "Monitor type change not allowed"),
        ({"type": "query alert"}, None, "The parameter 'query' is required"),
        ({**METRIC, "query": ""}, None, "The parameter 'query' is required"),
        ({**METRIC, "query": 5}, None, "The parameter 'query' is required"),
        ({**METRIC, "query": f" {QUERY}\n"}, None, None),
        ({**METRIC, "query": "nonsense"}, None, INVALID.format("query")),
        ({**METRIC, "query": LOGS["query"]}, None, INVALID.format("query")),
        (LOGS, None, None),
        ({**LOGS, "query": QUERY}, None, INVALID.format("query")),
        ({**LOGS, "query": "logs(x)"}, None, f"{INVALID.format('query')}: invalid operator specified: "),
        ({**LOGS, "query": "logs(x) > 5"}, None, INVALID.format("query")),
        ({"type": "composite", "query": "1 && 2"}, None, None),
        ({"type": "composite", "query": QUERY}, None, INVALID.format("query")),
        ({**CHECK, "query": QUERY}, None, INVALID.format("query")),
        (
            {"type": "process alert", "query": "x X"},
            None,
            f"{INVALID.format('query')}: invalid operator specified: ",
        ),
    ],
)
def test_type_and_query_are_judged_first(body, previous, said):
    assert refused(body, previous) == ([said] if said else [])


def options(body=METRIC, **values):
    return {**body, "options": values}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**METRIC, "options": []}, INVALID.format("options")),
        ({**METRIC, "options": None}, None),
        *(
            (options(**{name: 5}), INVALID.format(name))
            for name in ("thresholds", "silenced", "scheduling_options", "threshold_windows")
        ),
        (options(thresholds=None, silenced=None), None),
        (options(thresholds={"critical": "5"}), INVALID.format("thresholds")),
        (options(thresholds={"critical": True}), INVALID.format("thresholds")),
        (options(thresholds={"critical": None}), None),
        *(({**METRIC, "priority": priority}, None) for priority in (None, 0, 1, 2, 3, 4, 5)),
        *(({**METRIC, "priority": priority}, INVALID.format("priority")) for priority in (6, -1, "1")),
        ({**METRIC, "tags": ["a:b"]}, None),
        ({**METRIC, "tags": "a:b"}, INVALID.format("tags")),
        ({**METRIC, "tags": [5]}, INVALID.format("tags")),
        ({**METRIC, "tags": ["a:b", 5]}, INVALID.format("tags")),
        ({"type": "composite", "query": "1 && 2", "options": {"scheduling_options": {"evaluation_window": {"day_starts": "04:00"}}}}, None),
        *(
            (options(**{name: value}), None if good else INVALID.format(name))
            for name, most in (("evaluation_delay", 86_400), ("new_group_delay", 86_400), ("min_failure_duration", 7_200))
            for value, good in ((0, True), (most, True), (most + 1, False), (-1, False), ("5", False), (True, False))
        ),
        (options(on_missing_data="default"), None),
        (options(CHECK, on_missing_data="default"), "Invalid monitor option: on_missing_data"),
        (
            options({"type": "composite", "query": "1 && 2"}, on_missing_data="default"),
            "Invalid monitor option: on_missing_data",
        ),
        (
            options(on_missing_data="default", notify_no_data=True),
            "Invalid monitor option: on_missing_data excludes notify_no_data and no_data_timeframe",
        ),
        (
            options(on_missing_data="default", no_data_timeframe=10),
            "Invalid monitor option: on_missing_data excludes notify_no_data and no_data_timeframe",
        ),
        (options(on_missing_data="default", notify_no_data=False), None),
        (options(notify_no_data=True, no_data_timeframe=10), None),
        (
            options(scheduling_options={}),
            "Invalid scheduling options: Required parameter 'evaluation_window' is missing",
        ),
        (options(scheduling_options={"custom_schedule": {}}), "Invalid scheduling options: Required parameter 'evaluation_window' is missing"),
        (options(scheduling_options={"custom_schedule": {"recurrences": []}}), None),
        (
            options(scheduling_options={"evaluation_window": {"day_starts": "04:00"}}),
            "Monitors with an evaluation_window scheduling_option must have a current query period and vice versa.",
        ),
        (
            {**METRIC, "query": QUERY.replace("last_5m", "current_1d")},
            "Monitors with an evaluation_window scheduling_option must have a current query period and vice versa.",
        ),
        (
            options(
                {**METRIC, "query": QUERY.replace("last_5m", "current_1d")},
                scheduling_options={"evaluation_window": {"day_starts": "04:00"}},
            ),
            None,
        ),
    ],
)  # fmt: skip
def test_options_are_of_their_types_and_go_together(body, said):
    assert refused(body) == ([said] if said else [])


def limits(operator, **thresholds):
    return {**METRIC, "query": QUERY.replace("> 5", f"{operator} 5"), "options": {"thresholds": thresholds}}


BOTH = "{0} and {0} recovery criteria are such that the monitor can be simultaneously in {0} and {0} recovery states"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (limits(">", critical=5), None),
        (limits(">", critical=5.0), None),
        (limits(">", critical=6), "Alert threshold (6.0) does not match that used in the query (5.0)."),
        (limits(">", critical=5, warning=4), None),
        (limits(">", warning=4), None),
        (limits(">", critical=5, warning=5), "Warning threshold (5.0) must be less than the alert threshold (5.0) with > comparison."),
        (limits(">", warning=6), "Warning threshold (6.0) must be less than the alert threshold (5.0) with > comparison."),
        (limits("<", critical=5, warning=6), None),
        (limits("<", critical=5, warning=4), "Warning threshold (4.0) must be greater than the alert threshold (5.0) with < comparison."),
        (limits(">=", critical=5, warning=5), "Warning threshold (5.0) must be less than the alert threshold (5.0) with >= comparison."),
        (limits("<=", critical=5, warning=4), "Warning threshold (4.0) must be greater than the alert threshold (5.0) with <= comparison."),
        (limits(">", critical_recovery=5), None),
        (limits(">", critical_recovery=4), None),
        (limits(">", critical_recovery=4.5), None),
        (limits("<", critical_recovery=5.5), None),
        (limits(">", critical=5, warning=4.5), None),
        (limits("<", critical=5, warning=5.5), None),
        (limits(">", critical_recovery=6), BOTH.format("alert")),
        (limits("<", critical_recovery=4), BOTH.format("alert")),
        (limits("<", critical_recovery=6), None),
        (limits(">", critical=5, warning=3, warning_recovery=4), BOTH.format("warning")),
        (limits(">", critical=5, warning=3, warning_recovery=3), None),
        (limits(">", critical=5, warning_recovery=4), None),
        (
            {"type": "event-v2 alert", "query": 'events("a").rollup("count").last("5m") > 5', "options": {"thresholds": {"critical_recovery": 4}}},
            "Invalid threshold statuses found: critical_recovery.",
        ),
        (
            {"type": "event-v2 alert", "query": 'events("a").rollup("count").last("5m") > 5', "options": {"thresholds": {"critical_recovery": 4, "warning_recovery": 3}}},
            "Invalid threshold statuses found: critical_recovery, warning_recovery.",
        ),
        (options(CHECK, thresholds={"critical": 3, "warning": 2, "ok": 1}), None),
        (
            options(CHECK, thresholds={"critical": 4}),
            "Last field should be larger than or equal to max threshold defined in monitor options",
        ),
        (
            options(CHECK, thresholds={"critical": 1, "ok": 4}),
            "Last field should be larger than or equal to max threshold defined in monitor options",
        ),
        (
            {**CHECK, "query": '"app.up".over("*").last(3).count_by_status()'},
            "A grouping must be specified for custom checks",
        ),
        (CHECK, None),
    ],
)  # fmt: skip
def test_thresholds_lie_on_their_sides(body, said):
    assert refused(body) == ([said] if said else [])


# --- what is stored


def kept(body, previous=None, now=1_700_000_000.5):
    return normalise.monitor(body, 7, now, previous)


def test_a_monitor_is_answered_with_every_field():
    made = kept(
        {**METRIC, "name": " M ", "message": " @a\n", "query": f" {QUERY} ", "tags": ["a:b"], "priority": 3}
    )
    assert made == {
        "id": 7,
        "org_id": 1,
        "type": "query alert",
        "name": "M",
        "message": "@a",
        "tags": ["a:b"],
        "query": QUERY,
        "options": {
            "silenced": {},
            "notify_audit": False,
            "include_tags": True,
            "notify_no_data": False,
            "new_host_delay": 300,
        },
        "multi": False,
        "created_at": 1_700_000_000_000,
        "created": "2023-11-14T22:13:20.500000+00:00",
        "modified": "2023-11-14T22:13:20.500000+00:00",
        "deleted": None,
        "priority": 3,
        "restricted_roles": None,
        "restriction_policy": None,
        "draft_status": "published",
        "assets": [],
        "overall_state_modified": None,
        "overall_state": "No Data",
        "creator": {
            "id": 1,
            "name": "stepscope",
            "handle": "stepscope@localhost",
            "email": "stepscope@localhost",
        },
    }


def test_an_update_keeps_what_it_does_not_name():
    first = kept(
        {**METRIC, "tags": ["a:b"], "priority": 0, "draft_status": "draft", "restricted_roles": ["r"]}
    )
    first["overall_state"], first["overall_state_modified"] = "Alert", "t"
    second = kept({"name": "N", "type": "query alert"}, first, now=1_700_000_100.0)
    same = set(first) - {"name", "modified"}
    assert {key: second[key] for key in same} == {key: first[key] for key in same}
    assert (second["name"], second["modified"]) == ("N", "2023-11-14T22:15:00.000000+00:00")
    assert (first["priority"], first["draft_status"], first["restricted_roles"]) == (None, "draft", ["r"])
    assert kept({**METRIC, "query": QUERY.replace("{*}", "{*} by {host}")})["multi"] is True


@pytest.mark.parametrize(
    ("kind", "query", "stored_kind"),
    [
        ("metric alert", QUERY, "metric alert"),
        ("query alert", QUERY, "query alert"),
        ("metric alert", "avg(last_1h):anomalies(avg:a{*}, 'basic', 2) >= 1", "query alert"),
        ("metric alert", QUERY.replace("last_5m", "current_1d"), "query alert"),
        ("metric alert", QUERY.replace("last_5m", "current_1h"), "metric alert"),
        ("query alert", 'formula("query1").last("5m") > 5', "metric alert"),
        ("log alert", LOGS["query"], "log alert"),
    ],
)
def test_datadog_types_between_its_two_names_of_a_metric_monitor(kind, query, stored_kind):
    assert kept({**METRIC, "type": kind, "query": query})["type"] == stored_kind


@pytest.mark.parametrize(
    ("body", "added"),
    [
        (
            options(),
            {"notify_audit": False, "include_tags": True, "notify_no_data": False, "new_host_delay": 300},
        ),
        (
            options(on_missing_data="default"),
            {"notify_audit": False, "include_tags": True, "new_host_delay": 300},
        ),
        (options(new_group_delay=60), {"notify_audit": False, "include_tags": True, "notify_no_data": False}),
        (
            options(scheduling_options={"custom_schedule": {"recurrences": []}}),
            {"notify_audit": False, "include_tags": True, "new_host_delay": 300},
        ),
        (
            options(LOGS),
            {
                "notify_audit": False,
                "include_tags": True,
                "notify_no_data": False,
                "new_host_delay": 300,
                "groupby_simple_monitor": False,
            },
        ),
    ],
)
def test_options_are_added_with_their_defaults(body, added):
    made = kept(body)["options"]
    assert {key: value for key, value in made.items() if key not in {*body["options"], "silenced"}} == added
    sent = options(body, notify_audit=True, include_tags=False)
    assert kept(sent)["options"]["notify_audit"] is True
    assert kept(sent)["options"]["include_tags"] is False


@pytest.mark.parametrize(
    ("thresholds", "kept_thresholds"),
    [
        (None, None),
        ({}, None),
        ({"critical": 5}, {"critical": 5.0}),
        ({"warning": 4}, {"warning": 4.0, "critical": 5.0}),
        ({"critical": None, "warning": 4}, {"warning": 4.0, "critical": 5.0}),
        ({"critical": None}, None),
        ({"critical": "x"}, {"critical": "x"}),
    ],
)
def test_thresholds_are_floats_with_the_critical_one_of_the_query(thresholds, kept_thresholds):
    made = kept(options(thresholds=thresholds))["options"].get("thresholds")
    assert made == kept_thresholds
    assert all(isinstance(value, float | str) for value in (made or {}).values())


def test_texts_and_silences_are_in_one_form():
    made = kept(options(escalation_message=" again ", silenced={"*": 0, "a:b": 5}, timeout_h=None))["options"]
    assert made["escalation_message"] == "again"
    assert made["silenced"] == {"*": None, "a:b": 5}
    assert "timeout_h" not in made
    asset = kept({**METRIC, "assets": [{"name": "n", "url": "u"}]})["assets"]
    assert asset == [
        {
            "template_variables": {},
            "options": {},
            "resource_key": None,
            "resource_type": None,
            "monitor_id": 7,
            "name": "n",
            "url": "u",
        }
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (QUERY, "**a** over ***** was **> 5.0** on average during the **last 5m**."),
        (
            "sum(last_1h):sum:a{env:b} by {c} >= 2",
            "**a** over **env:b** was **>= 2.0** in total during the **last 1h**.",
        ),
        ("min(last_5m):avg:a{*} < 1", "**a** over ***** was **< 1.0** at all times during the **last 5m**."),
        ("max(last_5m):avg:a{*} < 1", "**a** over ***** was **< 1.0** at least once during the **last 5m**."),
        (LOGS["query"], "logs matching service:a"),
        ("1 && 2", "1 && 2"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_monitor_without_a_name_gets_one(query, name):
    assert kept({"type": "query alert", "query": query})["name"] == name
    assert LOG_LIKE.isdisjoint(METRIC_LIKE)


# --- dashboards


BOARD = {
    "title": "B",
    "layout_type": "ordered",
    "widgets": [{"definition": {"type": "note", "content": "x"}}],
}


def board(**changes):
    return {key: value for key, value in {**BOARD, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BOARD, None),
        ([], "The request body must be a JSON object"),
        (board(layout_type="free"), None),
        (board(layout_type="other"), "Value of parameter 'layout_type' should be any of these ['ordered', 'free']"),
        (board(layout_type=...), "Value of parameter 'layout_type' should be any of these ['ordered', 'free']"),
        (board(widgets=...), "'widgets' should be array"),
        (board(widgets={}), "'widgets' should be array"),
        (board(widgets=[]), None),
        (board(title=...), "Required parameter 'title' is missing"),
        (board(title=5), "Required parameter 'title' is missing"),
        (board(widgets=[{}]), "'widgets' is invalid"),
        (board(widgets=[5]), "'widgets' is invalid"),
        (board(widgets=[{"definition": {}}]), "'widgets' is invalid"),
        (board(template_variables=None), None),
        (board(template_variables={}), "'template_variables' is invalid"),
        (board(template_variables=[{"name": "a", "default": "x"}]), None),
        (board(template_variables=[{"name": "a", "defaults": ["x"]}, {"name": "b"}]), None),
        (board(template_variables=[{"name": "a"}, {"name": "a"}]), "'template_variables' is invalid"),
        (board(template_variables=[{"name": "a", "default": "x", "defaults": ["y"]}]), "'template_variables' is invalid"),
        (board(template_variables=[{"name": "a", "default": None, "defaults": ["y"]}]), None),
        (board(template_variables=[{"name": "a", "defaults": [""]}]), "Minimum length of parameter 'defaults' should be 1"),
        (board(template_variables=[{}]), "'template_variables' value '{}' is invalid"),
        (board(template_variables=[5]), "'template_variables' value '5' is invalid"),
        (board(template_variable_presets=[{"template_variables": [{"values": []}]}]), "Minimum number of elements in parameter 'values' should be 1"),
        (board(template_variable_presets=[{"template_variables": [{"values": ["a"]}]}, {}]), None),
        (board(template_variable_presets="x"), None),
        (board(tags=["team:a"]), None),
        (board(tags=["team:a", "env:b"]), "Invalid tag format. Valid tag keys are: team."),
        (board(tags="team:a"), "Invalid tag format. Valid tag keys are: team."),
        (board(tags=None), None),
    ],
)  # fmt: skip
def test_a_dashboard_is_refused_by_the_first_rule_that_it_breaks(body, said):
    assert dashboard_errors.errors(body) == ([said] if said else [])


def test_a_dashboard_is_answered_with_ids_and_empty_fields():
    group = {
        "definition": {
            "type": "group",
            "widgets": [{"definition": {"type": "note"}}, {"definition": {}, "id": 9}],
        }
    }
    made = stored(
        board(widgets=[group, BOARD["widgets"][0]], is_read_only=True), "abc", "now", itertools.count(1)
    )
    assert made == {
        "id": "abc",
        "title": "B",
        "description": None,
        "author_handle": "stepscope@localhost",
        "author_name": "stepscope",
        "layout_type": "ordered",
        "url": "/dashboard/abc/b",
        "template_variables": None,
        "widgets": [
            {
                "id": 2,
                "definition": {
                    "type": "group",
                    "widgets": [{"definition": {"type": "note"}, "id": 1}, {"definition": {}, "id": 9}],
                },
            },
            {"id": 3, **BOARD["widgets"][0]},
        ],
        "notify_list": None,
        "created_at": "now",
        "modified_at": "now",
        "restricted_roles": [],
    }
    again = stored({**made, "restricted_roles": ["r"]}, "abc", "later", itertools.count(50))
    assert (again["created_at"], again["modified_at"], again["restricted_roles"]) == ("now", "later", ["r"])
    assert again["widgets"] == made["widgets"]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Load IS high", "load-is-high"),
        ("a/b  c", "ab-c"),
        (" x-y ", "x-y"),
        ("a" * 79 + " bc", "a" * 79),
        ("a" * 100, "a" * 80),
        ("é", ""),
    ],
)
def test_the_address_of_a_dashboard_has_its_title(title, words):
    assert slug(title) == words
