"""The servers that the tests of pages in a browser look at."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from incident import NOW, fill, write_project
from pages_data import FAILED, MONITOR, dashboard, execution

from monitoring.local_datadog import LocalDatadog
from monitoring.preview.sample import sample
from monitoring.resources.catalogue import known_metrics
from monitoring.serve.pages import page_routes


class Served(NamedTuple):
    """A server's address, and the project folder that its pages show."""

    url: str
    root: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A day of samples for one widget of most kinds, and an execution that failed a minute ago."""
    root = tmp_path_factory.mktemp("project")
    for kind, bodies in {"dashboards": {"pipeline": dashboard()}, "monitors": {"failed": MONITOR}}.items():
        (root / kind).mkdir()
        for key, body in bodies.items():
            (root / kind / f"{key}.json").write_text(json.dumps(body))
    with LocalDatadog(pages=lambda store: page_routes(store, root)) as server:
        now = int(time.time()) // 60 * 60
        server.store.add_points(sample(dashboard(), now - 86400, now, known_metrics(), [FAILED]))
        server.store.add_spans(execution(now))
        yield Served(server.url, root)


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with one incident, at the moment of `incident.NOW`."""
    root = tmp_path_factory.mktemp("incident")
    write_project(root)
    with LocalDatadog(pages=lambda store: page_routes(store, root, clock=lambda: NOW)) as server:
        fill(server.store)
        yield server.url
