"""Tag configurations, volumes and active configurations of metrics, as Datadog's client asks for them."""

import time

import pytest
from client_models import Models

api = pytest.importorskip("datadog_api_client.v2.api.metrics_api")

models = Models("v2")
NOW = int(time.time())
BOARD = {
    "title": "b",
    "layout_type": "ordered",
    "widgets": [
        {
            "definition": {
                "type": "timeseries",
                "requests": [{"q": "max:hits{env:p AND NOT dc IN (a)} by {az}"}],
            }
        }
    ],
}


@pytest.fixture
def metrics(client, call):
    points = [[NOW - 60, 1.0]]
    series = [
        {"metric": "hits", "type": "count", "points": points, "tags": [f"env:{env}", f"user:{user}"]}
        for env in "pq"
        for user in "abc"
    ]
    series.append({"metric": "load", "points": points, "host": "h"})
    assert call("POST", "/api/v1/series", {"series": series})[0] == 202
    for user in "ab":
        one = {"metric": "latency", "points": [[NOW - 60, [1.0, 2.0]]], "tags": [f"user:{user}"]}
        assert call("POST", "/api/v1/distribution_points", {"series": [one]})[0] == 202
    return api.MetricsApi(client)


def configuration(name, kind="count", **attributes):
    data = models.MetricTagConfigurationCreateData(
        id=name,
        type=models.MetricTagConfigurationType("manage_tags"),
        attributes=models.MetricTagConfigurationCreateAttributes(
            metric_type=models.MetricTagConfigurationMetricTypes(kind), **attributes
        ),
    )
    return models.MetricTagConfigurationCreateRequest(data=data)


def names(answer):
    return [one.id for one in answer.data]


def test_a_configuration_is_made_changed_listed_and_deleted(metrics):
    from datadog_api_client.exceptions import NotFoundException

    made = metrics.create_tag_configuration("hits", body=configuration("hits", tags=["env"])).data
    assert (made.id, made.attributes.tags, str(made.attributes.metric_type)) == ("hits", ["env"], "count")
    (aggregation,) = made.attributes.aggregations.value
    assert (str(aggregation.space), str(aggregation.time)) == ("sum", "sum")
    changed = models.MetricTagConfigurationUpdateData(
        id="hits",
        type=models.MetricTagConfigurationType("manage_tags"),
        attributes=models.MetricTagConfigurationUpdateAttributes(tags=["user"], exclude_tags_mode=True),
    )
    body = models.MetricTagConfigurationUpdateRequest(data=changed)
    assert metrics.update_tag_configuration("hits", body=body).data.attributes.exclude_tags_mode
    kept = metrics.list_tag_configuration_by_name("hits").data.attributes
    assert (kept.tags, kept.created_at <= kept.modified_at) == (["user"], True)
    listed = metrics.list_tag_configurations(filter_configured=True)
    assert [(str(one.type), one.attributes.tags) for one in listed.data] == [("manage_tags", ["user"])]
    metrics.delete_tag_configuration("hits")
    with pytest.raises(NotFoundException, match="hits not found"):
        metrics.list_tag_configuration_by_name("hits")
    assert names(metrics.list_tag_configurations(filter_configured=True)) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["hits", "latency", "load"]),
        ({"filter_configured": True}, ["hits", "latency", "planned"]),
        ({"filter_configured": False}, ["load"]),
        ({"filter_tags_configured": "env"}, ["hits"]),
        ({"filter_tags_configured": "env,user"}, []),
        ({"filter_metric_type": "distribution"}, ["latency"]),
        ({"filter_metric_type": "non_distribution"}, ["hits", "load"]),
        ({"filter_include_percentiles": True}, ["latency"]),
        ({"filter_include_percentiles": False}, []),
        ({"filter_is_configurable": False}, []),
        ({"filter_queried": True}, ["hits"]),
        ({"filter_related_assets": False}, ["latency", "load"]),
        ({"filter_configured": True, "filter_metric_type": "non_distribution"}, ["hits", "planned"]),
    ],
)
def test_metrics_are_listed_by_what_is_known_of_them(metrics, call, asked, found):
    from datadog_api_client.v2.model.metric_tag_configuration_metric_type_category import (
        MetricTagConfigurationMetricTypeCategory as Category,
    )

    assert call("POST", "/api/v1/dashboard", BOARD)[0] == 200
    metrics.create_tag_configuration("hits", body=configuration("hits", tags=["env"]))
    metrics.create_tag_configuration("planned", body=configuration("planned", "gauge", tags=["x"]))
    latency = configuration("latency", "distribution", include_percentiles=True)
    metrics.create_tag_configuration("latency", body=latency)
    given = {key: Category(value) if key.endswith("_type") else value for key, value in asked.items()}
    assert names(metrics.list_tag_configurations(**given)) == found


