"""The documentation of the forwarder says what the code does."""

import re
from pathlib import Path

import pytest

from monitoring.errors import InputError
from monitoring.forwarder.settings import ForwarderSettings, settings_table
from monitoring.log_events.names import METRICS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_table_in_code():
    page = (DOCS / "forwarder-metrics.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{m.name}` | {m.type} | {m.unit} | {m.family} | {m.meaning} | {', '.join(m.tags)} |"
        for m in METRICS
    ]


def test_the_page_of_the_forwarder_has_every_setting_as_it_is():
    page = (DOCS / "forwarder.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 4]
    settings = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in settings_table()]
    assert [row for row in rows if row in settings] == settings


def test_every_fault_of_the_page_has_its_test_and_every_test_its_row():
    page = (DOCS / "forwarder-faults.md").read_text()
    source = (Path(__file__).parent / "test_forwarder_faults.py").read_text()
    assert set(re.findall(r"`(test_\w+)`", page)) == set(re.findall(r"^def (test_\w+)", source, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DD_SITE", "https://datadoghq.com"),
        ("DD_URL", "localhost:1"),
        ("DD_URL", "http://x/?api_key=1"),
        ("DD_FORWARD_LOG", "perhaps"),
        ("INCLUDE_AT_MATCH", "("),
        ("MONITORING_METRICS", "count"),
        ("MONITORING_TIMEOUT", "-1"),
        ("MONITORING_CONNECTIONS", "many"),
        ("DD_SCRUBBING_RULE_REPLACEMENT", "\\9"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name, text):
    with pytest.raises(InputError) as told:
        ForwarderSettings.from_env({name: text})
    assert told.value.where == name
    assert told.value.hint


def test_settings_come_from_the_environment_that_is_given_and_show_no_key():
    found = ForwarderSettings.from_env(
        {"DD_SITE": " DATADOGHQ.EU ", "DD_TAGS": "a:b, c:d", "DD_API_KEY": "hush"}
    )
    assert (found.site, found.tags, found.timeout) == ("datadoghq.eu", ("a:b", "c:d"), 10.0)
    assert "hush" not in repr(found)


def test_names_of_metrics_are_unique():
    assert len({m.name for m in METRICS}) == len(METRICS)
