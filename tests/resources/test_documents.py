"""A JSON file keeps the place of every value, and says where it stops being JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.resources.document import JsonError, parse_document
from monitoring.resources.resource import Resource, kind_of, references, strings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def pointers(value, at=()):
    yield at, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from pointers(item, (*at, key))


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_the_text_at_the_span_of_a_pointer_is_that_value(value, indent, ascii_only):
    document = parse_document(
        "x.json", " \n" + json.dumps(value, indent=indent, ensure_ascii=ascii_only) + "\n"
    )
    for pointer, item in pointers(value):
        span = document.span(pointer)
        assert json.loads(document.text[span.start : span.end]) == item
        if pointer and isinstance(pointer[-1], str):
            key = document.key_span(pointer)
            assert json.loads(document.text[key.start : key.end]) == pointer[-1]


@given(st.text(min_size=1), st.booleans(), st.data())
def test_a_character_inside_a_string_is_found_behind_its_escapes(text, ascii_only, data):
    document = parse_document("x.json", json.dumps({"query": text}, ensure_ascii=ascii_only))
    index = data.draw(st.integers(0, len(text) - 1))
    at = document.inside(("query",), index)
    end = document.span(("query",)).end - 1
    assert json.loads('"' + document.text[at:end] + '"') == text[index:]


def test_lines_and_columns_count_from_one():
    document = parse_document("x.json", '{\n  "a": [1,\n    {"b": "c"}]\n}')
    place = document.place(document.span(("a", 1, "b")).start)
    assert (place.line, place.column) == (3, 11)
    assert document.place(0).line == 1


def test_a_pointer_that_leads_nowhere_gives_the_value_around_it():
    document = parse_document("x.json", '{"a": {"b": 1}}')
    assert document.span(("a", "missing", 3)) == document.span(("a",))


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ('{"a": 1,}', 7, "a comma before the closing }"),
        ('{"a": [1,], "b": 2}', 8, "a comma before the closing ]"),
        ("[1, 2 , \n ]", 6, "a comma before the closing ]"),
        ("[,]", 1, "a comma before the closing ]"),
        ('{"a": 1,,}', 8, "a comma before the closing }"),
        ("[1,", 3, "Expecting value"),
        ('{"a": 1 // one\n}', 8, "no comments"),
        ("{'a': 1}", 1, "double quotes"),
        ('{"a": NaN}', 6, "Write a number"),
        ("", 0, ""),
        ("[" * 100_000, 0, "nested"),
    ],
)
def test_what_is_no_json_is_said_with_its_place_and_the_way_out(text, offset, words):
    with pytest.raises(JsonError) as raised:
        parse_document("x.json", text)
    assert words in str(raised.value)
    assert raised.value.offset == offset


def test_keys_named_twice_are_found_at_any_depth():
    document = parse_document("x.json", '{"a": 1, "b": [{"c": 1, "c": 2}], "a": 3}')
    assert [(key, span.start) for span, key in document.duplicate_keys()] == [("c", 24), ("a", 34)]
    assert not list(parse_document("x.json", '{"a": {"a": 1}}').duplicate_keys())


@pytest.mark.parametrize(
    ("body", "folder", "kind"),
    [
        ({"widgets": []}, "", "dashboard"),
        ({"title": "x"}, "dashboards", "dashboard"),
        ({"query": "q", "type": "query alert"}, "", "monitor"),
        ({"type": "metric", "thresholds": []}, "", "slo"),
        ({"name": "x"}, "", None),
    ],
)
def test_the_kind_of_a_file_is_known_by_its_folder_or_its_keys(body, folder, kind):
    assert kind_of(body, folder) == kind


def test_references_are_found_with_their_place():
    body = {
        "query": "${monitor:failed} && !${monitor:idle}",
        "message": "${var:notify|@oncall}",
        "n": [1, "x"],
    }
    found = list(references(body))
    assert [(each.kind, each.key, each.default) for each in found] == [
        ("monitor", "failed", None),
        ("monitor", "idle", None),
        ("var", "notify", "@oncall"),
    ]
    assert body["query"][found[1].start : found[1].end] == "${monitor:idle}"
    assert [pointer for pointer, _ in strings(body)] == [("query",), ("message",), ("n", 1)]


def test_a_resource_is_called_by_its_title_or_name():
    assert Resource("dashboard", "a", {"title": "A"}).title == "A"
    assert Resource("monitor", "b", {"name": "B"}).title == "B"
