"""Which line is a metric, a trace or a log, whoever printed it and in whatever log format."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.forwarder.batches import log_batches, metric_batches, trace_batches
from monitoring.forwarder.enrich import describe
from monitoring.forwarder.files import file_unit
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.stats import Tally
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules

NOW = 1_763_000_000_000
REQUEST = "8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"
BOUNDED = settings(max_examples=60, deadline=None)


def read(*messages):
    source = describe(
        ForwarderSettings(), "eu-west-1", "123456789012", "/aws/lambda/orders", "2026/11/23/[7]ab"
    )
    reader = Reader(source, Memory(), Rules())
    for line, message in enumerate(messages, 1):
        reader.read(message, NOW, line)
    reader.flush()
    assert not reader.steps
    return reader.out


def telling(*messages):
    """What the messages amount to, whatever envelope they came in."""
    found = read(*messages)
    return (
        [(p.metric, p.value, p.timestamp, p.type, p.tags) for p in found.points],
        [(s.trace_id, s.span_id, s.name) for s in found.spans],
        len(found.logs),
        [refused.reason for refused in found.refused],
    )


def emf(namespace="Bakery", dimensions=(("oven",),), metrics=(("loaves", "Count"),), stamp=NOW, **members):
    definitions = [{"Name": name, "Unit": unit} for name, unit in metrics]
    directive = {"Namespace": namespace, "Dimensions": dimensions, "Metrics": definitions}
    return {"_aws": {"Timestamp": stamp, "CloudWatchMetrics": [directive]}, **members}


METRIC = {"m": "bakery.loaves", "v": 4, "e": 1_763_000_000, "t": ["oven:2", "shift:night"]}
LOAVES = emf(oven="2", loaves=4)
TRACE = {
    "traces": [[{
        "trace_id": "51f0a2b3c4d5e6f7", "span_id": "00000000000000c1", "parent_id": "0000000000000000",
        "service": "bakery", "resource": "bake", "name": "aws.lambda", "error": 0, "type": "serverless",
        "start": NOW * 10**6, "duration": 1_000_000, "meta": {"request_id": REQUEST}, "metrics": {},
    }]]
}  # fmt: skip
LINE = "MONITORING|1763000000|4|count|bakery.loaves|#oven:2"
DOCUMENTS = {"metric": METRIC, "emf": LOAVES, "trace": TRACE}

ENVELOPES = {
    "Lambda for Node.js": {"timestamp": "2026-11-23T10:00:00.123Z", "level": "INFO", "requestId": REQUEST},
    "Lambda for Python": {"timestamp": "2026-11-23T10:00:00Z", "level": "INFO", "logger": "root", "requestId": REQUEST},
    "Lambda for Java": {"timestamp": "2026-11-23T10:00:00.123Z", "level": "UNDEFINED", "AWSRequestId": REQUEST},
    "Lambda for .NET": {"timestamp": "2026-11-23T10:00:00.123Z", "level": "Information", "requestId": REQUEST, "traceId": "1-5e"},
    "Lambda for Ruby": {"timestamp": "2026-11-23T10:00:00Z", "level": "INFO", "requestId": REQUEST},
    "Powertools for Python": {"level": "INFO", "location": "bake:12", "timestamp": "2026-11-23 10:00:00,123+0000", "service": "bakery"},
    "Powertools for TypeScript": {"level": "INFO", "timestamp": "2026-11-23T10:00:00.123Z", "service": "bakery", "sampling_rate": 0},
    "Powertools for Java": {"level": "INFO", "cold_start": True, "function_request_id": REQUEST, "timestamp": "2026-11-23T10:00:00.123Z"},
    "Powertools for Java, ECS": {"@timestamp": "2026-11-23T10:00:00.123Z", "ecs.version": "1.2.0", "log.level": "INFO"},
    "Powertools for .NET": {"level": "Information", "service": "bakery", "name": "Bakery", "xray_trace_id": "1-5e"},
}  # fmt: skip
PASCAL = {"Timestamp": "2026-11-23T10:00:00.123Z", "Level": "Information", "Service": "bakery"}
PREFIXES = {
    "Node.js": f"2026-11-23T10:00:00.123Z\t{REQUEST}\tINFO\t",
    "Node.js before the first invocation": "2026-11-23T10:00:00.123Z\tundefined\tERROR\t",
    "Node.js with a tenant": f"2026-11-23T10:00:00.123Z\t{REQUEST}\ttenant/7\tINFO\t",
    "Python": f"[INFO]\t2026-11-23T10:00:00.123Z\t{REQUEST}\t",
    "Python with a logger of its own": "INFO:bakery.metrics:",
    "Python, basicConfig with a time": "2026-11-23 10:00:00,123 - bakery - INFO - ",
    ".NET": f"2026-11-23T10:00:00.123Z\t{REQUEST}\tinfo\t",
    "log4j2": f"2026-11-23 10:00:00 {REQUEST} INFO  BakeHandler - ",
    "log4j2 with a line": f"2026-11-23 10:00:00 <{REQUEST}> INFO  BakeHandler:17 - ",
    "logback": "10:00:00.123 [main] INFO  com.bakery.Bake -- ",
    "Spring": "2026-11-23 10:00:00.123  INFO 8 --- [main] c.bakery.Bake : ",
    "Ruby": "I, [2026-11-23T10:00:00.123456 #8]  INFO -- : ",
    "Go": "2026/11/23 10:00:00 ",
    "Go with a file": "2026/11/23 10:00:00.123456 bake/main.go:12: ",
    "zap": "2026-11-23T10:00:00.123Z\tINFO\tbake/main.go:12\t",
    "blanks": "  ",
}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_keys_does_not_matter(document, seed):
    keys = list(DOCUMENTS[document].items())
    random.Random(seed).shuffle(keys)
    expected = telling(json.dumps(DOCUMENTS[document]))
    assert expected[2:] == (0, [])
    for separators in ((",", ":"), (", ", ": "), (" , ", " :\t")):
        assert telling(json.dumps(dict(keys), separators=separators) + "\n") == expected


@pytest.mark.parametrize("document", [*DOCUMENTS, "line"])
@pytest.mark.parametrize("envelope", [*ENVELOPES, "Powertools for .NET in Pascal case"])
def test_a_log_entry_is_unwrapped_whether_it_holds_an_object_or_a_text(document, envelope):
    fields, key = (ENVELOPES[envelope], "message") if envelope in ENVELOPES else (PASCAL, "Message")
    content = DOCUMENTS.get(document, LINE)
    text = content if isinstance(content, str) else json.dumps(content)
    expected = telling(text)
    assert telling(json.dumps({**fields, key: text})) == expected
    assert telling(json.dumps({key: content, **fields}, indent=2)) == expected
    nested = {"level": "INFO", "message": {**fields, key: content}}
    assert telling(json.dumps({"message": json.dumps(nested), "level": "INFO"})) == expected


@pytest.mark.parametrize("document", [*DOCUMENTS, "line"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_prefix_of_a_runtime_or_logger_is_no_part_of_the_document(document, prefix):
    content = DOCUMENTS.get(document, LINE)
    text = content if isinstance(content, str) else json.dumps(content)
    expected = telling(text)
    assert telling(f"{PREFIXES[prefix]}{text}\n") == expected
    assert telling(json.dumps({"level": "INFO", "message": PREFIXES[prefix] + text})) == expected
    if content is not LINE:
        assert telling(f"{PREFIXES[prefix]}\n{json.dumps(content, indent=2)}\n") == expected


@pytest.mark.parametrize(
    "prefix", ["he said ", "2026-11-23T10:00:00Z INFO sending metrics to CloudWatch: ", "x", '"', "{", "[INFO] got "]
)  # fmt: skip
def test_a_document_that_is_quoted_is_a_log(prefix):
    for document in DOCUMENTS.values():
        assert telling(prefix + json.dumps(document))[:3] == ([], [], 1)


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("indent", [1, 2, 4, "\t"])
@pytest.mark.parametrize("prefix", ["", PREFIXES["Node.js"], PREFIXES["Python"]])
def test_a_pretty_printed_document_is_read_whole_however_it_is_cut_into_events(document, indent, prefix):
    expected = telling(json.dumps(DOCUMENTS[document]))
    text = prefix + json.dumps(DOCUMENTS[document], indent=indent)
    assert telling(text) == expected
    assert telling(*text.split("\n")) == expected
    assert telling(*text.splitlines(keepends=True)) == expected
    points, spans, _, refused = expected
    assert telling(f"before\n{text}\nafter") == (points, spans, 1, refused)
    assert telling("before", *text.split("\n"), "after", *text.split("\r\n")) == (
        points * 2, spans * 2, 2, refused,
    )  # fmt: skip


@pytest.mark.parametrize("cut", [1, 3, -1])
def test_the_lines_of_an_object_that_is_not_whole_are_logs(cut):
    lines = json.dumps(LOAVES, indent=2).split("\n")
    before = telling(LINE)
    found = read(*lines[:cut], LINE)
    assert [entry.message for entry in found.logs] == lines[:cut]
    assert [p.metric for p in found.points] == [before[0][0][0]]
    assert telling(*lines[cut:])[0] == []


def test_the_lines_of_an_object_that_is_a_log_stay_logs_in_their_order():
    lines = json.dumps({"order": 7, "note": LINE.replace("|", "/"), "rows": [{"a": 1}]}, indent=2).split("\n")
    found = read("first", *lines, "last")
    assert [entry.message for entry in found.logs] == ["first", *lines, "last"]


USER_LOGS = [
    {"level": "INFO", "note": "relay", "payload": LOAVES},
    {"level": "INFO", "message": "relay", "payload": METRIC},
    {"level": "INFO", "message": "relayed", "record": {"requestId": REQUEST}, "type": "order"},
    {"level": "INFO", "message": {"type": "platform.report", "record": {"requestId": REQUEST, "metrics": {"durationMs": 3}}}},
    {"level": "INFO", "message": f"quotes {json.dumps(LOAVES)}"},
    {"level": "INFO", "note": LINE},
    {"message": LINE},
    {"message": json.dumps(METRIC)},
    {"message": LOAVES, "id": 7},
    {"_aws": "eu-west-1"},
    {"_aws": {"region": "eu-west-1"}},
    {"_aws": {"Timestamp": NOW, "CloudWatchMetrics": []}, "order": 7},
    emf(metrics=(), order=7),
    {"_aws": None, "traces": None, "m": None, "execution_arn": None, "record": None},
    {"traces": 12},
    {"traces": ["a", "b"]},
    {"traces": [["a"], [{"stage": 1}]]},
    {"traces": []},
    {"m": "order accepted", "level": "INFO"},
    {"m": "order accepted", "v": 3},
    {"m": "order accepted", "v": "1.2.0", "e": "created", "t": "2026-11-23"},
    {"m": "order accepted", "v": 1, "e": "created", "t": ["a"], "level": "INFO"},
    {"execution_arn": "arn:aws:states:eu-west-1:1:execution:a:b", "type": "done"},
    {"type": "platform.report"},
    {"type": "platform.report", "record": "none"},
    {"type": 3, "record": {}},
    {"text": '"platform.report" "_aws" "m" "traces" "execution_arn" MONITORING|', "level": "INFO"},
    {"level": "INFO", "message": '{"_aws": {"Timestamp": '},
    {"level": "INFO", "message": None},
    {"level": "INFO", "message": [METRIC]},
]  # fmt: skip


@pytest.mark.parametrize("record", USER_LOGS, ids=lambda record: json.dumps(record)[:50])
def test_a_users_log_that_holds_such_a_key_is_a_log_without_a_warning(record):
    assert telling(json.dumps(record)) == ([], [], 1, [])


@pytest.mark.parametrize(
    "text", ["platform.report", '"platform.', '"_aws"', '"m":', '"traces":[[', "execution_arn", "MONITORING|1|1|count|a|"]
)  # fmt: skip
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_text_inside_of_a_value_decides_nothing(document, text):
    changed = json.loads(json.dumps(DOCUMENTS[document]))
    if document == "metric":
        expected = telling(json.dumps(changed))
        changed["x"] = text
    else:
        changed["note"] = {"deep": [text]}
        expected = telling(json.dumps(DOCUMENTS[document]))
    changed["record"], changed["type"], changed["execution_arn"] = text, text, text
    assert telling(json.dumps(changed)) == expected


def test_a_second_line_of_a_metric_may_have_its_time_in_another_unit():
    lines = [json.dumps(METRIC | {"e": stamp}) for stamp in (1_763_000_000, 1_763_000_001_500, -1, 1e30)]
    found = read(*lines)
    assert [point.timestamp for point in found.points] == [1_763_000_000, 1_763_000_001.5]
    assert len(found.refused) == 2


def test_a_json_log_belongs_to_the_invocation_that_it_names():
    other = "0b9d7a52-3c1e-4f60-8a2d-5e4f3c2b1a09"
    entry = {"level": "INFO", "message": "baked", "timestamp": "2026-11-23T10:00:00.123Z"}
    lines = [
        {**entry, "requestId": REQUEST},
        {**entry, "requestId": other},
        entry,
        {"message": "x", "requestId": REQUEST},
    ]
    started = (f"START RequestId: {request} Version: 7\n" for request in (REQUEST, other))
    found = read(*started, *map(json.dumps, lines))
    assert [log.context.request_id for log in found.logs] == [REQUEST, other, other, other]


def test_a_json_log_of_the_running_invocation_tells_of_its_end():
    error = {
        "level": "ERROR",
        "errorType": "MemoryError",
        "errorMessage": "",
        "requestId": REQUEST,
        "timestamp": "x",
    }
    found = read(f"START RequestId: {REQUEST} Version: 7\n", json.dumps(error))
    assert [point.metric for point in found.points] == ["aws.lambda.enhanced.out_of_memory"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_further_keys_of_a_log_entry_or_an_execution_change_nothing(document):
    expected = telling(json.dumps(DOCUMENTS[document]))
    entry = {"level": "INFO", "message": "baked", "requestId": REQUEST}
    assert telling(json.dumps({**entry, **DOCUMENTS[document]})) == expected
    if document != "metric":
        step = {"id": "1", "event_timestamp": "1", "type": "x", "execution_arn": "arn", "record": {}}
        assert telling(json.dumps({**step, **DOCUMENTS[document], **entry})) == expected


def test_platform_lines_and_executions_are_read_whatever_else_they_have():
    report = {"type": "platform.report", "record": {"requestId": REQUEST, "metrics": {"durationMs": 3}}}
    expected = telling(json.dumps(report))
    assert [metric for metric, *_ in expected[0]] == [
        "aws.lambda.enhanced.invocations",
        "aws.lambda.enhanced.duration",
    ]
    assert telling(json.dumps({"level": "INFO", "message": "x", **report})) == expected
    event = {
        "type": "PassStateExited",
        "id": "2",
        "event_timestamp": "1763000000000",
        "execution_arn": "arn:aws:states:a:1:execution:b:c",
    }
    for record in (event, {"level": "INFO", "message": "x", **event}, dict(reversed(event.items()))):
        reader = Reader(describe(ForwarderSettings(), "", "", "", ""), Memory(), Rules())
        reader.read(json.dumps(record), NOW)
        assert len(reader.steps) == 1
        assert not reader.out.logs


def test_an_object_that_breaks_off_within_an_event_takes_no_line_along():
    for lines in (["{", "{", "  loose"], ["{", '  "a": 1,', "words", "{"], ["{", " x", "{"]):
        found = read("\n".join([*lines, LINE]))
        assert [entry.message for entry in found.logs] == ["\n".join(lines)]
        assert len(found.points) == 1


def test_lone_surrogates_and_numbers_that_json_lacks_cost_nothing_else():
    text = json.dumps(emf(oven="\ud800", loaves=4, heat=float("nan"), note="NaN"))
    assert [(p.metric, p.value, p.tags[0]) for p in read(text).points] == [("Bakery.loaves", 4, "oven:_")]
    text = json.dumps({"traces": [[TRACE["traces"][0][0] | {"meta": {"note": "\udfff"}}]]})
    (span,) = read(text).spans
    assert span.meta["note"].encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NEAR = st.sampled_from(
    ["m", "v", "e", "t", "_aws", "traces", "message", "level", "type", "record", "execution_arn", "x"]
)


@BOUNDED
@given(st.dictionaries(NEAR, JSON | st.dictionaries(NEAR, JSON, max_size=3), max_size=6))
def test_a_users_json_is_a_log_and_nothing_else(record):
    assert telling(json.dumps(record)) == ([], [], 1, [])
    assert telling(json.dumps({"level": "INFO", "message": json.dumps(record)})) == ([], [], 1, [])


@BOUNDED
@given(
    st.sampled_from([*DOCUMENTS.values(), LINE]),
    st.lists(st.sampled_from(["object", "text", "prefix", "pretty"]), max_size=4),
    st.randoms(),
)
def test_whatever_is_wrapped_around_it_a_document_says_the_same(document, wrappings, rng):
    content = document
    for wrapping in wrappings:
        text = content if isinstance(content, str) else json.dumps(content)
        if wrapping == "prefix":
            content = rng.choice([prefix for prefix in PREFIXES.values() if prefix.strip()]) + text
            break
        fields = list(
            {
                **rng.choice(list(ENVELOPES.values())),
                "message": text if wrapping == "text" else content,
            }.items()
        )
        rng.shuffle(fields)
        content = dict(fields)
    text = (
        content
        if isinstance(content, str)
        else json.dumps(content, indent=2 if "pretty" in wrappings else None)
    )
    expected = telling(document if isinstance(document, str) else json.dumps(document))
    assert telling(text) == expected


@pytest.mark.parametrize("listed", [False, True])
def test_a_file_of_pretty_printed_documents_loses_none_where_one_piece_ends(listed, tmp_path):
    """Pieces of a file end at 2,000 lines, or behind the object that is then open."""
    documents = (emf(oven=str(number), loaves=number) for number in range(700))
    text = "\n".join(PREFIXES["Python"] + json.dumps(document, indent=1) for document in documents)
    if listed:
        text = json.dumps({"events": [{"message": line, "timestamp": NOW} for line in text.split("\n")]})
    file = tmp_path / "documents"
    file.write_text(text)
    reader, tally = (
        PieceReader(ForwarderSettings(), "", ResourceTags(ForwarderSettings(), lambda _: None)),
        Tally(),
    )
    found = [reader.read(piece, tally) for piece in file_unit(str(file), Inputs(lambda _: None)).pieces]
    assert sorted(point.value for each in found for point in each.points) == list(range(700))
    assert not any(each.logs or each.refused for each in found)
    assert len([each for each in found if each.points]) > 3


@st.composite
def changed(draw):
    """A document with one of its values replaced by any JSON, or left out."""
    record = json.loads(json.dumps(draw(st.sampled_from(list(DOCUMENTS.values())))))
    here = record
    while True:
        key = draw(st.sampled_from(list(here) if isinstance(here, dict) else list(range(len(here)))))
        if isinstance(here[key], (dict, list)) and here[key] and draw(st.booleans()):
            here = here[key]
        elif draw(st.booleans()):
            here[key] = draw(JSON)
            return record
        else:
            del here[key]
            return record


@settings(max_examples=200, deadline=None)
@given(changed(), st.sampled_from(["", PREFIXES["Node.js"], "entry", "pretty"]))
def test_a_document_with_any_other_value_is_something_and_can_be_sent(record, wrapping):
    text = json.dumps(record, indent=1 if wrapping == "pretty" else None)
    if wrapping == "entry":
        text = json.dumps({"level": "INFO", "message": record})
    elif wrapping != "pretty":
        text = wrapping + text
    found = read(*text.split("\n"))
    assert found.points or found.spans or found.logs or found.refused
    assert len(found.refused) <= 1
    for batch in (*log_batches(found.logs, "u"), *metric_batches(found.points, "u")):
        assert json.loads(batch.body(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    for batch in trace_batches(found.spans, "u"):
        assert batch.body()