def test_volumes_count_the_combinations_that_reported_and_those_that_a_configuration_keeps(metrics):
    def volumes(name):
        found = metrics.list_volumes_by_metric_name(name).data
        assert (str(found.type), found.id) == ("metric_volumes", name)
        return found.attributes.indexed_volume, found.attributes.ingested_volume

    assert (volumes("hits"), volumes("load"), volumes("none")) == ((6, 6), (1, 1), (0, 0))
    assert volumes("latency") == (10, 10)
    metrics.create_tag_configuration("hits", body=configuration("hits", tags=["env"]))
    excluding = configuration("latency", "distribution", tags=["user"], exclude_tags_mode=True)
    metrics.create_tag_configuration("latency", body=excluding)
    assert (volumes("hits"), volumes("latency")) == ((2, 6), (5, 10))


def test_active_configurations_are_what_stored_assets_ask_for(metrics, call):
    assert call("POST", "/api/v1/dashboard", BOARD)[0] == 200
    query = "sum(last_5m):sum:hits{env:p,user:a}.as_count() > 5"
    assert call("POST", "/api/v1/monitor", {"type": "query alert", "query": query, "name": "m"})[0] == 200
    found = metrics.list_active_metric_configurations("hits").data.attributes
    assert found.active_tags == ["az", "dc", "env", "user"]
    asked = [(str(one.space), str(one.time)) for one in found.active_aggregations.value]
    assert asked == [("max", "avg"), ("sum", "sum")]
    assert metrics.list_active_metric_configurations("load").data.attributes.active_tags == []


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"metric_type": "histogram"}, "metric_type must be one of"),
        ({"metric_type": "gauge", "include_percentiles": True}, "distribution only"),
        ({"metric_type": "gauge", "exclude_tags_mode": True}, "requires tags"),
        ({"metric_type": "gauge", "tags": "env"}, "list of tag keys"),
        (None, "metric_type must be one of"),
        (["x"], "must be a JSON object"),
    ],
)
def test_what_cannot_be_a_configuration_is_refused(call, attributes, says):
    body = {"data": {"type": "manage_tags", "id": "m", "attributes": attributes}}
    status, answer = call("POST", "/api/v2/metrics/m/tags", body)
    assert (status, says in answer["errors"][0]) == (400, True), answer
    assert call("GET", "/api/v2/metrics/m/tags") == (404, {"errors": ["m not found"]})


def test_a_second_configuration_is_a_conflict(call):
    body = {"data": {"type": "manage_tags", "id": "m", "attributes": {"metric_type": "gauge"}}}
    assert [call("POST", "/api/v2/metrics/m/tags", body)[0] for _ in range(2)] == [201, 409]


@pytest.mark.parametrize("asked", ["filter[configured]=maybe", "filter[metric_type]=gauge"])
def test_a_filter_that_cannot_be_is_refused(call, asked):
    assert call("GET", f"/api/v2/metrics?{asked}")[0] == 400
