"""Edits of a template's text: one key more or another value, and nothing else changed (docs/lint.md, --fix).

YAML's styles are those of https://yaml.org/spec/1.1/; short tags of CloudFormation (`!Sub`) those of
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html.
"""

import copy
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.lint.engine import apply_edits
from monitoring.lint.templates.text import JsonText, PlacedText, Text, YamlText, embedded
from monitoring.resources.document import Document, TextRange

WORDS = st.sampled_from(["a", "B b", "é", "# x", "a: b", "yes", "7", "- z", "", "~", "'", '"'])
SCALARS = WORDS | st.integers(-9, 9) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c c", "d: d"]), VALUES, min_size=1, max_size=4)
NEW = [
    ("new", "text with space"),
    ("_datadog.$", "$$"),
    ("Level", "ALL"),
    ("n", 5),
    ("b", True),
    ("o", {"x": 1}),
]


def of_yaml(text):
    return YamlText("f.yaml", text, yaml.compose(text, yaml.SafeLoader))


def of_json(text):
    return JsonText(Document("f.json", text, None))


STYLES = {
    "json": (json.dumps, of_json, json.loads),
    "json indented": (lambda value: json.dumps(value, indent=2), of_json, json.loads),
    "json with CRLF": (lambda value: json.dumps(value, indent=4).replace("\n", "\r\n"), of_json, json.loads),
    "json read as YAML": (lambda value: json.dumps(value, indent=2), of_yaml, yaml.safe_load),
    "block": (
        lambda value: yaml.safe_dump(value, sort_keys=False, allow_unicode=True),
        of_yaml,
        yaml.safe_load,
    ),
    "flow": (lambda value: yaml.safe_dump(value, default_flow_style=True, width=30), of_yaml, yaml.safe_load),
    "mixed": (lambda value: yaml.safe_dump(value, default_flow_style=None), of_yaml, yaml.safe_load),
}


def part(text, span):
    return text[span.start : span.end]


def places(value, pointer=()):
    yield pointer, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, inner in children:
        yield from places(inner, (*pointer, step))


def at(value, pointer):
    for step in pointer:
        value = value[step]
    return value


@pytest.mark.parametrize("style", STYLES)
@given(value=OBJECTS, new=st.sampled_from(NEW))
@settings(max_examples=25)
def test_an_object_has_one_key_more_and_the_rest_stays(style, value, new):
    dump, read, load = STYLES[style]
    written = dump(value)
    text = read(written)
    assert load(written) == value
    for pointer, inner in places(value):
        edit = text.insertion(pointer, *new)
        if not isinstance(inner, dict):
            assert edit is None
            continue
        assert edit is not None
        after = apply_edits(written, [edit])
        meant = copy.deepcopy(value)
        at(meant, pointer)[new[0]] = new[1]
        assert load(after) == meant
        assert after[: edit.start] == written[: edit.start]
        assert after[len(after) - len(written) + edit.end :] == written[edit.end :]
        assert ("\r\n" in after) == ("\r\n" in written)
        assert after.count("\n") - after.count("\r\n") <= written.count("\n") - written.count("\r\n") + 1


@pytest.mark.parametrize("style", STYLES)
@given(value=OBJECTS, new=st.sampled_from(["ALL", 5, True, "a b", "yes: no"]))
@settings(max_examples=25)
def test_a_scalar_has_another_value_and_the_rest_stays(style, value, new):
    dump, read, load = STYLES[style]
    written = dump(value)
    text = read(written)
    for pointer, inner in places(value):
        edit = text.replacement(pointer, new)
        if isinstance(inner, dict | list) or edit is None:
            assert edit is None
            assert isinstance(inner, dict | list)
            continue
        meant = copy.deepcopy({"": value})
        at(meant, ("", *pointer[:-1]))[pointer[-1] if pointer else ""] = new
        assert load(apply_edits(written, [edit])) == meant[""]


@pytest.mark.parametrize("style", STYLES)
@given(value=OBJECTS)
@settings(max_examples=25)
def test_a_finding_stands_at_the_key_or_at_the_nearest_place_that_exists(style, value):
    dump, read, load = STYLES[style]
    written = dump(value)
    text = read(written)
    for pointer, inner in places(value):
        span = text.span(pointer)
        assert 0 <= span.start < span.end <= len(written)
        assert text.span((*pointer, "not there", "x")) == span or not pointer
        if pointer and isinstance(pointer[-1], str):
            assert load(written[span.start : span.end]) == pointer[-1]
        elif pointer and not isinstance(inner, dict | list):
            assert load(written[span.start : span.end]) == inner
        line, column = text.line_and_column(span.start)
        assert written.split("\n")[line - 1][column - 1 :].startswith(
            written[span.start : span.end].split("\n")[0]
        )


