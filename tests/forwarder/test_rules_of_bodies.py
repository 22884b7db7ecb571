"""How a body of any form is read into lines, log events and refusals (docs/forwarder.md, docs/forwarder-inputs).

The forms are those of AWS's documentation: CloudWatch Logs' exports and `aws logs` commands, Logs Insights, Firehose, CloudTrail.
"""

import base64
import bz2
import gzip
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.forwarder import bodies, decoding, text
from monitoring.forwarder.bodies import payload_piece, read_body
from monitoring.forwarder.decoding import decode_base64, expand, inflate, peek
from monitoring.forwarder.inputs import Inputs, answer, failed_event, identity
from monitoring.forwarder.pieces import (
    LinePiece,
    LogPayload,
    Redrive,
    Refusal,
    Rest,
    Skipped,
    Spooled,
    StatusChange,
)
from monitoring.forwarder.positions import Delivery
from monitoring.forwarder.rows import (
    csv_dialect,
    is_insights_row,
    is_page_row,
    pieces_of,
    read_row,
    utc_milliseconds,
)
from monitoring.forwarder.shapes import CONTENT, LOG
from monitoring.forwarder.spool import MARK
from monitoring.forwarder.stamped import EXPORTED, stamped_form
from monitoring.forwarder.text import Text

T = 1_795_428_000_000
ISO = "2026-11-23T10:00:00"
BASE = LinePiece([], "f", "/base", "stream", "1")


def pieces(body, shapes=CONTENT, size=10_000, base=BASE):
    data = body.encode() if isinstance(body, str) else body
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return list(read_body(chunks, base, shapes))


def lines(body, shapes=CONTENT, size=10_000):
    """(message, time, place) of every line, and the reasons of what is refused."""
    rows = []
    for piece in pieces(body, shapes, size):
        if isinstance(piece, LinePiece):
            rows += piece.lines
        elif isinstance(piece, LogPayload):
            rows += [(event.message, event.timestamp, None) for event in piece.payload.logEvents]
        else:
            rows.append(type(piece).__name__)
    return rows


# --- plain lines


EMPTY, PACKED = (base64.b64encode(gzip.compress(data, mtime=0)).decode() for data in (b"", b"packed"))


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a\nb", [("a", 0, 1), ("b", 0, 2)]),
        ("a\r\nb\r\n", [("a", 0, 1), ("b", 0, 2)]),
        ("\n\na\n  \nb", [("a", 0, 3), ("b", 0, 5)]),
        ("", []),
        ("\n \n", []),
        ("x 1", [("x 1", 0, 1)]),
        ("\ufeffa", [("a", 0, 1)]),
        (f"text {ISO}Z a", [(f"text {ISO}Z a", 0, 1)]),
        ("2026 a", [("2026 a", 0, 1)]),
        ("H4sI is text", [("H4sI is text", 0, 1)]),
        (f"a\n{EMPTY}\n{PACKED}\nb", [("a", 0, 1), (EMPTY, 0, 2), ("packed", 0, 1), ("b", 0, 4)]),
        ("[not json", [("[not json", 0, 1)]),
        ("{not json", [("{not json", 0, 1)]),
        ("[1, 2]\n", [("[1, 2]", 0, 1)]),
        ('{"a": 1}\n{"b": 2}', [('{"a": 1}', 0, 1), ('{"b": 2}', 0, 2)]),
        ('x\n{\n "a": 1\n}\ny', [("x", 0, 1), ('{\n "a": 1\n}', 0, 2), ("y", 0, 5)]),
    ],
)
def test_text_is_read_line_by_line_with_its_place(body, expected, size):
    assert lines(body, size=size) == expected


def test_a_line_between_others_may_be_a_log_event_of_its_own():
    event = {"log_group": "/g", "log_stream": "s", "timestamp": T, "message": "m"}
    plain = {"log_group": "/g", "other": 1}
    body = f"a\n{json.dumps(event)}\n{json.dumps(plain)}\nb"
    made = [(piece.group, [row[0] for row in piece.lines]) for piece in pieces(body)]
    assert ("/g", ["m"]) in made
    texts = [text for _, rows in made for text in rows]
    assert texts.count("a") == texts.count("b") == 1
    assert json.dumps(plain) in texts


@pytest.mark.parametrize("shapes", [LOG, CONTENT])
def test_a_printed_list_of_texts_is_a_list_of_messages(shapes):
    assert [row[0] for row in lines('["a", "b"]\n', shapes)] == ["a", "b"]


def long(monkeypatch, line=20):
    for module in (text, bodies):
        monkeypatch.setattr(module, "LINE", line)


def test_a_line_longer_than_the_limit_comes_in_parts_of_one_place(monkeypatch):
    long(monkeypatch)
    made = lines("a" * 50 + "\nb")
    assert "".join(row[0] for row in made[:-1]) == "a" * 50
    assert max(len(row[0]) for row in made) <= 20
    assert made[-1][0] == "b"


