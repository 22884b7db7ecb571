"""The parts of the embedded AWS that need none: output, platform lines, filter patterns, time, places in JSON."""

import asyncio
import json
import re
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.errors import InputError
from monitoring.local_aws.clock import Clock
from monitoring.local_aws.filter_pattern import compile_pattern
from monitoring.local_aws.output import EVENT_BYTES, Line, OutputReader
from monitoring.local_aws.platform_lines import PLATFORM_LINES, Usage
from monitoring.local_aws.runtime_api import Connection
from monitoring.local_aws.vended import log_message

# -- what a worker writes

TEXT = st.text(st.characters(exclude_characters="\n\x00", exclude_categories=["Cs"]), max_size=30)


def frame(text: str, microseconds: int) -> bytes:
    body = text.encode()
    return b"\xa5\x5a\x00\x0f" + len(body).to_bytes(4, "big") + microseconds.to_bytes(8, "big") + body


@given(
    st.lists(st.one_of(TEXT.map(lambda t: (t, None)), st.tuples(TEXT, st.integers(0, 2**50))), max_size=8),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_lines_come_out_whole_however_the_bytes_arrive(
    written: list[tuple[str, int | None]], sizes: list[int]
) -> None:
    data = b"".join(text.encode() + b"\n" if stamp is None else frame(text, stamp) for text, stamp in written)
    reader, lines, n = OutputReader(), [], 0
    while data:
        size = sizes[n % len(sizes)]
        lines += reader.feed(data[:size])
        data, n = data[size:], n + 1
    lines += reader.flush()
    expected = [Line(text, None if stamp is None else stamp // 1000) for text, stamp in written if text]
    assert lines == expected


def test_a_frame_within_a_line_comes_before_the_rest_of_the_line() -> None:
    reader = OutputReader()
    assert reader.feed(b"begun " + frame("logged\nhere", 5000)) == [Line("logged\nhere", 5)]
    assert reader.feed(b"and ended\n") == [Line("begun and ended")]


def test_a_line_that_is_too_long_for_an_event_is_split_between_characters() -> None:
    text = "é" * EVENT_BYTES
    lines = OutputReader().feed(text.encode() + b"\n")
    assert "".join(line.message for line in lines) == text
    assert [len(line.message.encode()) for line in lines] == [EVENT_BYTES, EVENT_BYTES]


def test_bytes_that_are_no_utf_8_do_not_stop_the_log() -> None:
    assert OutputReader().feed(b"\xff\xfe ok\n") == [Line("\ufffd\ufffd ok")]


# -- what Lambda writes

KINDS = {
    "report_cold": ("end", Usage(26.25, 128, 70, 145.09)),
    "report_timeout": ("end", Usage(3000.0, 128, 70, 164.66, "timeout")),
    "report_oom_cold": ("end", Usage(8948.73, 2048, 2048, 495.04, "error", "Runtime.OutOfMemory")),
}


def shape(line: str) -> str:
    line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", line.rstrip("\n"))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", re.sub(r"\d+(\.\d+)?(?= (ms|MB))", "N", line))


@pytest.mark.parametrize("kind", KINDS)
def test_reports_have_the_form_of_recorded_ones(kind: str) -> None:
    rows = [json.loads(row) for row in shared_data("platform_lines.jsonl").read_text().splitlines()]
    recorded = {shape(row["message"]) for row in rows if row["kind"] == kind}
    _, usage = KINDS[kind]
    line = PLATFORM_LINES["Text"].end("11111111-2222-3333-4444-555555555555", usage)[-1].message
    assert shape(line) in recorded


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("start", PLATFORM_LINES["Text"].start("03552aac-6ab8-419f-9136-63431d98ce95", "arn")[0]),
        ("end", PLATFORM_LINES["Text"].end("03552aac-6ab8-419f-9136-63431d98ce95", Usage(1, 1, 1))[0]),
        ("timeout", PLATFORM_LINES["Text"].timed_out("7c9567b5-107b-4a6c-8798-0157ac21db52", 3)[0]),
        (
            "killed",
            PLATFORM_LINES["Text"].exited(
                "66ce6204-7c13-50f6-a32c-3db39caefc6b", "Runtime exited with error: signal: killed"
            )[0],
        ),
        (
            "init_report_error",
            PLATFORM_LINES["Text"].init_report("init", 229.04, "error", "Runtime.ImportModuleError")[0],
        ),
        ("init_report_timeout", PLATFORM_LINES["Text"].init_report("init", 10009.13, "timeout", "")[0]),
    ],
)
def test_platform_lines_have_the_form_of_recorded_ones(kind: str, line: Line) -> None:
    rows = [json.loads(row) for row in shared_data("platform_lines.jsonl").read_text().splitlines()]
    assert shape(line.message) in {shape(row["message"]) for row in rows if row["kind"] == kind}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("json_start", PLATFORM_LINES["JSON"].start("79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36", "arn")[0]),
        ("json_report", PLATFORM_LINES["JSON"].end("id", Usage(1233.96, 256, 123, 463.512))[0]),
        ("json_report_timeout", PLATFORM_LINES["JSON"].end("id", Usage(3e4, 128, 74, 985.4, "timeout"))[0]),
    ],
)
def test_json_events_have_the_keys_of_recorded_ones(kind: str, line: Line) -> None:
    rows = [json.loads(row) for row in shared_data("platform_lines.jsonl").read_text().splitlines()]
    recorded = next(json.loads(row["message"]) for row in rows if row["kind"] == kind)
    written = json.loads(line.message)
    assert list(written) == list(recorded)
    assert list(written["record"]) == list(recorded["record"])
    assert list(written["record"].get("metrics", {})) == list(recorded["record"].get("metrics", {}))


