import pytest

from monitoring.local_datadog import LocalDatadog


@pytest.fixture
def datadog():
    with LocalDatadog() as server:
        yield server