def test_a_piece_has_two_thousand_lines_and_an_object_is_not_cut():
    body = "\n".join(f"l{number}" for number in range(4500))
    assert [len(piece.lines) for piece in pieces(body)] == [2000, 2000, 500]
    printed = ["x"] * 1999 + ["{"] + ["  y"] * 10 + ["}"] + ["z"]
    sizes = [len(piece.lines) for piece in pieces("\n".join(printed))]
    assert sum(sizes) >= 2000
    inner = "\n".join(["x", *["  y"] * 5000])
    assert [len(piece.lines) for piece in pieces(inner)] == [4000, 1001]


# --- payloads


def payload(*messages, **more):
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "1",
        "logGroup": "/g",
        "logStream": "s",
        "logEvents": [{"id": "0", "timestamp": T, "message": message} for message in messages],
        **more,
    }


@pytest.mark.parametrize("between", ["", "\n", " \n "])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_payloads_stand_one_behind_the_other(between, size):
    body = between.join(json.dumps(payload(message)) for message in ("a", "b{", 'c"messageType"'))
    assert [row[0] for row in lines(body, size=size)] == ["a", "b{", 'c"messageType"']


def test_a_payload_that_is_cut_off_gives_the_events_that_it_holds_and_says_so():
    body = json.dumps(payload("a", "b", "c"))
    cut = gzip.compress(json.dumps(payload("x")).encode() + body.encode())
    made = pieces(body[: body.index('"c"') + 2])
    assert [row[0] for row in lines(body + body[: body.index('"b"') + 1]) if isinstance(row, tuple)][:3] == [
        "a",
        "b",
        "c",
    ]
    assert any(isinstance(piece, Refusal) for piece in made)
    broken = pieces(cut[:-30])
    assert isinstance(broken[-1], Refusal)
    assert broken[-1].reason.startswith("unreadable from here on: ")


@pytest.mark.parametrize(("more", "whole"), [(0, True), (-1, False)])
def test_a_payload_may_be_as_large_as_the_limit(monkeypatch, more, whole):
    body = json.dumps(payload("a"))
    monkeypatch.setattr(bodies, "_PAYLOAD_BYTES", len(body) + more)
    made = pieces(body)
    assert isinstance(made[0], LogPayload)
    assert (len(made) == 1) is whole


@pytest.mark.parametrize(
    ("head", "skipped"),
    [
        ({"messageType": "CONTROL_MESSAGE"}, True),
        ({"logStream": "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"}, True),
        ({}, False),
    ],
)
def test_what_cloudwatch_logs_tests_a_delivery_with_is_skipped(head, skipped):
    (piece,) = pieces(json.dumps(payload("a", **head)))
    assert isinstance(piece, Skipped) is skipped
    assert payload_piece.__doc__


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"PAR1xx", "a Parquet file"),
        (b"Obj\x01xx", "an Avro file"),
        (b"ORCxx", "an ORC file"),
        (b"PK\x03\x04xx", "a zip archive or an Excel workbook"),
        (b"\x01" * 6 + b"a" * 94, "a binary file"),
        (b"\x01" * 5 + b"a" * 95, None),
        (b"\x1b[0m\t\r\n" * 20, None),
        (b"\0" * 500 + b"a" * 100, None),
    ],
)
def test_a_binary_file_is_refused_by_its_kind(body, kind):
    made = pieces(body)
    refusals = [piece for piece in made if isinstance(piece, Refusal)]
    assert [refusal.reason for refusal in refusals] == (
        [f"{kind} cannot be read: export it as JSON, CSV or text"] if kind else []
    )
    assert all(refusal.whole and refusal.where == "f" for refusal in refusals)


# --- compression and encodings


WAYS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "gzip in gzip": lambda data: gzip.compress(gzip.compress(data)),
    "utf-8 with a mark": lambda data: b"\xef\xbb\xbf" + data,
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "utf-16-be with a mark": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "utf-16-le": lambda data: data.decode().encode("utf-16-le"),
    "utf-16-be": lambda data: data.decode().encode("utf-16-be"),
    "utf-32": lambda data: data.decode().encode("utf-32"),
    "utf-32-be": lambda data: b"\x00\x00\xfe\xff" + data.decode().encode("utf-32-be"),
    "base64 of gzip in lines": lambda data: base64.encodebytes(gzip.compress(data, mtime=0)),
    "members": lambda data: gzip.compress(data[:10]) + b"\0\0\n" + gzip.compress(data[10:]),
}
LETTERS = "".join(f"line {number} of many\n" for number in range(200)).encode()


@pytest.mark.parametrize("body", [b"ab\0cdef", b"a\0bcdef", b"\0\0\0\0abcd", b"a\0\0\0b\0c\0"])
def test_a_zero_in_a_text_does_not_make_it_utf_16(body):
    assert b"".join(expand([body])) == body


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("way", WAYS)
def test_a_body_is_decoded_whatever_it_is_packed_with(way, size):
    data = WAYS[way](LETTERS)
    assert b"".join(expand(data[at : at + size] for at in range(0, len(data), size))) == LETTERS


