"""What each kind of line amounts to: points, spans, log entries, or a reason."""

import json

import pytest
from shared_data import shared_data

from monitoring.forwarder.enrich import describe
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events import metric_reader
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules

NOW = 1_763_000_000_000
ID = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
REPORT = (
    f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 128 MB\t"
)


def read(*messages, rules=None, memory=None):
    source = describe(
        ForwarderSettings(), "eu-west-1", "123456789012", "/aws/lambda/orders", "2026/11/23/[7]ab"
    )
    reader = Reader(source, memory or Memory(), rules or Rules())
    for line, message in enumerate(messages, 1):
        reader.read(message, NOW, line)
    return reader.out


def values(found):
    return [(p.metric.removeprefix("aws.lambda.enhanced."), round(p.value, 9)) for p in found.points]


def recorded(kind):
    rows = map(json.loads, shared_data("platform_lines.jsonl").read_text().splitlines())
    return [row["message"] for row in rows if row["kind"] == kind]


REPORTS = {
    "report_cold": [
        ("invocations", 1), ("duration", 0.02625), ("billed_duration", 0.027), ("init_duration", 0.14509),
        ("max_memory_used", 70), ("memorysize", 128),
        ("estimated_cost", round(0.027 / 8 * 0.0000166667 + 2e-7, 9)),
    ],
    "json_report_managed_instance": [("invocations", 1), ("duration", 0.002524)],
    "init_report_timeout": [("stepscope.lambda.init_errors", 1)],
    "init_report_error": [("stepscope.lambda.init_errors", 1)],
    "init_report_invoke": [("stepscope.lambda.init_errors", 1)],
    "restore_report": [("stepscope.lambda.restore_duration", 0.51125)],
    "restore_report_error": [
        ("stepscope.lambda.restore_duration", 1.23604), ("stepscope.lambda.restore_errors", 1),
    ],
    "start": [], "end": [], "init_start": [], "restore_start": [], "json_start": [], "json_init_start": [],
    "killed": [("out_of_memory", 1)],
    "timeout_tab": [("timeouts", 1)],
    "timeout": [("timeouts", 1)],
}  # fmt: skip


@pytest.mark.parametrize("kind", REPORTS)
def test_recorded_platform_lines_become_the_points_that_they_say(kind):
    for message in recorded(kind):
        found = read(message)
        assert values(found) == REPORTS[kind]
        assert not found.refused


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("report_timeout", {"timeouts", "errors"}),
        ("json_report_timeout", {"timeouts", "errors"}),
        ("report_oom", {"out_of_memory", "errors"}),
        ("report_oom_cold", {"out_of_memory", "errors"}),
        ("report_cold_xray", set()),
    ],
)
def test_a_report_says_how_the_invocation_ended(kind, counted):
    for message in recorded(kind):
        assert read(message).logs == []
        names = [name for name, _ in values(read(message))]
        full = {"out_of_memory"} if "Max Memory Used: 1024 MB" in message else set()  # of 1024
        assert {"timeouts", "out_of_memory", "errors"} & set(names) == counted | full
        assert names.count("invocations") == 1
        assert len(names) == len(set(names))


def test_platform_lines_are_no_logs_unless_a_setting_says_so():
    lines = [f"START RequestId: {ID} Version: 1\n", f"END RequestId: {ID}\n"]
    assert read(*lines).logs == []
    assert [entry.message for entry in read(*lines, rules=Rules(log_platform=True)).logs] == lines


def test_lines_that_tell_of_an_end_are_logs_as_well_as_points():
    for kind in ("killed", "timeout_tab"):
        message = recorded(kind)[0]
        assert [entry.message for entry in read(message).logs] == [message]


@pytest.mark.parametrize("order", [1, -1])
def test_one_time_out_in_two_lines_is_counted_once_in_either_order(order):
    lines = [
        f"2026-11-23T10:00:00.123Z {ID} Task timed out after 3.00 seconds\n\n",
        REPORT + "Status: timeout\n",
    ][::order]
    assert values(read(*lines)).count(("timeouts", 1)) == 1


def test_a_killed_line_and_its_report_are_one_out_of_memory():
    lines = [
        f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
        REPORT + "Status: error\tError Type: Runtime.OutOfMemory\n",
    ]
    assert values(read(*lines)).count(("out_of_memory", 1)) == 1


def test_a_payload_read_again_counts_again_what_it_counted_first():
    memory = Memory()
    line = f"2026-11-23T10:00:00.123Z {ID} Task timed out after 3.00 seconds\n\n"
    assert values(read(line, memory=memory)) == values(read(line, memory=memory)) == [("timeouts", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "java.lang.OutOfMemoryError: Java heap space",
        "fatal error: runtime: out of memory",
        f"2026-11-23T10:00:00Z RequestId: {ID} Error: Runtime exited with error: signal: killed",
    ],
)
def test_a_runtime_that_dies_for_want_of_memory_is_counted_in_its_own_words(text):
    found = read(f"START RequestId: {ID} Version: 1\n", text)
    assert values(found) == [("out_of_memory", 1)]
    assert len(found.logs) == 1


