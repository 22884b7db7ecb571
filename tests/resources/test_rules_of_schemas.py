"""The walk of a body beside its schema agrees with JSON Schema (https://json-schema.org/draft/2020-12).

What the walk says is wrong, a validator of the standard refuses; what it accepts, the validator accepts, but for null
under an optional key and `${…}`, which are accepted everywhere (docs/lint/schema.md).
"""

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.resources.schema import _is_inner, _Walk

KEYS = ("a", "b", "type")
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 2},
        {"type": "integer"},
        {"type": "number", "minimum": 1, "maximum": 3},
        {"type": ["string", "boolean"]},
        {"type": "boolean"},
        {"enum": ["x"]},
        {"enum": ["x", "yy"]},
        {"$ref": "#/$defs/word"},
        {"$ref": "#/$defs/box"},
        {},
    ]
)
DEFINITIONS = {
    "word": {"$ref": "#/$defs/other"},
    "other": {"enum": ["x", "z"], "type": "string"},
    "box": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "type": {"enum": ["x"]}},
        "required": ["type"],
        "additionalProperties": False,
    },
}


def objects(inner):
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)},
        optional={
            "required": st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
        },
    )


def lists(inner):
    return st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 2), "maxItems": st.integers(0, 2)},
    )


def choices(inner):
    return st.lists(inner, min_size=1, max_size=3).map(lambda several: {"anyOf": several})


RULES = st.recursive(LEAVES, lambda inner: objects(inner) | lists(inner) | choices(inner), max_leaves=6)
VALUES = st.recursive(
    st.sampled_from(["x", "yy", "z", "", 0, 1, 2, 3, 4, 2.0, 2.5, True, False]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "c"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(rule=RULES, value=VALUES)
@settings(max_examples=150)
def test_the_walk_refuses_what_json_schema_refuses(rule, value):
    rule, value = {"properties": {"of": rule}}, {"of": value}
    validator = jsonschema_rs.Draft202012Validator({**rule, "$defs": DEFINITIONS})
    wrong = list(_Walk(DEFINITIONS).check(value, rule, ()))
    assert (wrong == []) is validator.is_valid(value)
    for fault in wrong:
        inner = value
        for step in fault.pointer:
            inner = inner[step]
        assert fault.message


@pytest.mark.parametrize("value", ["${var:x}", None])
@given(rule=objects(LEAVES))
@settings(max_examples=20)
def test_null_of_an_optional_key_and_a_variable_are_accepted(value, rule):
    body = dict.fromkeys(rule["properties"], value)
    if value is None:
        body = {key: None for key in body if key not in rule.get("required", ())}
        rule = {**rule, "required": []}
    else:
        rule = {**rule, "required": [key for key in rule.get("required", ()) if key in body]}
    assert list(_Walk(DEFINITIONS).check(body, rule, ())) == []


CHOICE = {
    "anyOf": [
        {
            "type": "object",
            "properties": {"type": {"enum": ["x"]}, "a": {"type": "integer"}},
            "required": ["type"],
        },
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"type": {"enum": ["y", "z"]}, "b": {"type": "integer"}},
                    "required": ["type", "b"],
                }
            ]
        },
    ]
}


@pytest.mark.parametrize(
    ("value", "pointer", "message", "hint"),
    [
        ({"type": "x", "a": "s"}, ("a",), 'a is "s", not a whole number', ""),
        ({"type": "y", "b": "s"}, ("b",), 'b is "s", not a whole number', ""),
        ({"type": "y"}, (), "the file has no b", "Add b: a whole number."),
        ({"type": "q"}, ("type",), 'type is "q", not one of x, y, z', ""),
        ({"type": 5}, ("type",), "type is 5, not one of x, y, z", ""),
        ({}, (), "the file has no type", "Add type: x."),
        ("s", (), 'the file is "s", not an object', ""),
        ([], (), "the file is a list, not an object", ""),
        ({"type": "x", "a": 2.0}, None, None, None),
        ({"type": "x", "a": True}, ("a",), "a is true, not a whole number", ""),
    ],
)
def test_a_body_is_compared_with_the_shape_that_its_type_names(value, pointer, message, hint):
    wrong = list(_Walk({}).check(value, CHOICE, ()))
    if message is None:
        assert wrong == []
        return
    assert [(fault.pointer, fault.message, fault.hint) for fault in wrong] == [(pointer, message, hint)]


@pytest.mark.parametrize(
    ("value", "unverified", "hint"),
    [
        ({"style": {"palette": "dog_clasic"}}, True, "Did you mean dog_classic?"),
        ({"style": {"word": "dog_clasic"}}, False, "Did you mean dog_classic?"),
        ({"style": {"word": "zzzz"}}, True, ""),
        ({"style": {"word": 5}}, False, ""),
    ],
)
def test_a_new_word_may_be_known_to_datadog_and_a_misspelt_one_is_not(value, unverified, hint):
    words = {"enum": ["dog_classic", "warm"]}
    rule = {"properties": {"style": {"properties": {"palette": words, "word": words}}}}
    (fault,) = _Walk({}).check(value, rule, ())
    assert (fault.unverified, fault.hint) == (unverified, hint)


@pytest.mark.parametrize(
    ("at", "inner"),
    [
        ((), False),
        (("widgets",), False),
        (("widgets", 0), False),
        (("widgets", 0, "definition"), False),
        (("widgets", 0, "definition", "requests"), True),
        (("widgets", 0, "definition", "requests", 0), True),
        (("widgets", 0, "definition", "widgets", 0, "definition"), False),
        (("widgets", 0, "definition", "widgets", 0, "definition", "requests"), True),
    ],
)
def test_a_missing_key_is_certain_outside_of_a_widgets_requests(at, inner):
    assert _is_inner(at) is inner


@pytest.mark.parametrize(
    ("key", "others", "messages"),
    [
        ("aa", False, ["the file has no key aa in the API"]),
        ("aa", True, []),
        ("aa", {"type": "integer"}, ['aa is "s", not a whole number']),
        ("aa", {"type": "string"}, []),
    ],
)
def test_a_further_key_is_judged_by_what_the_schema_says_of_others(key, others, messages):
    for rule in (
        {"properties": {"abc": {}}, "additionalProperties": others},
        {"additionalProperties": others},
    ):
        assert [fault.message for fault in _Walk({}).check({key: "s"}, rule, ())] == messages


WORDS = {
    "anyOf": [
        {"type": "object"},
        {"type": "string", "minLength": 3},
        {"type": "array", "items": {"type": "integer"}},
    ]
}
TYPED = {"type": "object", "required": ["type"]}
MIXED = {
    "anyOf": [
        {"type": "string"},
        {**TYPED, "properties": {"type": {"enum": ["x"]}}},
        {**TYPED, "properties": {"type": {"enum": ["y"]}}},
    ]
}


@pytest.mark.parametrize(
    ("rule", "value", "pointer", "words"),
    [
        (WORDS, "ab", (), "needs at least 3 characters"),
        (WORDS, [1, "b"], (1,), 'is "b", not a whole number'),
        (WORDS, 5, (), "is 5, not an object"),
        (MIXED, {"type": "q"}, ("type",), 'type is "q", not one of x, y'),
        (MIXED, {}, (), "has no type"),
        (MIXED, 5, (), "is 5, not a string"),
    ],
)
def test_a_value_is_compared_with_the_shape_whose_type_it_has(rule, value, pointer, words):
    (fault,) = _Walk({}).check(value, rule, ())
    assert fault.pointer == pointer
    assert words in fault.message