def test_what_is_left_at_the_end_of_a_packed_body_is_said_or_replaced():
    with pytest.raises(EOFError, match="the base64 text is truncated"):
        b"".join(expand([base64.encodebytes(gzip.compress(LETTERS)) + b"A"]))
    assert b"".join(expand([b"\xff\xfea\0b"])).decode() == "a\ufffd"


@pytest.mark.parametrize("way", ["gzip", "bzip2", "xz"])
def test_what_precedes_the_cut_of_a_compressed_body_is_yielded(way):
    import random

    noise = "".join(random.Random(1).choice("abcdefgh\n") for _ in range(50_000)).encode()
    data = WAYS[way](noise)
    read, stream = [], expand([data[: len(data) // 2]])
    with pytest.raises(EOFError, match="truncated"):
        read.extend(stream)
    assert noise.startswith(b"".join(read))


def test_six_layers_are_taken_off_and_no_more():
    data = b"text"
    for _ in range(7):
        data = gzip.compress(data, mtime=0)
    assert gzip.decompress(b"".join(expand([data]))) == b"text"


def test_the_head_is_looked_at_and_nothing_is_lost():
    source = iter([b"ab", b"cd", b"ef"])
    head, stream = peek(source, 3)
    assert head == b"abc"
    assert next(source) == b"ef"  # no more than the head is held
    assert b"".join(stream) == b"abcd"

    def broken():
        yield b"ab"
        raise OSError("gone")

    head, stream = peek(broken(), 9)
    assert head == b"ab"
    assert next(stream) == b"ab"
    with pytest.raises(OSError, match="gone"):
        next(stream)


def test_gzip_is_inflated_to_256_mb_at_most(monkeypatch):
    assert inflate(b"plain") == b"plain"
    assert inflate(gzip.compress(b"abc")) == b"abc"
    with pytest.raises(ValueError, match="truncated"):
        inflate(gzip.compress(b"abc" * 1000)[:-9])
    monkeypatch.setattr(decoding, "_INFLATED", 2)
    with pytest.raises(ValueError, match="inflates to more than"):
        inflate(gzip.compress(b"abc"))


@pytest.mark.parametrize("data", [None, 5, "%", "abc", b"\xff"])
def test_what_is_not_base64_is_refused(data):
    assert decode_base64("YWI=") == b"ab"
    with pytest.raises(ValueError, match="not base64"):
        decode_base64(data)


# --- text


@given(st.text(alphabet="ab\n\r{}é", max_size=60), st.integers(1, 7))
def test_the_lines_of_a_text_are_those_of_the_whole_however_it_is_cut(whole, size):
    data = whole.encode()
    made = Text([data[at : at + size] for at in range(0, len(data), size)])
    read = []
    while part := made.lines():
        read += part
    parts = whole.split("\n")
    parts = parts if parts[-1] else parts[:-1]
    assert read == [line.removesuffix("\r") for line in parts]


def test_a_text_knows_the_line_where_it_stands():
    made = Text([b"a\nb\nc\n{", b'"k": 1}\nz'])
    assert made.lines() == ["a", "b", "c", '{"k": 1}']
    assert made.line == 5
    made.back(["c", '{"k": 1}'])
    assert made.line == 3
    assert made.skip(2) == "c\n"
    assert made.line == 4
    value, end = made.value(0)
    assert value == {"k": 1}
    assert made.char(end) == "\n"
    assert made.space(end) == end + 1
    assert made.skip(end + 1) == '{"k": 1}\n'
    assert made.line == 5
    assert made.char(1) == ""
    assert made.lines() == ["z"]
    assert made.lines() == []


@pytest.mark.parametrize(
    ("body", "value"),
    [("12 ", 12), ("12", 12), ("true", True), ('"a', None), ("{", None), ("nope", None), ("[1,", None)],
)
def test_a_value_is_whole_or_is_refused(body, value):
    made = Text([letter.encode() for letter in body])
    if value is None:
        with pytest.raises(ValueError):  # noqa: PT011 - json's own words
            made.value(0)
    else:
        assert made.value(0)[0] == value


def test_a_text_that_breaks_off_does_not_believe_its_last_line():
    def chunks():
        yield b"a\nb"
        raise EOFError("cut")

    made = Text(chunks())
    assert made.lines() == ["a"]
    assert made.lines() == []
    assert isinstance(made.error, EOFError)
    assert made.held == "b"


# --- rows


@pytest.mark.parametrize(
    ("item", "row"),
    [
        ({"message": "m", "timestamp": T}, ("", "", "", "m", T)),
        ({"@message": "m", "@timestamp": f"{ISO}.5"}, ("", "", "", "m", T + 500)),
        ({"message": "m", "logGroup": "/g", "logStream": "s", "owner": "1"}, ("1", "/g", "s", "m", 0)),
        ({"message": "m", "@log": "123:/g", "@logStream": "s"}, ("123", "/g", "s", "m", 0)),
        ({"message": "m", "log_group": "a:/g"}, ("", "a:/g", "", "m", 0)),
        ({"message": "m", "log-group": "/g", "log-stream": "s"}, ("", "/g", "s", "m", 0)),
        ({"message": "m", "logGroupName": "/g", "logStreamName": "s"}, ("", "/g", "s", "m", 0)),
        ({"message": "m", "logGroupIdentifier": "/g", "log_stream": "s"}, ("", "/g", "s", "m", 0)),
        ({"message": {"a": 1}}, ("", "", "", '{"a":1}', 0)),
        ({"a": 1}, ("", "", "", '{"a":1}', 0)),
        ("m", ("", "", "", "m", 0)),
        (
            [
                {"field": "@message", "value": "m"},
                {"field": "@ptr", "value": "p"},
                {"field": "@log", "value": "1:/g"},
            ],
            ("1", "/g", "", "m", 0),
        ),
        ([{"field": "@ptr", "value": "p"}, {"field": "bin", "value": "5"}], ("", "", "", '{"bin":"5"}', 0)),
        (5, ("", "", "", "{}", 0)),
    ],
)
def test_a_row_is_a_log_event_in_whatever_words(item, row):
    assert read_row(item, 7) == (*row, 7)


@pytest.mark.parametrize(
    ("item", "page", "insights"),
    [
        ({"message": "m", "timestamp": 1}, True, False),
        ({"message": 5, "timestamp": 1}, False, False),
        ({"message": "m"}, False, False),
        ({"@message": "m"}, False, True),
        ({"@timestamp": "m"}, False, True),
        ([{"field": "a"}], False, True),
        ([{"field": "a"}, {"value": "b"}], False, False),
        ([], False, False),
        ("m", False, False),
    ],
)
def test_rows_of_pages_and_of_insights_are_known_by_their_keys(item, page, insights):
    assert is_page_row(item) is page
    assert bool(is_insights_row(item)) is insights


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("@timestamp,@message", ","),
        ("@timestamp;@message", ";"),
        ("@timestamp\t@message", "\t"),
        ("@message", ","),
        ("@timestamp", ""),
        ("@timestamp,bin", ","),
        ("timestamp,message", ","),
        ("timestamp,message,ingestionTime,logStreamName,eventId", ","),
        ("timestamp,message,other", ""),
        ("message", ""),
        ("a,b", ""),
        ("the message, and more", ""),
        ("", ""),
    ],
)
def test_a_csv_export_is_known_by_its_header(header, delimiter):
    assert csv_dialect(header) == delimiter


def test_a_csv_export_is_read_with_its_quotes_and_more_columns():
    body = '\n@timestamp,@message,@logStream\n2026-11-23 10:00:00.000,"a\n""b""",s\n2026-11-23 10:00:01.000,c,s,x\n'
    (piece,) = pieces(body)
    assert (piece.group, piece.stream) == ("/base", "s")
    assert piece.lines == [('a\n"b"', T, 1), ("c", T + 1000, 2)]


def test_rows_of_one_stream_stand_together_two_thousand_at_a_time():
    rows = [("", "/g", f"s{number % 2}", "m", 0, number) for number in range(4001)]
    made = list(pieces_of(rows, BASE))
    assert [(piece.stream, len(piece.lines)) for piece in made] == [
        ("s0", 1000),
        ("s1", 1000),
        ("s0", 1000),
        ("s1", 1000),
        ("s0", 1),
    ]
    assert {(piece.owner, piece.group) for piece in made} == {("1", "/g")}
    inner = [("", "", "", "  y", 0, number) for number in range(4001)]
    assert [len(piece.lines) for piece in pieces_of(inner, BASE)] == [4000, 1]
    large = [("", "", "", "x" * 4_000_001, 0, 1), ("", "", "", "y", 0, 2)]
    assert [len(piece.lines) for piece in pieces_of(large, BASE)] == [1, 1]
    assert pieces_of([], BASE).__next__.__doc__
    assert list(pieces_of([], BASE)) == []

    def broken():
        yield rows[0]
        raise ValueError("odd")

    made = pieces_of(broken(), BASE)
    assert len(next(made).lines) == 1
    with pytest.raises(ValueError, match="odd"):
        next(made)


@pytest.mark.parametrize(
    ("stamp", "milliseconds"),
    [
        (f"{ISO}Z", T),
        (f"{ISO}.5Z", T + 500),
        (f"{ISO}.123456+00:00", T + 123),
        (f"{ISO}.007Z", T + 7),
        ("2026-13-23T10:00:00.5Z", 0),
        ("", 0),
    ],
)
def test_a_time_of_a_line_is_in_utc(stamp, milliseconds):
    assert utc_milliseconds(stamp) == milliseconds


# --- lines with a time


TELEMETRY = "REPORT RequestId: x"
TAIL = f"{ISO}.123456+00:00 2026/11/23/[$LATEST]abc"


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (f"{ISO}.000Z a", True),
        (f"{ISO}Z a", True),
        (f"{T}\tmessage", True),
        (f"{TAIL} a", True),
        (f"{ISO}+00:00 plain a", False),
        (f"\x1b[32m{ISO}+00:00\x1b[0m \x1b[33mplain\x1b[0m a", True),
        (f"2026/11/23/[$LATEST]abc {ISO}.123456 a", True),
        (f"2026/11/23/[7]abc {ISO}.123456 a", True),
        (f"EVENTS\t{'1' * 20}\t{T}\tstream\ta\t{T}", True),
        (f"EVENTS\t{T}\ta\t{T}", True),
        (f"{ISO} {TELEMETRY}", True),
        (f"{ISO} START RequestId: 1", True),
        (f"{ISO} MONITORING|1|1|count|a|", True),
        (f'{ISO} {{"a": 1}}', True),
        (f"{ISO} my own line", False),
        ("a", False),
        ("", False),
    ],
)
def test_the_form_of_lines_with_a_time_is_known_by_more_than_the_time(first, known):
    assert (stamped_form(f"\n{first}\nmore") is not None) is known


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{ISO}.001Z a\n{ISO}.002Z b", [("a", T + 1), ("b", T + 2)]),
        (f"{ISO}.001Z a\n  more\n{ISO}.002Z b", [("a\n  more", T + 1), ("b", T + 2)]),
        (f"{T + 1}\ta\n{T + 2}\tb", [("a", T + 1), ("b", T + 2)]),
        (f"{TAIL} a\n{TAIL} b", [("a", T + 123), ("b", T + 123)]),
        (f'{TAIL}\n{{\n  "a": 1\n}}\n{TAIL} b', [('{"a":1}', T + 123), ("b", T + 123)]),
        (f"{TAIL}\nx\ny", [("x\ny", T + 123)]),
        (f'{ISO}.001Z {{"a": 1,\n  "b": 2}}', [('{"a": 1,\n  "b": 2}', T + 1)]),
        (f"EVENTS\t{T + 1}\ta\tb\t{T + 9}\nEVENTS\t{T + 2}\tc\t{T + 9}", [("a\tb", T + 9), ("c", T + 9)]),
        (f"b/{'1' * 20}\tf/{'2' * 20}\nEVENTS\t{T}\ta\t{T + 9}", [("a", T + 9)]),
    ],
)
def test_lines_with_a_time_are_events_and_others_belong_to_the_event_before(body, expected):
    assert [(row[0], row[1]) for row in lines(body)] == expected


