"""Whatever the lines, payloads and events are: no exception escapes, and no good neighbour is lost."""

import base64
import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.forwarder.batches import log_batches, metric_batches, trace_batches
from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import LinePiece, Redrive, Rest, Spooled
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.shapes import CONTENT
from monitoring.forwarder.stats import Tally

BOUNDED = settings(max_examples=50, deadline=None)
GOOD = "MONITORING|1763000000|7|count|good.neighbour|"

ID = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
REPORT = (
    f"REPORT RequestId: {ID}\tDuration: 2.46 ms\tBilled Duration: 417 ms\tMemory Size: 1024 MB\t"
    "Max Memory Used: 95 MB\tInit Duration: 413.61 ms\tStatus: timeout"
)
EMF = {"Namespace": "N", "Dimensions": [["d"]], "Metrics": [{"Name": "v"}]}
SPAN = {
    "trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0", "service": "s", "resource": "r",
    "name": "n", "error": 0, "start": 1, "duration": 2, "meta": {"a": "b"}, "metrics": {"c": 1}, "type": "",
}  # fmt: skip
STEP = {
    "id": "2", "type": "TaskStateEntered", "details": {"name": "A"}, "previous_event_id": "0",
    "event_timestamp": "1763000000000", "execution_arn": "arn:aws:states:us-east-1:1:execution:m:e",
}  # fmt: skip
RECORD = {"requestId": "r", "metrics": {"durationMs": 1.5, "memorySizeMB": 128}}
SEEDS = [
    GOOD,
    "MONITORING|1763000000|1|count|a.b|#x:y,z",
    f"START RequestId: {ID} Version: $LATEST",
    f"END RequestId: {ID}",
    REPORT,
    "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.X",
    "RESTORE_REPORT Restore Duration: 1236.04 ms Status: error",
    f"2026-11-23T10:00:00.123Z {ID} Task timed out after 3.00 seconds",
    f"RequestId: {ID} Error: Runtime exited with error: signal: killed",
    '{"m":"a","v":1,"e":1763000000,"t":["a:b"]}',
    json.dumps({"time": "x", "type": "platform.report", "record": RECORD}),
    json.dumps({"_aws": {"Timestamp": 1763000000000, "CloudWatchMetrics": [EMF]}, "d": "x", "v": 1}),
    json.dumps({"traces": [[SPAN]]}, separators=(",", ":")),
    json.dumps(STEP),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def lines(draw):
    """A line of the seeds with something replaced, cut out or put in."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.text(max_size=6) | st.sampled_from(SEEDS)) + text[end:]
    return text


@st.composite
def changed_json(draw):
    """A JSON seed with one of its values replaced by any JSON."""
    record = json.loads(draw(st.sampled_from([seed for seed in SEEDS if seed.startswith("{")])))
    here = record
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = draw(st.sampled_from(keys))
        if isinstance(here[key], (dict, list)) and here[key] and draw(st.booleans()):
            here = here[key]
            continue
        here[key] = draw(JSON)
        return json.dumps(record)


def reader():
    chosen = ForwarderSettings()
    return PieceReader(chosen, "eu-west-1", ResourceTags(chosen, lambda _: None))


def forwarded(found):
    """The bodies that would be sent: whatever was read must also be writable as what the intakes take."""
    for batch in (*log_batches(found.logs, "u"), *metric_batches(found.points, "u")):
        assert json.loads(batch.body(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for batch in trace_batches(found.spans, "u"):
        assert batch.body()
    return [p.value for p in found.points if p.metric == "good.neighbour"]


def subscribed(messages):
    body = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/aws/lambda/f", "logStream": "s"}
    body["logEvents"] = [
        {"id": str(i), "timestamp": 1763000000000, "message": m} for i, m in enumerate(messages)
    ]
    return body


def read_all(event):
    found = []
    tally = Tally()
    read = reader()
    for unit in Inputs(lambda _: None).units(event):
        wanted = (piece for piece in unit.pieces if not isinstance(piece, (Redrive, Rest, Spooled)))
        found += [read.read(piece, tally) for piece in wanted]
    return found


def packed(body):
    return {
        "awslogs": {
            "data": base64.b64encode(gzip.compress(json.dumps(body).encode("utf-8", "replace"))).decode()
        }
    }


@BOUNDED
@given(st.lists(lines() | changed_json() | st.text(max_size=40), max_size=5), st.integers(0, 5))
def test_bad_lines_leave_their_neighbours_alone(messages, place):
    place = min(place, len(messages))
    event = packed(subscribed([*messages[:place], GOOD, *messages[place:]]))
    (found,) = read_all(event)
    assert 7 in forwarded(found)


def test_half_a_character_costs_only_itself():
    (found,) = read_all(packed(subscribed(["half \ud83d a smile", GOOD])))
    assert forwarded(found) == [7]
    assert [entry.message for entry in found.logs] == ["half ? a smile"]


@BOUNDED
@given(st.lists(JSON, max_size=4))
def test_bad_events_of_a_payload_leave_their_neighbours_alone(events):
    body = subscribed([GOOD])
    body["logEvents"] = [*events, *body["logEvents"]]
    found = read_all(packed(body))
    assert any(forwarded(one) == [7] for one in found)


@BOUNDED
@given(
    JSON
    | st.dictionaries(
        st.sampled_from(["Records", "awslogs", "detail", "detail-type", "source", "Message"]), JSON
    )
)
def test_any_event_gives_a_reason_or_something_to_read(event):
    for found in read_all(event):
        forwarded(found)


@BOUNDED
@given(st.binary(max_size=200), st.sampled_from([gzip.compress, bytes]), st.integers(1, 50), st.data())
def test_any_bytes_in_any_pieces_are_read_to_their_end(body, pack, size, data):
    text = pack(b"\n".join([GOOD.encode(), body]))
    cut = data.draw(st.integers(0, len(text)))
    chunks = [text[i : i + size] for i in range(0, cut, size)]
    read, tally = reader(), Tally()
    for piece in read_body(chunks, LinePiece([], "f"), CONTENT):
        forwarded(read.read(piece, tally))


@BOUNDED
@given(st.integers(1, 40), st.integers(0, 2**32))
def test_a_body_is_read_the_same_however_it_is_cut_into_chunks(size, seed):
    rng = random.Random(seed)
    bodies = [json.dumps(subscribed([GOOD] * rng.randrange(3))).encode() for _ in range(4)]
    text = rng.choice([gzip.compress, bytes])(rng.choice([b"", b"\n"]).join(bodies))
    read, tally = reader(), Tally()
    found = read_body([text[i : i + size] for i in range(0, len(text), size)], LinePiece([], "f"), CONTENT)
    values = [value for piece in found for value in forwarded(read.read(piece, tally))]
    assert len(values) == b"".join(bodies).count(b"good.neighbour")
