"""Datadog's own Python clients, unmodified, against the embedded server."""

import time

import pytest

datadog_library = pytest.importorskip("datadog")
NOW = int(time.time())


@pytest.fixture
def datadogpy(datadog):
    datadog_library.initialize(api_key="k", app_key="a", api_host=datadog.url, mute=False)
    return datadog_library.api


def test_datadogpy_submits_metrics_distributions_checks(datadog, datadogpy):
    assert datadogpy.Metric.send(
        metric="m", points=[(NOW, 1), (NOW + 1, 2.5)], type="count", tags=["a:b"]
    ) == {"status": "ok"}
    assert datadogpy.Metric.send(metric="z", points=NOW and 3, compress_payload=True)["status"] == "ok"
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


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd1", None])
def test_datadog_api_client_submits_in_every_encoding(datadog, encoding):
    client = pytest.importorskip("datadog_api_client")
    from datadog_api_client.v2.api.metrics_api import MetricsApi
    from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding
    from datadog_api_client.v2.model.metric_payload import MetricPayload
    from datadog_api_client.v2.model.metric_point import MetricPoint
    from datadog_api_client.v2.model.metric_series import MetricSeries

    configuration = client.Configuration(host=datadog.url)
    configuration.api_key["apiKeyAuth"] = "k"
    series = MetricSeries(metric="m", points=[MetricPoint(timestamp=NOW, value=1.0)])
    options = {"content_encoding": MetricContentEncoding(encoding)} if encoding else {}
    with client.ApiClient(configuration) as api:
        answer = MetricsApi(api).submit_metrics(body=MetricPayload(series=[series]), **options)
    assert answer.errors == []
    assert datadog.store.metrics()[0].points == 1