def test_the_stream_of_a_tailed_line_is_kept():
    assert [piece.stream for piece in pieces(f"{TAIL} a\n{ISO}+00:00 other/[1]x b")] == [
        "2026/11/23/[$LATEST]abc",
        "other/[1]x",
    ]
    assert EXPORTED.match(f"{ISO}.123Z a")


# --- documents


PAGE = {"events": [{"message": "a", "timestamp": T}, {"message": "b", "timestamp": T + 1}]}


@pytest.mark.parametrize("size", [1, 10, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("document", "messages"),
    [
        (PAGE, ["a", "b"]),
        ({**PAGE, "searchedLogStreams": [], "nextToken": "t"}, ["a", "b"]),
        ({"nextForwardToken": "f", **PAGE, "nextBackwardToken": "b"}, ["a", "b"]),
        (PAGE["events"], ["a", "b"]),
        ({"results": [[{"field": "@message", "value": "a"}], [{"field": "@message", "value": "b"}]], "status": "Complete"}, ["a", "b"]),
        ([{"@message": "a", "@timestamp": "x"}], ["a"]),
        ({"logRecord": {"@message": "a", "@timestamp": "x"}}, ["a"]),
        ({"events": [], "searchedLogStreams": []}, []),
        ({"Records": []}, []),
    ],
)  # fmt: skip
def test_an_answer_of_aws_is_its_log_events(document, messages, indent, size):
    assert [row[0] for row in lines(json.dumps(document, indent=indent), size=size)] == messages


@pytest.mark.parametrize(
    "document",
    [
        {"other": 1, **PAGE},
        {"events": [{"message": "a"}]},
        {"events": []},
        {"results": [{"a": 1}], "status": "x"},
        {"Records": [], "other": 1},
        {"records": "text"},
    ],
)
def test_an_applications_own_json_is_a_line(document):
    text_ = json.dumps(document)
    assert [row[0] for row in lines(text_) if isinstance(row, tuple)] == [text_]


def test_documents_and_lines_keep_their_order():
    made = lines(f"x\n{json.dumps(PAGE)}\ny")
    assert [row[0] for row in made] == ["x", "a", "b", "y"]


def test_an_application_that_prints_an_event_prints_a_line_of_its_log():
    event = '{"detail-type": "Step Functions Execution Status Change"}'
    assert [row[0] for row in lines(f'{{"a": 1}}\n{event}\n')] == ['{"a": 1}', event]


def test_a_document_that_breaks_off_keeps_its_events_and_says_where():
    body = json.dumps(PAGE, indent=1)
    made = pieces(body[: body.rindex("}") - 30] + "\n" + json.dumps(PAGE))
    assert [row[0] for piece in made if isinstance(piece, LinePiece) for row in piece.lines][:1] == ["a"]
    refusals = [piece for piece in made if isinstance(piece, Refusal)]
    assert len(refusals) == 1
    assert refusals[0].reason.startswith("not valid JSON from here on: ")


# --- records


def b64(value):
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def trail(**more):
    return {"eventSource": "s3.amazonaws.com", "eventName": "Get", "eventTime": f"{ISO}Z", **more}


@pytest.mark.parametrize(
    ("event", "messages"),
    [
        ({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": b64(b"a")}}]}, ["a"]),
        ({"Records": [{"eventSource": "aws:kinesis", "data": b64(b"a")}]}, ["a"]),
        ({"records": [{"recordId": "1", "data": b64(b"a\nb")}]}, ["a", "b"]),
        ({"Records": [{"eventSource": "aws:kinesis", "data": b64(b"a"), "stepscope": "redrive"}]}, ["a"]),
        ({"Type": "Notification"}, ["Refusal"]),
        ({"requestId": "r", "timestamp": 1, "records": [{"data": b64(b"a")}]}, ["a"]),
        ({"records": [{"recordId": "1", "kafkaRecordValue": b64(b"a")}]}, ["a"]),
        ({"eventSource": "aws:kafka", "records": {"t-0": [{"topic": "t", "value": b64(b"a")}]}}, ["a"]),
        ({"eventSource": "aws:kafka", "records": {"t-0": [{"topic": "t", "value": None}]}}, []),
        ({"records": [{"recordId": "1", "data": b64(payload("a"))}]}, ["a"]),
        ({"records": [{"recordId": "1", "data": b64(gzip.compress(b"a"))}]}, ["a"]),
        ({"records": [{"recordId": "1", "data": {"k": 1}}]}, ['{"k":1}']),
        ([{"Data": b64(b"a"), "SequenceNumber": "1", "PartitionKey": "p"}], ["a"]),
        ({"Records": [{"Data": b64(b"a"), "PartitionKey": "p"}], "MillisBehindLatest": 0}, ["a"]),
        ({"rawData": b64(b"a"), "attemptsMade": 4}, ["a"]),
        ({"Records": [trail()]}, [json.dumps(trail(), separators=(",", ":"))]),
        ({"Events": [{"EventId": "1", "CloudTrailEvent": "{}", "EventTime": 1.0}]}, ["{}"]),
        ({"Records": [{"eventSource": "aws:unknown"}]}, ["Refusal"]),
        ({"awslogs": {"data": b64(gzip.compress(json.dumps(payload("a")).encode()))}}, ["a"]),
        ({"awslogs": {"data": "%"}}, ["Refusal"]),
        ({"messageType": "DATA_MESSAGE", "logEvents": [{"message": "a"}]}, ["a"]),
        ({"detail-type": "Step Functions Execution Status Change"}, ["StatusChange"]),
        ({"detail-type": "Scheduled Event"}, ["Redrive"]),
        ({"stepscope": "redrive"}, ["Redrive"]),
        ({"Event": "s3:TestEvent"}, ["Skipped"]),
        ({"Type": "Notification", "Message": "a"}, ["a"]),
        ({"requestContext": {}, "requestPayload": {"stepscope": "redrive"}}, ["Redrive"]),
        ({"requestContext": {}, "requestPayload": "x"}, ["Refusal"]),
        ([{"Body": "a", "ReceiptHandle": "r"}], ["a"]),
        ({"Messages": [{"Body": "a", "ReceiptHandle": "r"}]}, ["a"]),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "a"}}]}, ["a"]),
        ({"a": 1}, ["Refusal"]),
        ([], ["Refusal"]),
        ("text", ["Refusal"]),
        (None, ["Refusal"]),
    ],
)
def test_an_event_of_each_service_is_what_it_carries(event, messages):
    rows = []
    for piece in Inputs(lambda service: None).pieces(event, "event"):
        if isinstance(piece, LinePiece):
            rows += [row[0] for row in piece.lines]
        elif isinstance(piece, LogPayload):
            rows += [item.message for item in piece.payload.logEvents]
        else:
            rows.append(type(piece).__name__)
            if isinstance(piece, Refusal):
                json.loads(piece.body)
                assert piece.where == "event" or event != {"a": 1}
    assert rows == messages