def test_ordinary_logs_that_speak_of_memory_are_only_logs():
    found = read("used 12 MB of memory", "MemoryError handled", '{"message": "cache memory full"}')
    assert values(found) == []
    assert len(found.logs) == 3


@pytest.mark.parametrize(
    ("message", "points", "logs", "refused"),
    [
        ("MONITORING|1763000000|1|count|a.b|#x:y\n", 1, 0, 0),
        ("MONITORING|1763000000|1|count|a.b|\nMONITORING|1763000000|2|count|a.b|\n", 2, 0, 0),
        ("one\nMONITORING|1763000000|1|count|a.b|\ntwo\n", 1, 1, 0),
        ("MONITORING|1763000000|1|count|a.b|\n  and plain words", 1, 1, 0),
        ('2026-11-23T10:00:00.123Z\tid\tINFO\tMONITORING|1763000000|1|count|a.b|\n', 1, 0, 0),
        ("MONITORING|1763000000|12ms|count|a.b|\n", 0, 0, 1),
        ("MONITORING|1|Seconds|a.b|ns|x\n", 0, 0, 1),
        ('{"m":"a.b","v":1,"e":1763000000,"t":[]}', 1, 0, 0),
        ('{"m": "a.b", "v": 1.5, "e": 1763000000123, "t": ["a:b"]}\n', 1, 0, 0),
        ('{"m":"a.b","v":"1","e":1763000000,"t":[]}', 0, 0, 1),
        ('{"m":"a.b","v":true,"e":1763000000,"t":[]}', 0, 0, 1),
        ('{"m":"…","v":1,"e":1763000000,"t":[]}', 0, 0, 1),
        ('{"m":"a","v":1,"e":1,"t":[]}{"m":"a","v":1,"e":1,"t":[]}', 0, 1, 0),
        ('x {"m":"a","v":1,"e":1,"t":[]}', 0, 1, 0),
        ("Traceback (most recent call last):\n  File x\nValueError: no\n", 0, 1, 0),
        ('{"level":"INFO","message":"MONITORING|1763000000|1|count|a.b|"}', 1, 0, 0),
        ('{"level":"INFO","note":"quotes MONITORING|1763000000|1|count|a.b|"}', 0, 1, 0),
        ("", 0, 1, 0),
        ('{"m":"a.b","v":1e400,"e":1763000000,"t":[]}', 0, 0, 1),
        ('{"m":"a.b","v":1,"e":1e30,"t":[]}', 0, 0, 1),
        ('{"m":"a.b","v":1,"e":-5,"t":[]}', 0, 0, 1),
        ("MONITORING|999999999999999999999999999999999|1|count|a.b|", 0, 0, 1),
    ],
)  # fmt: skip
def test_a_message_becomes_points_log_entries_or_a_reason(message, points, logs, refused):
    found = read(message)
    assert (len(found.points), len(found.logs), len(found.refused)) == (points, logs, refused)


def test_a_second_line_with_the_same_tail_has_its_own_time_and_value():
    found = read("MONITORING|1763000000|1|count|a.b|#x:y\n", "MONITORING|1763000001|-2.5|count|a.b|#x:y\n")
    assert [(p.timestamp, p.value, p.tags) for p in found.points] == [
        (1763000000, 1, found.points[0].tags),
        (1763000001, -2.5, found.points[0].tags),
    ]


def test_a_refused_metric_line_is_never_taken_for_the_one_before_it():
    bad = '{"m":"…","v":1,"e":1763000000,"t":[]}'
    found = read('{"m":"a.b","v":1,"e":1763000000,"t":[]}', bad, bad)
    assert [p.metric for p in found.points] == ["a.b"]
    assert len(found.refused) == 2


def test_a_tag_of_the_line_wins_over_the_one_of_the_source():
    tags = read("MONITORING|1763000000|1|count|a.b|#region:mars\n").points[0].tags
    assert "region:mars" in tags
    assert "region:eu-west-1" not in tags


def test_a_refused_value_is_told_with_its_column():
    refused = read("plain", "x MONITORING|1763000000|12ms|count|a.b|").refused[0]
    assert (refused.line, refused.column, refused.text) == (2, 25, "12ms")


