"""A setting that is not allowed is reported once, with what is; the function works on, by the default."""

import pytest

from monitoring import count, monitored
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation.settings import Settings

WRONG = [
    ("MONITORING_FORMAT", "json", "monitoring, datadog or both", "monitoring"),
    ("MONITORING_FORMAT", "datadog,monitoring", "monitoring, datadog or both", "monitoring"),
    ("MONITORING_TAG_LIMIT", "unlimited", "a whole number, 0 for no limit", "500"),
    ("MONITORING_TAG_LIMIT", "12.5", "a whole number, 0 for no limit", "500"),
    ("MONITORING_TAG_LIMIT", "-1", "a whole number, 0 for no limit", "0"),
    ("MONITORING_DEADLINE_MARGIN_MS", "half a second", "a whole number of milliseconds", "the usual margin"),
    ("MONITORING_DEADLINE_MARGIN_MS", "500ms", "a whole number of milliseconds", "the usual margin"),
    ("MONITORING_PAYLOAD_SIZES", "none", "a whole number of bytes, or off", "512"),
    ("MONITORING_PAYLOAD_SIZES", "1k", "a whole number of bytes, or off", "512"),
    ("MONITORING_TRACE", "disabled", "true or false", "true"),
    ("DD_LOGS_INJECTION", "nope", "true or false", "true"),
]
RIGHT = {
    "MONITORING_FORMAT": ["", " ", "monitoring", "Datadog", " both "],
    "MONITORING_TAG_LIMIT": ["", "0", " 20 ", "1_000"],
    "MONITORING_DEADLINE_MARGIN_MS": ["", "0", "250"],
    "MONITORING_PAYLOAD_SIZES": ["", "0", "1", "4096", "off", "OFF", "false", "no", "on", "true", "yes"],
    "MONITORING_TRACE": ["", "0", "1", "true", "False", "yes", "no", "on", "off"],
    "DD_LOGS_INJECTION": ["", "true", "false"],
}


def reports(said):
    return [line for line in said.splitlines() if "is not valid" in line]


@pytest.mark.parametrize(("name", "value", "allowed", "used"), WRONG)
def test_a_wrong_value_is_reported_once_with_what_is_allowed(name, value, allowed, used, monkeypatch, capsys):
    handler = monitored(lambda event, context: count("slides.seen", tags=["talk:a"]) or event["page"])
    expected = f"monitoring: {name}={value} is not valid: write {allowed}. Used instead: {used}"
    with capture() as emitted:
        handler({"page": 7}, LambdaContext())
    usual = emitted.metrics()
    monkeypatch.setenv(name, value)
    with capture() as emitted:
        results = [handler({"page": page}, LambdaContext()) for page in range(3)]
    assert results == [0, 1, 2]
    assert emitted.metrics() == usual
    emitted.assert_count("slides.seen", 3, tags={"talk": "a"})
    assert len(emitted.traces()) == 3
    assert reports(capsys.readouterr().err) == [expected]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]])
def test_an_allowed_value_is_not_reported(name, value):
    assert Settings(lambda key: value if key == name else "").problems == []


def test_a_wrong_value_is_reported_where_only_points_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("MONITORING_TAG_LIMIT", "lots")
    with capture() as emitted:
        count("slides.seen")
        count("slides.seen")
    emitted.assert_count("slides.seen", 2)
    assert len(reports(capsys.readouterr().err)) == 1


def test_every_wrong_value_is_reported(monkeypatch, capsys):
    for name, value, _, _ in WRONG:
        monkeypatch.setenv(name, value)
    with capture():
        count("slides.seen")
    assert len(reports(capsys.readouterr().err)) == len({name for name, *_ in WRONG})


def test_a_long_value_is_cut():
    (problem,) = Settings(lambda name: "x" * 500 if name == "MONITORING_FORMAT" else "").problems
    assert len(problem) < 200


def test_a_closed_standard_error_changes_nothing(monkeypatch):
    monkeypatch.setenv("MONITORING_FORMAT", "json")
    monkeypatch.setattr("sys.stderr", None)
    with capture() as emitted:
        count("slides.seen")
    emitted.assert_count("slides.seen", 1)