def test_the_kinds_of_pieces_that_are_no_lines():
    assert {StatusChange.__name__, Redrive.__name__, Skipped.__name__} == {
        "StatusChange",
        "Redrive",
        "Skipped",
    }
    (piece,) = Inputs(lambda service: None).pieces({"Records": [trail()]}, "event")
    assert (piece.kind, piece.lines[0][1]) == ("cloudtrail", T)


@pytest.mark.parametrize(
    ("record", "when"),
    [
        ({"approximateArrivalTimestamp": 1_795_428_000.5}, T + 500),
        ({"approximateArrivalTimestamp": T}, T),
        ({"arrivalTimestamp": T}, T),
        ({"timestamp": f"{ISO}Z"}, T),
        ({"timestamp": "soon"}, 0),
        ({}, 0),
    ],
)
def test_a_record_has_the_time_of_its_arrival(record, when):
    event = {"records": [{"recordId": "1", "data": b64(b"a"), **record}]}
    (piece,) = Inputs(lambda service: None).pieces(event, "event")
    assert piece.milliseconds == when


# --- queues, and what identifies a delivery


def message(**more):
    return {"eventSource": "aws:sqs", "messageId": "m1", "receiptHandle": "r", "body": "a", **more}


def test_each_message_of_a_queue_is_a_unit_of_its_own():
    units = list(Inputs(lambda service: None).units({"Records": [message(), message(messageId="m2"), 5]}))
    assert [unit.ack for unit in units] == ["m1", "m2", ""]
    assert len({unit.identity for unit in units}) == 3
    assert [type(next(unit.pieces)).__name__ for unit in units] == ["LinePiece", "LinePiece", "Refusal"]
    again = next(Inputs(lambda service: None).units({"Records": [message(receiptHandle="other")]}))
    assert again.identity == units[0].identity


