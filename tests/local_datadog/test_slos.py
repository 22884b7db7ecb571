"""Service level objectives with Datadog's clients: history, corrections, search, and what is deleted."""

import time

import numpy as np
import pytest
from client_models import Models

from monitoring.query.series import Series

objectives = pytest.importorskip("datadog_api_client.v1.api.service_level_objectives_api")
corrections = pytest.importorskip("datadog_api_client.v1.api.service_level_objective_corrections_api")
datadog_library = pytest.importorskip("datadog")

models = Models("v1")
NOW = int(time.time()) // 3600 * 3600
START = NOW - 36_000
COUNTS = {"numerator": "sum:hits{ok:yes}.as_count()", "denominator": "sum:hits{*}.as_count()"}
TARGET = [{"timeframe": "7d", "target": 90.0, "warning": 99.0}]


@pytest.fixture
def slo(datadog, call):
    """Ten hours of 95 good and 5 bad events a minute; in the first hour all 100 are bad."""
    times = np.arange(START, NOW, 60)
    good = np.where(times < START + 3600, 0.0, 95.0)
    for tag, values in (("ok:yes", good), ("ok:no", 100 - good)):
        datadog.store.add_points([Series("hits", (tag,), times, values, "count", 60)])
    body = {
        "type": "metric",
        "name": "Hits",
        "query": COUNTS,
        "thresholds": TARGET,
        "tags": ["team:a", "env:p"],
    }
    return call("POST", "/api/v1/slo", body)[1]["data"][0]["id"]


def correction(call, slo, **more):
    attributes = {"slo_id": slo, "start": START, "category": "Deployment", "timezone": "UTC"} | more
    return call("POST", "/api/v1/slo/correction", {"data": {"type": "correction", "attributes": attributes}})


def test_the_history_of_counts_is_what_the_points_say(client, slo):
    api = objectives.ServiceLevelObjectivesApi(client)
    found = api.get_slo_history(slo, START, NOW, target=80.0).data
    sli = 100 * 9 * 95 / 1000
    assert found.overall.sli_value == pytest.approx(sli)
    assert found.overall["state"] == "breached"
    left = found.overall.error_budget_remaining
    assert (left["7d"], left["custom"]) == pytest.approx((100 * (sli - 90) / 10, 100 * (sli - 80) / 20))
    series = found.series
    assert (series.numerator.sum, series.denominator.sum) == (9 * 60 * 95, 60_000)
    assert len(series.times) == len(series.numerator.values) == series.numerator.count
    assert (str(found.type), found.type_id.value, found.thresholds["7d"].target) == ("metric", 1, 90.0)


def test_a_window_without_events_has_no_sli_and_says_why(client, slo):
    api = objectives.ServiceLevelObjectivesApi(client)
    overall = api.get_slo_history(slo, START - 7200, START - 3600).data.overall
    assert (overall.sli_value, overall.errors[0].error_type) == (None, "ZERO_VALUED_DENOMINATOR")
    assert overall["state"] == "no_data"


def test_a_correction_takes_its_time_out_of_the_history(client, call, slo):
    api = corrections.ServiceLevelObjectiveCorrectionsApi(client)
    attributes = models.SLOCorrectionCreateRequestAttributes(
        category=models.SLOCorrectionCategory("Scheduled Maintenance"),
        slo_id=slo,
        start=START,
        end=START + 1800,
        timezone="UTC",
    )
    kind = models.SLOCorrectionType("correction")
    data = models.SLOCorrectionCreateData(type=kind, attributes=attributes)
    made = api.create_slo_correction(models.SLOCorrectionCreateRequest(data=data)).data

    def sli(**more):
        history = objectives.ServiceLevelObjectivesApi(client)
        return history.get_slo_history(slo, START, NOW, **more).data.overall.sli_value

    assert sli() == pytest.approx(100 * 9 * 60 * 95 / (57_000), abs=1e-4)
    changed = models.SLOCorrectionUpdateRequestAttributes(end=START + 3600, description="longer")
    update = models.SLOCorrectionUpdateData(type=kind, attributes=changed)
    after = api.update_slo_correction(made.id, models.SLOCorrectionUpdateRequest(data=update)).data
    assert (after.attributes.end, after.attributes.description) == (START + 3600, "longer")
    assert sli() == pytest.approx(95.0)
    assert sli(apply_correction=False) == pytest.approx(85.5)
    assert api.get_slo_correction(made.id).data.attributes.slo_id == slo
    assert [one.id for one in api.list_slo_correction().data] == [made.id]
    of_slo = objectives.ServiceLevelObjectivesApi(client).get_slo_corrections(slo)
    assert [one.id for one in of_slo.data] == [made.id]
    api.delete_slo_correction(made.id)
    assert sli() == pytest.approx(85.5)
    missing = f"slo correction public id {made.id} not found"
    assert call("GET", f"/api/v1/slo/correction/{made.id}") == (404, {"errors": [missing]})


def test_a_correction_may_recur(call, slo):
    status, made = correction(call, slo, rrule="FREQ=DAILY;INTERVAL=1", duration=3600, start=START - 86_400)
    assert (status, made["data"]["attributes"]["end"]) == (200, None)
    path = f"/api/v1/slo/{slo}/history?from_ts={START}&to_ts={NOW}"
    overall = call("GET", path)[1]["data"]["overall"]
    assert overall["sli_value"] == pytest.approx(95.0)
    assert overall["corrections"] == [{"start": START, "end": START + 3600}]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"slo_id": None}, "slo_id or slo_query"),
        ({"category": "Holiday", "end": NOW}, "category must be one of"),
        ({}, "specify an end"),
        ({"end": START}, "specify an end"),
        ({"end": START - 1}, "specify an end"),
        ({"end": NOW, "duration": 5}, "specify an end"),
        ({"rrule": "FREQ=DAILY"}, "specify an end"),
        ({"rrule": "FREQ=NEVER", "duration": 5}, "is not supported"),
        ({"start": "now", "end": NOW}, "whole seconds"),
    ],
)
def test_what_cannot_be_a_correction_is_refused(call, slo, more, says):
    status, answer = correction(call, slo, **more)
    assert (status, says in answer["errors"][0]) == (400, True), answer
    assert call("GET", "/api/v1/slo/correction")[1]["data"] == []


