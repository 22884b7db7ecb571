"""The comparison operators of a Choice, in JSONPath."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.local_aws.states.choice import OPERATORS, PATH_OPERATORS, holds
from monitoring.local_aws.states.jsonpath import PathNotFoundError, compile_path
from monitoring.local_aws.states.timestamps import parse_timestamp

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "real": 1.5,
    "one_point_zero": 1.0,
    "text": "pear",
    "later": "plum",
    "number_text": "1",
    "list": [1],
    "object": {},
    "time": "2026-03-01T12:00:00Z",
    "same_time": "2026-03-01T13:00:00+01:00",
    "next": "2026-03-01T12:00:00.000000001Z",
    "no_time": "2026-03-01 12:00:00Z",
}


def lookup(path: str) -> Any:
    return compile_path(path).find(VALUES, strict=True)


def true(operator: str, name: str, operand: Any) -> bool:
    return holds({"Variable": f"$.{name}", operator: operand}, lookup, PathNotFoundError)


RULES = [
    ("StringEquals", "text", "pear", True),
    ("StringEquals", "text", "Pear", False),
    ("StringEquals", "one", "1", False),
    ("StringLessThan", "text", "plum", True),
    ("StringGreaterThan", "text", "plum", False),
    ("StringLessThanEquals", "text", "pear", True),
    ("StringGreaterThanEquals", "later", "pear", True),
    ("StringMatches", "text", "p*r", True),
    ("StringMatches", "text", "p*", True),
    ("StringMatches", "text", "*", True),
    ("StringMatches", "text", "p?ar", False),
    ("StringMatches", "text", r"p\*r", False),
    ("StringMatches", "one", "1", False),
    ("NumericEquals", "one", 1.0, True),
    ("NumericEquals", "one_point_zero", 1, True),
    ("NumericEquals", "true", 1, False),
    ("NumericEquals", "number_text", 1, False),
    ("NumericLessThan", "one", 1.5, True),
    ("NumericGreaterThan", "real", 1, True),
    ("NumericLessThanEquals", "one", 1, True),
    ("NumericGreaterThanEquals", "zero", 1, False),
    ("BooleanEquals", "true", True, True),
    ("BooleanEquals", "one", True, False),
    ("BooleanEquals", "null", False, False),
    ("TimestampEquals", "time", "2026-03-01T12:00:00.000Z", True),
    ("TimestampEquals", "same_time", "2026-03-01T12:00:00Z", True),
    ("TimestampEquals", "no_time", "2026-03-01T12:00:00Z", False),
    ("TimestampLessThan", "time", "2026-03-01T11:00:00-02:00", True),
    ("TimestampGreaterThan", "next", "2026-03-01T12:00:00Z", True),
    ("TimestampLessThanEquals", "same_time", "2026-03-01T12:00:00Z", True),
    ("TimestampGreaterThanEquals", "time", "2026-03-01T12:00:00.5Z", False),
    ("IsNull", "null", True, True),
    ("IsNull", "zero", True, False),
    ("IsNull", "zero", False, True),
    ("IsPresent", "null", True, True),
    ("IsPresent", "absent", True, False),
    ("IsPresent", "absent", False, True),
    ("IsNumeric", "real", True, True),
    ("IsNumeric", "true", True, False),
    ("IsString", "time", True, True),
    ("IsBoolean", "false", True, True),
    ("IsTimestamp", "next", True, True),
    ("IsTimestamp", "same_time", True, True),
    ("IsTimestamp", "no_time", True, False),
    ("IsTimestamp", "one", False, True),
]


@pytest.mark.parametrize(("operator", "name", "operand", "expected"), RULES)
def test_a_rule_is_as_true_as_on_aws(operator: str, name: str, operand: Any, expected: bool) -> None:
    assert true(operator, name, operand) is expected


def test_every_operator_is_in_the_table() -> None:
    assert {operator for operator, *_ in RULES} == set(OPERATORS)
    kinds = ("String", "Numeric", "Timestamp")
    relations = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
    expected = {f"{kind}{relation}Path" for kind in kinds for relation in relations}
    assert set(PATH_OPERATORS) == {*expected, "BooleanEqualsPath"}


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "IsPresent"])
def test_an_absent_variable_fails_every_operator_but_one(operator: str) -> None:
    with pytest.raises(PathNotFoundError):
        true(operator, "absent", "x")
    if f"{operator}Path" in PATH_OPERATORS:
        with pytest.raises(PathNotFoundError):
            true(f"{operator}Path", "text", "$.absent")


def test_a_path_operator_is_the_operator_on_the_value_of_its_path() -> None:
    for name, left, right in itertools.product(PATH_OPERATORS, VALUES, VALUES):
        assert true(name, left, f"$.{right}") is true(name.removesuffix("Path"), left, VALUES[right]), (
            name,
            left,
            right,
        )


@given(st.lists(st.booleans(), min_size=1, max_size=4))
def test_and_or_and_not_are_those_of_logic(values: list[bool]) -> None:
    rules = [{"Variable": f"$.{str(value).lower()}", "BooleanEquals": True} for value in values]
    assert holds({"And": rules}, lookup, PathNotFoundError) is all(values)
    assert holds({"Or": rules}, lookup, PathNotFoundError) is any(values)
    assert holds({"Not": {"Or": rules}}, lookup, PathNotFoundError) is not any(values)


def test_a_rule_that_asks_for_presence_first_guards_the_next_one() -> None:
    guard = [{"Variable": "$.absent", "IsPresent": True}, {"Variable": "$.absent", "NumericEquals": 1}]
    assert holds({"And": guard}, lookup, PathNotFoundError) is False


TIMES = [
    ("2026-03-01T12:00:00Z", True),
    ("2026-03-01T12:00Z", True),
    ("2026-03-01T12:00:00.123456789Z", True),
    ("2026-03-01T12:00:00+05:30", True),
    ("2026-03-01T12:00:00", False),
    ("2026-03-01t12:00:00z", False),
    ("2026-13-01T12:00:00Z", False),
    ("2026-03-01T25:00:00Z", False),
    ("2026-03-01", False),
    (20260301, False),
    (None, False),
]


@pytest.mark.parametrize(("text", "valid"), TIMES)
def test_a_timestamp_is_rfc_3339_with_a_capital_t_and_z(text: Any, valid: bool) -> None:
    assert (parse_timestamp(text) is not None) is valid


@given(st.integers(0, 10**9 - 1), st.integers(-14, 14), st.integers(-14, 14))
def test_one_moment_is_equal_in_every_offset(nanosecond: int, left: int, right: int) -> None:
    def at(offset: int) -> str:
        hour = 12 + offset
        day = 2 + hour // 24
        return f"2026-03-{day:02d}T{hour % 24:02d}:30:00.{nanosecond:09d}{'-' if offset < 0 else '+'}{abs(offset):02d}:00"

    assert parse_timestamp(at(left)) == parse_timestamp(at(right))