@pytest.mark.parametrize(
    ("attributes", "received"),
    [({"ApproximateReceiveCount": "4"}, 4), ({"ApproximateReceiveCount": "x"}, 1), ({}, 1), (None, 1)],
)
def test_a_spooled_message_says_how_often_it_was_received(attributes, received):
    body = json.dumps({MARK: 1})
    (unit,) = Inputs(lambda service: None).units({"Records": [message(body=body, attributes=attributes)]})
    assert list(unit.pieces) == [Spooled(body, "r", received)]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"invocationId": "1", "records": []}, {"invocationId": "2", "records": []}, True),
        ({"awslogs": {"data": "x"}, "other": 1}, {"awslogs": {"data": "x"}}, True),
        ({"awslogs": {"data": "x"}}, {"awslogs": {"data": "y"}}, False),
        ("text", "text", True),
        ("text", "other", False),
    ],
)
def test_an_event_is_identified_by_what_it_says(first, second, same):
    assert (identity(first) == identity(second)) is same
    assert len(identity(first)) == 32


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"records": [{"recordId": "1", "data": "x", "y": 1}]}, {"records": [{"recordId": "1", "result": "Ok", "data": "x"}]}),
        ({"records": [{"recordId": "1", "kafkaRecordValue": "x"}]}, {"records": [{"recordId": "1", "result": "Ok", "kafkaRecordValue": "x"}]}),
        ({"records": [{"recordId": "1"}]}, {"records": [{"recordId": "1", "result": "Ok"}]}),
        ({"requestId": "r", "timestamp": 5, "records": []}, {"requestId": "r", "timestamp": 5}),
        ({"requestId": "r", "deliveryStreamArn": "d", "records": []}, {"records": []}),
        ({"records": [{"data": "x"}]}, None),
        ({"records": {"t-0": []}}, None),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_firehose_is_answered_in_its_own_form(event, expected):
    """https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html and httpdeliveryrequestresponse.html."""
    assert answer(event) == expected


