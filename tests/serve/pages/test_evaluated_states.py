"""Pages show what the server has evaluated: they wait for its first evaluation, and make none of their own."""

import threading

import pytest
from asgi import Client
from incident import NOW, fill, write_project

from monitoring.local_datadog import create_app
from monitoring.serve.pages import standing
from monitoring.serve.pages.routes import site_routes
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import standings
from monitoring.store import Store


class Clock:
    now = float(NOW)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(tmp_path, clock):
    write_project(tmp_path)
    with Store.open() as store:
        fill(store)
        yield Site(store, tmp_path, clock, watched=threading.Event())


@pytest.fixture
def evaluated(monkeypatch):
    """The keys of the monitors that are evaluated, in order."""
    keys = []
    real = standing.history_of

    def history_of(site, entry, *arguments):
        keys.append(entry.key)
        return real(site, entry, *arguments)

    monkeypatch.setattr(standing, "history_of", history_of)
    return keys


def client(site):
    return Client(create_app(site.store, routes=site_routes(site)), base_url="http://127.0.0.1")


def test_a_page_waits_for_the_first_evaluation(site, evaluated):
    answers = []
    browser = threading.Thread(target=lambda: answers.append(client(site).get("/monitors")))
    browser.start()
    browser.join(0.3)
    assert not answers
    assert not evaluated
    standings(site, renew=True)
    site.watched.set()
    browser.join(60)
    assert "Alert" in answers[0].text
    assert evaluated == ["failed"]


def test_a_page_evaluates_nothing_of_what_the_server_evaluates_every_minute(site, clock, evaluated):
    site.watched.set()
    for _ in range(3):
        standings(site, renew=True)
        clock.now += 59
        client(site).get("/monitors")
        client(site).get("/")
        clock.now += 1
    assert evaluated == ["failed"] * 3


def test_a_changed_file_and_a_server_that_no_longer_evaluates_are_evaluated_by_the_page(
    site, clock, evaluated
):
    site.watched.set()
    standings(site, renew=True)
    path = site.root / "monitors" / "failed.json"
    path.write_text(path.read_text().replace('"critical": 0', '"critical": 5').replace("> 0", "> 5"))
    assert [entry.state for entry in standings(site)] == ["OK"]
    clock.now += 3600
    client(site).get("/monitors")
    assert evaluated == ["failed"] * 3


def test_without_a_server_that_evaluates_each_minute_is_evaluated_once(site, clock, evaluated):
    site.watched = None
    for _ in range(2):
        client(site).get("/monitors")
        client(site).get("/monitors")
        clock.now += 60
    assert evaluated == ["failed"] * 2
