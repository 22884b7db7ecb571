"""Events of version 2 with Datadog's client: those that either version took, found, and changes and alerts."""

import time
from datetime import UTC, datetime

import httpx
import pytest
from client_models import Models

from monitoring.local_datadog import LocalDatadog, Settings

api_client = pytest.importorskip("datadog_api_client")
events_api = pytest.importorskip("datadog_api_client.v2.api.events_api")

models = Models("v2")
KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
NOW = int(time.time())


@pytest.fixture(scope="module")
def http():
    settings = Settings(clock=lambda: NOW)  # a suite takes longer than the times that are asked for
    with LocalDatadog(settings=settings) as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
        for ago, body in (
            (30, {"title": "Deployed", "tags": ["env:p"], "host": "h", "alert_type": "success"}),
            (60, {"title": "Broken", "tags": ["env:p"], "alert_type": "error", "priority": "low"}),
            (3600, {"title": "Long ago", "aggregation_key": "k", "source_type_name": "jenkins"}),
        ):
            sent = {"text": f"about {body['title']}", "date_happened": NOW - ago} | body
            assert client.post("/api/v1/events", json=sent).status_code == 202
        yield client


@pytest.fixture(scope="module")
def api(http):
    configuration = api_client.Configuration(host=str(http.base_url).rstrip("/"))
    configuration.api_key = {"apiKeyAuth": "k", "appKeyAuth": "a"}
    with api_client.ApiClient(configuration) as client:
        yield events_api.EventsApi(client)


def titles(answer):
    return [one.attributes.attributes.title for one in answer.data]


def test_the_client_lists_the_last_quarter_of_an_hour_the_newest_first(api):
    answer = api.list_events()
    assert titles(answer) == ["Deployed", "Broken"]
    first = answer.data[0].attributes
    assert (first.message, first.tags, first.attributes.hostname) == ("about Deployed", ["env:p"], "h")
    assert int(first.timestamp.timestamp()) == NOW - 30
    assert str(first.attributes.status) == "success"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"filter_from": "now-2h"}, ["Deployed", "Broken", "Long ago"]),
        ({"filter_from": "now-2h", "filter_to": "now-10m"}, ["Long ago"]),
        (
            {"filter_from": str((NOW - 7200) * 1000), "filter_to": str((NOW - 45) * 1000)},
            ["Broken", "Long ago"],
        ),
        ({"filter_query": "status:error"}, ["Broken"]),
        ({"filter_query": "env:p -broken"}, ["Deployed"]),
        ({"filter_query": "source:jenkins", "filter_from": "now-1d"}, ["Long ago"]),
        ({"page_limit": 1}, ["Deployed"]),
    ],
)
def test_events_are_found_by_time_and_search(api, asked, found):
    assert titles(api.list_events(**asked)) == found


def test_a_search_is_paged_and_sorted(api):
    body = models.EventsListRequest(
        filter=models.EventsQueryFilter(_from="now-2h", query="*"),
        page=models.EventsRequestPage(limit=2),
        sort=models.EventsSort("timestamp"),
    )
    assert titles(api.search_events(body=body)) == ["Long ago", "Broken"]
    found = [one.attributes.attributes.title for one in api.search_events_with_pagination(body=body)]
    assert found == ["Long ago", "Broken", "Deployed"]


@pytest.mark.parametrize("asked", ["filter[from]=soon", "page[limit]=x", "sort=title", "filter[query]=(a"])
def test_what_cannot_be_asked_is_a_400(http, asked):
    got = http.get(f"/api/v2/events?{asked}")
    assert (got.status_code, got.json()["errors"][0]["title"]) == (400, "Bad Request")


def payload(category="change", **more):
    resource = {"name": "fallback", "type": "feature_flag"}
    own = {"alert": {"status": "warn", "priority": "2"}, "change": {"changed_resource": resource}}
    given = {"title": "Flag", "category": category, "attributes": own.get(category, {})}
    attributes = {key: value for key, value in (given | more).items() if value is not None}
    return {"data": {"type": "event", "attributes": attributes}}


def posted(client, body):
    """Post the event with Datadog's client, which looks for an intake of its own, and give its id."""
    from datadog_api_client.model_utils import validate_and_convert_types
    from datadog_api_client.v2.model.event_create_request_payload import EventCreateRequestPayload

    settings = client.configuration
    request = validate_and_convert_types(body, (EventCreateRequestPayload,), ["body"], True, True, settings)
    made = events_api.EventsApi(client).create_event(body=request)
    return made.data.attributes.attributes.evt.uid


def test_the_client_posts_a_change_and_finds_it(client, call):
    ident = posted(client, payload(message="on", tags=["env:p"], aggregation_key="k", host="h"))
    found = events_api.EventsApi(client).get_event(ident).data
    assert (found.id, found.attributes.message, found.attributes.tags) == (ident, "on", ["env:p"])
    (listed,) = events_api.EventsApi(client).list_events(filter_query="title:Flag").data
    told = listed.attributes.attributes
    assert (told.title, told.hostname, told.aggregation_key, str(told.status)) == ("Flag", "h", "k", "info")
    assert told["changed_resource"] == {"name": "fallback", "type": "feature_flag"}
    (old,) = call("GET", f"/api/v1/events?start={NOW - 60}&end={NOW + 3600}")[1]["events"]
    assert (old["title"], old["text"], old["alert_type"]) == ("Flag", "on", "info")


def test_the_client_posts_an_alert_of_a_moment_ago(client):
    ago = int(time.time()) - 120  # this server goes by the clock
    moment = datetime.fromtimestamp(ago, UTC).isoformat()
    ident = posted(client, payload("alert", timestamp=moment))
    found = events_api.EventsApi(client).get_event(ident).data.attributes
    assert (str(found.attributes.status), found.message) == ("warn", "")
    assert datetime.fromisoformat(found.timestamp).timestamp() == ago
    assert titles(events_api.EventsApi(client).list_events(filter_query="status:warning")) == ["Flag"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "at $.data: value must be an object"),
        ({"data": {"type": "events", "attributes": {}}}, 'at $.data.type: value must be one of: ["event"]'),
        (payload(title=None), "$.data.attributes.title: value must be a string of 1 to 500"),
        (payload(title="x" * 501), "$.data.attributes.title"),
        (payload(message="x" * 4001), "$.data.attributes.message"),
        (payload(tags="env:p"), "$.data.attributes.tags: value must be a list"),
        (payload(timestamp="yesterday"), "$.data.attributes.timestamp"),
        (payload(timestamp="2026-01-01T00:00:00"), "$.data.attributes.timestamp"),
        (payload(timestamp="2020-01-01T00:00:00Z"), "Event too far in the past"),
        (payload(integration_id="mine"), "$.data.attributes.integration_id"),
        (payload("other"), 'category: value must be one of: ["alert", "change"].'),
        (payload("alert", attributes={"status": "bad"}), '["error", "warn", "ok"]'),
        (payload(attributes={"changed_resource": {"name": "x", "type": "y"}}), "changed_resource.type"),
        (payload(attributes=None), "$.data.attributes.attributes: value must be an object"),
    ],
)
def test_what_cannot_be_an_event_is_refused_with_its_place(call, body, says):
    status, answer = call("POST", "/api/v2/events", body)
    assert (status, says in answer["errors"][0]["detail"]) == (400, True), answer
    assert call("GET", "/api/v2/events?filter[from]=now-4w")[1]["data"] == []


def test_an_event_that_is_not_there_is_a_404(call):
    status, answer = call("GET", "/api/v2/events/7")
    assert (status, answer["errors"][0]["title"]) == (404, "Not Found")
