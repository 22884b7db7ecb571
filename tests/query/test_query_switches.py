"""Open points of the query language: what each switch decides, its default and its other value."""

import pytest
from query_cases import (
    COUNTER,
    COUNTS,
    GAUGE,
    HOSTS,
    SPREAD,
    ask,
    line,
    row,
    series,
    wanted,
)

from monitoring.query import (
    QueryError,
    Switches,
)

_ = None
# switch, query, data, the answer with the default, the answer with the other value
TWO_SIDED = [
    series("a", "host:x az:1", [1, 2]),
    series("a", "host:y az:1", [3, 4]),
    series("b", "az:1", [10, 10]),
]
STEADY = [series(tags="host:a", values=[1, _, 3]), series(tags="host:b", values=[_, 5, _])]
SWITCHED = [
    ("negative_deltas", "drop", "per_minute(sum:m{*})", COUNTER, {"": [_, 4, _, 3, -15]}, {"": [_, 4, _, 3]}),
    (
        "monotonic_reset",
        "zero",
        "monotonic_diff(sum:m{*})",
        COUNTER,
        {"": [_, 4, _, 6]},
        {"": [_, 4, _, 6, 0]},
    ),
    (
        "rates",
        "after",
        "diff(max:m{env:prod})",
        [series(tags="env:prod host:a", values=[1, 9, 2]), series(tags="env:prod host:b", values=[8, 8, 8])],
        {"": [_, 8, 0]},
        {"": [_, 1, -1]},
    ),
    (
        "interpolate_counts",
        True,
        "sum:c{*}",
        [series("c", "a:b", [2, _, 4], type="count"), series("c", "a:c", [1, 1, 1], type="count")],
        {"": [3, 1, 5]},
        {"": [3, 4, 5]},
    ),
    (
        "align_groups",
        True,
        "sum:m{*} by {host}",
        STEADY,
        {"host:a": [1, _, 3], "host:b": [_, 5]},
        {"host:a": [1, 2, 3], "host:b": [_, 5, 5]},
    ),
    ("longest_fill", 60, "sum:m{*}.fill(last, 900)", [series(values=[1])], {"": [1] * 5}, {"": [1, 1]}),
    ("count_rollup", "sum", "sum:c{*}.rollup(300)", COUNTS, {"": [6]}, {"": [24]}),
    ("bare_fill", "ignore", "sum:m{*}.fill(60)", GAUGE, {"": [1, 2, 3, 4, -8]}, {"": [1, 2, _, 4, -8]}),
    ("wildcards", "ends", "sum:m{env:*r*}", HOSTS[:1], {"": [1, 2, 3, 4, 5]}, {}),
    (
        "integral_of",
        "value",
        "integral(sum:m{*})",
        HOSTS[:1],
        {"": [0, 60, 120, 180, 240]},
        {"": [0, 120, 300, 540, 840]},
    ),
    ("quantiles", "sketch", "p50:d{host:b}", SPREAD, {"": [5]}, {"": [round((1 + 1 / 64) ** 104, 9)]}),
    ("last_bucket", "until", "sum:m{*}.rollup(sum, 120)", HOSTS[:1], {"": [3, _, 7, _, 5]}, {"": [3, _, 7]}),
]


@pytest.mark.parametrize(
    ("name", "value", "query", "data", "default", "other"), SWITCHED, ids=[case[0] for case in SWITCHED]
)
def test_an_open_point_is_decided_by_its_switch(name, value, query, data, default, other):
    seconds = 240 if name == "last_bucket" else 300
    assert ask(query, data, seconds + (name == "last_bucket")) == wanted(default)
    assert ask(query, data, seconds + (name == "last_bucket"), switches=Switches(**{name: value})) == wanted(
        other
    )


def test_sides_of_different_groupings_join_only_when_they_are_told_to():
    query = "sum:a{*} by {host,az} / sum:b{*} by {az}"
    with pytest.raises(QueryError, match=r"grouped by different keys, \{host,az\} and \{az\}"):
        ask(query, TWO_SIDED)
    found = ask(query, TWO_SIDED, switches=Switches(join="shared"))
    assert found == {"host:x az:1": row([0.1, 0.2]), "host:y az:1": row([0.3, 0.4])}


FLAT = [10] * 12
CARRIED = [16] * 6
"""A last point of 6 beside 10: itself, and five minutes of it."""


@pytest.mark.parametrize(
    ("values", "default", "limit"),
    [
        ([1, _, _, _, _, 6], [11, 12, 13, 14, 15, *CARRIED], [11, 12, 13, 14, 15, *CARRIED]),  # 300 s apart
        ([0, *[_] * 5, 6], [*FLAT[:6], *CARRIED], [10, 11, 12, 13, 14, 15, *CARRIED]),  # 360 s apart
        ([0, _, 2, *[_] * 8, 11], [10, 11, 12, *FLAT[:8], 21], [*range(10, 18), *FLAT[:3], 21]),
        ([6], CARRIED, CARRIED),  # no later point: carried for 300 s in both
    ],
)
def test_a_gap_longer_than_the_limit_is_left_empty_unless_the_switch_says_otherwise(values, default, limit):
    pair = [series(tags="host:a", values=values), series(tags="host:b", values=FLAT)]
    flat = row(FLAT)
    for chosen, expected in (("empty", default), ("limit", limit)):
        found = line("sum:m{*}", pair, 720, switches=Switches(long_gaps=chosen))
        assert found == {**flat, **{time: value for time, value in row(expected).items() if time < 720}}


def test_a_fill_that_is_asked_for_goes_up_to_its_limit_in_a_long_gap():
    found = line("sum:m{*}.fill(linear, 120)", [series(values=[0, _, _, _, 4])])
    assert found == row([0, 1, 2, _, 4])
