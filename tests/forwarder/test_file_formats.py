"""Whatever form log events come in, they give the same telemetry; however a body is cut, the same pieces."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_formats import FORMS, GROUP, MESSAGES, PACKINGS, STREAM, TEXTS, events

from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import LinePiece
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.stats import Tally

INPUTS = Inputs(lambda _: None)


def telemetry(pieces):
    """What the pieces amount to, without what a form does not say: the stream, the account, the line's end."""
    chosen = ForwarderSettings()
    reader, tally = PieceReader(chosen, "eu-west-1", ResourceTags(chosen, lambda _: None)), Tally()
    found = [reader.read(piece, tally) for piece in pieces]
    assert not tally.refused, tally.errors
    points = [
        (
            p.metric,
            p.value,
            p.timestamp,
            tuple(t for t in p.tags if not t.startswith(("executed", "account", "aws_acc"))),
        )
        for one in found
        for p in one.points
    ]
    logs = [(entry.message.rstrip("\n"), entry.timestamp) for one in found for entry in one.logs]
    return sorted(points), sorted(logs), [span.span_id for one in found for span in one.spans]


def read(body, size=None, group=GROUP):
    chunks = [body[at : at + size] for at in range(0, len(body), size)] if size else [body]
    return list(read_body(chunks, LinePiece([], "f", group), INPUTS))


def expected(found):
    return telemetry([LinePiece([(m, t, i) for i, (t, m) in enumerate(found, 1)], "f", GROUP, STREAM)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", TEXTS)
def test_a_form_gives_the_same_telemetry_in_every_encoding_and_packing(form, encoding):
    text = TEXTS[encoding](FORMS[form](events()))
    wanted = expected(events())
    for name, pack in PACKINGS.items():
        assert telemetry(read(pack(text))) == wanted, name


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_same_telemetry_over_many_chunks(form):
    found = events(400)
    rng = random.Random(form)
    wanted = expected(found)
    for encoding, packing in (("UTF-8", "plain"), (rng.choice(list(TEXTS)), rng.choice(list(PACKINGS)))):
        body = PACKINGS[packing](TEXTS[encoding](FORMS[form](found)))
        assert telemetry(read(body, rng.randrange(1000, 99_999))) == wanted, (encoding, packing)


FRAGMENTS = st.sampled_from(
    [
        *MESSAGES, "", "  ", "{", "[", "}", "]", '{"a": 1}', "[1, 2]", '["x"]', '[{"a": 1}]', '{"events": 3}',
        '{"Records": []}', '{"events": [{"message": "x", "timestamp": 1}, 7', '{"records": [{"data": "!"}]}',
        '{\n  "level": "INFO",\n  "events": [1]\n}', "{\n  level: 1\n}", "H4sIAAAA", "\ufeffmark", "2026-11-23T10:00:00Z stamped",
        '{"version": "0", "detail-type": "Step Functions Execution Status Change", "detail": {}}',
        '{"log_group": "g", "message": "m", "timestamp": 5}', "timestamp,message", '"a ""b"" c"', "x" * 70,
        *(form(events()[:2]) for form in FORMS.values()),
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(FRAGMENTS, max_size=7),
    st.sampled_from(["\n", "", "\r\n", "\n\n"]),
    st.integers(1, 99),
    st.data(),
)
def test_a_body_gives_the_same_pieces_however_it_is_cut(fragments, between, size, data):
    body = between.join(fragments).encode()
    end = data.draw(st.integers(0, len(body)))
    packing = data.draw(st.sampled_from(list(PACKINGS)))
    body = PACKINGS[packing](body[:end])
    assert read(body, size) == read(body)


def test_a_long_line_gives_the_same_pieces_however_it_is_cut():
    body = f'{{"x": "{"y" * 2_500_000}"}}\nnext\n{"z" * 1_000_001}'.encode()
    assert read(body, 70_001) == read(body) == read(body, 1_500_000)
    lines = [line for piece in read(body) for line in piece.lines]
    assert [(len(text), place) for text, _, place in lines] == [
        (1_000_000, 1), (1_000_000, 1), (500_009, 1), (4, 2), (1_000_000, 3), (1, 3),
    ]  # fmt: skip


def test_the_rest_of_a_long_line_is_no_document_whatever_it_begins_with():
    page = FORMS["filter-log-events, compact"](events(1500))
    body = f"{'y' * 1_000_000}{page}\n".encode()
    assert read(body, 70_001) == read(body)
    assert "".join(text for piece in read(body) for text, _, _ in piece.lines) == body.decode().strip()
