"""The address of Datadog: what is refused, and that no password in it is printed."""

import pytest

from monitoring.deploy.api import Client, Transport
from monitoring.deploy.session import connect
from monitoring.errors import InputError
from monitoring.forwarder.addresses import without_password
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.serve.sinks import Webhook

KEYS = {"DD_API_KEY": "k", "DD_APP_KEY": "a"}


@pytest.mark.parametrize(
    "site",
    ["https://datadoghq.eu", "https://app.datadoghq.eu/", "datadoghq.eu/", "data dog", "https://u:p4ss@x"],
)
def test_an_address_is_not_a_site(site: str) -> None:
    with pytest.raises(InputError, match="DD_SITE is not a site") as caught:
        connect({**KEYS, "DD_SITE": site})
    assert "datadoghq.eu; an address is for DD_URL" in str(caught.value)
    assert "p4ss" not in str(caught.value)


@pytest.mark.parametrize(
    "site",
    [
        "datadoghq.com",
        "us5.datadoghq.com",
        "ddog-gov.com",
        "us7.datadoghq.com",
        "DATADOGHQ.EU",
        " ap1.datadoghq.com ",
    ],
)
def test_a_site_is_taken_as_the_forwarder_takes_it(site: str) -> None:
    expected = site.strip().lower()
    assert connect({**KEYS, "DD_SITE": site}).url == f"https://api.{expected}"
    assert ForwarderSettings.from_env({"DD_SITE": site}).site == expected


def test_an_empty_site_is_the_default() -> None:
    assert connect({**KEYS, "DD_SITE": ""}).url == "https://api.datadoghq.com"


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("http://user:hunter2@127.0.0.1:9/x?y=1", "http://***@127.0.0.1:9/x?y=1"),
        ("http://hunter2@host", "http://***@host"),
        ("http://user:hun@ter2@host/", "http://***@host/"),
        ("ftp://user:hunter2@h/x", "ftp://***@h/x"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://host", "http://host"),
        ("host", "host"),
    ],
)
def test_a_password_in_an_address_is_not_printed(url: str, printed: str) -> None:
    assert without_password(url) == printed


def test_messages_about_an_address_do_not_print_its_password() -> None:
    with pytest.raises(InputError) as caught:
        Webhook.to("ftp://user:hunter2@host/x", print)
    assert "hunter2" not in str(caught.value)
    url = "http://user:hunter2@127.0.0.1:9"
    with pytest.raises(InputError) as caught:
        Client(url, "k", "a", Transport(deadline=0.0, patience=0.0)).everything("monitor")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)
