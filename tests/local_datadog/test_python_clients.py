"""Datadog's own Python clients, unmodified, against the embedded server: submit, query, create, update,
delete.
"""

import importlib.util
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

datadog_library = pytest.importorskip("datadog")
NOW = int(time.time()) // 60 * 60 - 60
QUERY = "avg(last_5m):avg:m{*} by {host} > 5"


@pytest.fixture
def datadogpy(datadog):
    datadog_library.initialize(api_key="k", app_key="a", api_host=datadog.url, mute=False)
    return datadog_library.api


def test_datadogpy_submits_metrics_distributions_and_checks(datadog, datadogpy):
    assert datadogpy.Metric.send(
        metric="m", points=[(NOW, 1), (NOW + 1, 2.5)], type="count", tags=["a:b"]
    ) == {"status": "ok"}
    assert datadogpy.Metric.send(metric="z", points=3, compress_payload=True)["status"] == "ok"
    assert (
        datadogpy.Distribution.send(distributions=[{"metric": "d", "points": [(NOW, [1, 2])]}])["status"]
        == "ok"
    )
    assert datadogpy.ServiceCheck.check(check="c", host_name="h", status=0)["status"] == "ok"
    assert {(m.name, m.points, m.sum) for m in datadog.store.metrics()} == {
        ("m", 2, 3.5),
        ("z", 1, 3),
        ("d", 2, 3),
    }


def test_datadogpys_thread_stats_arrive(datadog, datadogpy):
    stats = datadog_library.ThreadStats()
    stats.start(flush_in_thread=False)
    stats.increment("hits", 3, timestamp=NOW)
    stats.histogram("latency", 20, timestamp=NOW)
    stats.flush(NOW + 100)
    assert {m.name for m in datadog.store.metrics()} >= {"hits", "latency.avg", "latency.95percentile"}
    assert next(one for one in datadog.store.series("hits")).type == "rate"


def test_datadogpy_queries_what_it_sent(datadogpy):
    datadogpy.Metric.send(metric="m", points=[(NOW, 4)], host="h", tags=["env:p"])
    answer = datadogpy.Metric.query(start=NOW - 600, end=NOW + 60, query="avg:m{env:p} by {host}")
    (series,) = answer["series"]
    assert (series["scope"], series["pointlist"][-1][1]) == ("env:p,host:h", 4.0)
    assert datadogpy.Metric.list(NOW - 600)["metrics"] == ["m"]
    assert datadogpy.Metadata.update(metric_name="m", type="count", unit="byte")["unit"] == "byte"
    assert datadogpy.Metadata.get(metric_name="m")["type"] == "count"
    assert datadogpy.Infrastructure.search(q="hosts:h")["results"]["hosts"] == ["h"]
    assert datadogpy.Hosts.search()["host_list"][0]["name"] == "h"


def test_datadogpy_creates_changes_mutes_and_deletes_monitors(datadogpy):
    made = datadogpy.Monitor.create(
        type="query alert", query=QUERY, name="one", message="@x", tags=["team:a"]
    )
    ident = made["id"]
    assert datadogpy.Monitor.update(ident, query=QUERY.replace("5", "7"), name="two")["name"] == "two"
    assert datadogpy.Monitor.get(ident, group_states="all")["state"] == {"groups": {}}
    assert [one["id"] for one in datadogpy.Monitor.get_all(monitor_tags=["team:a"])] == [ident]
    assert datadogpy.Monitor.mute(ident)["options"]["silenced"] == {"*": None}
    assert datadogpy.Monitor.unmute(ident)["options"]["silenced"] == {}
    assert datadogpy.Monitor.search(query="two")["metadata"]["total_count"] == 1
    assert datadogpy.Monitor.search_groups()["groups"] == []
    assert datadogpy.Monitor.validate(type="query alert", query=QUERY) == {}
    assert datadogpy.Monitor.delete(ident) == {"deleted_monitor_id": ident}


def test_datadogpy_sees_refusals_as_its_errors(datadogpy):
    from datadog.api.exceptions import ApiError

    with pytest.raises(ApiError, match="The parameter 'type' is required"):
        datadogpy.Monitor.create(query=QUERY)
    with pytest.raises(ApiError, match="does not match that used in the query"):
        datadogpy.Monitor.create(type="query alert", query=QUERY, options={"thresholds": {"critical": 9}})


