"""The search of log, event and trace monitors, and what they count.

Sources: https://docs.datadoghq.com/logs/explorer/search_syntax/ (fields, wildcards, ranges, AND, OR, NOT, `-`) and
https://docs.datadoghq.com/monitors/types/log/.
"""

import numpy as np
import pytest
from monitor_helpers import START, monitor, verdict

from monitoring.errors import InputError
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.search import Record, compile_search, span_record
from monitoring.monitor.states import Rule, State

RECORD = Record(
    START,
    "Payment failed for order-7",
    ("env:prod", "team:a", "team:b"),
    {
        "status": "error",
        "http": {"status_code": 503, "url.path": "/x"},
        "a.b": 1,
        "list": ["x", 5],
        "ok": True,
        "host": "web-1",
    },
)


@pytest.mark.parametrize(
    ("search", "matches"),
    [
        ("", True),
        ("*", True),
        ("failed", True),
        ("FAILED", True),
        ("fail", True),
        ("pay*order", True),
        ('"payment failed"', True),
        ('"failed payment"', False),
        ("status:error", True),
        ("status:ERROR", True),
        ("status:err*", True),
        ("status:err", False),
        ("env:prod", True),
        ("env:dev", False),
        ("team:b", True),
        ("@http.status_code:503", True),
        ("@http.status_code:>=503", True),
        ("@http.status_code:>503", False),
        ("@http.status_code:<=503", True),
        ("@http.status_code:<503", False),
        ("@http.status_code:[500 TO 503]", True),
        ("@http.status_code:[503 TO 599]", True),
        ("@http.status_code:[504 TO 599]", False),
        ("@http.status_code:[400 TO 502]", False),
        ("@http.status_code:[* TO 503]", True),
        ("@http.status_code:[504 TO *]", False),
        ("@http.status_code:[503 TO *]", True),
        ("@http.url.path:/x", True),
        ("@a.b:1", True),
        ("@list:x", True),
        ("@list:>4", True),
        ("@list:>5", False),
        ("@ok:true", True),
        ("@ok:false", False),
        ("@missing:*", False),
        ("@http.missing:*", False),
        ("host:(web-1 OR web-2)", True),
        ("host:(web-2 OR web-3)", False),
        ('host:("web-1" OR x)', True),
        ("-env:dev", True),
        ("-env:prod", False),
        ("NOT env:dev failed", True),
        ("NOT (env:dev OR env:prod)", False),
        ("env:dev OR failed", True),
        ("env:dev OR nothing", False),
        ("env:prod nothing", False),
        ("env:prod AND failed", True),
        ("env:dev OR env:prod AND nothing", False),
        ("(env:dev OR env:prod) AND failed", True),
        ("order\\-7", False),
    ],
)
def test_a_search_means_what_the_page_says(search, matches):
    assert compile_search(search)(RECORD) is matches


@pytest.mark.parametrize("search", ["(a", "a)", "NOT", "a OR (b", '"'])
def test_a_search_that_cannot_be_read_is_refused(search):
    with pytest.raises(InputError, match="search "):
        compile_search(search)


def test_a_span_is_searched_by_its_fields_and_its_metadata():
    span = {
        "start": START * 10**9 + 999,
        "name": "aws.lambda",
        "resource": "identify",
        "service": "s",
        "type": "serverless",
        "duration": 5,
        "trace_id": "t",
        "span_id": "i",
        "parent_id": "p",
        "error": 1,
        "meta": {"env": "prod", "version": "3", "http.method": "GET"},
        "metrics": {"retries": 2},
    }
    record = span_record(span)
    assert (record.time, record.message, record.tags) == (START, "identify", ("env:prod", "version:3"))
    for name, value in {
        "operation_name": "aws.lambda",
        "resource_name": "identify",
        "service": "s",
        "type": "serverless",
        "status": "error",
        "duration": "5",
        "trace_id": "t",
        "span_id": "i",
        "parent_id": "p",
        "http.method": "GET",
        "retries": "2",
    }.items():
        assert compile_search(f"@{name}:{value}")(record), name
    assert span_record({**span, "error": 0, "meta": None}).attributes["status"] == "ok"


