"""Downtimes: version 2 with Datadog's client, version 1 over the same thing, and what is refused."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from client_models import Models

v2 = pytest.importorskip("datadog_api_client.v2.api.downtimes_api")

models = Models("v2")
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def api(client):
    return v2.DowntimesApi(client)


def created(call, **attributes):
    attributes = {"scope": "*", "monitor_identifier": {"monitor_tags": ["*"]}} | attributes
    return call("POST", "/api/v2/downtime", {"data": {"type": "downtime", "attributes": attributes}})


def recurring(**more):
    local = (NOW - timedelta(minutes=10)).replace(tzinfo=None).isoformat()
    return {
        "recurrences": [{"rrule": "FREQ=DAILY;INTERVAL=1", "duration": "1h", "start": local} | more],
        "timezone": "UTC",
    }


def test_datadogs_client_schedules_reads_changes_lists_and_cancels(api):
    def request(**attributes):
        named = models.DowntimeMonitorIdentifierTags(monitor_tags=["team:a"])
        given = models.DowntimeCreateRequestAttributes(monitor_identifier=named, scope="env:p", **attributes)
        data = models.DowntimeCreateRequestData(
            type=models.DowntimeResourceType("downtime"), attributes=given
        )
        return models.DowntimeCreateRequest(data=data)

    once = models.DowntimeScheduleOneTimeCreateUpdateRequest(start=NOW, end=NOW + timedelta(hours=1))
    made = api.create_downtime(request(schedule=once, message="deploy"))
    shown = made.data.attributes
    assert (shown.scope, str(shown.status), shown.message) == ("env:p", "active", "deploy")
    assert (shown.schedule.start, shown.schedule.end) == (NOW, NOW + timedelta(hours=1))
    assert made.included[0].attributes.handle == "stepscope@localhost"
    rule = models.DowntimeScheduleRecurrenceCreateUpdateRequest(
        duration="1h", rrule="FREQ=DAILY;INTERVAL=1", start="2050-01-02T03:04:05"
    )
    nightly = models.DowntimeScheduleRecurrencesCreateRequest(recurrences=[rule], timezone="America/New_York")
    nights = api.create_downtime(request(schedule=nightly)).data
    assert str(nights.attributes.status) == "scheduled"
    assert nights.attributes.schedule.recurrences[0].start == "2050-01-02T03:04:05"
    assert nights.attributes.schedule.current_downtime.start == datetime(2050, 1, 2, 8, 4, 5, tzinfo=UTC)
    changed = models.DowntimeUpdateRequest(
        data=models.DowntimeUpdateRequestData(
            id=made.data.id,
            type=models.DowntimeResourceType("downtime"),
            attributes=models.DowntimeUpdateRequestAttributes(
                message="longer",
                schedule=models.DowntimeScheduleOneTimeCreateUpdateRequest(end=NOW + timedelta(hours=2)),
            ),
        )
    )
    after = api.update_downtime(made.data.id, changed).data.attributes
    assert (after.message, after.scope) == ("longer", "env:p")
    assert (after.schedule.start, after.schedule.end) == (NOW, NOW + timedelta(hours=2))
    assert {one.id for one in api.list_downtimes().data} == {made.data.id, nights.id}
    assert [one.id for one in api.list_downtimes(current_only=True).data] == [made.data.id]
    paged = api.list_downtimes_with_pagination(page_limit=1)
    assert [one.id for one in paged] == [made.data.id, nights.id]
    api.cancel_downtime(made.data.id)
    cancelled = api.get_downtime(made.data.id, include="created_by").data.attributes
    assert str(cancelled.status) == "canceled"
    assert cancelled.canceled >= NOW


def test_the_client_sees_which_downtimes_are_on_for_a_monitor(api, call):
    query = "avg(last_5m):avg:m{env:p} > 5"
    monitor = {"type": "query alert", "query": query, "name": "m", "tags": ["team:a"]}
    ident = call("POST", "/api/v1/monitor", monitor)[1]["id"]
    _, on = created(call, scope="env:p", schedule=recurring())
    created(call, scope="env:q")
    created(call, monitor_identifier={"monitor_id": ident + 1})
    created(call, monitor_identifier={"monitor_tags": ["team:b"]})
    created(call, schedule={"start": "2050-01-01T00:00:00+00:00"})
    found = api.list_monitor_downtimes(ident)
    assert [one.id for one in found.data] == [on["data"]["id"]]
    attributes = found.data[0].attributes
    assert (attributes.scope, attributes.groups) == ("env:p", ["*"])
    assert attributes.end - attributes.start == timedelta(hours=1)
    assert found.meta.page.total_filtered_count == 1
    (matching,) = call("GET", f"/api/v1/monitor/{ident}")[1]["matching_downtimes"]
    assert (matching["scope"], matching["end"] - matching["start"]) == (["env:p"], 3600)
    assert [one["id"] for one in call("GET", f"/api/v1/monitor/{ident}/downtimes")[1]] == [matching["id"]]


def test_both_versions_speak_of_one_downtime(call):
    _, made = created(
        call,
        scope="env:p AND team:(a OR b)",
        message="x",
        schedule=recurring(),
        display_timezone="Asia/Tokyo",
    )
    (first,) = call("GET", "/api/v1/downtime")[1]
    assert (first["scope"], first["message"], first["active"]) == (["env:p AND team:(a OR b)"], "x", True)
    assert first["recurrence"] == {"type": "rrule", "rrule": "FREQ=DAILY;INTERVAL=1"}
    assert first["end"] - first["start"] == 3600
    status, shown = call("PUT", f"/api/v1/downtime/{first['id']}", {"message": "y"})
    assert (status, shown["message"]) == (200, "y")
    again = call("GET", f"/api/v2/downtime/{made['data']['id']}")[1]["data"]["attributes"]
    assert again["message"] == "y"
    for same in ("scope", "display_timezone", "monitor_identifier", "schedule"):
        assert again[same] == made["data"]["attributes"][same], same
    call("DELETE", f"/api/v1/downtime/{first['id']}")
    listed = call("GET", "/api/v2/downtime")[1]["data"]
    assert [one["attributes"]["status"] for one in listed] == ["canceled"]


def test_a_weekly_downtime_of_version_1_is_a_rule_in_version_2(call):
    start = 1767607200  # Monday 2026-01-05 10:00 UTC
    body = {"scope": ["env:p", "team:a"], "start": start, "end": start + 7200, "timezone": "Europe/Paris"}
    body["recurrence"] = {"type": "weeks", "period": 1, "week_days": ["Mon"]}
    status, made = call("POST", "/api/v1/downtime", body)
    assert (status, made["recurrence"], made["downtime_type"]) == (200, body["recurrence"], 2)
    (shown,) = [one["attributes"] for one in call("GET", "/api/v2/downtime")[1]["data"]]
    assert shown["scope"] == "env:p AND team:a"
    assert shown["schedule"]["timezone"] == "Europe/Paris"
    assert shown["schedule"]["recurrences"] == [
        {"rrule": "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO", "duration": "120m", "start": "2026-01-05T11:00:00"}
    ]
    window = shown["schedule"]["current_downtime"]
    assert datetime.fromisoformat(window["end"]) - datetime.fromisoformat(window["start"]) == timedelta(
        hours=2
    )


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"scope": "BAD_SCOPE_MISSING_KEY_VALUE_FORMAT"}, "All values must have a key"),
        ({"scope": "env:p AND prod"}, "All values must have a key"),
        ({"scope": "env:(a"}, "never closed"),
        ({"scope": "(env:a"}, "never closed"),
        ({"scope": 3}, "not a string"),
        ({"scope": "${x}"}, "All values must have a key"),
        ({"invalid_field": 1}, "Additional properties are not allowed ('invalid_field' was unexpected)"),
        ({"monitor_identifier": {}}, "monitor"),
        ({"monitor_identifier": "${monitor:x}"}, "are objects"),
        ({"schedule": recurring(rrule="FREQ=NEVER")}, "cannot be read"),
        ({"schedule": recurring(rrule="FREQ=DAILY;DURATION=PT1H")}, "has no DURATION"),
        ({"schedule": recurring(duration="1 hour")}, "is not a duration"),
        ({"schedule": recurring(start="2026-01-01T00:00:00+01:00")}, "has an offset"),
        ({"schedule": recurring() | {"timezone": "Mars/Olympus"}}, "no time zone"),
        ({"schedule": {"recurrences": recurring()["recurrences"] * 6}}, "may have 5 at most"),
        ({"schedule": {"recurrences": []}}, "needs at least 1"),
        ({"schedule": {"end": "2020-01-01T00:00:00+00:00"}}, "end must be after its start"),
        ({"schedule": {"end": "tomorrow"}}, "not an ISO-8601 time"),
        ({"notify_end_states": ["bad"]}, "bad"),
        ({"display_timezone": "Nowhere"}, "no time zone"),
    ],
)
def test_what_cannot_be_a_downtime_is_refused_and_not_stored(call, attributes, says):
    status, answer = created(call, **attributes)
    assert status == 400
    assert says in " ".join(answer["errors"])
    assert call("GET", "/api/v2/downtime")[1]["data"] == []


def test_version_1_refuses_a_rule_that_cannot_be_read(call):
    body = {"scope": "env:p", "start": 1767607200, "end": 1767610800}
    for recurrence in ({"type": "rrule", "rrule": "FREQ=NEVER"}, {"type": "rrule"}):
        status, answer = call("POST", "/api/v1/downtime", body | {"recurrence": recurrence})
        assert (status, "cannot be read" in answer["errors"][0]) == (400, True)
    assert call("POST", "/api/v1/downtime", body | {"start": "soon"})[0] == 400
    assert call("GET", "/api/v1/downtime")[1] == []


def test_a_downtime_that_is_not_there_or_another_one_is_refused_in_datadogs_words(call):
    missing = "00000000-0000-1234-0000-000000000000"
    data = {"data": {"type": "downtime", "id": missing, "attributes": {}}}
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", data)):
        status, answer = call(method, f"/api/v2/downtime/{missing}", body)
        assert (status, answer) == (404, {"errors": [f"Downtime {missing} not found"]})
    made = created(call)[1]["data"]["id"]
    assert call("PATCH", f"/api/v2/downtime/{made}", data)[0] == 400
    assert call("POST", "/api/v2/downtime", {"data": {"type": "monitor"}})[0] == 400
    assert call("GET", "/api/v2/monitor/0/downtime_matches") == (
        404,
        {"errors": ["Monitor with id 0 not found"]},
    )


def test_an_update_replaces_a_schedule_of_one_kind_by_the_other(call):
    made = created(call, schedule=recurring())[1]["data"]["id"]

    def changed(schedule):
        data = {"type": "downtime", "id": made, "attributes": {"schedule": schedule}}
        status, answer = call("PATCH", f"/api/v2/downtime/{made}", {"data": data})
        assert status == 200, answer
        return answer["data"]["attributes"]["schedule"]

    once = changed({"start": "2050-01-01T00:00:00+00:00", "end": None})
    assert once == {"start": "2050-01-01T00:00:00.000000+00:00", "end": None}
    zoned = changed(recurring() | {"timezone": "Asia/Tokyo"})
    assert (zoned["timezone"], len(zoned["recurrences"])) == ("Asia/Tokyo", 1)
    moved = changed({"timezone": "UTC"})
    assert (moved["timezone"], moved["recurrences"]) == ("UTC", zoned["recurrences"])


def test_a_cancelled_downtime_is_shown_for_two_days(datadog, call):
    made = created(call)[1]["data"]["id"]
    call("DELETE", f"/api/v2/downtime/{made}")
    (body,) = datadog.store.documents.all("downtime")
    assert call("GET", "/api/v2/downtime")[1]["meta"]["page"]["total_filtered_count"] == 1
    old = body | {"canceled": int(time.time()) - 3 * 86_400}
    datadog.store.documents.put("downtime", str(body["id"]), old)
    assert json.dumps(call("GET", "/api/v2/downtime")[1]["data"]) == "[]"
    assert call("GET", f"/api/v2/downtime/{made}")[0] == 404