def test_datadogpy_handles_dashboards_lists_slos_downtimes_events_and_tags(datadogpy):
    widget = {"definition": {"type": "note", "content": "x"}}
    board = datadogpy.Dashboard.create(title="t", layout_type="ordered", widgets=[widget])
    assert (
        datadogpy.Dashboard.update(board["id"], title="u", layout_type="ordered", widgets=[widget])["title"]
        == "u"
    )
    assert [one["title"] for one in datadogpy.Dashboard.get_all()["dashboards"]] == ["u"]
    listed = datadogpy.DashboardList.create(name="l")
    item = {"type": "custom_timeboard", "id": board["id"]}
    assert datadogpy.DashboardList.add_items(listed["id"], dashboards=[item])["added_dashboards_to_list"] == [
        item
    ]
    assert datadogpy.DashboardList.get_items(listed["id"])["dashboards"][0]["title"] == "u"
    assert datadogpy.DashboardList.delete(listed["id"])["deleted_dashboard_list_id"] == listed["id"]
    assert datadogpy.Dashboard.delete(board["id"])["deleted_dashboard_id"] == board["id"]
    query = {"numerator": "sum:a{*}.as_count()", "denominator": "sum:b{*}.as_count()"}
    thresholds = [{"timeframe": "7d", "target": 99.9}]
    slo = datadogpy.ServiceLevelObjective.create(type="metric", name="s", query=query, thresholds=thresholds)
    ident = slo["data"][0]["id"]
    assert datadogpy.ServiceLevelObjective.get(ident)["data"]["thresholds"][0]["target_display"] == "99.9"
    assert datadogpy.ServiceLevelObjective.delete(ident)["data"] == [ident]
    downtime = datadogpy.Downtime.create(scope="env:p", start=NOW, end=NOW + 3600, message="x")
    assert datadogpy.Downtime.get(downtime["id"])["scope"] == ["env:p"]
    datadogpy.Downtime.delete(downtime["id"])
    assert datadogpy.Downtime.get(downtime["id"])["canceled"] is not None
    event = datadogpy.Event.create(title="e", text="x", tags=["a:b"])["event"]
    assert datadogpy.Event.get(event["id"])["event"]["title"] == "e"
    assert [one["title"] for one in datadogpy.Event.query(start=NOW - 60, end=NOW + 3600)["events"]] == ["e"]
    assert datadogpy.Tag.create("h", tags=["role:db"])["tags"] == ["role:db"]
    assert datadogpy.Tag.get_all()["tags"] == {"role:db": ["h"]}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd1", None])
def test_datadog_api_client_submits_in_every_encoding(datadog, client, encoding):
    from datadog_api_client.v2.api.metrics_api import MetricsApi
    from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding
    from datadog_api_client.v2.model.metric_payload import MetricPayload
    from datadog_api_client.v2.model.metric_point import MetricPoint
    from datadog_api_client.v2.model.metric_series import MetricSeries

    series = MetricSeries(metric="m", points=[MetricPoint(timestamp=NOW, value=1.0)])
    options = {"content_encoding": MetricContentEncoding(encoding)} if encoding else {}
    answer = MetricsApi(client).submit_metrics(body=MetricPayload(series=[series]), **options)
    assert answer.errors == []
    assert datadog.store.metrics()[0].points == 1


def test_datadog_api_clients_models_accept_queries(datadog, client):
    from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsV1
    from datadog_api_client.v2.api.metrics_api import MetricsApi
    from datadog_api_client.v2.model.scalar_formula_query_request import ScalarFormulaQueryRequest
    from datadog_api_client.v2.model.timeseries_formula_query_request import TimeseriesFormulaQueryRequest

    datadog_library.initialize(api_key="k", app_key="a", api_host=datadog.url, mute=False)
    datadog_library.api.Metric.send(metric="m", points=[(NOW, 4)], host="h")
    answer = MetricsV1(client).query_metrics(NOW - 600, NOW + 60, "avg:m{*} by {host}")
    assert answer.series[0].pointlist[0].value[1] == 4.0
    query = {"data_source": "metrics", "name": "a", "query": "avg:m{*} by {host}"}
    window = {"_from": (NOW - 600) * 1000, "to": (NOW + 60) * 1000}
    body = {
        "data": {
            "type": "timeseries_request",
            "attributes": {"queries": [query], "from": window["_from"], **window},
        }
    }
    del body["data"]["attributes"]["_from"]
    body["data"]["attributes"]["formulas"] = [{"formula": "a * 2"}]
    timeseries = MetricsApi(client).query_timeseries_data(
        body=from_json(TimeseriesFormulaQueryRequest, body, client)
    )
    assert timeseries.data.attributes.values.value[0].value == [8.0]
    assert timeseries.data.attributes.series.value[0].group_tags.value[0] == "host:h"
    body["data"]["type"] = "scalar_request"
    query["aggregator"] = "avg"
    scalar = MetricsApi(client).query_scalar_data(body=from_json(ScalarFormulaQueryRequest, body, client))
    columns = scalar.data.attributes.columns
    assert [column.name for column in columns] == ["host", "a * 2"]
    assert columns[1].values == [8.0]