def test_emf_gives_every_metric_with_its_largest_set_of_dimensions():
    document = {
        "_aws": {
            "Timestamp": NOW,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop",
                    "Dimensions": [[], ["service"], ["service", "kind"]],
                    "Metrics": [{"Name": "Orders", "Unit": "Count"}, {"Name": "Time"}, {"Name": "Gone"}],
                }
            ],
        },
        "service": "pay",
        "kind": "web",
        "Orders": 2,
        "Time": [1.5, 2.5],
    }
    found = read(json.dumps(document))
    own = [(p.metric, p.value, p.timestamp, p.type, p.tags[:2]) for p in found.points]
    tags = ("service:pay", "kind:web")
    assert own == [
        ("Shop.Orders", 2, NOW / 1000, "count", tags),
        ("Shop.Time", 1.5, NOW / 1000, "distribution", tags),
        ("Shop.Time", 2.5, NOW / 1000, "distribution", tags),
    ]
    assert "Gone" in found.refused[0].reason


SPAN = {
    "trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0000000000000001",
    "service": "s", "resource": "r", "name": "aws.lambda", "error": 0,
    "start": 1_763_000_000_000_000_000, "duration": 5,
    "meta": {"request_id": ID}, "metrics": {"a": 1}, "type": "serverless",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "key", "mended"),
    [
        ({"trace_id": 255}, "trace_id", "00000000000000ff"),
        ({"trace_id": "24e8d55f5d50e6a50fa1b2c3d4e5f607"}, "trace_id", "0fa1b2c3d4e5f607"),
        ({"span_id": "aa"}, "span_id", "00000000000000aa"),
        ({"parent_id": None}, "parent_id", "0" * 16),
        ({"error": True}, "error", 1),
        ({"error": False}, "error", 0),
        ({"start": 1.5e18}, "start", 1_500_000_000_000_000_000),
        ({"meta": {"n": 1, "b": True, "z": None}}, "meta", {"n": "1", "b": "true", "z": ""}),
        ({"metrics": {"a": "x", "b": True, "c": 2}}, "metrics", {"c": 2}),
        ({"type": None}, "type", ""),
    ],
)
def test_what_a_tracer_prints_wrong_is_mended(change, key, mended):
    (span,) = read(json.dumps({"traces": [[SPAN | change]]})).spans
    found = getattr(span, key)
    if isinstance(found, dict):
        found = {name: found[name] for name in mended}
    assert found == mended


@pytest.mark.parametrize(
    "change",
    [{"trace_id": "xyz"}, {"span_id": 0}, {"start": "now"}, {"duration": -1}, {"trace_id": "1" * 33}],
)
def test_a_span_that_cannot_be_mended_costs_itself_alone(change):
    found = read(json.dumps({"traces": [[SPAN, SPAN | change], "none", [SPAN]]}))
    assert len(found.spans) == 2
    assert len(found.refused) == 2


def test_the_high_half_of_a_long_trace_id_is_kept():
    (span,) = read(json.dumps({"traces": [[SPAN | {"trace_id": "24e8d55f5d50e6a50fa1b2c3d4e5f607"}]]})).spans
    assert span.meta["_dd.p.tid"] == "24e8d55f5d50e6a5"


def test_logs_of_an_invocation_carry_its_request_and_the_trace_that_comes_after_them():
    other = "11111111-2222-3333-4444-555555555555"
    found = read(
        f"START RequestId: {ID} Version: 1\n", "first\n", json.dumps({"traces": [[SPAN]]}),
        f"END RequestId: {ID}\n", f"START RequestId: {other} Version: 1\n", "second\n",
    )  # fmt: skip
    first, second = (entry.body() for entry in found.logs)
    assert (first["lambda"]["request_id"], first["dd"]["trace_id"]) == (ID, str(0x0FA1B2C3D4E5F607))
    assert second["lambda"]["request_id"] == other
    assert "dd" not in second


def test_a_log_entry_reads_the_same_as_value_and_as_bytes():
    found = read(f"START RequestId: {ID} Version: 1\n", json.dumps({"traces": [[SPAN]]}), 'quo"te 100%\n')
    (entry,) = found.logs
    written = b'{"message":"x","timestamp":1' + entry.context.suffix()
    assert json.loads(written) == {**entry.body(), "message": "x", "timestamp": 1}


@pytest.mark.parametrize(
    "line",
    [
        "MONITORING|1772323200|1|count|shop.metric_{}|#a:b",
        '{{"m": "shop.metric_{}", "v": 1, "e": 1772323200, "t": []}}',
    ],
    ids=["lines", "JSON"],
)
def test_no_more_names_of_metrics_are_remembered_than_the_bound(monkeypatch, line):
    """A name with an id in it is new in each line; a forwarder lives for hours."""
    monkeypatch.setattr(metric_reader, "_TAILS", 2)
    source = describe(ForwarderSettings(), "eu-west-1", "123456789012", "/aws/lambda/orders", "s")
    reader = Reader(source, Memory(), Rules())
    for number in range(5):
        reader.read(line.format(number), NOW, number)
    assert [point.metric for point in reader.out.points] == [f"shop.metric_{number}" for number in range(5)]
    assert (len(reader._tails), len(reader._json_tails)) in {(2, 0), (0, 2)}