BLOCK = """\
# head
a:
  b: 1   # why
  c: "x"

# between
list:
- d: 1
  e: 2 # last
-   f: 3
many: {g: 1,
  h: 2}
empty: {}
text: |
  one

  two
tail:
  z: [1,
    2]
"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        (("a",), '  c: "x"\n  new: 5\n\n# between'),
        (("list", 0), "  e: 2 # last\n  new: 5\n-   f: 3"),
        (("list", 1), "-   f: 3\n    new: 5\nmany:"),
        (("many",), "{g: 1,\n  h: 2,\n  new: 5}\n"),
        (("empty",), "empty: {new: 5}\n"),
        (("tail",), "    2]\n  new: 5\n"),
        ((), "    2]\nnew: 5\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_goes_behind_the_last_one_with_its_indentation_before_comments(pointer, line, newline):
    written = BLOCK.replace("\n", newline)
    after = apply_edits(written, [of_yaml(written).insertion(pointer, "new", 5)])
    assert line.replace("\n", newline) in after


@pytest.mark.parametrize(
    ("text", "pointer", "editable"),
    [
        ("a: &x {b: 1}\nc: *x\n", ("c",), False),
        ("a: &x {b: 1}\nc: *x\n", ("a",), False),
        ("a: &x {b: 1}\nc: {<<: *x, d: 1}\n", ("c",), True),
        ("a: &x {b: {e: 1}}\nc: {<<: *x, d: 1}\n", ("c", "b"), False),
        ("a: {b: {e: 1}}\n", ("a", "b"), True),
        ("a: {b: {e: 1}}\n", ("a", "x"), False),
        ("a: [1]\n", ("a",), False),
        ("a: text\n", ("a",), False),
        ("a: text\n", ("a", "b"), False),
        ("a: {b: 1}\n", ("a", 0), False),
        ("", (), False),
    ],
)
def test_what_stands_elsewhere_too_is_not_edited(text, pointer, editable):
    assert (of_yaml(text).insertion(pointer, "n", 1) is not None) is editable


@pytest.mark.parametrize(
    ("text", "pointer", "span"),
    [
        ("a: !Sub text\n", ("a", "Fn::Sub"), None),
        ("a: !Ref b\n", ("a", "Ref"), None),
        ("a: |\n  text\n", ("a",), None),
        ("a: >\n  text\n", ("a",), None),
        ("a: [1, 2]\n", ("a", 1), "2"),
        ("a: [1, 2]\n", ("a", 2), None),
        ("a: 'x'\n", ("a",), "'x'"),
        ("a: b\n", ("x",), None),
        ("a: b\na: c\n", ("a",), "c"),
    ],
)
def test_only_a_plain_or_quoted_scalar_is_replaced(text, pointer, span):
    place = of_yaml(text).value_range(pointer)
    assert (None if place is None else text[place.start : place.end]) == span


def test_a_short_tag_is_the_long_form_to_whoever_made_the_pointer():
    text = of_yaml("a: !Sub\n  - x\n  - {b: 1}\nc: !Other x\nd: text\n")
    assert text.node(("a", "Fn::Sub", 1, "b")).value == "1"
    assert text.node(("a", 1, "b")).value == "1"
    assert text.node(("c", "Fn::Sub")).value == "x"
    assert text.node(("d", "Fn::Sub")) is None
    assert text.node(("a", "Fn Sub")) is None
    assert text.node(("a", "Fn::Sub", 1, "x")) is None


@pytest.mark.parametrize("text", [Text("f", "abc\n"), Text("f", ""), PlacedText(Text("f", "x\nyz\nw"), 2)])
def test_what_is_neither_json_nor_yaml_has_one_place_and_no_edit(text):
    span = text.span(("a", 1))
    assert text.text[span.start : span.end] in {"a", "", "yz"}
    assert text.insertion(("a",), "b", 1) is None
    assert text.replacement(("a",), 1) is None


def test_a_place_in_the_last_line_ends_with_the_text():
    assert PlacedText(Text("f", "x\nyz"), 2).span(()) == TextRange(2, 4)
    assert PlacedText(Text("f", "x\nyz"), 0, 1).span(()) == TextRange(0, 1)


DEFINITION = '{\n  "A": {"b": 1},\n\n  "C": [1, "é"]\n}'


@pytest.mark.parametrize("header", ["|", "|-", "|+", "!Sub |", "| # why"])
@pytest.mark.parametrize("indent", [4, 7])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_json_in_a_literal_block_has_its_places_and_edits_in_the_file(header, indent, newline):
    lines = [f"{' ' * indent}{line}".rstrip() for line in DEFINITION.split("\n")]
    written = "\n".join(["a:", f"  b: {header}", *lines, "  d: 1", ""]).replace("\n", newline)
    text = embedded(of_yaml(written), ("a", "b"))
    assert text is not None
    assert part(written, text.span(("A",))) == '"A"'
    assert part(written, text.value_range(("C", 1))) == '"é"'
    assert text.value_range(("A",)) is None
    assert text.entries(("C",)) is None
    assert text.line_and_column(text.span(("C",)).start) == (6, indent + 3)
    after = apply_edits(written, [text.insertion(("A",), "n", 2), text.replacement(("C", 0), 9)])
    loaded = yaml.load(after.replace("!Sub ", ""), yaml.SafeLoader)
    assert json.loads(loaded["a"]["b"]) == {"A": {"b": 1, "n": 2}, "C": [9, "é"]}
    assert loaded["a"]["d"] == 1


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a: >\n  {}\n", ("a",)),
        ("a: '{}'\n", ("a",)),
        ("a: |\n  not JSON\n", ("a",)),
        ("a: |2\n    {}\n", ("a",)),
        ("a: {}\n", ("a",)),
        ("a: |\n  {}\n", ("b",)),
    ],
)
def test_only_a_literal_block_of_json_is_looked_into(text, pointer):
    assert embedded(of_yaml(text), pointer) is None
    assert embedded(Text("f", text), pointer) is None