# -- the rule of vended log lines, on everything recorded


def test_every_recorded_event_makes_a_line_by_the_rule() -> None:
    histories = [json.loads(row) for row in shared_data("execution_histories.jsonl").read_text().splitlines()]
    events = [event for history in histories for event in history["events"]]
    assert len(events) > 500
    for event in events:
        details = next((value for key, value in event.items() if key.endswith("EventDetails")), None)
        log = {
            "id": event["id"],
            "type": event["type"],
            "previous_event_id": event["previousEventId"],
            "event_timestamp": "2026-11-23T10:00:00.123Z",
            "execution_arn": "arn",
        }
        milliseconds, text = log_message(log if details is None else {**log, "details": details})
        line = json.loads(text)
        assert milliseconds == 1795428000123
        assert list(line) == [
            "id",
            "type",
            "details",
            "previous_event_id",
            "event_timestamp",
            "execution_arn",
            "redrive_count",
        ]
        assert line["details"] == (details or {})
        assert (line["id"], line["previous_event_id"]) == (str(event["id"]), str(event["previousEventId"]))


# -- filter patterns

MESSAGE = '{"level": "ERROR", "code": 500, "user": {"id": "u-17"}}'


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("two words", "words, and two", True),
        ("two words", "two only", False),
        ('"two words"', "words, and two", False),
        ("?a ?b", "b", True),
        ("?a ?b", "c", False),
        ("a -b", "a b", False),
        ('{ $.level = "ERROR" }', MESSAGE, True),
        ('{ $.level != "ERROR" }', MESSAGE, False),
        ("{ $.code >= 500 && $.code < 600 }", MESSAGE, True),
        ("{ $.code = 404 || $.code = 500 }", MESSAGE, True),
        ('{ $.user.id = "u-*" }', MESSAGE, True),
        ('{ $.nothing = "x" }', MESSAGE, False),
        ("{ $.code > 1 }", "no json", False),
    ],
)
def test_a_pattern_matches_as_cloudwatch_says(pattern: str, message: str, matches: bool) -> None:
    assert compile_pattern(pattern)(message) is matches


@pytest.mark.parametrize("pattern", ["[a, b]", "{ $.a }", "{ $.a = 1 && $.b = 2 || $.c = 3 }", "{ $.a = 1"])
def test_a_pattern_outside_the_grammar_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"filter pattern {pattern!r}")):
        compile_pattern(pattern)


# -- time


class Wall:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@given(
    st.floats(0.1, 100),
    st.floats(0.1, 10),
    st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=6),
)
def test_time_passes_at_the_speed_of_waiting_or_of_work(
    speed: float, work_speed: float, spans: list[tuple[bool, float]]
) -> None:
    wall = Wall()
    clock = Clock(speed, work_speed, wall)
    expected = 0.0
    for works, seconds in spans:
        if works:
            with clock.working(), clock.working():
                wall.time += seconds
        else:
            wall.time += seconds
        expected += seconds * (work_speed if works else speed)
    assert clock.elapsed() == pytest.approx(expected)


async def real_seconds(clock: Clock, seconds: float) -> float:
    began = time.monotonic()
    await clock.sleep(seconds)
    return time.monotonic() - began


def test_a_wait_of_ten_seconds_at_a_hundred_times_the_speed_takes_a_tenth_of_one() -> None:
    assert asyncio.run(real_seconds(Clock(100), 10)) == pytest.approx(0.1, abs=0.05)


def test_a_wait_beside_work_takes_as_long_as_the_work_leaves_it() -> None:
    async def beside_work() -> float:
        clock = Clock(100, 1)
        with clock.working():
            waiting = asyncio.create_task(real_seconds(clock, 10))
            await asyncio.sleep(0.3)
        return await waiting

    assert asyncio.run(beside_work()) == pytest.approx(0.3 + 9.7 / 100, abs=0.1)


def test_work_that_takes_too_long_is_cancelled_and_other_work_is_not() -> None:
    ended: list[str] = []

    async def work(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        finally:
            ended.append("ended")
        return "done"

    async def both() -> str:
        with pytest.raises(TimeoutError):
            await Clock(100).limit(work(60), 1)
        return await Clock(100).limit(work(0), 10)

    assert asyncio.run(both()) == "done"
    assert ended == ["ended", "ended"]


# -- the runtime API


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 5\r\n\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"),
    ],
)
def test_a_request_is_read_in_one_piece_or_many(head: bytes, body: bytes) -> None:
    request = b"POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nX-Y: z\r\n" + head + body
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection.__new__(Connection)
        connection.socket, connection._buffer = ours, b""
        for part in (request[:30], request[30:-3], request[-3:]):
            theirs.sendall(part)
            found, closed = connection.receive()
        assert not closed
        assert [(each.method, each.body, each.headers["x-y"]) for each in found] == [("POST", b"hello", "z")]