@pytest.mark.parametrize(
    ("event", "failed"),
    [
        ({"requestContext": {}, "requestPayload": {"a": 1}}, {"a": 1}),
        ({"requestPayload": {"a": 1}}, None),
        ({"requestContext": {}, "requestPayload": 5}, None),
        ({}, None),
    ],
)
def test_a_failed_event_is_taken_out_of_lambdas_record(event, failed):
    assert failed_event(event) == failed


# --- objects


class Body:
    def __init__(self, data):
        self.data, self.closed = data, False

    def iter_chunks(self, size):
        yield from (self.data[at : at + size] for at in range(0, len(self.data), size))

    def close(self):
        self.closed = True


class Store:
    """S3 with one object, or an error."""

    def __init__(self, data=b"a\nb\nc", error=None):
        self.body, self.error, self.asked = Body(data), error, []

    def __call__(self, service):
        return self

    def get_object(self, Bucket, Key):
        self.asked.append((Bucket, Key))
        if self.error:
            raise self.error
        return {"Body": self.body, "ETag": '"e"', "LastModified": "t"}


def s3(name="ObjectCreated:Put", key="k", **more):
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "b"}, "object": {"key": key, **more}},
    }


def told(kind, key="k"):
    return {
        "source": "aws.s3",
        "detail-type": kind,
        "detail": {"bucket": {"name": "b"}, "object": {"key": key}},
    }


