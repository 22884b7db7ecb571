import httpx
import pytest

from monitoring.local_datadog import LocalDatadog

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}


@pytest.fixture
def datadog():
    with LocalDatadog() as server:
        yield server


@pytest.fixture
def call(datadog):
    """Ask the server: (status, JSON of the answer)."""
    with httpx.Client(base_url=datadog.url, headers=KEYS) as opened:

        def call(method, path, body=None):
            answer = opened.request(method, path, json=body)
            return answer.status_code, answer.json() if answer.content else None

        yield call


@pytest.fixture
def client(datadog):
    """Datadog's Python client, pointed at the server."""
    library = pytest.importorskip("datadog_api_client")
    configuration = library.Configuration(host=datadog.url)
    configuration.api_key = {"apiKeyAuth": "k", "appKeyAuth": "a"}
    with library.ApiClient(configuration) as opened:
        yield opened
