"""Events of version 2, with Datadog's client, over those that version 1 took."""

import time

import httpx
import pytest

from monitoring.local_datadog import LocalDatadog

api_client = pytest.importorskip("datadog_api_client")
events_api = pytest.importorskip("datadog_api_client.v2.api.events_api")

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
NOW = int(time.time())


@pytest.fixture(scope="module")
def http():
    with LocalDatadog() as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
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
    from datadog_api_client.v2 import models

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