def test_an_event_of_nobody_is_refused_as_an_event():
    (unit,) = Inputs(lambda service: None).units({"a": 1})
    assert next(unit.pieces).where == "event"
    store = Store()
    made = next(Inputs(store).read_object(Rest("b", "k", 0, "seq")))
    assert made.identity == 's3://b/k\nseq\n"e" t'
    store.get_object = lambda Bucket, Key: {"Body": Body(b""), "VersionId": "v", "ETag": "e"}
    assert next(Inputs(store).read_object(Rest("b", "k", 0, "seq"))).identity == "s3://b/k\nseq\nv e"


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        ({"Records": [s3()]}, [("b", "k")]),
        ({"Records": [s3(key="a+b%2Bc")]}, [("b", "a b+c")]),
        ({"Records": [s3("ObjectRestore:Completed")]}, [("b", "k")]),
        ({"Records": [s3("ObjectRemoved:Delete")]}, []),
        ({"Records": [s3("")]}, [("b", "k")]),
        (told("Object Created", "a+b"), [("b", "a+b")]),
        (told("Object Restore Completed"), [("b", "k")]),
        (told("Object Deleted"), []),
        ({"Records": [s3(key="x/aws-logs-write-test")]}, []),
        ({"Records": [s3(key="x/ELBAccessLogTestFile")]}, []),
        ({"Records": [s3(key="x/ConfigWritabilityCheckFile")]}, []),
        ({"Records": [{"eventSource": "aws:s3"}]}, []),
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}, []),
    ],
)
def test_an_object_is_fetched_where_something_was_written(event, asked):
    store = Store()
    made = list(Inputs(store).pieces(event, "event"))
    assert store.asked == asked
    if asked:
        assert isinstance(made[0], Delivery)
        assert [row[0] for row in made[1].lines] == ["a", "b", "c"]
        assert made[1].fields == (("bucket", "b"), ("key", asked[0][1]))
        assert store.body.closed
    else:
        assert [type(piece) in {Skipped, Refusal} for piece in made] == [True]
        assert all(json.loads(piece.body) for piece in made if isinstance(piece, Refusal))


@pytest.mark.parametrize(
    ("key", "kind", "stream"),
    [
        ("AWSLogs/1/elasticloadbalancing/x", "elb", ""),
        ("prefix/task/2026-11-23-[1]x/000000.gz", "", "2026-11-23-[1]x"),
        ("stream/000000.gz", "", ""),
        ("prefix/task/stream/0001", "", ""),
    ],
)
def test_a_key_tells_the_source_and_the_stream_of_its_object(key, kind, stream):
    made = list(Inputs(Store()).read_object(Rest("b", key, 0)))
    assert (made[1].kind, made[1].stream) == (kind, stream)


@pytest.mark.parametrize(
    ("code", "reason", "again"),
    [
        ("NoSuchKey", "S3 answers NoSuchKey: the object does not exist any more", False),
        ("404", "S3 answers 404: the object does not exist any more", False),
        ("NoSuchBucket", "S3 answers NoSuchBucket: the bucket does not exist", False),
        ("InvalidObjectState", "S3 answers InvalidObjectState: the object is archived", False),
        ("AccessDenied", "S3 answers AccessDenied: allow s3:GetObject on it", True),
        ("403", "S3 answers 403: allow s3:GetObject on it", True),
        ("SlowDown", "S3 answers SlowDown: busy", True),
        (None, "S3 cannot be read: busy", True),
    ],
)
def test_what_s3_does_not_give_comes_again_unless_it_is_gone(code, reason, again):
    error = RuntimeError("busy")
    if code:
        error.response = {"Error": {"Code": code}}
    delivery, refusal = Inputs(Store(error=error)).read_object(Rest("b", "k", 0))
    assert delivery == Delivery("s3://b/k", separate=True)
    assert refusal.reason.startswith(reason)
    assert (refusal.where, refusal.whole, refusal.again) == ("s3://b/k", True, again)


def test_the_rest_of_an_object_goes_on_behind_the_lines_that_were_read():
    data = "\n".join(f"l{number}" for number in range(5000)).encode()
    store = Store(data)
    stopped = [False, True]
    inputs = Inputs(store, lambda: stopped.pop(0) if stopped else False)
    first = list(inputs.read_object(Rest("b", "k", 0, "seq")))
    assert [type(piece).__name__ for piece in first] == [
        "Delivery",
        "LinePiece",
        "LinePiece",
        "Rest",
    ] or first[-1] == Rest("b", "k", 2000, "seq", '"e" t')
    rest = first[-1]
    second = list(Inputs(Store(data)).read_object(rest))
    assert second[0] == Delivery('s3://b/k\nseq\n"e" t', rest.skip, separate=True)
    assert second[1].lines[0][0] == f"l{rest.skip}"
    assert sum(len(piece.lines) for piece in second[1:]) == 5000 - rest.skip
    middle = list(Inputs(Store(data)).read_object(Rest("b", "k", 2500, "seq")))
    assert middle[1].lines[0][0] == "l2500"
    replaced = list(Inputs(Store(data)).read_object(rest._replace(state="other")))
    assert [piece.reason for piece in replaced] == ["the object was replaced before the rest of it was read"]