def test_a_correction_of_an_unknown_objective_is_refused(call):
    assert correction(call, "x", end=NOW)[0] == 404


def test_search_finds_by_name_tag_and_type_and_shows_the_status(client, slo, call):
    monitor = {
        "type": "monitor",
        "name": "Other",
        "monitor_ids": [77],
        "thresholds": TARGET,
        "tags": ["env:q"],
    }
    call("POST", "/api/v1/slo", monitor)
    api = objectives.ServiceLevelObjectivesApi(client)

    def names(query, **more):
        found = api.search_slo(query=query, **more).data.attributes.slos
        return [one.data.attributes.name for one in found]

    assert names("") == ["Hits", "Other"]
    assert names("hit") == names("team:a") == names("type:metric AND env:p") == names("-env:q") == ["Hits"]
    assert names("", page_size=1, page_number=1) == ["Other"]
    found = api.search_slo(query="", include_facets=True)
    first, second = (one.data.attributes for one in found.data.attributes.slos)
    assert (first.status.sli, str(first.status.state)) == (pytest.approx(85.5), "breached")
    assert (first.team_tags, first.overall_status[0].raw_error_budget_remaining.unit) == (["a"], "requests")
    assert "none of the SLO's monitors was found" in second.status.calculation_error
    assert (found.meta.pagination.total, found.meta.pagination.size) == (2, 10)
    assert {(one.name, one.count) for one in found.data.attributes.facets.env_tags} == {("p", 1), ("q", 1)}


def test_bulk_delete_removes_windows_and_what_has_none_left(client, slo, call):
    two = [*TARGET, {"timeframe": "30d", "target": 95.0}]
    body = {"type": "metric", "name": "Two", "query": COUNTS, "thresholds": two}
    other = call("POST", "/api/v1/slo", body)[1]["data"][0]["id"]
    correction(call, slo, end=NOW)
    week = models.SLOTimeframe("7d")
    asked = models.SLOBulkDelete(**{slo: [week], other: [week]})
    done = objectives.ServiceLevelObjectivesApi(client).delete_slo_timeframe_in_bulk(asked).data
    assert (done.deleted, done.updated) == ([slo], [other])
    (left,) = call("GET", "/api/v1/slo")[1]["data"]
    assert [one["timeframe"] for one in left["thresholds"]] == ["30d"]
    assert call("GET", "/api/v1/slo/correction")[1]["data"] == []
    errors = call("POST", "/api/v1/slo/bulk_delete", {"none": ["7d"]})[1]["errors"]
    assert errors == [{"id": "none", "message": "SLO not found: none not found", "timeframe": "all"}]


def test_datadogpy_asks_for_history_search_and_deletion_too(datadog, slo):
    datadog_library.initialize(api_key="k", app_key="a", api_host=datadog.url, mute=False)
    library = datadog_library.api.ServiceLevelObjective
    assert library.history(slo, START, NOW)["data"]["overall"]["sli_value"] == pytest.approx(85.5)
    assert library.search(query="Hits")["meta"]["pagination"]["total"] == 1
    assert library.can_delete([slo])["data"]["ok"] == [slo]
    assert library.delete(slo)["data"] == [slo]


def test_several_are_deleted_at_once_or_none(slo, call):
    def delete(*idents):
        return call("DELETE", "/api/v1/slo", {"ids": idents})

    assert delete(slo, "none") == (404, {"errors": ["SLO not found: none not found"]})
    assert delete()[0] == 400
    assert delete(slo) == (200, {"data": [slo], "error": None})
    assert call("GET", "/api/v1/slo")[1]["data"] == []


@pytest.mark.parametrize(
    "window", ["", "?from_ts=5", "?from_ts=9&to_ts=5", "?from_ts=a&to_ts=5", "?from_ts=1&to_ts=9&target=0"]
)
def test_a_window_that_is_none_is_refused(call, slo, window):
    assert call("GET", f"/api/v1/slo/{slo}/history{window}")[0] == 400


def test_the_history_of_a_monitor_is_its_recorded_states(datadog, client, call):
    query = "avg(last_5m):avg:m{*} by {host} > 5"
    monitor = call("POST", "/api/v1/monitor", {"type": "query alert", "query": query, "name": "m"})[1]["id"]
    changes = [(START, "host:a", "OK"), (START, "host:b", "OK"), (START + 3600, "host:a", "Alert")]
    datadog.store.add_transitions(monitor, [*changes, (START + 7200, "host:a", "OK")])
    body = {"type": "monitor", "name": "Up", "monitor_ids": [monitor], "thresholds": TARGET}
    slo = call("POST", "/api/v1/slo", body)[1]["data"][0]["id"]
    found = objectives.ServiceLevelObjectivesApi(client).get_slo_history(slo, START, NOW).data
    assert found.overall.sli_value == found.overall.uptime == pytest.approx(90.0)
    assert found.overall.history == [[START, 0], [START + 3600, 1], [START + 7200, 0]]
    assert {(one.group, one.sli_value) for one in found.groups} == {("host:a", 90.0), ("host:b", 100.0)}