def from_json(model, body, client):
    """A request of the client's own models, from JSON."""
    from datadog_api_client.model_utils import validate_and_convert_types

    return validate_and_convert_types(body, (model,), ["body"], True, True, client.configuration)


def test_datadog_api_client_handles_monitors_dashboards_slos_and_events(client):
    from datadog_api_client.v1.api.dashboards_api import DashboardsApi
    from datadog_api_client.v1.api.events_api import EventsApi
    from datadog_api_client.v1.api.monitors_api import MonitorsApi
    from datadog_api_client.v1.api.service_level_objectives_api import ServiceLevelObjectivesApi
    from datadog_api_client.v1.model.dashboard import Dashboard
    from datadog_api_client.v1.model.event_create_request import EventCreateRequest
    from datadog_api_client.v1.model.monitor import Monitor
    from datadog_api_client.v1.model.monitor_type import MonitorType
    from datadog_api_client.v1.model.monitor_update_request import MonitorUpdateRequest
    from datadog_api_client.v1.model.service_level_objective_request import ServiceLevelObjectiveRequest

    monitors = MonitorsApi(client)
    made = monitors.create_monitor(Monitor(type=MonitorType.QUERY_ALERT, query=QUERY, name="n", message="m"))
    assert isinstance(made.created, datetime)
    assert made.created.tzinfo == UTC or made.created.utcoffset().total_seconds() == 0
    assert monitors.update_monitor(made.id, MonitorUpdateRequest(name="o")).name == "o"
    assert [one.id for one in monitors.list_monitors()] == [made.id]
    assert monitors.search_monitors(query="o").counts.type.value[0].count == 1
    assert monitors.check_can_delete_monitor([made.id]).data.ok == [made.id]
    assert monitors.delete_monitor(made.id).deleted_monitor_id == made.id
    widget = {"definition": {"type": "note", "content": "x"}}
    body = {"title": "t", "layout_type": "ordered", "widgets": [widget]}
    boards = DashboardsApi(client)
    board = boards.create_dashboard(from_json(Dashboard, body, client))
    assert boards.get_dashboard(board.id).title == "t"
    assert boards.list_dashboards().dashboards[0].id == board.id
    assert boards.delete_dashboard(board.id).deleted_dashboard_id == board.id
    slo = {"type": "metric", "name": "s", "thresholds": [{"timeframe": "7d", "target": 99.0}]}
    slo["query"] = {"numerator": "sum:a{*}.as_count()", "denominator": "sum:b{*}.as_count()"}
    slos = ServiceLevelObjectivesApi(client)
    stored = slos.create_slo(from_json(ServiceLevelObjectiveRequest, slo, client)).data[0]
    assert slos.get_slo(stored.id).data.name == "s"
    assert slos.delete_slo(stored.id).data == [stored.id]
    event = EventsApi(client).create_event(EventCreateRequest(title="t", text="x"))
    assert event.event.title == "t"


def test_datadog_api_client_submits_logs_and_checks(datadog, client):
    from datadog_api_client.v1.api.service_checks_api import ServiceChecksApi
    from datadog_api_client.v1.model.service_check import ServiceCheck
    from datadog_api_client.v1.model.service_check_status import ServiceCheckStatus
    from datadog_api_client.v1.model.service_checks import ServiceChecks
    from datadog_api_client.v2.api.logs_api import LogsApi
    from datadog_api_client.v2.model.http_log import HTTPLog
    from datadog_api_client.v2.model.http_log_item import HTTPLogItem

    LogsApi(client).submit_log(HTTPLog([HTTPLogItem(message="hello", service="s", ddtags="env:p")]))
    assert datadog.store.logs(service="s")[0]["message"] == "hello"
    check = ServiceCheck(check="c", host_name="h", status=ServiceCheckStatus.CRITICAL, tags=[])
    assert ServiceChecksApi(client).submit_service_check(ServiceChecks([check])).status == "ok"


LAMBDA = """
from datadog_lambda.metric import lambda_metric, flush_stats
lambda_metric("lambda.metric", 7, tags=["a:b"])
flush_stats()
"""


@pytest.mark.skipif(not importlib.util.find_spec("datadog_lambda"), reason="datadog-lambda is not installed")
def test_datadog_lambda_flushes_through_the_api(datadog):
    environ = {**os.environ, "DATADOG_HOST": datadog.url, "DD_FLUSH_TO_LOG": "false", "DD_API_KEY": "k"}
    environ |= {"AWS_LAMBDA_FUNCTION_NAME": "f", "DD_TRACE_ENABLED": "false"}
    subprocess.run([sys.executable, "-c", LAMBDA], check=True, env=environ, timeout=60)
    (summary,) = datadog.store.metrics()
    assert (summary.name, summary.type, summary.sum) == ("lambda.metric", "distribution", 7.0)
