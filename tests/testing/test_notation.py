"""The short notation of values: promtool's, with brackets and commas."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.testing.notation import NotationError, parse_values


def flat(text):
    return [slot[0] if slot else None for slot in parse_values(text)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2 3", [1, 2, 3]),
        ("0+1x10", list(range(11))),
        ("-2+4x3", [-2, 2, 6, 10]),
        ("1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("1 _x3 stale", [1, None, None, None, None]),
        ("_ 4", [None, 4]),
        ("0.5 1e3 -1.5e-1", [0.5, 1000, -0.15]),
        ("1e3+1e2x1", [1000, 1100]),
        ("(0 1)x2 9", [0, 1, 0, 1, 0, 1, 9]),
        ("(0 (1)x1) 2", [0, 1, 1, 2]),
        ("", []),
    ],
)
def test_the_notation_expands_as_promtool_does(text, values):
    assert flat(text) == values


def test_commas_give_a_distribution_several_values_at_one_time():
    assert parse_values("1,1,2 3,4x1") == [(1, 1, 2), (3, 4), (3, 4)]


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("1 2*3", 2, "small x"),
        ("1 null", 2, "a missing point is _"),
        ("1,", 0, "by spaces"),
        ("(1 2", 0, "never closed"),
        ("1 )", 2, "closes nothing"),
        ("0x9999999999", 0, "more than"),
        ("(0x999)x99999", 6, "more than"),
        ("1x2y", 0, "not a valid value"),
    ],
)
def test_an_unreadable_value_is_shown_where_it_stands(text, at, says):
    with pytest.raises(NotationError) as caught:
        parse_values(text)
    assert caught.value.start == at
    assert says in str(caught.value)


@given(st.text(alphabet="01x+-_()., estal", max_size=30))
def test_any_text_either_expands_or_is_a_notation_error(text):
    with contextlib.suppress(NotationError):
        assert all(slot is None or slot for slot in parse_values(text))