def counted(query, records, minute=6, **options):
    watched = monitor(query, type="log alert", **options)
    return evaluate_monitor(watched, Data(records=records), START, START + minute * 60, Setting())


def logs(*minutes, **attributes):
    return [Record(START + minute * 60, "x", (), dict(attributes)) for minute in minutes]


@pytest.mark.parametrize(
    ("rollup", "value"),
    [
        ('rollup("count")', 4.0),
        ('rollup("cardinality", "@user")', 2.0),
        ('rollup("sum", "@n")', 9.0),
        ('rollup("avg", "@n")', 3.0),
        ('rollup("min", "@n")', 1.0),
        ('rollup("max", "@n")', 5.0),
        ('rollup("median", "@n")', 3.0),
    ],
)
def test_a_log_monitor_counts_the_records_of_its_window(rollup, value):
    """The window of five minutes at minute 6 holds the records of minutes 1 to 5, not that of minute 0 or 6."""
    users = [("a", 9), ("a", 1), ("b", 3), ("a", 5), ("b", None), ("c", 7)]
    records = [
        Record(START + minute * 60, "x", (), {"user": user, "n": number})
        for minute, (user, number) in zip((0, 1, 2, 3, 5, 6), users, strict=True)
    ]
    found = counted(f'logs("*").index("*").{rollup}.last("5m") > 99', records)
    assert verdict(found, 6).value == value


@pytest.mark.parametrize(
    ("query", "options", "value", "rule"),
    [
        ('logs("*").index("*").rollup("count").last("5m") < 1', {}, 0.0, Rule.CRITICAL),
        (
            'logs("*").index("*").rollup("count").last("5m") < 1',
            {"on_missing_data": "default"},
            0.0,
            Rule.CRITICAL,
        ),
        ('logs("*").index("*").rollup("cardinality", "@a").last("5m") < 1', {}, 0.0, Rule.CRITICAL),
        ('logs("*").index("*").rollup("avg", "@a").last("5m") < 1', {}, None, Rule.NEVER),
        (
            'logs("*").index("*").rollup("count").last("5m") < 1',
            {"on_missing_data": "show_no_data"},
            None,
            Rule.NEVER,
        ),
    ],
)
def test_no_log_at_all_is_0_where_records_are_counted(query, options, value, rule):
    """monitors/types/log: a count without logs is 0; a measure without logs has no value."""
    got = verdict(counted(query, [], **options), 6)
    assert (got.value, got.evidence.rule) == (value, rule)


def test_a_record_counts_in_each_group_of_its_values_and_in_none_that_it_lacks():
    records = [*logs(3, host=["a", "b"]), *logs(4, host="a"), *logs(4)]
    found = counted('logs("*").index("*").rollup("count").by("@host").last("5m") > 1', records)
    assert {name: verdict(found, 6, name).value for name in found.groups} == {"@host:a": 2.0, "@host:b": 1.0}
    assert verdict(found, 6, "@host:a").state is State.ALERT


def test_processes_are_counted_once_by_host_and_pid():
    """monitors/types/process_check: the number of processes that match."""
    records = [
        Record(START + 60, "python a", ("host:x",), {"pid": 1}),
        Record(START + 120, "python a", ("host:x",), {"pid": 1}),
        Record(START + 120, "python a", ("host:y",), {"pid": 1}),
        Record(START + 120, "python b", ("host:x",), {}),
        Record(START + 130, "python b", ("host:x",), {}),
        Record(START + 130, "java", ("host:x",), {"pid": 9}),
    ]
    watched = monitor('processes("python").over("*").rollup("count").last("5m") < 1', type="process alert")
    found = evaluate_monitor(watched, Data(records=records), START, START + 360, Setting())
    assert verdict(found, 6).value == 3.0
    assert np.isnan(found.groups["*"].values).sum() == 0
