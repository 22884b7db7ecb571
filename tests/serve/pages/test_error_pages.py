"""What cannot be shown is a page, too: for a browser; clients of the API get JSON as before."""

import pytest
from asgi import Client

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes, routes
from monitoring.store import Store

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def client():
    with Store.open() as store:
        yield Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1")


def is_page(answer):
    return (
        answer.text.startswith("<!doctype html>")
        and "<nav>" in answer.text
        and "content-security-policy" in {name.lower() for name in answer.headers}
    )


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing/here", "/dashboards/a/b/c", "/favicon.ico", "/%3Cscript%3E"]
)
def test_an_unknown_address_is_a_page_for_a_browser(client, path):
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert is_page(answer)
    assert "There is no such page." in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}, {"Accept": "*/*"}], ids=str)
def test_a_client_gets_json(client, headers):
    answer = client.get("/nothing", headers=headers)
    assert answer.status_code == 404
    assert answer.json() == {"errors": ["Not Found"]}


def test_the_api_stays_an_api_in_a_browser(client):
    assert client.get("/api/v1/nothing", headers=HTML).json()["errors"] == ["Forbidden"]
    assert client.get("/status", headers=HTML).json()["counters"] == {}


def test_a_bug_is_a_page_that_says_so(monkeypatch):
    def broken(site, request):
        raise ZeroDivisionError("<b>of all things</b>")

    monkeypatch.setattr(routes, "PAGES", (("/broken", broken),))
    with Store.open() as store:
        client = Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1")
        answer = client.get("/broken", headers=HTML)
    assert answer.status_code == 500
    assert is_page(answer)
    assert "a bug: ZeroDivisionError: &lt;b&gt;of all things&lt;/b&gt;" in answer.text
